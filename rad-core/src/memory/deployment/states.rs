//! The versions of states in memory.

use std::num::NonZeroU32;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::books::{Books, DeploymentRecord};
use crate::deployment::{DeploymentError, Lease, StateOrigin, StateVersion, state_serial, with_serial};
use crate::error::BackendError;
use crate::id::{AccountId, DeploymentId};

impl Books {
    pub(super) fn save_state(
        &mut self,
        lease: &Lease,
        state: &Bytes,
        at: DateTime<Utc>,
        keep: NonZeroU32,
    ) -> Result<(), DeploymentError> {
        self.leased(lease)?;
        let record = self.deployment_mut(lease.deployment)?;
        let origin = StateOrigin::Run { run: lease.run, epoch: lease.epoch };
        if record.states.last().is_some_and(|(last, _)| last.origin == origin) {
            let replaced = record.states.pop().map_or(1, |(last, _)| last.number);
            record.push_state(replaced, origin, state.clone(), at);
        } else {
            record.push_state(record.next_state(), origin, state.clone(), at);
        }
        record.forget_states(keep);
        Ok(())
    }

    pub(super) fn restore_state(
        &mut self,
        deployment: DeploymentId,
        from: u64,
        by: AccountId,
        at: DateTime<Utc>,
        keep: NonZeroU32,
    ) -> Result<StateVersion, DeploymentError> {
        self.check_idle(deployment)?;
        let record = self.deployment_mut(deployment)?;
        let state = record.state(from)?;
        let serial = record.states.iter().map(|(version, _)| version.serial).max().unwrap_or_default();
        let state = with_serial(&state, serial.saturating_add(1))
            .ok_or_else(|| BackendError::corrupt("restoring a state", "the version is no state"))?;
        record.push_state(record.next_state(), StateOrigin::Restored { from, by }, state, at);
        record.forget_states(keep);
        record.states.last().map(|(version, _)| version.clone()).ok_or(DeploymentError::NotFound)
    }
}

impl DeploymentRecord {
    pub(super) fn state(&self, number: u64) -> Result<Bytes, DeploymentError> {
        let found = self.states.iter().find(|(version, _)| version.number == number);
        found.map(|(_, state)| state.clone()).ok_or(DeploymentError::NotFound)
    }

    fn next_state(&self) -> u64 {
        self.states.last().map_or(1, |(last, _)| last.number.saturating_add(1))
    }

    fn push_state(&mut self, number: u64, origin: StateOrigin, state: Bytes, saved_at: DateTime<Utc>) {
        let serial = state_serial(&state).unwrap_or_default();
        let version = StateVersion { number, serial, size: state.len() as u64, saved_at, origin };
        self.states.push((version, state));
    }

    fn forget_states(&mut self, keep: NonZeroU32) {
        let excess = self.states.len().saturating_sub(keep.get() as usize);
        self.states.drain(..excess);
    }
}
