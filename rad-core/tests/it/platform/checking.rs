//! Checking for drift: who may, what it costs, what it leaves as it was.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use rad_core::deployment::{DeploymentStatus, DeploymentStore, RunReport, RunStatus, Settlement};
use rad_core::id::RunId;
use rad_core::memory::ScriptedRunner;
use rad_core::money::Credits;
use rad_core::platform::PlatformError;
use rad_core::runner::{
    Action, ChangeKind, Consent, Drift, Engine, RunJob, RunObserver, RunOutcome, Runner, RunnerError, Step,
};
use uuid::Uuid;

use super::acting::deployed;
use super::deploying::funded;
use super::market::{Market, values};

fn found(addresses: &[&str]) -> RunReport {
    let gone = |address: &&str| {
        let address = (*address).to_owned();
        Drift { address, change: ChangeKind::Delete, attributes: Vec::new() }
    };
    let drift = addresses.iter().map(gone).collect();
    RunReport { step: Some(Step::Plan), drift: Some(drift), ..RunReport::default() }
}

#[tokio::test]
async fn a_check_costs_nothing_and_leaves_the_deployment_as_it_stands() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let deployment = deployed(&market, &user).await;
    let operations = market.platform.operations();
    let lease = {
        user.update(deployment.id, &deployment.commit, &values(&[("name", "green")])).await.unwrap();
        market.lease("worker").await
    };
    operations.record(&lease, &RunReport { step: Some(Step::Apply), ..RunReport::default() }).await.unwrap();
    operations.save_state(&lease, &r#"{ "resources": ["db.one"] }"#.into()).await.unwrap();
    operations.finish(&lease, RunOutcome::Success).await.unwrap();
    let (credits, notices) = (market.credits(market.user).await, market.notices(market.user).await);
    let before = market.deployments.deployment(deployment.id).await.unwrap();
    assert_eq!(user.deployment(deployment.id).await.unwrap().checked, None);

    for (report, outcome, finds) in [
        (found(&["db.one"]), RunOutcome::Success, Some(1)),
        (found(&["db.one", "db.two"]), RunOutcome::Failure, Some(1)),
        (found(&[]), RunOutcome::Success, Some(0)),
    ] {
        let run = user.check_drift(deployment.id).await.unwrap();
        assert_eq!((run.action, run.status, run.cost), (Action::Check, RunStatus::Queued, Credits::ZERO));
        let lease = market.lease("worker").await;
        let job = market.job(&lease).await;
        assert_eq!((job.action, job.consent), (Action::Check, Consent::Only(Vec::new())));
        assert_eq!(
            (job.values["name"].as_str(), job.values["secret"].as_str()),
            (Some("green"), Some("correct-horse"))
        );
        assert_eq!(job.state.as_deref(), Some(&br#"{ "resources": ["db.one"] }"#[..]));
        operations.record(&lease, &report).await.unwrap();
        assert_eq!(operations.salvage(&lease).await.unwrap(), None, "a check writes no state");
        let ended = operations.finish(&lease, outcome).await.unwrap();
        assert!(ended.status.is_final());
        let settled = market.deployments.run(run.id).await.unwrap();
        assert_eq!(settled.settlement, Settlement::Done);
        let now = user.deployment(deployment.id).await.unwrap();
        assert_eq!((&now.deployment, now.runs[0].id), (&before, run.id), "after {outcome:?}");
        let checked = now.checked.map(|checked| checked.drift.len());
        assert_eq!(checked, finds, "one that failed says nothing: after {outcome:?}");
    }
    assert_eq!(market.credits(market.user).await, credits);
    assert_eq!(market.notices(market.user).await, notices, "who asks for a check looks at it");
    let refused = user.retry(deployment.id).await.unwrap_err();
    assert!(refused.to_string().contains("succeeded"), "a check is no run to be tried again: {refused}");

    user.update(deployment.id, &deployment.commit, &values(&[("name", "red")])).await.unwrap();
    assert_eq!(user.deployment(deployment.id).await.unwrap().checked, None, "something is run since");
}

/// A runner whose runs each left something; notes of which it was salvaged.
#[derive(Debug, Default)]
struct Leaving {
    runs: ScriptedRunner,
    salvaged: Mutex<Vec<RunId>>,
}

#[async_trait]
impl Runner for Leaving {
    async fn engine(&self) -> Result<Engine, RunnerError> {
        self.runs.engine().await
    }

    async fn run(&self, job: RunJob, observer: &dyn RunObserver) -> Result<RunOutcome, RunnerError> {
        self.runs.run(job, observer).await
    }

    async fn salvage(&self, run: RunId) -> Result<Option<Bytes>, RunnerError> {
        self.salvaged.lock().unwrap().push(run);
        Ok(Some(Bytes::from_static(b"{}")))
    }
}

#[tokio::test]
async fn the_runner_lets_go_of_a_check_whose_state_nobody_takes() {
    let runner = Arc::new(Leaving::default());
    let market = Market::with_runner(runner.clone()).await;
    market.publish(&["small"]).await;
    market.award(market.user, "100").await;
    let user = market.actor(market.user).await;
    let deployment = deployed(&market, &user).await;
    let operations = market.platform.operations();
    let check = user.check_drift(deployment.id).await.unwrap();
    let lease = market.lease("worker").await;
    assert_eq!(operations.salvage(&lease).await.unwrap(), None);
    assert_eq!(*runner.salvaged.lock().unwrap(), [check.id]);
    operations.finish(&lease, RunOutcome::Success).await.unwrap();
    user.update(deployment.id, &deployment.commit, &values(&[("name", "green")])).await.unwrap();
    let lease = market.lease("worker").await;
    assert!(operations.salvage(&lease).await.unwrap().is_some(), "an update's is taken");
}

#[tokio::test]
async fn who_may_update_may_check_what_is_deployed() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let typed = values(&[("name", "blue")]);
    let never = user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap();
    market.finish_next(RunOutcome::Failure).await;
    let refused = user.check_drift(never.id).await.unwrap_err();
    assert!(matches!(refused, PlatformError::Invalid { .. }), "{refused}");

    let deployment = deployed(&market, &user).await;
    for account in [market.agent, market.partner] {
        let refused = market.actor(account).await.check_drift(deployment.id).await.unwrap_err();
        assert!(
            matches!(refused, PlatformError::NotFound { .. } | PlatformError::Forbidden { .. }),
            "{refused}"
        );
    }
    let run = market.actor(market.admin).await.check_drift(deployment.id).await.unwrap();
    let busy = user.check_drift(deployment.id).await.unwrap_err();
    assert!(busy.to_string().contains("busy"), "{busy}");
    assert_eq!(user.cancel_run(run.id).await.unwrap().status, RunStatus::Cancelled);
}

#[tokio::test]
async fn a_queued_check_does_not_keep_a_deployment_from_being_destroyed() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let deployment = deployed(&market, &user).await;
    let check = user.check_drift(deployment.id).await.unwrap();
    user.destroy(deployment.id).await.unwrap();
    assert_eq!(user.run(check.id).await.unwrap().status, RunStatus::Cancelled);
    market.finish_next(RunOutcome::Success).await;
    assert_eq!(user.deployment(deployment.id).await.unwrap().deployment.status, DeploymentStatus::Deleted);
    let refused = user.check_drift(deployment.id).await.unwrap_err();
    assert!(refused.to_string().contains("destroyed already"), "{refused}");
}
