//! The contract of [`WatchStore`].

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::{must, side_by_side};
use crate::access::Publisher;
use crate::id::AccountId;
use crate::repo::RepoConnection;
use crate::source::CommitId;
use crate::watch::{Look, MOST_SYNCS, PlannedStep, StepKind, SyncRecord, Watch, WatchStore};

/// The whole contract.
///
/// # Panics
/// If it is broken.
pub async fn all(store: &dyn WatchStore) {
    keeps_watches(store).await;
    lends_what_is_due_once(store).await;
    keeps_syncs(store).await;
}

/// A watch begins anew, keeps what came of looks, and ends.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_watches(store: &dyn WatchStore) {
    let (publisher, far) = (partner(), past() + TimeDelta::days(40_000));
    let read = async || must("a watch is read", store.watch(publisher).await);
    assert_eq!(read().await, None, "nothing is watched at first");
    must("switching what is not watched", store.set_auto_update(publisher, true, far).await);
    must("ending what is not watched", store.end(publisher).await);
    let fresh = watch(publisher, far);
    must("a watch begins", store.begin(&fresh).await);
    assert_eq!(read().await, Some(fresh.clone()), "all of it");

    let seen =
        Look { read_at: Some(past()), commit: Some(commit()), failures: 3, problem: Some("no".to_owned()) };
    let later = far + TimeDelta::microseconds(1);
    let looked = Watch { next_at: later, last: seen.clone(), ..fresh.clone() };
    must("a look is kept", store.looked(&looked).await);
    assert_eq!(read().await, Some(looked.clone()), "all of it");
    must("auto-update is switched", store.set_auto_update(publisher, true, far).await);
    let anew = Look { commit: None, ..seen };
    let switched = Watch { auto_update: true, next_at: far, last: anew, ..fresh.clone() };
    assert_eq!(read().await, Some(switched.clone()), "the commit is looked at again");
    must("a look that began before", store.looked(&looked).await);
    assert_eq!(read().await, Some(switched), "does not undo that");
    let elsewhere = RepoConnection { sub_dir: "modules".to_owned(), ..fresh.connection.clone() };
    let anew = Watch { connection: elsewhere, last: Look::default(), ..fresh.clone() };
    must("another watch begins", store.begin(&anew).await);
    assert_eq!(read().await, Some(anew.clone()), "in place of the one before");
    must("a look that began before", store.looked(&looked).await);
    assert_eq!(read().await, Some(anew), "is of something else");
    must("a watch ends", store.end(publisher).await);
    must("a look after the end", store.looked(&fresh).await);
    assert_eq!(read().await, None, "nothing is watched any more");
}

/// What is due is lent to one of those who ask, and comes back when it is due again.
///
/// # Panics
/// If the contract is broken.
pub async fn lends_what_is_due_once(store: &dyn WatchStore) {
    // So early that nothing else in the store is due.
    let now = past() - TimeDelta::days(10_000);
    let publishers: BTreeSet<Publisher> = (0..6).map(|_| partner()).collect();
    for (number, publisher) in (0_i32..).zip(&publishers) {
        let next_at = now - TimeDelta::seconds(i64::from(number));
        must("a watch begins", store.begin(&watch(*publisher, next_at)).await);
    }
    let until = now + TimeDelta::minutes(1);
    let first = must("the longest due", store.due(now, until, 1).await);
    assert_eq!(first.iter().map(|watch| Some(&watch.publisher)).collect::<Vec<_>>(), [publishers.last()]);
    assert!(first.iter().all(|watch| watch.next_at == until), "it is not due again before");
    let lent = side_by_side((0..4).map(|_| store.due(now, until, 2))).await;
    let lent: Vec<Publisher> =
        lent.into_iter().flat_map(|due| must("what is due", due)).map(|watch| watch.publisher).collect();
    let others: BTreeSet<Publisher> = lent.iter().copied().collect();
    assert_eq!((lent.len(), others.len()), (5, 5), "each is lent once");
    assert!(must("what is due", store.due(now, until, 10).await).is_empty(), "nothing is due any more");
    let again = must("what is due", store.due(until, until + TimeDelta::minutes(1), 10).await);
    assert_eq!(
        again.iter().map(|watch| watch.publisher).collect::<BTreeSet<_>>(),
        publishers,
        "and then all"
    );
    for publisher in publishers {
        must("a watch ends", store.end(publisher).await);
    }
}

/// Syncs are kept, the latest first, up to a number.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_syncs(store: &dyn WatchStore) {
    let (publisher, by) = (partner(), AccountId::new());
    let sync = |number: u32| SyncRecord {
        publisher,
        at: past() + TimeDelta::seconds(i64::from(number)),
        by: number.is_multiple_of(2).then_some(by),
        repository: "octo/módules".to_owned(),
        commit: Some(commit()),
        version: u64::from(number),
        steps: vec![PlannedStep {
            module: "web".to_owned(),
            kind: StepKind::Update,
            reason: "changed".to_owned(),
        }],
    };
    assert!(must("no syncs", store.syncs(publisher, 10).await).is_empty(), "there is none at first");
    for number in 0..MOST_SYNCS + 2 {
        must("a sync is kept", store.keep_sync(&sync(number)).await);
    }
    let latest = must("the syncs", store.syncs(publisher, 2).await);
    assert_eq!(latest, [sync(MOST_SYNCS + 1), sync(MOST_SYNCS)], "the latest first, whole");
    let all = must("the syncs", store.syncs(publisher, u32::MAX).await);
    assert_eq!(all.len(), MOST_SYNCS as usize, "the oldest are forgotten");
    assert!(must("another's", store.syncs(partner(), 10).await).is_empty(), "each publisher has its own");
}

fn watch(publisher: Publisher, next_at: DateTime<Utc>) -> Watch {
    let connection = RepoConnection {
        repository: "octo/módules".to_owned(),
        branch: Some("main".to_owned()),
        sub_dir: String::new(),
    };
    let last = Look { commit: Some(commit()), ..Look::default() };
    Watch { publisher, connection, auto_update: false, next_at, last }
}

fn partner() -> Publisher {
    Publisher::Partner(AccountId::new())
}

fn past() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(15_000) + TimeDelta::microseconds(1)
}

fn commit() -> CommitId {
    CommitId::from_sha1([7; 20])
}
