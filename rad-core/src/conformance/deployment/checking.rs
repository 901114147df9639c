//! Checks for drift.

use super::acting::{made, queued_and_leased, update};
use super::{delete, finished, must, must_fail, progress, stored, time};
use crate::deployment::{
    DeploymentError, DeploymentStatus, DeploymentStore, NewRun, RunReport, RunStatus, Settlement, Transition,
};
use crate::id::DeploymentId;
use crate::runner::{Action, ChangeKind, ChangeStatus, Drift, DriftedAttribute, Step};

/// A check is queued, leased and ended like any other run and keeps what it found; its deployment stands as before it, while it goes
/// on and however it ends.
///
/// # Panics
/// If the contract is broken.
pub async fn checks_leave_it_as_it_stands(store: &dyn DeploymentStore) {
    let deployment = made(store, "checked").await;
    let stopped = must("an update is stored", store.add_run(update(deployment), time(10)).await);
    let lease = queued_and_leased(store, stopped.id).await;
    let changing = RunReport {
        step: Some(Step::Apply),
        resources: vec![progress("a", ChangeStatus::Started)],
        ..RunReport::default()
    };
    must("a report is kept", store.record(&lease, &changing).await);
    must("a run ends", store.finish(&lease, Transition::Fail, time(11)).await);
    let before = must("a deployment is found", store.deployment(deployment).await);
    assert_eq!((before.status, before.diverged), (DeploymentStatus::Run(RunStatus::Failure), true));
    let stands = async || {
        let now = must("a deployment is found", store.deployment(deployment).await);
        assert_eq!(now, before, "it stands as before the check");
    };
    for (ends, status) in [
        (Transition::Succeed, RunStatus::Success),
        (Transition::Fail, RunStatus::Failure),
        (Transition::Interrupt, RunStatus::Interrupted),
    ] {
        let run = must("a check is stored", store.add_run(check(deployment), time(12)).await);
        stands().await;
        let busy = must_fail("it is the deployment's run", store.add_run(delete(deployment), time(12)).await);
        assert!(matches!(busy, DeploymentError::Busy { .. }), "{busy:?}");
        let lease = queued_and_leased(store, run.id).await;
        stands().await;
        assert_eq!(must("a plan is read", store.plan(run.id).await).drift, None, "nothing is found yet");
        for drift in [vec![], found()] {
            let report = RunReport { step: Some(Step::Plan), drift: Some(drift), ..RunReport::default() };
            must("a report is kept", store.record(&lease, &report).await);
        }
        let ended = must("a check ends", store.finish(&lease, ends, time(13)).await);
        assert_eq!((ended.status, ended.settlement), (status, Settlement::Owed));
        must("a run is settled", store.settled(run.id).await);
        let plan = must("a plan is read", store.plan(run.id).await);
        assert_eq!((plan.drift, plan.changes), (Some(found()), None), "the last report counts");
        stands().await;
    }
    let runs = must("runs are listed", store.runs(deployment).await);
    let actions: Vec<_> = runs.iter().map(|run| run.action).collect();
    assert_eq!(actions[..4], [Action::Check, Action::Check, Action::Check, Action::Update], "newest first");
    let never = stored(store, "never made").await;
    finished(store, never.1.id, Transition::Fail).await;
    let run = must("a check is stored", store.add_run(check(never.0.id), time(14)).await);
    finished(store, run.id, Transition::Succeed).await;
    let known = must(
        "what is deployed is known",
        store.deployed(never.0.owner, std::slice::from_ref(&never.0.module_name)).await,
    );
    assert!(known.is_empty(), "a check deploys nothing");
}

fn check(deployment: DeploymentId) -> NewRun {
    NewRun { action: Action::Check, ..delete(deployment) }
}

fn found() -> Vec<Drift> {
    let size = DriftedAttribute { name: "size".into(), was: Some("1".into()), is: Some("\"two\"".into()) };
    let key = DriftedAttribute { name: "key".into(), was: None, is: None };
    vec![
        Drift { address: "a.b[\"c\"]".into(), change: ChangeKind::Update, attributes: vec![size, key] },
        Drift { address: "a.gone".into(), change: ChangeKind::Delete, attributes: Vec::new() },
    ]
}
