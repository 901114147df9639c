//! What stopped between two steps, what two processes do at once, and what vanished meanwhile: no hold stays behind, and
//! nothing waits for ever.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use rad_core::access::Publisher;
use rad_core::clock::Clock;
use rad_core::deployment::{
    Deployment, DeploymentStatus, DeploymentStore, LeaseLimits, NewDeployment, Run, RunReport, RunStatus,
    Settlement, Target, Transition,
};
use rad_core::error::BackendError;
use rad_core::id::{AccountId, DeploymentId, ModuleId, RunId};
use rad_core::ledger::{LedgerExt, Post};
use rad_core::memory::{MemoryDeployments, MemorySettings};
use rad_core::notify::Notice;
use rad_core::platform::{ATTEMPTS, PlatformError};
use rad_core::revenue::{Body, BurnOrder, EntryKey, Hold};
use rad_core::runner::{Diagnostic, RunOutcome, Step};
use rad_core::settings::{Settings, SettingsError, SettingsStore, VersionedSettings};
use rad_core::source::Digest;
use uuid::Uuid;

use super::deploying::{funded, triple};
use super::market::{Market, credits, values};

/// Settings that fail, or during whose reading something else happens: they are read just before a hold is posted.
#[derive(Debug)]
pub(super) struct UnsteadySettings {
    kept: MemorySettings,
    deployments: Arc<MemoryDeployments>,
    failures: Mutex<u32>,
    cancels: Mutex<Option<RunId>>,
}

impl UnsteadySettings {
    pub(super) fn over(deployments: Arc<MemoryDeployments>) -> Self {
        let kept = MemorySettings::default();
        Self { kept, deployments, failures: Mutex::default(), cancels: Mutex::default() }
    }

    fn fail(&self, times: u32) {
        *self.failures.lock().unwrap() = times;
    }

    /// Has the run cancelled and settled by another process, at the next reading after this one.
    fn cancel(&self, run: RunId) {
        *self.cancels.lock().unwrap() = Some(run);
    }
}

#[async_trait]
impl SettingsStore for UnsteadySettings {
    async fn current(&self) -> Result<VersionedSettings, SettingsError> {
        {
            let mut failures = self.failures.lock().unwrap();
            if *failures > 0 {
                *failures -= 1;
                return Err(BackendError::unavailable("reading settings", "out of order").into());
            }
        }
        let cancelled = self.cancels.lock().unwrap().take();
        if let Some(run) = cancelled {
            self.deployments.advance(run, Transition::Cancel, DateTime::UNIX_EPOCH).await.unwrap();
            self.deployments.settled(run).await.unwrap();
        }
        self.kept.current().await
    }

    async fn save(
        &self,
        expected: u32,
        settings: &Settings,
        by: AccountId,
        at: DateTime<Utc>,
    ) -> Result<VersionedSettings, SettingsError> {
        self.kept.save(expected, settings, by, at).await
    }

    async fn history(&self, limit: u32) -> Result<Vec<VersionedSettings>, SettingsError> {
        self.kept.history(limit).await
    }
}

/// What a request leaves that stops right after its deployment is stored.
async fn stored(market: &Market, owner: AccountId, needs: &[&str]) -> (Deployment, Run) {
    let new = NewDeployment {
        id: DeploymentId::new(),
        submission: Uuid::new_v4(),
        owner,
        module: ModuleId::new(),
        publisher: Publisher::Partner(market.partner),
        module_name: "left".to_owned(),
        target: Target {
            commit: "0123456789012345678901234567890123456789".parse().unwrap(),
            source: Digest::of(b"left"),
            values: values(&[]),
            secrets: [].into(),
            needs: needs.iter().map(|need| (*need).to_owned()).collect(),
            may_purge: false,
        },
        cost: credits("60"),
        purchased_only: false,
    };
    market.deployments.create(new, RunId::new(), market.clock.now()).await.unwrap()
}

async fn status(market: &Market, run: RunId) -> RunStatus {
    market.deployments.run(run).await.unwrap().status
}

#[tokio::test]
async fn a_request_that_stopped_half_way_is_carried_on_as_it_would_have_been() {
    let market = funded().await;
    let (_, plain) = stored(&market, market.user, &[]).await;
    let (_, needy) = stored(&market, market.user, &["small"]).await;
    let (poor, refused) = stored(&market, market.agent, &[]).await;
    let operations = market.platform.operations();
    assert_eq!(operations.sweep().await.unwrap().resumed, 0, "the requests may still go on");
    market.clock.advance(TimeDelta::seconds(61));
    assert_eq!(operations.sweep().await.unwrap().resumed, 3);
    assert_eq!(status(&market, plain.id).await, RunStatus::Queued);
    assert_eq!(status(&market, needy.id).await, RunStatus::Waiting);
    assert!(market.deployments.run(refused.id).await.is_err(), "what is refused leaves nothing behind");
    assert!(market.deployments.deployment(poor.id).await.is_err());
    assert_eq!(market.credits(market.user).await, triple("0", "70", "60"));
    assert_eq!(operations.sweep().await.unwrap().resumed, 0);
}

