//! The store of deployments and runs.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::record::{
    Deployment, Lease, LeaseNews, LogChunk, NewDeployment, NewRun, Plan, Run, RunReport, SecretValues, Target,
};
use super::state::{IllegalTransition, RunStatus, Transition};
use super::version::StateVersion;
use crate::error::BackendError;
use crate::id::{AccountId, DeploymentId, RunId};
use crate::live::News;
use crate::page::{Cursor, Page};
use crate::runner::{Output, PlannedChange, ResourceProgress};

/// Which deployments to list.
#[derive(Debug, Clone, Default)]
pub struct DeploymentQuery {
    /// Only this owner's.
    pub owner: Option<AccountId>,
    /// Only those whose module name or id contains this, whatever the case.
    pub text: String,
    /// Whether destroyed ones are listed too.
    pub deleted: bool,
    /// Where the page begins.
    pub after: Option<Cursor>,
    /// How many at the most; stores cap it at 200.
    pub limit: u32,
}

/// How many runs may work at a time; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeaseLimits {
    /// Of one owner.
    pub per_owner: Option<u32>,
    /// Of all owners together, whatever their workers.
    pub total: Option<u32>,
}

/// Stores deployments, runs, their logs and their state.
///
/// # Contract
/// - A run's status moves along [`RunStatus::after`] only; each change is durable when the call returns.
/// - A deployment has at most one run that is not final; a second is refused with [`DeploymentError::Busy`].
/// - A lease holds until the run has ended or waits: by [`finish`](Self::finish), by
///   [`interrupt_lapsed`](Self::interrupt_lapsed) after the lease lapsed, or by [`supersede`](Self::supersede). From then on, and
///   with any other epoch, every write under it is refused with [`DeploymentError::LeaseLost`]. A run is leased again only
///   after it waited or was given back.
/// - Owners take turns: the next lease goes to the owner with the fewest working runs, among those to whom the last lease was
///   given longest ago, and there to the run that was queued first.
/// - A deployment has diverged when a run ended without success that had begun to change a resource in its apply, until a run
///   succeeds.
/// - A [check](crate::runner::Action::Check) is a run like any other, but leaves its deployment as it stands: its status, its latest run, whether it
///   has diverged, and when that last changed.
/// - State, secrets and outputs are encrypted at rest; the state of a deployment is never removed by a run.
/// - What a run saves of the state is one version, the last thing it saved; of each deployment the last so many versions are
///   kept, [`STATE_VERSIONS`](super::STATE_VERSIONS) unless a store is set up otherwise.
/// - Whoever changes something tells the [`news`](Self::news), once it is durable: [`Topic::Run`](crate::live::Topic::Run) after a
///   change of the log, the progress, the status or the settlement and after a wish that the run stops,
///   [`tell_moved`](News::tell_moved) after one of the status. A store of several processes tells the news of each of them.
#[async_trait]
pub trait DeploymentStore: Send + Sync + fmt::Debug {
    /// Where those who wait for changes hear of them.
    fn news(&self) -> &News;

    /// Stores a deployment with a first run, pending. The same `submission` of the same owner stores nothing and gives
    /// the deployment and run stored first.
    async fn create(
        &self,
        new: NewDeployment,
        run: RunId,
        at: DateTime<Utc>,
    ) -> Result<(Deployment, Run), DeploymentError>;

    /// Stores another run of a deployment, pending; it becomes the latest when it is pending no more, unless it is a check.
    ///
    /// # Errors
    /// [`Busy`](DeploymentError::Busy) where a run goes on or a purge was asked for, [`NotFound`](DeploymentError::NotFound).
    async fn add_run(&self, new: NewRun, at: DateTime<Utc>) -> Result<Run, DeploymentError>;

    /// Stores another run of a deployment, pending, in place of one that goes on: that one ends, as interrupted where a worker
    /// has it and as cancelled otherwise, and its lease is broken. All of it happens or nothing.
    ///
    /// # Errors
    /// [`Busy`](DeploymentError::Busy) where a purge goes on, which nothing takes the place of; [`NotFound`](DeploymentError::NotFound).
    async fn supersede(&self, new: NewRun, at: DateTime<Utc>) -> Result<Run, DeploymentError>;

