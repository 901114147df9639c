//! Cancelling, updating, confirming and purging.

use secrecy::ExposeSecret;

use super::{
    assert_illegal, assert_lost, delete, finished, leased, must, must_fail, progress, stored, target, time,
};
use crate::deployment::{
    DeploymentError, DeploymentStatus, DeploymentStore, Lease, NewRun, Plan, Run, RunReport, RunStatus,
    Settlement, Transition, Wait,
};
use crate::id::{DeploymentId, RunId};
use crate::live::Topic;
use crate::money::Credits;
use crate::runner::{Action, ChangeKind, ChangeStatus, PlannedChange, Step};

/// What no worker has is cancelled at once; a worker hears of the wish with its lease, and a run's own end is no less an end.
///
/// # Panics
/// If the contract is broken.
pub async fn cancels_runs(store: &dyn DeploymentStore) {
    for steps in [&[][..], &[Transition::Park], &[Transition::Queue]] {
        let (deployment, run) = stored(store, "early").await;
        for step in steps {
            must("a run moves on", store.advance(run.id, *step, time(1)).await);
        }
        let cancelled = must("a run is cancelled", store.cancel(run.id, time(2)).await);
        assert_eq!((cancelled.status, cancelled.settlement), (RunStatus::Cancelled, Settlement::Owed));
        assert_eq!((cancelled.waits_for, cancelled.finished_at), (None, Some(time(2))));
        assert_illegal(store.cancel(run.id, time(3)).await);
        let now = must("a deployment is found", store.deployment(deployment.id).await);
        assert_eq!((now.status, now.diverged), (DeploymentStatus::Run(RunStatus::Cancelled), false));
    }
    for (ends, status) in [
        (Transition::Succeed, RunStatus::Success),
        (Transition::Fail, RunStatus::Failure),
        (Transition::Cancel, RunStatus::Cancelled),
        (Transition::Interrupt, RunStatus::Cancelled),
        (Transition::Ask, RunStatus::Cancelled),
    ] {
        let (_, run) = stored(store, "working").await;
        let lease = queued_and_leased(store, run.id).await;
        assert!(!must("a lease is lengthened", store.renew(&lease, time(50)).await).cancel_asked);
        let mut told = store.news().subscribe(Topic::Run(run.id));
        for _ in 0..2 {
            let asked = must("a cancel is asked for, twice as well", store.cancel(run.id, time(3)).await);
            assert_eq!((asked.status, asked.cancel_asked), (RunStatus::Working, true));
        }
        told.changed().await;
        assert!(must("a lease is lengthened", store.renew(&lease, time(60)).await).cancel_asked);
        must("a run that is to stop still reports", store.append_log(&lease, b"stopping\n").await);
        let ended = must("a run ends", store.finish(&lease, ends, time(4)).await);
        assert_eq!((ended.status, ended.settlement), (status, Settlement::Owed), "ended by {ends:?}");
        assert_illegal(store.cancel(run.id, time(5)).await);
    }
}