#[tokio::test]
async fn a_run_cancelled_while_its_hold_is_posted_leaves_no_hold() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let waiting = user.deploy(market.module("needy").await, &values(&[]), Uuid::new_v4()).await.unwrap();
    let small = market.module("small").await;
    user.deploy(small, &values(&[("name", "blue")]), Uuid::new_v4()).await.unwrap();
    market.finish_next(RunOutcome::Success).await;
    market.settings.cancel(waiting.latest_run);
    market.platform.operations().sweep().await.unwrap();
    assert_eq!(status(&market, waiting.latest_run).await, RunStatus::Cancelled);
    assert_eq!(market.credits(market.user).await, triple("0", "70", "0"));
}

#[tokio::test]
async fn a_request_that_stopped_with_its_fee_held_does_not_wait_with_it() {
    let market = funded().await;
    let (deployment, run) = stored(&market, market.user, &["small"]).await;
    let hold = Hold {
        amount: run.cost,
        burn: BurnOrder::of_module(deployment.purchased_only),
        expires: None,
        deployment: Some(deployment.id),
        module: Some(deployment.module),
    };
    let key = EntryKey::derive("hold", &[run.id.as_bytes()]);
    let (account, at) = (market.user, market.clock.now());
    market.ledger.post(Post { account, key, at, actor: None, body: Body::Hold(hold) }).await.unwrap();
    market.clock.advance(TimeDelta::seconds(61));
    assert_eq!(market.platform.operations().sweep().await.unwrap().resumed, 1);
    assert_eq!(
        status(&market, run.id).await,
        RunStatus::Queued,
        "what it needs was there when its fee was held"
    );
    market.finish_next(RunOutcome::Failure).await;
    assert_eq!(market.credits(market.user).await, triple("30", "100", "0"), "and given back as ever");
}

#[tokio::test]
async fn a_run_that_cannot_be_settled_holds_up_no_other() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let typed = values(&[("name", "blue")]);
    user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap();
    user.deploy(market.module("paid").await, &values(&[]), Uuid::new_v4()).await.unwrap();
    for _ in 0..2 {
        market.settings.fail(1);
        market.finish_next(RunOutcome::Success).await;
    }
    assert_eq!(market.credits(market.user).await.2, "100", "both are owed");
    market.settings.fail(1);
    let operations = market.platform.operations();
    assert!(operations.sweep().await.is_err(), "what went wrong is told");
    assert_eq!(market.credits(market.user).await.2, "60", "the second is settled");
    assert_eq!(operations.sweep().await.unwrap().settled, 1);
    assert_eq!(market.credits(market.user).await, triple("0", "30", "0"));
}

#[tokio::test]
async fn a_charge_stands_though_its_payer_and_its_listing_are_gone() {
    let market = Market::open().await;
    let nobody = AccountId::new();
    market.sell(nobody).await;
    let (_, run) = stored(&market, nobody, &[]).await;
    market.clock.advance(TimeDelta::seconds(61));
    market.platform.operations().sweep().await.unwrap();
    market.finish_next(RunOutcome::Success).await;
    let run = market.deployments.run(run.id).await.unwrap();
    assert_eq!((run.status, run.settlement), (RunStatus::Success, Settlement::Done));
}

#[tokio::test]
async fn what_no_worker_has_taken_can_be_destroyed() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let waiting = user.deploy(market.module("needy").await, &values(&[]), Uuid::new_v4()).await.unwrap();
    let typed = values(&[("name", "blue")]);
    let queued = user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap();
    for id in [queued.id, waiting.id] {
        user.destroy(id).await.unwrap();
        let busy = user.destroy(id).await.unwrap_err();
        assert!(busy.to_string().contains("busy"), "{busy}");
        market.finish_next(RunOutcome::Success).await;
        let details = user.deployment(id).await.unwrap();
        assert_eq!(details.deployment.status, DeploymentStatus::Deleted);
        assert_eq!(details.runs[1].status, RunStatus::Cancelled);
    }
    market.platform.operations().sweep().await.unwrap();
    assert_eq!(market.credits(market.user).await, triple("30", "100", "0"));
}

