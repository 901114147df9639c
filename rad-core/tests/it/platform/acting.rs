//! Cancelling, updating, confirming, purging: who may, what happens to the credits, what is refused.

use chrono::TimeDelta;
use rad_core::clock::Clock;
use rad_core::deployment::{
    Deployment, DeploymentStatus, DeploymentStore, RunReport, RunStatus, Transition, Wait,
};
use rad_core::ledger::Ledger;
use rad_core::notify::Notice;
use rad_core::platform::{Actor, PlatformError};
use rad_core::runner::{
    Action, ChangeKind, ChangeStatus, Consent, PlannedChange, ResourceProgress, RunOutcome, Step,
};
use rad_core::source::Digest;
use uuid::Uuid;

use super::deploying::{funded, triple};
use super::market::{Market, values};

pub(super) async fn deployed(market: &Market, user: &Actor) -> Deployment {
    let typed = values(&[("name", "blue"), ("secret", "correct-horse")]);
    let deployment = user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap();
    market.finish_next(RunOutcome::Success).await;
    market.deployments.deployment(deployment.id).await.unwrap()
}

fn started(address: &str) -> RunReport {
    let (change, status) = (ChangeKind::Create, ChangeStatus::Started);
    let resource = ResourceProgress { address: address.to_owned(), change, status, elapsed_seconds: None };
    RunReport { step: Some(Step::Apply), resources: vec![resource], ..RunReport::default() }
}

fn planned(address: &str, change: ChangeKind) -> RunReport {
    let plan = vec![PlannedChange { address: address.to_owned(), change }];
    RunReport { step: Some(Step::Plan), plan: Some(plan), ..RunReport::default() }
}

#[tokio::test]
async fn what_no_worker_has_is_cancelled_at_once_and_its_hold_given_back() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let typed = values(&[("name", "blue")]);
    let queued = user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap();
    let waiting = user.deploy(market.module("needy").await, &values(&[]), Uuid::new_v4()).await.unwrap();
    assert_eq!(market.credits(market.user).await.2, "60");
    for id in [queued.id, waiting.id] {
        assert_eq!(user.cancel(id).await.unwrap().status, RunStatus::Cancelled);
        assert_eq!(market.credits(market.user).await, triple("30", "100", "0"));
        let again = user.cancel(id).await.unwrap_err();
        assert!(again.to_string().contains("ended already: cancelled"), "{again}");
    }
    assert_eq!(market.notices(market.user).await.len(), 1, "only the award: who cancels knows it");
    assert_eq!(market.platform.operations().sweep().await.unwrap().settled, 0, "once is enough");
}

#[tokio::test]
async fn a_cancel_that_races_the_end_of_its_run_is_one_of_both_and_settles_once() {
    for (outcome, status, left) in [
        (RunOutcome::Success, RunStatus::Success, triple("0", "70", "0")),
        (RunOutcome::Stopped, RunStatus::Cancelled, triple("30", "100", "0")),
        (RunOutcome::Failure, RunStatus::Failure, triple("30", "100", "0")),
    ] {
        let market = funded().await;
        let user = market.actor(market.user).await;
        let typed = values(&[("name", "blue")]);
        let deployment = user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap();
        let lease = market.lease("worker").await;
        let operations = market.platform.operations();
        operations.record(&lease, &started("a.b")).await.unwrap();
        let asked = user.cancel(deployment.id).await.unwrap();
        assert_eq!((asked.status, asked.cancel_asked), (RunStatus::Working, true));
        assert_eq!(market.credits(market.user).await.2, "60", "held until it has stopped");
        let (ended, again) = tokio::join!(operations.finish(&lease, outcome), user.cancel(deployment.id));
        assert_eq!(ended.unwrap().status, status);
        drop(again);
        operations.sweep().await.unwrap();
        assert_eq!(market.credits(market.user).await, left, "{outcome:?}");
        let now = user.deployment(deployment.id).await.unwrap();
        assert_eq!(now.deployment.diverged, status != RunStatus::Success, "{outcome:?}");
        assert_eq!(market.ledger.verify(market.user).await.unwrap(), []);
    }
}