/// A deployment stays what it is until the apply of a run begins that makes something else of it.
///
/// # Panics
/// If the contract is broken.
pub async fn becomes_what_it_applies(store: &dyn DeploymentStore) {
    let deployment = made(store, "changing").await;
    let old = must("a deployment is found", store.deployment(deployment).await);
    let begin = async || {
        let run = must("an update is stored", store.add_run(update(deployment), time(10)).await);
        (run.id, queued_and_leased(store, run.id).await)
    };
    let (never_applied, lease) = begin().await;
    must("a step is kept", store.record(&lease, &step(Step::Plan)).await);
    must("a run ends", store.finish(&lease, Transition::Fail, time(12)).await);
    let now = must("a deployment is found", store.deployment(deployment).await);
    assert_eq!((&now.commit, &now.values, &now.secret_names), (&old.commit, &old.values, &old.secret_names));
    assert_eq!(password(store, deployment).await, "\"hunter2\"");
    let kept = must("what it would have made is kept", store.target(never_applied).await);
    let kept = must("an update makes something of it", kept.ok_or(()));
    assert_eq!(kept.secrets["password"].expose_secret(), "\"changed\"");

    let (run, lease) = begin().await;
    must("a step is kept", store.record(&lease, &step(Step::Apply)).await);
    let now = must("a deployment is found", store.deployment(deployment).await);
    let wanted = update(deployment).target;
    let wanted = must("an update makes something of it", wanted.ok_or(()));
    assert_eq!((&now.commit, &now.source, &now.values), (&wanted.commit, &wanted.source, &wanted.values));
    assert_eq!((&now.needs, now.may_purge, now.cost), (&wanted.needs, true, old.cost));
    assert_eq!(password(store, deployment).await, "\"changed\"", "from when the apply begins");
    must("a run ends", store.finish(&lease, Transition::Fail, time(14)).await);
    let now = must("a deployment is found", store.deployment(deployment).await);
    assert_eq!(now.commit, wanted.commit, "an apply that failed was begun");
    assert!(must("an update makes something of it", store.target(run).await).is_some(), "to be tried again");
    let plain = must("a run is stored", store.add_run(delete(deployment), time(15)).await);
    assert!(must("a delete makes nothing of it", store.target(plain.id).await).is_none());
}

/// A plan is kept; a run that asks lets go of its worker, waits for what is confirmed, and is leased again then.
///
/// # Panics
/// If the contract is broken.
pub async fn asks_before_it_takes_away(store: &dyn DeploymentStore) {
    let deployment = made(store, "careful").await;
    let run = must("an update is stored", store.add_run(update(deployment), time(10)).await).id;
    assert_eq!(must("a plan is read", store.plan(run).await), Plan::default());
    assert_illegal(store.confirm(run, &[], time(10)).await);
    let first = queued_and_leased(store, run).await;
    let changes =
        planned(&[("a", ChangeKind::Replace), ("b", ChangeKind::Update), ("c", ChangeKind::Delete)]);
    let report = RunReport {
        plan: Some(changes.clone()),
        resources: vec![progress("a", ChangeStatus::Planned), progress("z", ChangeStatus::Planned)],
        ..step(Step::Plan)
    };
    must("a plan is kept", store.record(&first, &report).await);
    must("a log grows", store.append_log(&first, b"asks\n").await);
    let asks = must("a run asks", store.finish(&first, Transition::Ask, time(11)).await);
    assert_eq!((asks.status, asks.waits_for), (RunStatus::Waiting, Some(Wait::Confirmation)));
    assert_eq!((asks.settlement, asks.finished_at), (Settlement::Nothing, None), "it goes on");
    assert_lost(store.renew(&first, time(99)).await);
    assert_illegal(store.advance(run, Transition::Queue, time(12)).await);
    let busy = must_fail("it is the deployment's run", store.add_run(delete(deployment), time(12)).await);
    assert!(matches!(busy, DeploymentError::Busy { .. }), "{busy:?}");
    let plan = must("a plan is read", store.plan(run).await);
    assert_eq!((plan.changes.as_ref(), plan.confirmed.len()), (Some(&changes), 0));
    assert_eq!(plan.takes_away(), planned(&[("a", ChangeKind::Replace), ("c", ChangeKind::Delete)]));

    let queued = must("a run is confirmed", store.confirm(run, &plan.takes_away(), time(13)).await);
    assert_eq!((queued.status, queued.waits_for), (RunStatus::Queued, None));
    assert_eq!(must("a plan is read", store.plan(run).await).confirmed, plan.takes_away());
    let second = leased(store).await;
    assert!(second.run == run && second.epoch > first.epoch, "it is leased again: {second:?}");
    assert_lost(store.append_log(&first, b"stale").await);
    let now = must("a run is found", store.run(run).await);
    assert_eq!((now.step, now.action), (None, Action::Update), "it begins anew");
    assert!(
        must("resources are listed", store.resources(run).await).is_empty(),
        "what was planned is planned anew"
    );
    must("a log grows", store.append_log(&second, b"goes on\n").await);
    let log = must("a log is read", store.log(run, 0, 100).await);
    assert_eq!(&log.bytes[..], b"asks\ngoes on\n");
    let more = planned(&[("d", ChangeKind::Delete)]);
    must(
        "a plan is kept",
        store.record(&second, &RunReport { plan: Some(more.clone()), ..step(Step::Plan) }).await,
    );
    must("a run asks", store.finish(&second, Transition::Ask, time(14)).await);
    must("a run is confirmed", store.confirm(run, &more, time(15)).await);
    let plan = must("a plan is read", store.plan(run).await);
    assert_eq!((plan.changes.as_ref(), &plan.confirmed), (Some(&more), &more), "the last counts");
    let third = leased(store).await;
    must("a run ends", store.finish(&third, Transition::Succeed, time(16)).await);
    assert_illegal(store.confirm(run, &more, time(17)).await);
}