    /// Moves a run that no worker has: [`Transition::Park`], [`Queue`](Transition::Queue),
    /// [`Cancel`](Transition::Cancel) or [`Break`](Transition::Break).
    ///
    /// # Errors
    /// [`Illegal`](DeploymentError::Illegal), [`NotFound`](DeploymentError::NotFound).
    async fn advance(
        &self,
        run: RunId,
        transition: Transition,
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError>;

    /// Cancels a run that no worker has; of one that a worker has, keeps the wish for [`renew`](Self::renew) to tell.
    ///
    /// # Errors
    /// [`Illegal`](DeploymentError::Illegal) once it has ended, [`NotFound`](DeploymentError::NotFound).
    async fn cancel(&self, run: RunId, at: DateTime<Utc>) -> Result<Run, DeploymentError>;

    /// Keeps what a person confirmed that a run destroys or replaces, in place of what was confirmed before, and queues it.
    ///
    /// # Errors
    /// [`Illegal`](DeploymentError::Illegal) unless the run waits for a confirmation, [`NotFound`](DeploymentError::NotFound).
    async fn confirm(
        &self,
        run: RunId,
        changes: &[PlannedChange],
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError>;

    /// Removes a pending run that was refused; a deployment that has no other run goes with it.
    ///
    /// # Errors
    /// [`Illegal`](DeploymentError::Illegal) unless the run is pending.
    async fn discard(&self, run: RunId) -> Result<(), DeploymentError>;

    /// A deployment.
    ///
    /// # Errors
    /// [`NotFound`](DeploymentError::NotFound).
    async fn deployment(&self, id: DeploymentId) -> Result<Deployment, DeploymentError>;

    /// The values of a deployment's sensitive variables.
    async fn secrets(&self, id: DeploymentId) -> Result<SecretValues, DeploymentError>;

    /// A page of deployments whose latest run is not pending, newest first.
    async fn list(&self, query: &DeploymentQuery) -> Result<Page<Deployment>, DeploymentError>;

    /// A run.
    ///
    /// # Errors
    /// [`NotFound`](DeploymentError::NotFound).
    async fn run(&self, id: RunId) -> Result<Run, DeploymentError>;

    /// What a run makes of its deployment; `None` for a run that leaves it what it is.
    async fn target(&self, run: RunId) -> Result<Option<Target>, DeploymentError>;

    /// The plan of a run.
    async fn plan(&self, run: RunId) -> Result<Plan, DeploymentError>;

    /// The runs of a deployment, newest first.
    async fn runs(&self, deployment: DeploymentId) -> Result<Vec<Run>, DeploymentError>;

    /// The runs that stand so, oldest first, at most `limit`: what a sweep looks through.
    async fn runs_in(&self, status: RunStatus, limit: u32) -> Result<Vec<Run>, DeploymentError>;

    /// Gives the worker the run whose turn it is, and makes it working; `None` when none may be taken.
    async fn lease(
        &self,
        worker: &str,
        limits: LeaseLimits,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Option<Lease>, DeploymentError>;

    /// The leases that `worker` holds on runs that are still working: after a restart under the same name, those that
    /// the worker before it left behind.
    async fn leases(&self, worker: &str) -> Result<Vec<Lease>, DeploymentError>;

    /// Lengthens a lease, and tells what the worker must know of its run.
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost).
    async fn renew(&self, lease: &Lease, until: DateTime<Utc>) -> Result<LeaseNews, DeploymentError>;

    /// Ends every working run whose lease lapsed before `now` as interrupted, and gives them.
    ///
    /// # Errors
    /// The first failure, after every other run that could be ended was: the settlement of those is owed, as of all ended ones.
    async fn interrupt_lapsed(&self, now: DateTime<Utc>) -> Result<Vec<Run>, DeploymentError>;

    /// Ends a leased run, or has it wait: [`Transition::Succeed`], [`Fail`](Transition::Fail),
    /// [`TimeOut`](Transition::TimeOut), [`Cancel`](Transition::Cancel), [`Interrupt`](Transition::Interrupt),
    /// [`Break`](Transition::Break) or [`Ask`](Transition::Ask); where a cancel was asked for,
    /// [what it becomes then](Transition::after_cancel_was_asked). An ended run's settlement is owed from then on.
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost).
    async fn finish(
        &self,
        lease: &Lease,
        transition: Transition,
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError>;

    /// Gives a leased run back to the queue, where a cancel was asked for cancels it. With a time, that was an attempt of
    /// [`Run::attempts`], and nobody leases it before then.
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost).
    async fn give_back(
        &self,
        lease: &Lease,
        not_before: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError>;

    /// Ended runs whose settlement is owed, oldest first, at most `limit`.
    async fn unsettled(&self, limit: u32) -> Result<Vec<Run>, DeploymentError>;

    /// Marks a run's settlement as done; doing so twice changes nothing.
    async fn settled(&self, run: RunId) -> Result<(), DeploymentError>;

    /// Keeps that a person asked to purge a deployment, and when first; a run that a worker has is to be cancelled.
    ///
    /// # Errors
    /// [`NotFound`](DeploymentError::NotFound).
    async fn ask_purge(&self, deployment: DeploymentId, at: DateTime<Utc>) -> Result<(), DeploymentError>;

    /// Deployments that are to be purged and whose latest run is no purge, at most `limit`.
    async fn purges(&self, limit: u32) -> Result<Vec<Deployment>, DeploymentError>;

    /// Keeps the addresses of resources that a purge may have left.
    ///
    /// # Errors
    /// [`NotFound`](DeploymentError::NotFound).
    async fn keep_left(&self, deployment: DeploymentId, left: &[String]) -> Result<(), DeploymentError>;

    /// Keeps what a leased run reports.
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost).
    async fn record(&self, lease: &Lease, report: &RunReport) -> Result<(), DeploymentError>;

    /// The resources of a run, in the order they were first reported.
    async fn resources(&self, run: RunId) -> Result<Vec<ResourceProgress>, DeploymentError>;

    /// Appends to the log of a leased run and gives the offset after it. Past [`LOG_LIMIT`](super::LOG_LIMIT) it is cut, and
    /// ends with [`LOG_CUT`](super::LOG_CUT).
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost).
    async fn append_log(&self, lease: &Lease, bytes: &[u8]) -> Result<u64, DeploymentError>;