#[tokio::test]
async fn only_the_owner_and_admins_act() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let deployment = deployed(&market, &user).await;
    let run = deployment.latest_run;
    let partner = market.actor(market.partner).await;
    for refused in [
        partner.cancel(deployment.id).await.unwrap_err(),
        partner.confirm(run, &Digest::ZERO).await.unwrap_err(),
        partner.purge(deployment.id).await.unwrap_err(),
        partner.update(deployment.id, &deployment.commit, &values(&[])).await.unwrap_err(),
        partner.update_form(deployment.id, false).await.unwrap_err(),
    ] {
        assert!(matches!(refused, PlatformError::NotFound { .. }), "{refused}");
    }
    let refused = user.purge(deployment.id).await.unwrap_err();
    assert!(refused.to_string().contains("ask an admin"), "its module does not offer it: {refused}");
    assert!(!user.deployment(deployment.id).await.unwrap().may_purge);
    let admin = market.actor(market.admin).await;
    assert!(admin.deployment(deployment.id).await.unwrap().may_purge);
    admin.purge(deployment.id).await.unwrap();
    market.finish_next(RunOutcome::Failure).await;
    let now = user.deployment(deployment.id).await.unwrap().deployment;
    assert_eq!(now.status, DeploymentStatus::Deleted, "however its destroy ended");
}

#[tokio::test]
async fn an_update_is_free_keeps_secrets_and_warns_of_what_is_not_safe() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let deployment = deployed(&market, &user).await;
    assert_eq!(market.credits(market.user).await, triple("0", "70", "0"));
    let form = user.update_form(deployment.id, true).await.unwrap();
    assert_eq!((form.newer, &form.commit), (None, &deployment.commit));
    assert_eq!(form.current["name"], "blue");
    assert!(!form.current.contains_key("secret") && !form.current.contains_key("credit_cost"));

    let typed = values(&[("name", "green")]);
    let changed = user.changed_by_update(deployment.id, &form.commit, &typed).await.unwrap();
    assert_eq!(
        changed.iter().map(|one| (&*one.name, one.update_safe)).collect::<Vec<_>>(),
        [("name", false)]
    );
    let wrong = user.update(deployment.id, &form.commit, &values(&[("name", "x")])).await.unwrap_err();
    assert!(matches!(wrong, PlatformError::Values { .. }), "{wrong}");
    let run = user.update(deployment.id, &form.commit, &typed).await.unwrap();
    assert_eq!((run.status, run.action, run.cost), (RunStatus::Queued, Action::Update, Default::default()));
    assert_eq!(market.credits(market.user).await, triple("0", "70", "0"), "nothing is held");
    let lease = market.lease("worker").await;
    let job = market.job(&lease).await;
    assert_eq!(
        (job.values["name"].as_str(), job.values["secret"].as_str()),
        (Some("green"), Some("correct-horse"))
    );
    assert_eq!((job.consent, job.sensitive), (Consent::Only(Vec::new()), vec!["secret".to_owned()]));
    let operations = market.platform.operations();
    let now = async || market.deployments.deployment(deployment.id).await.unwrap().values["name"].clone();
    assert_eq!(now().await, "blue", "until its apply begins");
    operations.record(&lease, &started("a.b")).await.unwrap();
    assert_eq!(now().await, "green");
    operations.finish(&lease, RunOutcome::Success).await.unwrap();
    assert_eq!(market.credits(market.user).await, triple("0", "70", "0"));
    assert_eq!(market.ledger.verify(market.user).await.unwrap(), []);
}