/// A deployment has diverged from when an apply stops that had begun to change something, until a run succeeds.
///
/// # Panics
/// If the contract is broken.
pub async fn knows_what_diverged(store: &dyn DeploymentStore) {
    let deployment = made(store, "diverging").await;
    let read =
        |status| crate::runner::ResourceProgress { change: ChangeKind::Read, ..progress("data", status) };
    let planned = progress("a", ChangeStatus::Planned);
    for (resources, ends, diverged) in [
        (vec![planned.clone(), read(ChangeStatus::Complete)], Transition::Cancel, false),
        (vec![planned.clone(), progress("b", ChangeStatus::Started)], Transition::Cancel, true),
        (vec![planned.clone()], Transition::Fail, true),
        (vec![planned], Transition::Succeed, false),
        (vec![progress("a", ChangeStatus::Errored)], Transition::Fail, true),
        (vec![progress("a", ChangeStatus::Complete)], Transition::Interrupt, true),
        (vec![], Transition::Succeed, false),
        (vec![progress("a", ChangeStatus::Complete)], Transition::TimeOut, true),
    ] {
        let run = must("an update is stored", store.add_run(update(deployment), time(10)).await);
        let lease = queued_and_leased(store, run.id).await;
        let report = RunReport { resources: resources.clone(), ..step(Step::Apply) };
        must("a report is kept", store.record(&lease, &report).await);
        must("a run ends", store.finish(&lease, ends, time(12)).await);
        let now = must("a deployment is found", store.deployment(deployment).await);
        assert_eq!(now.diverged, diverged, "after {ends:?} with {resources:?}");
    }
}

/// A purge stops what works, takes the place of what does not, lets nobody in between, and closes the record however it ends.
///
/// # Panics
/// If the contract is broken.
pub async fn supersedes_for_a_purge(store: &dyn DeploymentStore) {
    for (ends, steps) in [
        (RunStatus::Cancelled, &[][..]),
        (RunStatus::Cancelled, &[Transition::Park]),
        (RunStatus::Cancelled, &[Transition::Queue]),
        (RunStatus::Interrupted, &[Transition::Queue, Transition::Lease]),
    ] {
        let (deployment, stuck) = stored(store, "stuck").await;
        let mut lease = None;
        for step in steps {
            match step {
                Transition::Lease => lease = Some(leased(store).await),
                step => drop(must("a run moves on", store.advance(stuck.id, *step, time(1)).await)),
            }
        }
        for at in [5, 6] {
            must("a purge is asked for, twice as well", store.ask_purge(deployment.id, time(at)).await);
        }
        let asked = must("purges are listed", store.purges(100).await);
        let asked: Vec<_> = asked.into_iter().filter(|one| one.id == deployment.id).collect();
        assert_eq!(
            asked.iter().map(|one| one.purge_asked).collect::<Vec<_>>(),
            [Some(time(5))],
            "when first"
        );
        if let Some(lease) = &lease {
            let news = must("a lease is lengthened", store.renew(lease, time(60)).await);
            assert!(news.cancel_asked, "a run that a worker has is to be cancelled");
        }
        let purge =
            must("a purge takes the place of a run", store.supersede(purge(deployment.id), time(7)).await);
        assert_eq!((purge.status, purge.action), (RunStatus::Pending, Action::Purge));
        let stuck = must("a run is found", store.run(stuck.id).await);
        assert_eq!(
            (stuck.status, stuck.settlement, stuck.finished_at),
            (ends, Settlement::Owed, Some(time(7)))
        );
        if let Some(lease) = &lease {
            assert_lost(store.append_log(lease, b"late").await);
        }
        for busy in [
            store.supersede(super::delete(deployment.id), time(7)).await,
            store.add_run(delete(deployment.id), time(7)).await,
        ] {
            assert!(
                matches!(busy, Err(DeploymentError::Busy { .. })),
                "a purge has nobody in its place: {busy:?}"
            );
        }
        closes(store, &purge).await;
    }
    super::assert_not_found(store.ask_purge(DeploymentId::new(), time(1)).await);
    super::assert_not_found(store.supersede(purge(DeploymentId::new()), time(1)).await);
    super::assert_not_found(store.keep_left(DeploymentId::new(), &[]).await);
}

