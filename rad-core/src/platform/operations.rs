//! What the platform's own processes do: carry runs from the queue to their settlement, sweep up what stopped between
//! two steps, take webhooks, make the first accounts.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;

use super::{Parts, PlatformError, billing, purging, settling, sharing};
use crate::access::{Role, Roles};
use crate::deployment::{
    DeploymentError, Lease, LeaseLimits, LeaseNews, Run, RunReport, RunStatus, Transition, Wait,
};
use crate::directory::{Account, AccountQuery, NewAccount};
use crate::error::BackendError;
use crate::id::RunId;
use crate::live::{Subscription, Topic};
use crate::notify::Notice;
use crate::payment::Webhook;
use crate::runner::{Action, Consent, Diagnostic, RunJob, RunLimits, RunOutcome, Runner, Step};

/// The platform acting for itself, not for a person. Never hand it to a request handler that serves people.
#[derive(Debug, Clone)]
pub struct Operations {
    pub(super) parts: Arc<Parts>,
}

/// How much a leased run has told so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// The lines of its log.
    pub lines: u64,
    /// Its diagnostics.
    pub diagnostics: usize,
}

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

/// How much of a log is read at a time.
const LOG_PIECE: u32 = 1024 * 1024;

/// How often the platform tries to begin a run.
pub const ATTEMPTS: u32 = 5;

/// How long it is until the second attempt; each later one takes twice as long as the one before.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);

/// A pending run this old belongs to a request that is gone.
const PENDING_FOR: TimeDelta = TimeDelta::seconds(60);

/// Ended and pending runs looked at in one sweep: the next one goes on with those after them.
const SWEEP: u32 = 100;

/// Waiting runs looked at in one sweep. Those that wait stay where they are, so that all must fit.
const WAITING: u32 = 10_000;

impl Operations {
    pub(super) fn new(parts: Arc<Parts>) -> Self {
        Self { parts }
    }

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

    /// The newest complete state that a killed process left of a leased run; none of a check, which writes none.
    ///
    /// # Errors
    /// A failure of the store or of the runner.
    pub async fn salvage(&self, lease: &Lease) -> Result<Option<bytes::Bytes>, PlatformError> {
        match self.parts.deployments.run(lease.run).await?.action.applies() {
            true => Ok(self.parts.runner.salvage(lease.run).await?),
            false => Ok(None),
        }
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

    /// Does what is due: ends runs whose workers were lost, settles what is owed, carries purges on, tells whose confirmation is
    /// waited for, queues what waited for other modules, finishes requests that stopped half-way, and grants what new accounts are
    /// still owed.
    ///
    /// # Errors
    /// The first failure, after everything else was tried: one run that cannot be settled holds up no other.
    pub async fn sweep(&self) -> Result<SweepReport, PlatformError> {
        let now = self.parts.clock.now();
        let store = &self.parts.deployments;
        let mut report =
            SweepReport { interrupted: store.interrupt_lapsed(now).await?.len(), ..SweepReport::default() };
        let mut failures = Failures::default();
        for run in store.unsettled(SWEEP).await? {
            let done = failures.note(run.id, settling::settle(&self.parts, &run).await);
            report.settled += usize::from(done.is_some());
        }
        for deployment in store.purges(SWEEP).await? {
            failures.note(deployment.latest_run, purging::carry_on(&self.parts, &deployment).await);
        }
        for run in store.runs_in(RunStatus::Waiting, WAITING).await? {
            if run.waits_for == Some(Wait::Confirmation) {
                failures.note(run.id, settling::tell_that_it_asks(&self.parts, &run).await);
                continue;
            }
            let queued = failures.note(run.id, self.unpark(&run).await);
            report.queued += usize::from(queued == Some(true));
        }
        for run in store.runs_in(RunStatus::Pending, SWEEP).await? {
            if run.created_at < now - PENDING_FOR {
                let done = failures.note(run.id, self.resume(&run).await);
                report.resumed += usize::from(done.is_some());
            }
        }
        for owed in self.parts.directory.welcomes(SWEEP).await? {
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
    /// also while that request still goes on. Taking the run away instead could leave a hold without a run.
    async fn resume(&self, run: &Run) -> Result<(), PlatformError> {
        let deployment = self.parts.deployments.deployment(run.deployment).await?;
        match settling::begin(&self.parts, &deployment, run).await {
            Err(refusal) if refusal.backend().is_none() => {
                tracing::info!(run = %run.id, %refusal, "a request that stopped half-way is refused");
                Ok(())
            }
            other => other,
        }
    }

    /// Puts the share rules that the settings say into the ledger, unless they are there: at a start, for a database without
    /// rules and after a process that stopped between saving settings and this.
    ///
    /// # Errors
    /// A failure of a backend.
    pub async fn post_share_rules(&self) -> Result<(), PlatformError> {
        sharing::post_rules(&self.parts).await.map(drop)
    }

    /// Takes a webhook of a payment provider: checks its signature, reads the provider's own record, credits the order
    /// exactly once.
    ///
    /// # Errors
    /// [`Payment`](PlatformError::Payment) for a provider that is not set up, a bad signature or a body that cannot be
    /// read; a failure of a backend, after which the provider may send it again.
    pub async fn payment_webhook(&self, provider: &str, webhook: Webhook<'_>) -> Result<(), PlatformError> {
        billing::take_webhook(&self.parts, provider, webhook).await
    }

    /// The header in which a payment provider signs its webhooks.
    ///
    /// # Errors
    /// [`Payment`](PlatformError::Payment) for a provider that is not set up.
    pub fn signature_header(&self, provider: &str) -> Result<&'static str, PlatformError> {
        Ok(billing::provider(&self.parts, provider)?.signature_header())
    }

    /// Makes an account for somebody who signs up, with the role of a user, and grants the credits of signing up.
    ///
    /// # Errors
    /// What is wrong with the e-mail.
    pub async fn register(&self, mut new: NewAccount) -> Result<Account, PlatformError> {
        new.roles = Roles::from([Role::User]);
        billing::open_account(&self.parts, new).await
    }

    /// Makes the first admin of a platform that has none.
    ///
    /// # Errors
    /// [`Invalid`](PlatformError::Invalid) where there is an admin already.
    pub async fn found(&self, mut new: NewAccount) -> Result<Account, PlatformError> {
        let query = AccountQuery { role: Some(Role::Admin), limit: 1, ..AccountQuery::default() };
        if !self.parts.directory.accounts(&query).await?.items.is_empty() {
            let reason = "the platform has an admin already, who makes further accounts".to_owned();
            return Err(PlatformError::Invalid { field: "admin", reason });
        }
        new.roles = Roles::from([Role::Admin, Role::User]);
        billing::open_account(&self.parts, new).await
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

    fn keep(&mut self, error: PlatformError) {
        self.first.get_or_insert(error);
    }
}