#[tokio::test]
async fn an_update_can_take_the_commit_on_offer_and_no_other() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let deployment = deployed(&market, &user).await;
    let newer = r#"variable "credit_cost" { default = 99 }
                   variable "public_access" { default = true }
                   variable "enable_purge" { default = true }
                   variable "name" { type = string }
                   variable "size" {
                     default     = 1
                     description = "{{UIMeta updatesafe}}"
                   }"#;
    market.push(&[("small", newer)]);
    market.publish(&["small"]).await;
    let same = user.update_form(deployment.id, false).await.unwrap();
    assert_eq!(same.commit, deployment.commit);
    let offered = same.newer.expect("there is a newer commit");
    assert!(same.manifest.variable("size").is_none());
    let form = user.update_form(deployment.id, true).await.unwrap();
    assert!(form.commit == offered && form.manifest.variable("size").is_some());
    let typed = serde_json::from_str(r#"{ "name": "blue", "size": 2 }"#).unwrap();
    let changed = user.changed_by_update(deployment.id, &offered, &typed).await.unwrap();
    assert_eq!(changed.iter().map(|one| (&*one.name, one.update_safe)).collect::<Vec<_>>(), [("size", true)]);
    let other = "fedcbafedcbafedcbafedcbafedcbafedcbafedc".parse().unwrap();
    let refused = user.update(deployment.id, &other, &typed).await.unwrap_err();
    assert!(matches!(refused, PlatformError::Invalid { field: "commit", .. }), "{refused}");
    user.update(deployment.id, &offered, &typed).await.unwrap();
    let lease = market.lease("worker").await;
    let operations = market.platform.operations();
    operations.record(&lease, &started("a.b")).await.unwrap();
    operations.finish(&lease, RunOutcome::Failure).await.unwrap();
    let now = user.deployment(deployment.id).await.unwrap();
    assert_eq!((now.deployment.commit, now.deployment.cost), (offered, deployment.cost));
    assert!(now.may_purge && now.deployment.diverged);
    assert_eq!(
        market.credits(market.user).await,
        triple("0", "70", "0"),
        "a newer price is for new deployments"
    );

    user.retry(deployment.id).await.unwrap();
    let lease = market.lease("worker").await;
    let job = market.job(&lease).await;
    assert_eq!(
        (job.action, job.values["size"].as_i64()),
        (Action::Update, Some(2)),
        "a retry repeats the update"
    );
}

#[tokio::test]
async fn what_the_platform_sets_is_set_by_an_update_too() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let deployment = deployed(&market, &user).await;
    let newer = r#"variable "credit_cost" { default = 60 }
                   variable "public_access" { default = true }
                   variable "name" { type = string }
                   variable "deployment_id" { type = string }
                   variable "resource_creator_identity" {
                     type      = string
                     sensitive = true
                   }"#;
    market.push(&[("small", newer)]);
    market.publish(&["small"]).await;
    let offered = user.update_form(deployment.id, true).await.unwrap().commit;
    assert_ne!(offered, deployment.commit, "it has these variables only now");
    for (updater, name) in [(market.user, "green"), (market.admin, "red")] {
        let updater = market.actor(updater).await;
        updater.update(deployment.id, &offered, &values(&[("name", name)])).await.unwrap();
        let lease = market.lease("worker").await;
        let job = market.job(&lease).await;
        assert_eq!(job.values["deployment_id"], deployment.id.to_string());
        assert_eq!(job.values["resource_creator_identity"], "user@example.com", "whoever updates it");
        let operations = market.platform.operations();
        operations.record(&lease, &started("a.b")).await.unwrap();
        operations.finish(&lease, RunOutcome::Success).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_never_made_cannot_be_updated_for_nothing() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let typed = values(&[("name", "blue")]);
    let deployment = user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap();
    market.finish_next(RunOutcome::Failure).await;
    let refused = user.update(deployment.id, &deployment.commit, &typed).await.unwrap_err();
    assert!(matches!(refused, PlatformError::Invalid { .. }), "{refused}");
    user.destroy(deployment.id).await.unwrap();
    market.finish_next(RunOutcome::Success).await;
    for refused in [
        user.update(deployment.id, &deployment.commit, &typed).await.unwrap_err(),
        user.retry(deployment.id).await.unwrap_err(),
        user.purge(deployment.id).await.unwrap_err(),
    ] {
        assert!(refused.to_string().contains("destroyed already"), "{refused}");
    }
}

