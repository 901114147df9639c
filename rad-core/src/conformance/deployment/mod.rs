//! The contract of [`DeploymentStore`]. Each function wants a store of its own, without deployments.

mod acting;
mod checking;
mod states;
mod turns;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

pub use self::acting::{
    asks_before_it_takes_away, becomes_what_it_applies, cancels_runs, knows_what_diverged,
    supersedes_for_a_purge,
};
pub use self::checking::checks_leave_it_as_it_stands;
pub use self::states::keeps_versions_of_states;
pub use self::turns::{gives_back_for_another_attempt, gives_turns_to_owners, limits_what_works};
use super::{must, must_fail, side_by_side};
use crate::access::Publisher;
use crate::deployment::{
    Deployment, DeploymentError, DeploymentQuery, DeploymentStatus, DeploymentStore, LOG_CUT, LOG_LIMIT,
    Lease, LeaseLimits, LeaseNews, NewDeployment, NewRun, Run, RunReport, RunStatus, SecretValues,
    Settlement, Target, Transition, Wait,
};
use crate::id::{AccountId, DeploymentId, ModuleId, RunId};
use crate::live::Topic;
use crate::money::Credits;
use crate::page::Page;
use crate::runner::{Action, ChangeKind, ChangeStatus, Diagnostic, Output, ResourceProgress, Severity, Step};
use crate::source::Digest;

/// What is read after a write returned is what was written; the same submission again stores nothing.
///
/// # Panics
/// If the contract is broken.
pub async fn reads_what_was_written(store: &dyn DeploymentStore) {
    let new = new("reader");
    let (made, run) = must("a deployment is stored", store.create(new.clone(), RunId::new(), time(0)).await);
    assert_eq!(made.status, DeploymentStatus::Run(RunStatus::Pending));
    assert_eq!((run.status, run.action, run.cost), (RunStatus::Pending, Action::Create, new.cost));
    assert_eq!(made.secret_names, ["password"], "the names of secrets are known");
    assert_eq!((made.created_at, &made.values), (time(0), &new.target.values));
    assert_eq!(made, must("a deployment is found", store.deployment(made.id).await));
    assert_eq!(run, must("a run is found", store.run(run.id).await));
    let secrets = must("secrets are read", store.secrets(made.id).await);
    assert_eq!(secrets["password"].expose_secret(), "\"hunter2\"");

    let again = NewDeployment { id: DeploymentId::new(), ..new.clone() };
    let first = must("a submission can be repeated", store.create(again, RunId::new(), time(1)).await);
    assert_eq!(first, (made.clone(), run), "the same submission gives what was stored first");
    let other = NewDeployment { submission: Uuid::new_v4(), ..new };
    let error = must_fail("an id is used once", store.create(other, RunId::new(), time(1)).await);
    assert!(matches!(error, DeploymentError::IdTaken { deployment } if deployment == made.id), "{error:?}");

    let missing = DeploymentId::new();
    assert_not_found(store.deployment(missing).await);
    assert_not_found(store.secrets(missing).await);
    assert_not_found(store.state(missing).await);
    assert_not_found(store.run(RunId::new()).await);
    assert_not_found(store.log(RunId::new(), 0, 1).await);
    assert_not_found(store.add_run(delete(missing), time(1)).await);
    assert_not_found(store.cancel(RunId::new(), time(1)).await);
    assert_not_found(store.target(RunId::new()).await);
    assert_not_found(store.plan(RunId::new()).await);
}

/// A run moves along the state machine and no other way, and its deployment follows.
///
/// # Panics
/// If the contract is broken.
pub async fn moves_along_the_state_machine(store: &dyn DeploymentStore) {
    let (deployment, run) = stored(store, "mover").await;
    for wrong in [Transition::Lease, Transition::Succeed, Transition::Ask] {
        assert_illegal(store.advance(run.id, wrong, time(1)).await);
    }
    let parked = must("a pending run parks", store.advance(run.id, Transition::Park, time(1)).await);
    assert_eq!((parked.status, parked.waits_for), (RunStatus::Waiting, Some(Wait::Modules)));
    let queued = must("a waiting run is queued", store.advance(run.id, Transition::Queue, time(2)).await);
    assert_eq!((queued.status, queued.waits_for), (RunStatus::Queued, None));
    assert_illegal(store.discard(run.id).await);
    let lease = leased(store).await;
    assert_illegal(store.advance(run.id, Transition::Cancel, time(3)).await);
    assert_illegal(store.finish(&lease, Transition::Queue, time(3)).await);
    let now = must("a deployment is found", store.deployment(deployment.id).await);
    assert_eq!(now.status, DeploymentStatus::Run(RunStatus::Working));

    let done = must("a leased run ends", store.finish(&lease, Transition::Succeed, time(4)).await);
    assert_eq!((done.status, done.settlement), (RunStatus::Success, Settlement::Owed));
    assert_eq!((done.started_at, done.finished_at), (Some(time(1)), Some(time(4))));
    assert_illegal(store.advance(run.id, Transition::Queue, time(5)).await);
    let now = must("a deployment is found", store.deployment(deployment.id).await);
    assert_eq!((now.status, now.updated_at), (DeploymentStatus::Run(RunStatus::Success), time(4)));

    let owed = must("the unsettled are listed", store.unsettled(10).await);
    assert_eq!(owed.iter().map(|run| run.id).collect::<Vec<_>>(), [run.id]);
    for _ in 0..2 {
        must("a run is settled, twice as well", store.settled(run.id).await);
    }
    assert_eq!(must("the unsettled are listed", store.unsettled(10).await), []);
}

