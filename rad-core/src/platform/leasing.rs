//! What workers do: take runs from the queue, keep what they tell, end them or give them back.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;

use super::{Operations, PlatformError, purging, settling};
use crate::deployment::{
    DeploymentError, Lease, LeaseLimits, LeaseNews, Run, RunReport, RunStatus, Transition, Wait,
};
use crate::error::BackendError;
use crate::id::RunId;
use crate::live::{Subscription, Topic};
use crate::runner::{Action, Consent, Diagnostic, RunJob, RunLimits, RunOutcome, Runner, Step};

/// How much a leased run has told so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// The lines of its log.
    pub lines: u64,
    /// Its diagnostics.
    pub diagnostics: usize,
}

/// How much of a log is read at a time.
const LOG_PIECE: u32 = 1024 * 1024;

/// How often the platform tries to begin a run.
pub const ATTEMPTS: u32 = 5;

/// How long it is until the second attempt; each later one takes twice as long as the one before.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);

impl Operations {
    /// The engine that carries out runs.
    pub fn runner(&self) -> Arc<dyn Runner> {
        Arc::clone(&self.parts.runner)
    }

    /// Leases the run whose turn it is, for `lasting`.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn lease(
        &self,
        worker: &str,
        limits: LeaseLimits,
        lasting: Duration,
    ) -> Result<Option<Lease>, PlatformError> {
        let now = self.parts.clock.now();
        Ok(self.parts.deployments.lease(worker, limits, now, now + lasting).await?)
    }

    /// Hears when there may be a run to lease.
    pub fn queue_news(&self) -> Subscription {
        self.parts.deployments.news().subscribe(Topic::Queue)
    }

    /// The leases that a worker holds on runs that are still working: after its restart, those it left behind.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn leases(&self, worker: &str) -> Result<Vec<Lease>, PlatformError> {
        Ok(self.parts.deployments.leases(worker).await?)
    }

    /// Hears of every change of a run, and of the wish that it stops.
    pub fn run_news(&self, run: RunId) -> Subscription {
        self.parts.deployments.news().subscribe(Topic::Run(run))
    }

    /// What the worker must know of a leased run, without lengthening the lease.
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost) once the run is not working any more.
    pub async fn wishes(&self, lease: &Lease) -> Result<LeaseNews, DeploymentError> {
        let run = self.parts.deployments.run(lease.run).await?;
        match run.status {
            RunStatus::Working => Ok(LeaseNews { cancel_asked: run.cancel_asked }),
            _ => Err(DeploymentError::LeaseLost),
        }
    }

    /// Lengthens a lease to `lasting` from now, and tells what the worker must know of its run.
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost).
    pub async fn renew(&self, lease: &Lease, lasting: Duration) -> Result<LeaseNews, DeploymentError> {
        self.parts.deployments.renew(lease, self.parts.clock.now() + lasting).await
    }

    /// Everything the runner needs for a leased run. A purge may take no longer than `purge`.
    ///
    /// # Errors
    /// A failure of a backend; an archived source that is not what was published is one.
    pub async fn job(
        &self,
        lease: &Lease,
        mut limits: RunLimits,
        purge: Duration,
    ) -> Result<RunJob, PlatformError> {
        let store = &self.parts.deployments;
        let run = store.run(lease.run).await?;
        let deployment = store.deployment(lease.deployment).await?;
        let (source, mut values, secrets) = match store.target(run.id).await? {
            Some(target) => (target.source, target.values, target.secrets),
            None => (deployment.source, deployment.values, store.secrets(deployment.id).await?),
        };
        let sensitive = secrets.keys().cloned().collect();
        for (name, secret) in secrets {
            let value = serde_json::from_str(secret.expose_secret())
                .map_err(|_| BackendError::corrupt("reading a sensitive value", "it is not JSON"))?;
            values.insert(name, value);
        }
        let consent = match run.action {
            Action::Update => Consent::Only(store.plan(run.id).await?.confirmed),
            Action::Check => Consent::Only(Vec::new()),
            Action::Create | Action::Delete | Action::Purge => Consent::Everything,
        };
        if run.action == Action::Purge {
            limits.whole = limits.whole.min(purge);
        }
        Ok(RunJob {
            run: run.id,
            deployment: deployment.id,
            action: run.action,
            source: self.parts.archive.load(&source).await?,
            values,
            sensitive,
            state: store.state(deployment.id).await?,
            consent,
            limits,
        })
    }

    /// How much a run has told so far: what a worker that carries on another's run is told again and does not store.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn told(&self, lease: &Lease) -> Result<Told, PlatformError> {
        let store = &self.parts.deployments;
        let diagnostics = store.run(lease.run).await?.diagnostics.len();
        let (mut lines, mut offset) = (0, 0);
        loop {
            let piece = store.log(lease.run, offset, LOG_PIECE).await?;
            if piece.bytes.is_empty() {
                return Ok(Told { lines, diagnostics });
            }
            lines += piece.bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            offset = piece.next;
        }
    }

    /// Keeps what a leased run reported.
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost).
    pub async fn record(&self, lease: &Lease, report: &RunReport) -> Result<(), DeploymentError> {
        self.parts.deployments.record(lease, report).await
    }

    /// Appends to the log of a leased run.
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost).
    pub async fn append_log(&self, lease: &Lease, bytes: &[u8]) -> Result<u64, DeploymentError> {
        self.parts.deployments.append_log(lease, bytes).await
    }

    /// Keeps the state that a leased run's engine wrote.
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost).
    pub async fn save_state(&self, lease: &Lease, state: &bytes::Bytes) -> Result<(), DeploymentError> {
        self.parts.deployments.save_state(lease, state, self.parts.clock.now()).await
    }

    /// Has the runner end and let go of what a killed process left of a leased run; gives the newest complete state of it, but
    /// none of a check, which writes none.
    ///
    /// # Errors
    /// A failure of the store or of the runner.
    pub async fn salvage(&self, lease: &Lease) -> Result<Option<bytes::Bytes>, PlatformError> {
        let action = self.parts.deployments.run(lease.run).await?.action;
        let state = self.parts.runner.salvage(lease.run).await?;
        Ok(state.filter(|_| action.applies()))
    }

    /// Ends a leased run and settles it, or has it wait for a confirmation. One that was told to stop ends as cancelled where a
    /// person asked for that, and as interrupted otherwise.
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost), then another process ends it. A settlement that fails is left to the
    /// next sweep.
    pub async fn finish(&self, lease: &Lease, outcome: RunOutcome) -> Result<Run, PlatformError> {
        let transition = match outcome {
            RunOutcome::Success => Transition::Succeed,
            RunOutcome::Failure => Transition::Fail,
            RunOutcome::Timeout => Transition::TimeOut,
            RunOutcome::Stopped => Transition::Interrupt,
            RunOutcome::Unconfirmed => Transition::Ask,
        };
        self.end(lease, transition).await
    }

    /// Gives back a leased run that the platform could not begin, for another attempt after a while. One whose engine may have
    /// changed something, and one that was tried [`ATTEMPTS`] times, ends with the reason instead.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub async fn give_back(&self, lease: &Lease, reason: Diagnostic) -> Result<Run, PlatformError> {
        let run = self.parts.deployments.run(lease.run).await?;
        let attempts = run.attempts.saturating_add(1);
        if run.step == Some(Step::Apply) || attempts >= ATTEMPTS {
            return self.fail(lease, reason).await;
        }
        let Diagnostic { summary, detail, .. } = &reason;
        let said = format!("\nAttempt {attempts} of {ATTEMPTS}: {summary}. {detail}\n");
        self.append_log(lease, said.as_bytes()).await?;
        let pause = FIRST_PAUSE * (1 << (attempts - 1).min(8));
        self.return_to_queue(lease, Some(self.parts.clock.now() + pause)).await
    }

    /// Gives back a leased run for which its worker has no more time, to be taken by another one at once. One whose engine may
    /// have changed something ends as interrupted.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub async fn hand_over(&self, lease: &Lease) -> Result<Run, PlatformError> {
        if self.parts.deployments.run(lease.run).await?.step == Some(Step::Apply) {
            return self.finish(lease, RunOutcome::Stopped).await;
        }
        self.append_log(lease, b"\nThe worker closes: another one begins anew.\n").await?;
        self.return_to_queue(lease, None).await
    }

    async fn return_to_queue(
        &self,
        lease: &Lease,
        not_before: Option<DateTime<Utc>>,
    ) -> Result<Run, PlatformError> {
        let run = self.parts.deployments.give_back(lease, not_before, self.parts.clock.now()).await?;
        self.follow_up(&run).await;
        Ok(run)
    }

    /// Ends a leased run that the platform could not carry out, with the reason.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub async fn fail(&self, lease: &Lease, reason: Diagnostic) -> Result<Run, PlatformError> {
        let report = RunReport { diagnostics: vec![reason], ..RunReport::default() };
        self.parts.deployments.record(lease, &report).await?;
        self.end(lease, Transition::Break).await
    }

    async fn end(&self, lease: &Lease, transition: Transition) -> Result<Run, PlatformError> {
        if self.parts.deployments.run(lease.run).await?.action == Action::Purge {
            // Before the record is closed, so that nobody reads that nothing is left; settling does it again.
            let deployment = self.parts.deployments.deployment(lease.deployment).await?;
            if let Err(error) = purging::keep_left(&self.parts, &deployment).await {
                tracing::warn!(run = %lease.run, %error, "what a purge leaves is kept when it is settled");
            }
        }
        let run = self.parts.deployments.finish(lease, transition, self.parts.clock.now()).await?;
        self.follow_up(&run).await;
        Ok(run)
    }

    /// Does what follows where a run's worker has let go of it.
    async fn follow_up(&self, run: &Run) {
        if run.status.is_final() {
            settling::settle_or_leave(&self.parts, run).await;
        }
        if run.waits_for == Some(Wait::Confirmation)
            && let Err(error) = settling::tell_that_it_asks(&self.parts, run).await
        {
            tracing::warn!(run = %run.id, %error, "an owner is not told that a run waits, the next sweep will");
        }
        if run.cancel_asked
            && let Err(error) = self.purge_if_asked(run).await
        {
            tracing::warn!(run = %run.id, %error, "a purge could not be carried on, the next sweep will");
        }
    }

    /// Goes on with the purge for which a run was stopped.
    async fn purge_if_asked(&self, stopped: &Run) -> Result<(), PlatformError> {
        let deployment = self.parts.deployments.deployment(stopped.deployment).await?;
        purging::carry_on(&self.parts, &deployment).await
    }
}