/// A pending purge goes on to an end that is no success, and closes its deployment.
async fn closes(store: &dyn DeploymentStore, purge: &Run) {
    let deployment = purge.deployment;
    let lease = queued_and_leased(store, purge.id).await;
    let now = must("a deployment is found", store.deployment(deployment).await);
    assert_eq!((now.status, now.left.len()), (DeploymentStatus::Deleting, 0));
    must("a purge is asked for once more", store.ask_purge(deployment, time(8)).await);
    let news = must("a lease is lengthened", store.renew(&lease, time(60)).await);
    assert!(!news.cancel_asked, "a purge is not stopped for a purge");
    must("a purge ends", store.finish(&lease, Transition::TimeOut, time(9)).await);
    must("what is left is kept", store.keep_left(deployment, &["a.b".to_owned()]).await);
    let now = must("a deployment is found", store.deployment(deployment).await);
    assert_eq!((now.status, now.left), (DeploymentStatus::Deleted, vec!["a.b".to_owned()]));
    let listed = must("purges are listed", store.purges(100).await);
    assert!(listed.iter().all(|one| one.id != deployment), "it is done");
    let query =
        crate::deployment::DeploymentQuery { text: deployment.to_string(), limit: 1, ..Default::default() };
    assert!(
        must("deployments are listed", store.list(&query).await).items.is_empty(),
        "it counts as deleted"
    );
    let known = must(
        "what is deployed is known",
        store.deployed(now.owner, std::slice::from_ref(&now.module_name)).await,
    );
    assert!(known.is_empty(), "what is purged is not deployed");
}

/// A deployment whose create succeeded.
pub(super) async fn made(store: &dyn DeploymentStore, module: &str) -> DeploymentId {
    let (deployment, run) = stored(store, module).await;
    finished(store, run.id, Transition::Succeed).await;
    deployment.id
}

pub(super) async fn queued_and_leased(store: &dyn DeploymentStore, run: RunId) -> Lease {
    must("a run is queued", store.advance(run, Transition::Queue, time(1)).await);
    let lease = leased(store).await;
    assert_eq!(lease.run, run, "nothing else is queued");
    lease
}

pub(super) fn update(deployment: DeploymentId) -> NewRun {
    let mut target = target("abcdefabcdefabcdefabcdefabcdefabcdefabcd", "changed");
    target.needs.clear();
    target.may_purge = true;
    target.values.insert("more".to_owned(), 1.into());
    NewRun { id: RunId::new(), deployment, action: Action::Update, cost: Credits::ZERO, target: Some(target) }
}

fn purge(deployment: DeploymentId) -> NewRun {
    NewRun { action: Action::Purge, ..delete(deployment) }
}

fn planned(of: &[(&str, ChangeKind)]) -> Vec<PlannedChange> {
    of.iter()
        .map(|(address, change)| PlannedChange { address: (*address).to_owned(), change: *change })
        .collect()
}

fn step(step: Step) -> RunReport {
    RunReport { step: Some(step), ..RunReport::default() }
}

async fn password(store: &dyn DeploymentStore, deployment: DeploymentId) -> String {
    let secrets = must("secrets are read", store.secrets(deployment).await);
    secrets["password"].expose_secret().to_owned()
}