/// Whoever waits for a change hears of it.
///
/// # Panics
/// If the contract is broken.
pub async fn tells_what_changes(store: &dyn DeploymentStore) {
    let (_, run) = stored(store, "told").await;
    let other = store.news().subscribe(Topic::Run(RunId::new()));
    let mut of_run = store.news().subscribe(Topic::Run(run.id));
    let mut queue = store.news().subscribe(Topic::Queue);
    let mut all = store.news().subscribe(Topic::Deployments);
    must("a pending run is queued", store.advance(run.id, Transition::Queue, time(1)).await);
    for heard in [&mut queue, &mut of_run, &mut all] {
        heard.changed().await;
    }
    let lease = leased(store).await;
    of_run.changed().await;
    all.changed().await;
    must("a log is written", store.append_log(&lease, b"one\n").await);
    of_run.changed().await;
    let report = RunReport { step: Some(Step::Plan), ..RunReport::default() };
    must("a report is kept", store.record(&lease, &report).await);
    of_run.changed().await;
    must("a leased run ends", store.finish(&lease, Transition::Succeed, time(2)).await);
    for heard in [&mut queue, &mut of_run, &mut all] {
        heard.changed().await;
    }
    must("a run is settled", store.settled(run.id).await);
    of_run.changed().await;
    assert!(!other.has_changed(), "nobody hears of what is not his");
}

/// A deployment has one run at a time; a refused one leaves no trace.
///
/// # Panics
/// If the contract is broken.
pub async fn runs_one_at_a_time(store: &dyn DeploymentStore) {
    let (deployment, first) = stored(store, "busy").await;
    let add = || store.add_run(delete(deployment.id), time(5));
    let error = must_fail("a second run is refused", add().await);
    assert!(matches!(error, DeploymentError::Busy { .. }), "{error:?}");
    finished(store, first.id, Transition::Succeed).await;

    let racing: Vec<_> = side_by_side((0..4).map(|_| add())).await.into_iter().flatten().collect();
    assert_eq!(racing.len(), 1, "of racing runs one is stored");
    let delete = &racing[0];
    let now = must("a deployment is found", store.deployment(deployment.id).await);
    assert_eq!(now.latest_run, first.id, "a pending run is not the latest yet");
    must("a pending run is taken away", store.discard(delete.id).await);
    assert_not_found(store.run(delete.id).await);

    let delete = must("another run is stored", add().await);
    finished(store, delete.id, Transition::Succeed).await;
    let now = must("a deployment is found", store.deployment(deployment.id).await);
    assert_eq!((now.status, now.latest_run), (DeploymentStatus::Deleted, delete.id));
    let runs = must("runs are listed", store.runs(deployment.id).await);
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [delete.id, first.id], "newest first");

    let (refused, run) = stored(store, "refused").await;
    must("a pending run is taken away", store.discard(run.id).await);
    assert_not_found(store.deployment(refused.id).await);
}

