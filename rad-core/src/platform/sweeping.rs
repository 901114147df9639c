//! Sweeps: whatever stopped between two steps is carried on.

use chrono::TimeDelta;

use super::{Operations, PlatformError, billing, purging, settling};
use crate::deployment::{DeploymentError, Run, RunStatus, Transition, Wait};
use crate::id::RunId;
use crate::notify::Notice;

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SweepReport {
    /// Runs whose worker was lost, ended as interrupted.
    pub interrupted: usize,
    /// Ended runs whose holds were captured or released.
    pub settled: usize,
    /// Runs that waited for other modules and were queued.
    pub queued: usize,
    /// Pending runs of requests that never came to an end: parked or queued in their place, removed where that is
    /// refused.
    pub resumed: usize,
    /// Accounts that got the credits they were promised when they were made.
    pub welcomed: usize,
}

/// A pending run this old belongs to a request that is gone.
const PENDING_FOR: TimeDelta = TimeDelta::seconds(60);

/// Ended and pending runs looked at in one sweep: the next one goes on with those after them.
const SWEEP: u32 = 100;

/// Waiting runs looked at in one sweep. Those that wait stay where they are, so that all must fit.
const WAITING: u32 = 10_000;

impl Operations {
    /// Does what is due: ends runs whose workers were lost, settles what is owed, carries purges on, tells whose confirmation is
    /// waited for, queues what waited for other modules, finishes requests that stopped half-way, and grants what new accounts are
    /// still owed.
    ///
    /// # Errors
    /// The first failure, after everything else was tried: one run that cannot be settled holds up no other.
    pub async fn sweep(&self) -> Result<SweepReport, PlatformError> {
        let now = self.parts.clock.now();
        let store = &self.parts.deployments;
        let (mut report, mut failures) = (SweepReport::default(), Failures::default());
        report.interrupted = failures.list(store.interrupt_lapsed(now).await).len();
        for run in failures.list(store.unsettled(SWEEP).await) {
            let done = failures.note(run.id, settling::settle(&self.parts, &run).await);
            report.settled += usize::from(done.is_some());
        }
        for deployment in failures.list(store.purges(SWEEP).await) {
            failures.note(deployment.latest_run, purging::carry_on(&self.parts, &deployment).await);
        }
        for run in failures.list(store.runs_in(RunStatus::Waiting, WAITING).await) {
            if run.waits_for == Some(Wait::Confirmation) {
                failures.note(run.id, settling::tell_that_it_asks(&self.parts, &run).await);
                continue;
            }
            let queued = failures.note(run.id, self.unpark(&run).await);
            report.queued += usize::from(queued == Some(true));
        }
        for run in failures.list(store.runs_in(RunStatus::Pending, SWEEP).await) {
            if run.created_at < now - PENDING_FOR {
                let done = failures.note(run.id, self.resume(&run).await);
                report.resumed += usize::from(done.is_some());
            }
        }
        for owed in failures.list(self.parts.directory.welcomes(SWEEP).await) {
            match billing::welcome(&self.parts, &owed).await {
                Ok(()) => report.welcomed += 1,
                Err(error) => failures.keep(error),
            }
        }
        failures.first.map_or(Ok(report), Err)
    }

    /// Queues a waiting run whose needs are met; one that cannot be paid by then ends with the reason.
    async fn unpark(&self, run: &Run) -> Result<bool, PlatformError> {
        let deployment = self.parts.deployments.deployment(run.deployment).await?;
        if !settling::unmet_needs(&self.parts, &deployment, run).await?.is_empty() {
            return Ok(false);
        }
        match settling::hold_and_queue(&self.parts, &deployment, run).await {
            Err(refusal) if refusal.backend().is_none() => {
                tracing::info!(run = %run.id, %refusal, "a waiting run cannot be paid");
                let at = self.parts.clock.now();
                let reason = refusal.to_string();
                let notice = Notice::DeploymentRefused { deployment: deployment.id, reason };
                self.parts.notifier.notify(run.owner, &settling::notice_key(run.id), &notice, at).await?;
                match self.parts.deployments.advance(run.id, Transition::Cancel, at).await {
                    // Its owner cancelled it meanwhile.
                    Ok(_) | Err(DeploymentError::Illegal(_)) => Ok(false),
                    Err(error) => Err(error.into()),
                }
            }
            other => other.map(|()| true),
        }
    }

    /// Does what the request that stored the run would have done: its intent is stored, and each step can be repeated,
    /// also while that request still goes on. Taking the run away instead could leave a hold without a run. One whose fee is held
    /// is queued as it would have been, whatever it needs has become of since: nothing is held for a run that waits.
    async fn resume(&self, run: &Run) -> Result<(), PlatformError> {
        let deployment = self.parts.deployments.deployment(run.deployment).await?;
        let resumed = match settling::is_held(&self.parts, run).await? {
            true => settling::hold_and_queue(&self.parts, &deployment, run).await,
            false => settling::begin(&self.parts, &deployment, run).await,
        };
        match resumed {
            Err(refusal) if refusal.backend().is_none() => {
                tracing::info!(run = %run.id, %refusal, "a request that stopped half-way is refused");
                Ok(())
            }
            other => other,
        }
    }
}

/// What went wrong in a sweep that goes on.
#[derive(Debug, Default)]
struct Failures {
    first: Option<PlatformError>,
}

impl Failures {
    /// What was done about a run, or nothing: then the failure is logged, and the first one kept.
    fn note<T>(&mut self, run: RunId, result: Result<T, PlatformError>) -> Option<T> {
        match result {
            Ok(done) => Some(done),
            Err(error) => {
                tracing::warn!(%run, %error, "a sweep could not carry a run on, the next one will try");
                self.keep(error);
                None
            }
        }
    }

    /// What there is to do of one kind; nothing where that cannot be found out.
    fn list<T>(&mut self, found: Result<Vec<T>, impl Into<PlatformError>>) -> Vec<T> {
        found.unwrap_or_else(|error| {
            let error = error.into();
            tracing::warn!(%error, "a sweep could not find all there is to do, the next one will try");
            self.keep(error);
            Vec::new()
        })
    }

    fn keep(&mut self, error: PlatformError) {
        self.first.get_or_insert(error);
    }
}
