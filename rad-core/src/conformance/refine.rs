//! The contract of [`RefineStore`].

use chrono::{DateTime, TimeDelta, Utc};

use super::{must, must_fail, side_by_side};
use crate::access::Publisher;
use crate::agent::{Activity, ActivityEvent, ChangeSet, FeedCursor, Originator, PullRequest, SessionState};
use crate::id::{AccountId, RefineId};
use crate::refine::{AcceptedChange, RefineError, RefineProgress, RefineSession, RefineStore};
use crate::source::{CommitId, Digest};

/// The whole contract.
///
/// # Panics
/// If it is broken.
pub async fn all(store: &dyn RefineStore) {
    reads_what_was_written(store).await;
    lists_the_latest_first(store).await;
    keeps_activities_once(store).await;
    keeps_the_first_acceptance(store).await;
}

/// A session is read as it was kept and recorded.
///
/// # Panics
/// If the contract is broken.
pub async fn reads_what_was_written(store: &dyn RefineStore) {
    let mut session = session(Publisher::Partner(AccountId::new()), "network", 0);
    must("a session is kept", store.create(&session).await);
    assert_eq!(must("a session", store.session(session.id).await), session);
    let refusal = must_fail("an id twice", store.create(&session).await);
    assert!(matches!(refusal, RefineError::Exists { .. }), "{refusal:?}");

    session.progress = RefineProgress {
        agent_session: Some("sessions/1".to_owned()),
        state: Some(SessionState::Other("SOMETHING_NEW".to_owned())),
        url: Some("https://agent.example.com/1".to_owned()),
        pull_request: Some(PullRequest {
            url: "https://git.example.com/1".to_owned(),
            title: "é".to_owned(),
            description: String::new(),
        }),
        change: Some(ChangeSet { base: Some(commit(1)), patch: "é\n".to_owned(), message: "m".to_owned() }),
        cursor: Some(FeedCursor::new("c")),
        problem: Some("none".to_owned()),
    };
    session.recorded_at = time(9);
    must("progress is recorded", store.record(session.id, time(0), &session.progress, &[], time(9)).await);
    assert_eq!(must("a session", store.session(session.id).await), session);
    let late = RefineProgress::default();
    must("a late answer", store.record(session.id, time(0), &late, &[], time(10)).await);
    assert_eq!(must("a session", store.session(session.id).await), session, "undoes no later one");

    let missing = RefineId::new();
    let progress = RefineProgress::default();
    for refusal in [
        must_fail("no such session", store.session(missing).await),
        must_fail("no such session", store.record(missing, time(0), &progress, &[], time(0)).await),
        must_fail("no such session", store.activities(missing).await),
        must_fail("no such session", store.accept(missing, &accepted(1, 1)).await),
    ] {
        assert!(matches!(refusal, RefineError::NotFound), "{refusal:?}");
    }
}

/// Sessions are listed by publisher and module, the latest first.
///
/// # Panics
/// If the contract is broken.
pub async fn lists_the_latest_first(store: &dyn RefineStore) {
    let publisher = Publisher::Partner(AccountId::new());
    let mut kept = Vec::new();
    for number in 0..5 {
        let session = session(publisher, if number % 2 == 0 { "even" } else { "odd" }, number);
        must("a session is kept", store.create(&session).await);
        kept.insert(0, session);
    }
    let other = session(Publisher::Partner(AccountId::new()), "even", 9);
    must("a session is kept", store.create(&other).await);
    assert_eq!(must("all", store.sessions(publisher, None, 100).await), kept);
    assert_eq!(must("some", store.sessions(publisher, None, 2).await), kept[..2]);
    let odd: Vec<RefineSession> = kept.into_iter().filter(|session| session.module == "odd").collect();
    assert_eq!(must("of a module", store.sessions(publisher, Some("odd"), 100).await), odd);
}

/// Activities are kept once by their id, in order, whoever records them.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_activities_once(store: &dyn RefineStore) {
    let session = session(Publisher::Partner(AccountId::new()), "network", 0);
    must("a session is kept", store.create(&session).await);
    let wanted: Vec<Activity> = (0..20).map(activity).collect();
    let record = |range: std::ops::Range<usize>| {
        store.record(session.id, time(0), &session.progress, &wanted[range], time(1))
    };
    must("activities are added", record(0..8).await);
    let mut changed = wanted[3].clone();
    changed.description = Some("changed".to_owned());
    must("one again", store.record(session.id, time(1), &session.progress, &[changed], time(1)).await);
    for result in side_by_side([record(4..20), record(4..20)]).await {
        must("the same at the same time", result);
    }
    assert_eq!(must("the activities", store.activities(session.id).await), wanted);
}

/// A change is accepted once.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_the_first_acceptance(store: &dyn RefineStore) {
    let session = session(Publisher::Platform, "network", 0);
    must("a session is kept", store.create(&session).await);
    let (first, second) = (accepted(1, 1), accepted(2, 2));
    for wanted in [&first, &second] {
        assert_eq!(must("a change is accepted", store.accept(session.id, wanted).await), *wanted);
    }
    let again = must("again", store.accept(session.id, &accepted(1, 3)).await);
    assert_eq!(again, first, "the first acceptance stays");
    assert_eq!(must("a session", store.session(session.id).await).accepted, [first, second]);
}

fn session(publisher: Publisher, module: &str, number: i64) -> RefineSession {
    RefineSession {
        id: RefineId::new(),
        publisher,
        module: module.to_owned(),
        repository: "someone/modules".to_owned(),
        branch: "main".to_owned(),
        title: "Add é".to_owned(),
        started_by: AccountId::new(),
        started_at: time(number),
        recorded_at: time(number),
        progress: RefineProgress::default(),
        accepted: Vec::new(),
    }
}

fn activity(number: usize) -> Activity {
    Activity {
        // Neither the order of ids nor of times is the order in which they came.
        id: format!("{}", 99 - number),
        at: None,
        originator: Originator::Agent,
        event: ActivityEvent::AgentMessaged { message: format!("é {number}") },
        description: None,
        artifacts: Vec::new(),
    }
}

fn accepted(change: u8, number: u8) -> AcceptedChange {
    let by = AccountId::from_bytes([number; 16]);
    AcceptedChange { change: Digest::of(&[change]), commit: commit(number), by, at: time(number.into()) }
}

fn commit(number: u8) -> CommitId {
    CommitId::from_sha1([number; 20])
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_770_000_000, 0).unwrap_or_default() + TimeDelta::seconds(seconds)
}