/// Each run is leased to one worker, and a lapsed lease writes nothing.
///
/// # Panics
/// If the contract is broken.
pub async fn fences_leases(store: &dyn DeploymentStore) {
    let mut runs = Vec::new();
    for name in ["one", "two", "three"] {
        runs.push(stored(store, name).await.1.id);
    }
    for run in [runs[2], runs[0], runs[1]] {
        must("a run is queued", store.advance(run, Transition::Queue, time(1)).await);
    }
    let mut leases = vec![leased_until(store, time(10)).await];
    assert_eq!(leases[0].run, runs[2], "what was queued first is leased first");
    for lease in
        side_by_side((0..3).map(|_| store.lease("w", LeaseLimits::default(), time(1), time(10)))).await
    {
        leases.extend(must("leasing works", lease));
    }
    let by_run = |lease: &Lease| lease.run;
    let mut given = leases.clone();
    given.sort_by_key(by_run);
    runs.sort_unstable();
    assert_eq!(given.iter().map(by_run).collect::<Vec<_>>(), runs, "each run is leased once");
    let mut held = must("leases are listed", store.leases("w").await);
    held.sort_by_key(by_run);
    assert_eq!(held, given, "a worker finds its leases again");
    assert_eq!(must("leases are listed", store.leases("other").await), []);

    let news = must("a lease is lengthened", store.renew(&leases[0], time(60)).await);
    assert_eq!(news, LeaseNews::default(), "nobody asked for anything");
    let lapsed = must("lapsed leases are ended", store.interrupt_lapsed(time(30)).await);
    assert_eq!(lapsed.len(), 2, "only lapsed leases are ended");
    assert!(
        lapsed.iter().all(|run| run.status == RunStatus::Interrupted && run.settlement == Settlement::Owed)
    );

    let lost = &leases[1];
    assert_lost(store.renew(lost, time(90)).await);
    assert_lost(store.append_log(lost, b"late").await);
    assert_lost(store.record(lost, &RunReport::default()).await);
    assert_lost(store.save_state(lost, &Bytes::from_static(b"{}"), time(31)).await);
    assert_lost(store.finish(lost, Transition::Succeed, time(31)).await);
    let forged = Lease { epoch: leases[0].epoch + 100, ..leases[0].clone() };
    assert_lost(store.append_log(&forged, b"forged").await);
    assert_eq!(must("a state is read", store.state(lost.deployment).await), None);
    let log = must("a log is read", store.log(lost.run, 0, 100).await);
    assert!(log.bytes.is_empty() && log.complete, "an ended run has nothing more to say");
}

/// Reports add up: the step, each resource once, diagnostics, outputs and state.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_reports(store: &dyn DeploymentStore) {
    let (deployment, run) = stored(store, "reporter").await;
    must("a run is queued", store.advance(run.id, Transition::Queue, time(1)).await);
    let lease = leased(store).await;
    let diagnostic =
        |severity, summary: &str| Diagnostic { severity, ..Diagnostic::error(summary, "détail") };
    let first = RunReport {
        step: Some(Step::Plan),
        plan: None,
        drift: None,
        resources: vec![progress("a", ChangeStatus::Planned), progress("b", ChangeStatus::Planned)],
        diagnostics: vec![diagnostic(Severity::Warning, "old syntax")],
        outputs: None,
    };
    let outputs = vec![
        Output { name: "url".into(), sensitive: false, value: json!("https://example.com") },
        Output { name: "key".into(), sensitive: true, value: json!({ "pem": "…" }) },
    ];
    let second = RunReport {
        step: None,
        plan: None,
        drift: None,
        resources: vec![progress("a", ChangeStatus::Complete), progress("c", ChangeStatus::Started)],
        diagnostics: vec![diagnostic(Severity::Error, "no quota")],
        outputs: Some(outputs.clone()),
    };
    for report in [&first, &second, &RunReport::default()] {
        must("a report is kept", store.record(&lease, report).await);
    }
    let now = must("a run is found", store.run(run.id).await);
    assert_eq!(now.step, Some(Step::Plan), "a report without a step leaves the step");
    assert_eq!(now.diagnostics, [first.diagnostics, second.diagnostics].concat());
    let resources = must("resources are listed", store.resources(run.id).await);
    let seen: Vec<_> = resources.iter().map(|one| (one.address.as_str(), one.status)).collect();
    use ChangeStatus::{Complete, Planned, Started};
    assert_eq!(seen, [("a", Complete), ("b", Planned), ("c", Started)], "in the order first reported");
    assert_eq!(must("outputs are read", store.outputs(deployment.id).await), outputs);

    for state in [&b"{\"serial\":1}"[..], b"{\"serial\":2}"] {
        must("a state is kept", store.save_state(&lease, &Bytes::from_static(state), time(2)).await);
    }
    let state = must("a state is read", store.state(deployment.id).await);
    assert_eq!(state.as_deref(), Some(&b"{\"serial\":2}"[..]), "the last state replaces those before");
    must("a run ends", store.finish(&lease, Transition::Fail, time(3)).await);
    assert!(must("a state is read", store.state(deployment.id).await).is_some(), "no run removes the state");
}