#[tokio::test]
async fn what_a_plan_takes_away_is_confirmed_as_it_was_seen() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let deployment = deployed(&market, &user).await;
    let run = user.update(deployment.id, &deployment.commit, &values(&[("name", "green")])).await.unwrap().id;
    let operations = market.platform.operations();
    let asks = async |address: &str| {
        let lease = market.lease("worker").await;
        operations.record(&lease, &planned(address, ChangeKind::Replace)).await.unwrap();
        let asked = operations.finish(&lease, RunOutcome::Unconfirmed).await.unwrap();
        assert_eq!((asked.status, asked.waits_for), (RunStatus::Waiting, Some(Wait::Confirmation)));
    };
    let told = async || {
        let asked = Notice::ConfirmationAsked { deployment: deployment.id };
        market.notices(market.user).await.iter().filter(|notice| **notice == asked).count()
    };
    asks("db.one").await;
    assert_eq!(told().await, 1, "its owner hears of it");
    market.clock.advance(TimeDelta::hours(30));
    let swept = operations.sweep().await.unwrap();
    assert_eq!((swept.queued, swept.interrupted), (0, 0), "it waits for a person, for as long as that takes");
    assert_eq!(told().await, 1, "once");
    let seen = user.deployment(deployment.id).await.unwrap().plan;
    let stale = user.confirm(run, &Digest::ZERO).await.unwrap_err();
    assert!(matches!(stale, PlatformError::Invalid { field: "plan", .. }), "{stale}");
    assert_eq!(user.confirm(run, &seen.digest()).await.unwrap().status, RunStatus::Queued);
    assert!(user.confirm(run, &seen.digest()).await.is_err(), "once");

    asks("db.two").await;
    assert!(user.confirm(run, &seen.digest()).await.is_err(), "the new plan was not seen");
    assert_eq!(told().await, 2, "another plan waits");
    let seen = user.deployment(deployment.id).await.unwrap().plan;
    user.confirm(run, &seen.digest()).await.unwrap();
    let lease = market.lease("worker").await;
    assert_eq!(market.job(&lease).await.consent, Consent::Only(seen.takes_away()));
    operations.finish(&lease, RunOutcome::Success).await.unwrap();

    let run = user.update(deployment.id, &deployment.commit, &values(&[("name", "red")])).await.unwrap().id;
    asks("db.two").await;
    assert_eq!(user.cancel_run(run).await.unwrap().status, RunStatus::Cancelled);
    let now = market.deployments.deployment(deployment.id).await.unwrap();
    assert_eq!((now.values["name"].as_str(), now.diverged), (Some("blue"), false), "nothing was applied");
}

#[tokio::test]
async fn what_waits_for_a_confirmation_can_be_destroyed_instead() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let deployment = deployed(&market, &user).await;
    user.update(deployment.id, &deployment.commit, &values(&[("name", "green")])).await.unwrap();
    let lease = market.lease("worker").await;
    market.platform.operations().finish(&lease, RunOutcome::Unconfirmed).await.unwrap();
    user.destroy(deployment.id).await.unwrap();
    market.finish_next(RunOutcome::Success).await;
    assert_eq!(user.deployment(deployment.id).await.unwrap().deployment.status, DeploymentStatus::Deleted);
}

