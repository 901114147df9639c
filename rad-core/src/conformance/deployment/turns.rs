//! Whose turn it is.

use std::collections::BTreeMap;

use super::{must, new, time};
use crate::deployment::{
    DeploymentError, DeploymentStore, Lease, LeaseLimits, NewDeployment, RunStatus, Transition,
};
use crate::id::{AccountId, RunId};

/// One owner's hundred runs do not starve another's one; the owner who waited longest comes next.
///
/// # Panics
/// If the contract is broken.
pub async fn gives_turns_to_owners(store: &dyn DeploymentStore) {
    let (many, one, late) = (AccountId::new(), AccountId::new(), AccountId::new());
    let mut owners = BTreeMap::new();
    for owner in [[many; 6].as_slice(), &[one]].concat() {
        owners.insert(queued(store, owner).await, owner);
    }
    let first = leased(store, LeaseLimits::default()).await;
    let second = leased(store, LeaseLimits::default()).await;
    assert_eq!(
        (owners[&first.run], owners[&second.run]),
        (many, one),
        "an owner without a working run comes first"
    );
    must("a run ends", store.finish(&second, Transition::Succeed, time(3)).await);
    owners.insert(queued(store, late).await, late);
    owners.insert(queued(store, one).await, one);
    let third = leased(store, LeaseLimits::default()).await;
    assert_eq!(owners[&third.run], late, "who never had a lease waited longest");
    must("a run ends", store.finish(&first, Transition::Succeed, time(4)).await);
    must("a run ends", store.finish(&third, Transition::Succeed, time(4)).await);
    let mut turns = Vec::new();
    for _ in 0..3 {
        let lease = leased(store, LeaseLimits::default()).await;
        turns.push(owners[&lease.run]);
        must("a run ends", store.finish(&lease, Transition::Succeed, time(5)).await);
    }
    assert_eq!(turns, [many, one, many], "with nothing working, the last lease given longest ago counts");
}

/// No more runs work than the limits allow, of one owner and of all.
///
/// # Panics
/// If the contract is broken.
pub async fn limits_what_works(store: &dyn DeploymentStore) {
    let (many, one) = (AccountId::new(), AccountId::new());
    let mut owners = BTreeMap::new();
    for owner in [many, many, many, one, one] {
        owners.insert(queued(store, owner).await, owner);
    }
    let limits = LeaseLimits { per_owner: Some(1), total: None };
    let leases = [leased(store, limits).await, leased(store, limits).await];
    assert_eq!(leases.clone().map(|lease| owners[&lease.run]), [many, one]);
    assert_none(store, limits).await;
    assert_none(store, LeaseLimits { per_owner: None, total: Some(2) }).await;
    assert_none(store, LeaseLimits { per_owner: Some(5), total: Some(0) }).await;
    let third = leased(store, LeaseLimits { per_owner: Some(2), total: Some(3) }).await;
    assert_eq!(owners[&third.run], many);
    must("a run ends", store.finish(&leases[1], Transition::Fail, time(2)).await);
    let next = leased(store, limits).await;
    assert_eq!(owners[&next.run], one, "there is room again");
    assert_none(store, limits).await;
}

/// A run that was given back is taken again, not before its time; one that a person cancelled is not.
///
/// # Panics
/// If the contract is broken.
pub async fn gives_back_for_another_attempt(store: &dyn DeploymentStore) {
    let owner = AccountId::new();
    let run = queued(store, owner).await;
    let first = leased(store, LeaseLimits::default()).await;
    let back = must("a run is given back", store.give_back(&first, Some(time(50)), time(3)).await);
    assert_eq!((back.status, back.attempts), (RunStatus::Queued, 1));
    assert!(
        matches!(store.append_log(&first, b"x").await, Err(DeploymentError::LeaseLost)),
        "its lease is over"
    );
    assert_none(store, LeaseLimits::default()).await;
    let early = must("leasing works", store.lease("w", LeaseLimits::default(), time(49), time(100)).await);
    assert_eq!(early, None, "its time has not come");
    let again = must("leasing works", store.lease("w", LeaseLimits::default(), time(50), time(100)).await);
    let again = must("its time has come", again.ok_or(()));
    assert_eq!(again.run, run);
    assert!(again.epoch > first.epoch, "a later lease has a higher epoch");

    let back = must("a run is given back", store.give_back(&again, None, time(51)).await);
    assert_eq!((back.status, back.attempts), (RunStatus::Queued, 1), "that was no attempt");
    let last = leased(store, LeaseLimits::default()).await;
    must("a wish is kept", store.cancel(run, time(52)).await);
    let cancelled = must("a run is given back", store.give_back(&last, Some(time(60)), time(53)).await);
    assert_eq!(cancelled.status, RunStatus::Cancelled, "a person had asked for that");
}

async fn queued(store: &dyn DeploymentStore, owner: AccountId) -> RunId {
    let new = NewDeployment { owner, ..new("turns") };
    let (_, run) = must("a deployment is stored", store.create(new, RunId::new(), time(0)).await);
    must("a run is queued", store.advance(run.id, Transition::Queue, time(1)).await);
    run.id
}

async fn leased(store: &dyn DeploymentStore, limits: LeaseLimits) -> Lease {
    let lease = must("leasing works", store.lease("w", limits, time(2), time(100)).await);
    must("there is a run to lease", lease.ok_or(()))
}

async fn assert_none(store: &dyn DeploymentStore, limits: LeaseLimits) {
    let lease = must("leasing works", store.lease("w", limits, time(2), time(100)).await);
    assert_eq!(lease, None, "{limits:?}");
}
