//! Moving runs along the state machine, and giving leases.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::books::Books;
use crate::deployment::{
    DeploymentError, IllegalTransition, Lease, LeaseLimits, NewRun, Run, RunStatus, Settlement, Transition,
    Wait,
};
use crate::id::{AccountId, DeploymentId, RunId};
use crate::runner::{Action, PlannedChange};

impl Books {
    /// The run of a deployment that goes on.
    pub(super) fn live_run(&self, deployment: DeploymentId) -> Option<Run> {
        let live = self.runs.values().map(|record| &record.run);
        live.filter(|run| run.deployment == deployment).find(|run| !run.status.is_final()).cloned()
    }

    /// Refuses a deployment of which a run goes on, or that somebody asked to purge.
    pub(super) fn check_idle(&self, deployment: DeploymentId) -> Result<(), DeploymentError> {
        let purge_asked = self.deployment(deployment)?.deployment.purge_asked.is_some();
        if purge_asked || self.live_run(deployment).is_some() {
            return Err(DeploymentError::Busy { deployment });
        }
        Ok(())
    }

    /// Stores a run in place of one that goes on; gives that one, and the new one.
    pub(super) fn supersede(
        &mut self,
        new: NewRun,
        at: DateTime<Utc>,
    ) -> Result<(Option<Run>, Run), DeploymentError> {
        self.deployment(new.deployment)?;
        let mut ended = None;
        if let Some(live) = self.live_run(new.deployment) {
            if live.action == Action::Purge {
                return Err(DeploymentError::Busy { deployment: new.deployment });
            }
            ended = Some(self.enter(live.id, Transition::superseding(live.status), at)?);
        }
        Ok((ended, self.insert_run(new, at)?))
    }

    pub(super) fn advance(
        &mut self,
        run: RunId,
        transition: Transition,
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError> {
        self.run(run)?.run.check_advance(transition)?;
        self.enter(run, transition, at)
    }

    pub(super) fn cancel(&mut self, run: RunId, at: DateTime<Utc>) -> Result<Run, DeploymentError> {
        let record = self.run_mut(run)?;
        if record.run.status == RunStatus::Working {
            record.run.cancel_asked = true;
            return Ok(record.run.clone());
        }
        self.enter(run, Transition::Cancel, at)
    }

    pub(super) fn confirm(
        &mut self,
        run: RunId,
        changes: &[PlannedChange],
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError> {
        let record = self.run_mut(run)?;
        if record.run.waits_for != Some(Wait::Confirmation) {
            let status = record.run.status;
            return Err(IllegalTransition { status, transition: Transition::Queue }.into());
        }
        record.plan.confirmed = changes.to_vec();
        self.enter(run, Transition::Queue, at)
    }

    pub(super) fn lease(
        &mut self,
        worker: &str,
        limits: LeaseLimits,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Option<Lease>, DeploymentError> {
        let Some(run) = self.next_in_turn(limits, now) else { return Ok(None) };
        let epoch = self.tick();
        let record = self.run_mut(run)?;
        let (deployment, owner) = (record.run.deployment, record.run.owner);
        let lease = Lease { run, deployment, worker: worker.to_owned(), epoch };
        record.lease = Some((lease.clone(), until));
        record.run.started_at = Some(now);
        record.run.step = None;
        // Of a plan that waited for its confirmation.
        record.resources.clear();
        self.turns.insert(owner, epoch);
        self.enter(run, Transition::Lease, now)?;
        Ok(Some(lease))
    }

    /// The run that a worker is to take.
    fn next_in_turn(&self, limits: LeaseLimits, now: DateTime<Utc>) -> Option<RunId> {
        let mut working: BTreeMap<AccountId, u32> = BTreeMap::new();
        for record in self.runs.values().filter(|record| record.run.status == RunStatus::Working) {
            *working.entry(record.run.owner).or_default() += 1;
        }
        if limits.total.is_some_and(|most| working.values().sum::<u32>() >= most) {
            return None;
        }
        let works = |owner| working.get(&owner).copied().unwrap_or(0);
        let queued = self.runs.values().filter(|record| record.run.status == RunStatus::Queued);
        let queued = queued.filter(|record| record.not_before.is_none_or(|from| from <= now));
        let allowed =
            queued.filter(|record| limits.per_owner.is_none_or(|most| works(record.run.owner) < most));
        let next = allowed.min_by_key(|record| {
            let owner = record.run.owner;
            (works(owner), self.turns.get(&owner).copied().unwrap_or(0), record.queued)
        });
        next.map(|record| record.run.id)
    }

    pub(super) fn interrupt_lapsed(&mut self, now: DateTime<Utc>) -> Result<Vec<Run>, DeploymentError> {
        let lapsed = self.select(u32::MAX, |record| {
            record.run.status == RunStatus::Working
                && record.lease.as_ref().is_some_and(|(_, until)| *until < now)
        });
        lapsed.into_iter().map(|run| self.enter(run.id, Transition::Interrupt, now)).collect()
    }

    pub(super) fn finish(
        &mut self,
        lease: &Lease,
        transition: Transition,
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError> {
        let asked = self.leased(lease)?.run.cancel_asked;
        let transition = if asked { transition.after_cancel_was_asked() } else { transition };
        self.enter(lease.run, transition, at)
    }

    pub(super) fn give_back(
        &mut self,
        lease: &Lease,
        not_before: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError> {
        let record = self.leased(lease)?;
        record.not_before = not_before;
        record.run.attempts += u32::from(not_before.is_some());
        self.finish(lease, Transition::GiveBack, at)
    }

    /// Moves a run on, and its deployment with it; a run that ended is to be settled.
    fn enter(
        &mut self,
        run: RunId,
        transition: Transition,
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError> {
        let place = self.tick();
        let record = self.run_mut(run)?;
        let status = record.run.status.after(transition)?;
        record.run.status = status;
        record.run.waits_for = transition.waits_for();
        if status == RunStatus::Queued {
            record.queued = place;
        }
        if status.is_final() {
            record.run.finished_at = Some(at);
            record.run.settlement = Settlement::Owed;
        }
        let (run, changed_something) = (record.run.clone(), record.changed_something());
        if let Some(of) = self.deployments.get_mut(&run.deployment) {
            of.follow(&run, changed_something, at);
        }
        Ok(run)
    }
}
