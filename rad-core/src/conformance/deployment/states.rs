//! Versions of states.

use bytes::Bytes;

use super::{assert_not_found, delete, finished, leased, must, must_fail, stored, time};
use crate::deployment::{
    DeploymentError, DeploymentStore, NewRun, STATE_VERSIONS, StateOrigin, Transition, state_serial,
};
use crate::id::AccountId;
use crate::runner::Action;

/// Each run leaves one version of the state; the last twenty are kept, and one is restored as a new one while nothing runs.
/// For a store that keeps [`STATE_VERSIONS`].
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_versions_of_states(store: &dyn DeploymentStore) {
    let (deployment, first) = stored(store, "versioned").await;
    let id = deployment.id;
    assert_eq!(must("versions are listed", store.state_versions(id).await), []);
    assert_not_found(store.state_version(id, 1).await);
    let all = u64::from(STATE_VERSIONS.get()) + 2;
    let mut run = first.id;
    for round in 1..=all {
        must("a run is queued", store.advance(run, Transition::Queue, time(1)).await);
        let lease = leased(store).await;
        for serial in [2 * round - 1, 2 * round] {
            let state = Bytes::from(format!("{{\"serial\":{serial},\"of\":{round}}}"));
            must("a state is kept", store.save_state(&lease, &state, time(2)).await);
        }
        let busy =
            must_fail("a run goes on", store.restore_state(id, round, AccountId::new(), time(2)).await);
        assert!(matches!(busy, DeploymentError::Busy { .. }), "{busy:?}");
        must("a run ends", store.finish(&lease, Transition::Succeed, time(3)).await);
        let versions = must("versions are listed", store.state_versions(id).await);
        let newest = &versions[0];
        assert_eq!((newest.number, newest.serial, newest.saved_at), (round, 2 * round, time(2)));
        assert_eq!(newest.origin, StateOrigin::Run { run, epoch: lease.epoch }, "one version for a run");
        let next = NewRun { action: Action::Create, ..delete(id) };
        run = must("a run is added", store.add_run(next, time(4)).await).id;
    }
    finished(store, run, Transition::Fail).await;
    let versions = must("versions are listed", store.state_versions(id).await);
    let numbers: Vec<u64> = versions.iter().map(|version| version.number).collect();
    assert_eq!(numbers, (3..=all).rev().collect::<Vec<_>>(), "the last ones, newest first");
    assert_not_found(store.state_version(id, 2).await);

    let by = AccountId::new();
    let restored = must("a version is restored", store.restore_state(id, 5, by, time(50)).await);
    assert_eq!(restored.origin, StateOrigin::Restored { from: 5, by });
    assert_eq!((restored.number, restored.serial), (all + 1, 2 * all + 1), "newer than all there are");
    let state = must("a state is read", store.state(id).await).unwrap_or_default();
    assert_eq!(state_serial(&state), Some(restored.serial));
    assert!(String::from_utf8_lossy(&state).contains("\"of\":5"), "what the fifth run left");
    assert_eq!(must("a version is read", store.state_version(id, restored.number).await), state);
    let old = must("a version is read", store.state_version(id, 5).await);
    assert_eq!(state_serial(&old), Some(10), "the old version stays what it was");
    let versions = must("versions are listed", store.state_versions(id).await);
    assert_eq!((&versions[0], versions.len()), (&restored, STATE_VERSIONS.get() as usize));
    assert_not_found(store.restore_state(id, 1, by, time(51)).await);
}