#[tokio::test]
async fn a_purge_breaks_the_lease_of_what_does_not_stop_and_keeps_what_may_be_left() {
    let market = funded().await;
    let admin = market.actor(market.admin).await;
    let user = market.actor(market.user).await;
    let typed = values(&[("name", "blue")]);
    let id = user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap().id;
    let lease = market.lease("stuck").await;
    let operations = market.platform.operations();
    operations.record(&lease, &started("db.half")).await.unwrap();
    operations.save_state(&lease, &r#"{ "resources": ["db.made", "net.made"] }"#.into()).await.unwrap();
    admin.purge(id).await.unwrap();
    assert!(operations.renew(&lease, std::time::Duration::from_secs(60)).await.unwrap().cancel_asked);
    assert_eq!(market.deployments.runs(id).await.unwrap().len(), 1, "it may stop by itself");
    let busy = user.destroy(id).await.unwrap_err();
    assert!(busy.to_string().contains("busy"), "{busy}");

    market.clock.advance(TimeDelta::seconds(46));
    operations.renew(&lease, std::time::Duration::from_secs(60)).await.unwrap();
    operations.sweep().await.unwrap();
    assert!(operations.finish(&lease, RunOutcome::Success).await.is_err(), "its lease is broken");
    let runs = market.deployments.runs(id).await.unwrap();
    assert_eq!((runs[0].action, runs[1].status), (Action::Purge, RunStatus::Interrupted));
    let refused = user.cancel(id).await.unwrap_err();
    assert!(refused.to_string().contains("until it has closed"), "{refused}");
    operations.sweep().await.unwrap();
    assert_eq!(
        market.credits(market.user).await,
        triple("30", "100", "0"),
        "the hold of the stopped run is released"
    );

    let lease = market.lease("worker").await;
    let job = market.job(&lease).await;
    assert_eq!(
        (job.action, job.limits.whole.as_secs(), job.consent),
        (Action::Purge, 60, Consent::Everything)
    );
    operations.save_state(&lease, &r#"{ "resources": ["net.made"] }"#.into()).await.unwrap();
    operations.finish(&lease, RunOutcome::Timeout).await.unwrap();
    let closed = user.deployment(id).await.unwrap().deployment;
    assert_eq!(closed.status, DeploymentStatus::Deleted);
    assert_eq!(closed.left, ["db.half", "net.made"], "what the state knows, and what was being made");
    assert!(market.deployments.state(id).await.unwrap().is_some(), "no state is lost");
    assert_eq!(operations.sweep().await.unwrap(), Default::default());
}

#[tokio::test]
async fn what_was_made_is_not_called_destroyed_where_its_state_was_lost() {
    for outcome in [RunOutcome::Failure, RunOutcome::Timeout, RunOutcome::Stopped] {
        let market = funded().await;
        let user = market.actor(market.user).await;
        let typed = values(&[("name", "blue")]);
        let id = user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap().id;
        let lease = market.lease("worker").await;
        let operations = market.platform.operations();
        operations.record(&lease, &started("db.made")).await.unwrap();
        let busy = user.destroy(id).await.unwrap_err();
        assert!(busy.to_string().contains("busy"), "its state may be still to come: {busy}");
        operations.finish(&lease, outcome).await.unwrap();

        let refused = user.destroy(id).await.unwrap_err();
        let PlatformError::Invalid { field: "deployment", reason } = refused else { panic!("{refused}") };
        assert!(reason.contains("db.made") && reason.contains("purged"), "{outcome:?}: {reason}");
        assert_eq!(market.deployments.runs(id).await.unwrap().len(), 1);

        market.actor(market.admin).await.purge(id).await.unwrap();
        market.finish_next(RunOutcome::Success).await;
        let closed = user.deployment(id).await.unwrap().deployment;
        assert_eq!((closed.status, closed.left), (DeploymentStatus::Deleted, vec!["db.made".to_owned()]));
    }
}

/// Everything that a run made is listed, not only what it was making when it was stopped.
#[tokio::test]
async fn a_purge_without_a_state_keeps_all_that_was_ever_made() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let typed = values(&[("name", "blue")]);
    let id = user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap().id;
    let lease = market.lease("worker").await;
    let operations = market.platform.operations();
    let (change, status) = (ChangeKind::Create, ChangeStatus::Complete);
    let of = |address: &str, change, status| ResourceProgress {
        address: address.to_owned(),
        change,
        status,
        elapsed_seconds: None,
    };
    let resources = vec![
        of("net.made", change, status),
        of("db.made", change, ChangeStatus::Errored),
        of("never.begun", change, ChangeStatus::Planned),
        of("data.read", ChangeKind::Read, status),
    ];
    let report = RunReport { step: Some(Step::Apply), resources, ..RunReport::default() };
    operations.record(&lease, &report).await.unwrap();
    operations.finish(&lease, RunOutcome::Failure).await.unwrap();
    market.actor(market.admin).await.purge(id).await.unwrap();
    market.finish_next(RunOutcome::Success).await;
    let closed = user.deployment(id).await.unwrap().deployment;
    assert_eq!(closed.left, ["db.made", "net.made"]);
}

#[tokio::test]
async fn what_made_nothing_or_left_a_state_is_destroyed() {
    // How a create ended, and what it told before: nothing, a plan, or an apply with a state.
    let resource = |status| {
        let mut report = started("db.made");
        report.resources[0].status = status;
        report
    };
    for (report, state) in [
        (None, None),
        (Some(resource(ChangeStatus::Planned)), None),
        (Some(resource(ChangeStatus::Errored)), Some(r#"{ "resources": [] }"#)),
        (Some(resource(ChangeStatus::Complete)), Some(r#"{ "resources": ["db.made"] }"#)),
    ] {
        let market = funded().await;
        let user = market.actor(market.user).await;
        let typed = values(&[("name", "blue")]);
        let id = user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap().id;
        let lease = market.lease("worker").await;
        let operations = market.platform.operations();
        if let Some(report) = &report {
            operations.record(&lease, report).await.unwrap();
        }
        if let Some(state) = state {
            operations.save_state(&lease, &state.into()).await.unwrap();
        }
        operations.finish(&lease, RunOutcome::Failure).await.unwrap();
        user.destroy(id).await.unwrap();
        market.finish_next(RunOutcome::Failure).await;
        user.retry(id).await.unwrap();
        market.finish_next(RunOutcome::Success).await;
        let closed = user.deployment(id).await.unwrap().deployment;
        assert_eq!(closed.status, DeploymentStatus::Deleted, "{report:?} {state:?}");
    }
    let market = funded().await;
    let user = market.actor(market.user).await;
    let typed = values(&[("name", "blue")]);
    let id = user.deploy(market.module("small").await, &typed, Uuid::new_v4()).await.unwrap().id;
    user.destroy(id).await.unwrap();
    let runs = market.deployments.runs(id).await.unwrap();
    assert_eq!((runs[0].action, runs[1].status), (Action::Delete, RunStatus::Cancelled), "in the queue");
}

#[tokio::test]
async fn a_purge_that_stopped_half_way_is_carried_on() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let deployment = deployed(&market, &user).await;
    // A request that ends right after the wish is stored.
    market.deployments.ask_purge(deployment.id, market.clock.now()).await.unwrap();
    let operations = market.platform.operations();
    operations.sweep().await.unwrap();
    let runs = market.deployments.runs(deployment.id).await.unwrap();
    assert_eq!((runs[0].action, runs[0].status), (Action::Purge, RunStatus::Queued));
    // One that ends while the purge is pending.
    market.deployments.advance(runs[0].id, Transition::Break, market.clock.now()).await.unwrap();
    operations.sweep().await.unwrap();
    let closed = market.deployments.deployment(deployment.id).await.unwrap();
    assert_eq!((closed.status, closed.left), (DeploymentStatus::Deleted, Vec::new()));
}