#[tokio::test]
async fn one_that_waited_and_cannot_be_paid_ends_and_says_why() {
    let market = Market::open().await;
    market.publish(&["small", "needy"]).await;
    market.award(market.user, "60").await;
    let user = market.actor(market.user).await;
    let waiting = user.deploy(market.module("needy").await, &values(&[]), Uuid::new_v4()).await.unwrap();
    let typed = values(&[("name", "blue")]);
    user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap();
    market.finish_next(RunOutcome::Success).await;
    let operations = market.platform.operations();
    for _ in 0..2 {
        operations.sweep().await.unwrap();
    }
    assert_eq!(status(&market, waiting.latest_run).await, RunStatus::Cancelled);
    let told = market.notices(market.user).await;
    let [Notice::DeploymentRefused { deployment, reason }, ..] = &told[..] else { panic!("{told:?}") };
    assert_eq!(*deployment, waiting.id);
    assert!(reason.contains("5 credits"), "{reason}");

    let refused = user.retry(waiting.id).await.unwrap_err();
    assert_eq!(refused.code(), Some("INSUFFICIENT_TOTAL_CREDITS"));
    market.award(market.user, "5").await;
    user.retry(waiting.id).await.unwrap();
    assert_eq!(market.credits(market.user).await, triple("0", "0", "5"));
}

#[tokio::test]
async fn nothing_is_held_once_credits_are_switched_off() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let waiting = user.deploy(market.module("needy").await, &values(&[]), Uuid::new_v4()).await.unwrap();
    let typed = values(&[("name", "blue")]);
    let small = user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap();
    market.finish_next(RunOutcome::Failure).await;
    market.change_settings(|settings| settings.enable_credits = false).await;
    assert_eq!(user.retry(small.id).await.unwrap().cost, credits("0"));
    market.finish_next(RunOutcome::Success).await;
    assert_eq!(market.platform.operations().sweep().await.unwrap().queued, 1);
    assert_eq!(status(&market, waiting.latest_run).await, RunStatus::Queued);
    market.finish_next(RunOutcome::Success).await;
    assert_eq!(market.credits(market.user).await, triple("30", "100", "0"));
}

#[tokio::test]
async fn an_admin_who_retries_for_an_owner_uses_what_the_owner_has() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let typed = values(&[("name", "blue")]);
    user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap();
    market.finish_next(RunOutcome::Success).await;
    let needy = user.deploy(market.module("needy").await, &values(&[]), Uuid::new_v4()).await.unwrap();
    market.finish_next(RunOutcome::Failure).await;
    let run = market.actor(market.admin).await.retry(needy.id).await.unwrap();
    assert_eq!(run.status, RunStatus::Queued);
}

#[tokio::test]
async fn values_have_a_size() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let typed = values(&[("name", &"x".repeat(300_000))]);
    let refused = user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap_err();
    assert!(matches!(refused, PlatformError::Invalid { field: "values", .. }), "{refused}");
}

#[tokio::test]
async fn a_run_that_no_worker_can_begin_is_tried_again_and_set_aside_with_the_reason() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let typed = values(&[("name", "blue")]);
    let id = user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap().id;
    let operations = market.platform.operations();
    let reason = || Diagnostic::error("No engine", "there is none on this machine");
    for attempt in 1..ATTEMPTS {
        let lease = market.lease("worker").await;
        let run = operations.give_back(&lease, reason()).await.unwrap();
        assert_eq!((run.status, run.attempts), (RunStatus::Queued, attempt));
        assert_eq!(market.credits(market.user).await.2, "60", "its credits stay held");
        let none = operations.lease("worker", LeaseLimits::default(), Duration::from_secs(15)).await;
        assert_eq!(none.unwrap(), None, "it is not tried again at once");
        market.clock.advance(TimeDelta::seconds(5 << (attempt - 1)));
    }
    let run = operations.give_back(&market.lease("worker").await, reason()).await.unwrap();
    assert_eq!((run.status, &run.diagnostics[..]), (RunStatus::InternalError, &[reason()][..]));
    assert_eq!(market.credits(market.user).await, triple("30", "100", "0"));
    let log = user.run_log(run.id, 0).await.unwrap();
    assert!(String::from_utf8_lossy(&log.bytes).contains("Attempt 4 of 5: No engine"), "{log:?}");
    assert_eq!(user.deployment(id).await.unwrap().runs.len(), 1, "it was one run all the time");
}

#[tokio::test]
async fn a_run_whose_apply_has_begun_is_never_given_back() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let operations = market.platform.operations();
    let typed = values(&[("name", "blue")]);
    for (step, status) in [(Step::Plan, RunStatus::Queued), (Step::Apply, RunStatus::Interrupted)] {
        user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap();
        let lease = market.lease("worker").await;
        let report = RunReport { step: Some(step), ..RunReport::default() };
        operations.record(&lease, &report).await.unwrap();
        assert_eq!(operations.hand_over(&lease).await.unwrap().status, status, "its worker closes");
        // The one that was handed over comes to its end, too.
        if status == RunStatus::Queued {
            let lease = market.lease("another").await;
            operations.record(&lease, &RunReport { step: Some(Step::Apply), ..report }).await.unwrap();
            let ended = operations.give_back(&lease, Diagnostic::error("Lost", "")).await.unwrap();
            assert_eq!(ended.status, RunStatus::InternalError);
        }
    }
    assert_eq!(market.credits(market.user).await, triple("30", "100", "0"));
}