/// A log is read from any offset without a gap, and is cut at its limit, once.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_logs_without_gaps(store: &dyn DeploymentStore) {
    let (_, run) = stored(store, "logger").await;
    must("a run is queued", store.advance(run.id, Transition::Queue, time(1)).await);
    let lease = leased(store).await;
    let mut written = Vec::new();
    for line in ["first\n", "zweite Zeile – ü\n", "", "third\n"] {
        written.extend_from_slice(line.as_bytes());
        let next = must("a log grows", store.append_log(&lease, line.as_bytes()).await);
        assert_eq!(next, written.len() as u64, "an append gives the offset after it");
    }
    for limit in [1, 7, 1000] {
        let mut read = Vec::new();
        while read.len() < written.len() {
            let chunk = must("a log is read", store.log(run.id, read.len() as u64, limit).await);
            assert!(!chunk.bytes.is_empty() && chunk.bytes.len() <= limit as usize);
            let left = written.len() - read.len();
            assert_eq!(chunk.bytes.len(), left.min(limit as usize), "as much as may be given");
            read.extend_from_slice(&chunk.bytes);
            assert_eq!(chunk.next, read.len() as u64);
            assert!(!chunk.complete, "a run that goes on may log more");
        }
        assert_eq!(read, written, "in steps of {limit}");
    }
    let beyond = must("a log is read beyond its end", store.log(run.id, 10_000, 10).await);
    assert_eq!((beyond.bytes.len(), beyond.next), (0, written.len() as u64));

    let block = vec![b'x'; 1024 * 1024 - 1];
    let mut end = 0;
    for _ in 0..18 {
        end = must("a full log takes no more, without an error", store.append_log(&lease, &block).await);
    }
    assert_eq!(end, LOG_LIMIT + LOG_CUT.len() as u64);
    must("a run ends", store.finish(&lease, Transition::Succeed, time(3)).await);
    let tail = must("a log is read", store.log(run.id, end - LOG_CUT.len() as u64, 1000).await);
    assert_eq!((&tail.bytes[..], tail.next, tail.complete), (LOG_CUT.as_bytes(), end, true));
}

/// The listing pages without gaps or repeats, newest first, by owner, text and whether destroyed.
///
/// # Panics
/// If the contract is broken.
pub async fn lists_by_pages(store: &dyn DeploymentStore) {
    let owner = AccountId::new();
    let mut expected = Vec::new();
    for n in 0..7 {
        let new = NewDeployment { owner, ..new(if n % 2 == 0 { "Web-Stack" } else { "vault" }) };
        let (deployment, run) =
            must("a deployment is stored", store.create(new, RunId::new(), time(n / 2)).await);
        must("a run is queued", store.advance(run.id, Transition::Queue, time(10)).await);
        expected.push(deployment.id);
    }
    let (hidden, _) = stored(store, "vault").await;
    let mut query = DeploymentQuery { owner: Some(owner), limit: 3, ..DeploymentQuery::default() };
    let mut seen: Vec<Deployment> = Vec::new();
    loop {
        let page: Page<Deployment> = must("deployments are listed", store.list(&query).await);
        assert!(page.items.len() <= 3);
        seen.extend(page.items);
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert!(seen.windows(2).all(|pair| pair[0].created_at >= pair[1].created_at), "newest first");
    let mut ids: Vec<DeploymentId> = seen.iter().map(|deployment| deployment.id).collect();
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ids, expected, "each once; none whose first run is pending");

    let text =
        |text: &str| DeploymentQuery { text: text.to_owned(), limit: 200, ..DeploymentQuery::default() };
    let count = async |query| must("deployments are listed", store.list(&query).await).items.len();
    assert_eq!(count(text("STACK")).await, 4, "module names are searched, whatever the case");
    assert_eq!(count(text(seen[0].id.as_str())).await, 1, "ids are searched");
    assert_eq!(count(text("%")).await, 0, "a text is no pattern");
    assert_eq!(count(text(hidden.id.as_str())).await, 0);

    finished_queued(store, seen[0].latest_run, Transition::Succeed).await;
    let run = must("a run is stored", store.add_run(delete(seen[0].id), time(20)).await);
    finished(store, run.id, Transition::Succeed).await;
    assert_eq!(count(DeploymentQuery { limit: 200, ..DeploymentQuery::default() }).await, 6);
    assert_eq!(count(DeploymentQuery { limit: 200, deleted: true, ..DeploymentQuery::default() }).await, 7);
}