    /// The log of a run from `offset`, all there is or the first `limit` bytes of it; empty where nothing is written yet.
    async fn log(&self, run: RunId, offset: u64, limit: u32) -> Result<LogChunk, DeploymentError>;

    /// Keeps the state the engine wrote, in place of what the same run saved before.
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost).
    async fn save_state(
        &self,
        lease: &Lease,
        state: &Bytes,
        at: DateTime<Utc>,
    ) -> Result<(), DeploymentError>;

    /// The latest state of a deployment.
    async fn state(&self, deployment: DeploymentId) -> Result<Option<Bytes>, DeploymentError>;

    /// The versions kept of a deployment's state, newest first.
    async fn state_versions(&self, deployment: DeploymentId) -> Result<Vec<StateVersion>, DeploymentError>;

    /// A version of a deployment's state.
    ///
    /// # Errors
    /// [`NotFound`](DeploymentError::NotFound) also for versions that are kept no more.
    async fn state_version(&self, deployment: DeploymentId, number: u64) -> Result<Bytes, DeploymentError>;

    /// Makes an older version the state again: a new version with the content of the old one, and a serial number higher than
    /// that of all versions.
    ///
    /// # Errors
    /// [`Busy`](DeploymentError::Busy) where a run goes on or a purge was asked for, [`NotFound`](DeploymentError::NotFound).
    async fn restore_state(
        &self,
        deployment: DeploymentId,
        number: u64,
        by: AccountId,
        at: DateTime<Utc>,
    ) -> Result<StateVersion, DeploymentError>;

    /// The outputs of a deployment's latest apply, sensitive values included.
    async fn outputs(&self, deployment: DeploymentId) -> Result<Vec<Output>, DeploymentError>;

    /// Of `modules`, those that `owner` has deployed with success and neither destroyed nor purged since.
    async fn deployed(&self, owner: AccountId, modules: &[String]) -> Result<Vec<String>, DeploymentError>;
}

/// What a deployment store refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeploymentError {
    /// No such deployment or run.
    #[error("no such deployment")]
    NotFound,
    /// Another run of the deployment is not final.
    #[error("the deployment {deployment} is busy: wait until its run has ended")]
    Busy {
        /// The deployment.
        deployment: DeploymentId,
    },
    /// The deployment's id is in use.
    #[error("the deployment id {deployment} is taken")]
    IdTaken {
        /// The id.
        deployment: DeploymentId,
    },
    /// The state machine has no such arrow.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// The lease lapsed or was taken over.
    #[error("the worker's lease on the run lapsed")]
    LeaseLost,
    /// What the store stands on failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}