/// A module counts as deployed from a create's success until a delete's.
///
/// # Panics
/// If the contract is broken.
pub async fn knows_what_is_deployed(store: &dyn DeploymentStore) {
    let (deployment, run) = stored(store, "network").await;
    let names = ["network".to_owned(), "vault".to_owned()];
    let known = async |owner| must("what is deployed is known", store.deployed(owner, &names).await);
    assert!(known(deployment.owner).await.is_empty(), "what was never applied is not deployed");
    finished(store, run.id, Transition::Succeed).await;
    assert_eq!(known(deployment.owner).await, ["network"]);
    assert!(known(AccountId::new()).await.is_empty(), "others' deployments do not count");
    for (transition, left) in [(Transition::Fail, 1), (Transition::Succeed, 0)] {
        let run = must("a run is stored", store.add_run(delete(deployment.id), time(9)).await);
        finished(store, run.id, transition).await;
        assert_eq!(
            known(deployment.owner).await.len(),
            left,
            "after a delete that ended with {transition:?}"
        );
    }
    let waiting = must("runs are found by status", store.runs_in(RunStatus::Failure, 10).await);
    assert_eq!(waiting.len(), 1);
}

/// A deployment of an account's, to be stored: for checks beyond the suite.
pub fn sample(owner: AccountId) -> NewDeployment {
    NewDeployment { owner, ..new("sample") }
}

fn new(module: &str) -> NewDeployment {
    NewDeployment {
        id: DeploymentId::new(),
        submission: Uuid::new_v4(),
        owner: AccountId::new(),
        module: ModuleId::new(),
        publisher: Publisher::Partner(AccountId::new()),
        module_name: module.to_owned(),
        target: target("0123456789012345678901234567890123456789", "hunter2"),
        cost: Credits::from_micros(20_000_000),
        purchased_only: true,
    }
}

fn target(commit: &str, password: &str) -> Target {
    Target {
        commit: must("a commit", commit.parse()),
        source: Digest::of(commit.as_bytes()),
        values: [("size".to_owned(), json!({ "nested": [1, "zwei", null] }))].into_iter().collect(),
        secrets: SecretValues::from([("password".to_owned(), SecretString::from(format!("\"{password}\"")))]),
        needs: vec!["network".to_owned()],
        may_purge: false,
    }
}

/// A run that destroys a deployment.
fn delete(deployment: DeploymentId) -> NewRun {
    NewRun { id: RunId::new(), deployment, action: Action::Delete, cost: Credits::ZERO, target: None }
}

async fn stored(store: &dyn DeploymentStore, module: &str) -> (Deployment, Run) {
    must("a deployment is stored", store.create(new(module), RunId::new(), time(0)).await)
}

async fn leased_until(store: &dyn DeploymentStore, until: DateTime<Utc>) -> Lease {
    let lease = must("leasing works", store.lease("w", LeaseLimits::default(), time(1), until).await);
    must("a queued run is leased", lease.ok_or(()))
}

async fn leased(store: &dyn DeploymentStore) -> Lease {
    leased_until(store, time(100)).await
}

/// Queues, leases and ends a run.
async fn finished(store: &dyn DeploymentStore, run: RunId, transition: Transition) {
    must("a run is queued", store.advance(run, Transition::Queue, time(1)).await);
    finished_queued(store, run, transition).await;
}

/// Leases queued runs until it is this one's turn, and ends it.
async fn finished_queued(store: &dyn DeploymentStore, run: RunId, transition: Transition) {
    loop {
        let lease = leased(store).await;
        if lease.run == run {
            must("a leased run ends", store.finish(&lease, transition, time(8)).await);
            return;
        }
    }
}

fn progress(address: &str, status: ChangeStatus) -> ResourceProgress {
    ResourceProgress {
        address: address.to_owned(),
        change: ChangeKind::Create,
        status,
        elapsed_seconds: (status == ChangeStatus::Complete).then_some(3),
    }
}

/// A moment of the suite, in seconds.
fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_780_000_000 + seconds)
}

#[track_caller]
fn assert_not_found<T: std::fmt::Debug>(result: Result<T, DeploymentError>) {
    assert!(matches!(result, Err(DeploymentError::NotFound)), "what is not there is not found: {result:?}");
}

#[track_caller]
fn assert_illegal<T: std::fmt::Debug>(result: Result<T, DeploymentError>) {
    assert!(
        matches!(result, Err(DeploymentError::Illegal(_))),
        "the state machine has no such arrow: {result:?}"
    );
}

#[track_caller]
fn assert_lost<T: std::fmt::Debug>(result: Result<T, DeploymentError>) {
    assert!(matches!(result, Err(DeploymentError::LeaseLost)), "a lost lease writes nothing: {result:?}");
}
