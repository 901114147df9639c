//! Deployments and their runs: the state machine, and the store that keeps each step of it.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::Publisher;
use crate::error::BackendError;
use crate::id::{AccountId, DeploymentId, ModuleId, RunId};
use crate::live::News;
use crate::module::Values;
use crate::money::Credits;
use crate::page::{Cursor, Page};
use crate::runner::{Action, Diagnostic, Output, ResourceProgress, Step};
use crate::source::{CommitId, Digest};

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunStatus {
    /// Stored; its credits are not held yet and nobody sees it.
    Pending,
    /// Its module needs others to be deployed first; nothing is held.
    Waiting,
    /// Its credits are held; a worker may take it.
    Queued,
    /// A worker has it.
    Working,
    /// All of it was done.
    Success,
    /// The engine refused or failed.
    Failure,
    /// Its time limit passed.
    Timeout,
    /// A person stopped it.
    Cancelled,
    /// Its worker was lost; it is not applied again by itself.
    Interrupted,
    /// The platform failed it.
    InternalError,
}

/// What moves a run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transition {
    /// Modules it needs are missing.
    Park,
    /// Its credits are held, or it needs none.
    Queue,
    /// A worker took it.
    Lease,
    /// The engine did all of it.
    Succeed,
    /// The engine refused or failed.
    Fail,
    /// The time limit passed.
    TimeOut,
    /// A person stopped it.
    Cancel,
    /// The worker's lease lapsed.
    Interrupt,
    /// The platform failed it.
    Break,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 10] = [
        Self::Pending,
        Self::Waiting,
        Self::Queued,
        Self::Working,
        Self::Success,
        Self::Failure,
        Self::Timeout,
        Self::Cancelled,
        Self::Interrupted,
        Self::InternalError,
    ];

    /// The status after `transition`.
    ///
    /// # Errors
    /// [`IllegalTransition`] where the state machine has no such arrow.
    pub fn after(self, transition: Transition) -> Result<Self, IllegalTransition> {
        use Transition as T;
        match (self, transition) {
            (Self::Pending, T::Park) => Ok(Self::Waiting),
            (Self::Pending | Self::Waiting, T::Queue) => Ok(Self::Queued),
            (Self::Queued, T::Lease) => Ok(Self::Working),
            (Self::Working, T::Succeed) => Ok(Self::Success),
            (Self::Working, T::Fail) => Ok(Self::Failure),
            (Self::Working, T::TimeOut) => Ok(Self::Timeout),
            (Self::Waiting | Self::Queued | Self::Working, T::Cancel) => Ok(Self::Cancelled),
            (Self::Working, T::Interrupt) => Ok(Self::Interrupted),
            (Self::Pending | Self::Waiting | Self::Queued | Self::Working, T::Break) => {
                Ok(Self::InternalError)
            }
            (status, transition) => Err(IllegalTransition { status, transition }),
        }
    }

    /// Whether nothing moves the run on any more.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Waiting | Self::Queued | Self::Working)
    }

    /// The status as people read it, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Working => "working",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::InternalError => "internal error",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An arrow that the state machine of runs does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {status} cannot {transition:?}")]
pub struct IllegalTransition {
    /// Where the run stood.
    pub status: RunStatus,
    /// What was to move it on.
    pub transition: Transition,
}

/// How a deployment stands: what its latest run did to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeploymentStatus {
    /// The latest run stands so.
    Run(RunStatus),
    /// It is being destroyed.
    Deleting,
    /// It was destroyed; the record stays until its retention ends.
    Deleted,
}

impl DeploymentStatus {
    /// The status of a deployment whose latest run has this action and status.
    pub fn of(action: Action, status: RunStatus) -> Self {
        match (action, status) {
            (Action::Delete, RunStatus::Success) => Self::Deleted,
            (Action::Delete, status) if !status.is_final() => Self::Deleting,
            (_, status) => Self::Run(status),
        }
    }

    /// The status as people read it, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run(status) => status.as_str(),
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }
}

impl fmt::Display for DeploymentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The values of sensitive variables, each a JSON text; encrypted wherever they are kept.
pub type SecretValues = BTreeMap<String, SecretString>;

/// A deployment to be stored.
#[derive(Debug, Clone)]
pub struct NewDeployment {
    /// Its id.
    pub id: DeploymentId,
    /// The id of the form it was submitted with: a second submission of the same form finds the first deployment.
    pub submission: Uuid,
    /// Who deploys.
    pub owner: AccountId,
    /// The module.
    pub module: ModuleId,
    /// Whose module it is.
    pub publisher: Publisher,
    /// The module's name when it was deployed.
    pub module_name: String,
    /// The commit it is made from.
    pub commit: CommitId,
    /// The digest its source is archived under.
    pub source: Digest,
    /// The values Terraform is given, sensitive ones left out.
    pub values: Values,
    /// The values of sensitive variables.
    pub secrets: SecretValues,
    /// What the module charges.
    pub cost: Credits,
    /// Whether only purchased credits may pay.
    pub purchased_only: bool,
    /// Which modules must be deployed first.
    pub needs: Vec<String>,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Who deploys.
    pub owner: AccountId,
    /// The module.
    pub module: ModuleId,
    /// Whose module it is.
    pub publisher: Publisher,
    /// The module's name when it was deployed.
    pub module_name: String,
    /// The commit it is made from.
    pub commit: CommitId,
    /// The digest its source is archived under.
    pub source: Digest,
    /// The values Terraform is given, sensitive ones left out.
    pub values: Values,
    /// The names of the sensitive variables that have a value.
    pub secret_names: Vec<String>,
    /// What the module charged when it was deployed.
    pub cost: Credits,
    /// Whether only purchased credits may pay.
    pub purchased_only: bool,
    /// Which modules must be deployed first.
    pub needs: Vec<String>,
    /// How it stands.
    pub status: DeploymentStatus,
    /// The latest run.
    pub latest_run: RunId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its status last changed.
    pub updated_at: DateTime<Utc>,
}

/// What is still to be done about a run's hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// The run goes on, or never held anything.
    Nothing,
    /// The run ended and its hold is to be captured or released.
    Owed,
    /// The hold is captured or released.
    Done,
}

/// One attempt of a deployment to reach a state.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its id; the key of its hold.
    pub id: RunId,
    /// Its deployment.
    pub deployment: DeploymentId,
    /// The deployment's owner.
    pub owner: AccountId,
    /// What it does.
    pub action: Action,
    /// How it stands.
    pub status: RunStatus,
    /// The step the engine is in or was in last.
    pub step: Option<Step>,
    /// The credits it holds or held; zero for runs that cost nothing.
    pub cost: Credits,
    /// What is still to be done about its hold.
    pub settlement: Settlement,
    /// What the engine or the platform had to say, masked.
    pub diagnostics: Vec<Diagnostic>,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// When a worker took it.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A worker's hold on a run. Every write under a lease carries its epoch; a lapsed one writes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// Its deployment.
    pub deployment: DeploymentId,
    /// The worker.
    pub worker: String,
    /// The fencing token: higher than that of every lease before it on the same run.
    pub epoch: u64,
}

/// How many bytes of a run's log are kept.
pub const LOG_LIMIT: u64 = 16 * 1024 * 1024;

/// What stands at the end of a log that was cut at [`LOG_LIMIT`].
pub const LOG_CUT: &str = "\n[The log is longer than 16 MiB: the rest was not kept.]\n";

/// A piece of a run's log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogChunk {
    /// The bytes, UTF-8 except where a chunk's end cuts a character.
    pub bytes: Bytes,
    /// The offset of the first byte after these.
    pub next: u64,
    /// Whether the run has ended and nothing follows.
    pub complete: bool,
}

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

/// Stores deployments, runs, their logs and their state.
///
/// # Contract
/// - A run's status moves along [`RunStatus::after`] only; each change is durable when the call returns.
/// - A deployment has at most one run that is not final; a second is refused with [`DeploymentError::Busy`].
/// - Each run is leased once, by one worker. A lease holds until the run has ended: by [`finish`](Self::finish), or by
///   [`interrupt_lapsed`](Self::interrupt_lapsed) after the lease lapsed. From then on, and with any other epoch, every
///   write under it is refused with [`DeploymentError::LeaseLost`].
/// - Runs are leased in the order they were queued.
/// - State, secrets and outputs are encrypted at rest; the state of a deployment is never removed by a run.
/// - Whoever changes something tells the [`news`](Self::news), once it is durable: [`Topic::Run`](crate::live::Topic::Run) after a
///   change of the log, the progress, the status or the settlement, [`tell_moved`](News::tell_moved) after one of the status. A
///   store of several processes tells the news of each of them.
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

    /// Stores another run of a deployment, pending; it becomes the latest when it is pending no more.
    ///
    /// # Errors
    /// [`Busy`](DeploymentError::Busy), [`NotFound`](DeploymentError::NotFound).
    async fn add_run(
        &self,
        deployment: DeploymentId,
        run: RunId,
        action: Action,
        cost: Credits,
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError>;

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

    /// The runs of a deployment, newest first.
    async fn runs(&self, deployment: DeploymentId) -> Result<Vec<Run>, DeploymentError>;

    /// The runs that stand so, oldest first, at most `limit`: what a sweep looks through.
    async fn runs_in(&self, status: RunStatus, limit: u32) -> Result<Vec<Run>, DeploymentError>;

    /// Gives the worker the run that was queued first, and makes it working; `None` when none is queued.
    async fn lease(
        &self,
        worker: &str,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Option<Lease>, DeploymentError>;

    /// The leases that `worker` holds on runs that are still working: after a restart under the same name, those that
    /// the worker before it left behind.
    async fn leases(&self, worker: &str) -> Result<Vec<Lease>, DeploymentError>;

    /// Lengthens a lease.
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost).
    async fn renew(&self, lease: &Lease, until: DateTime<Utc>) -> Result<(), DeploymentError>;

    /// Ends every working run whose lease lapsed before `now` as interrupted, and gives them.
    async fn interrupt_lapsed(&self, now: DateTime<Utc>) -> Result<Vec<Run>, DeploymentError>;

    /// Ends a leased run: [`Transition::Succeed`], [`Fail`](Transition::Fail), [`TimeOut`](Transition::TimeOut),
    /// [`Cancel`](Transition::Cancel), [`Interrupt`](Transition::Interrupt) or [`Break`](Transition::Break). Its
    /// settlement is owed from then on.
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost).
    async fn finish(
        &self,
        lease: &Lease,
        transition: Transition,
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError>;

    /// Ended runs whose settlement is owed, oldest first, at most `limit`.
    async fn unsettled(&self, limit: u32) -> Result<Vec<Run>, DeploymentError>;

    /// Marks a run's settlement as done; doing so twice changes nothing.
    async fn settled(&self, run: RunId) -> Result<(), DeploymentError>;

    /// Keeps the step, the progress of resources and the diagnostics of a leased run.
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost).
    async fn record(&self, lease: &Lease, report: &RunReport) -> Result<(), DeploymentError>;

    /// The resources of a run, in the order they were first reported.
    async fn resources(&self, run: RunId) -> Result<Vec<ResourceProgress>, DeploymentError>;

    /// Appends to the log of a leased run and gives the offset after it. Past [`LOG_LIMIT`] it is cut, and
    /// ends with [`LOG_CUT`].
    ///
    /// # Errors
    /// [`LeaseLost`](DeploymentError::LeaseLost).
    async fn append_log(&self, lease: &Lease, bytes: &[u8]) -> Result<u64, DeploymentError>;

    /// The log of a run from `offset`, at most `limit` bytes; empty where nothing is written yet.
    async fn log(&self, run: RunId, offset: u64, limit: u32) -> Result<LogChunk, DeploymentError>;

    /// Keeps the state the engine wrote.
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

    /// The outputs of a deployment's latest apply, sensitive values included.
    async fn outputs(&self, deployment: DeploymentId) -> Result<Vec<Output>, DeploymentError>;

    /// Of `modules`, those that `owner` has deployed with success and not destroyed since.
    async fn deployed(&self, owner: AccountId, modules: &[String]) -> Result<Vec<String>, DeploymentError>;
}

/// What a worker reports of a run in one write.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunReport {
    /// The step that began.
    pub step: Option<Step>,
    /// Resources that got further; each replaces what was known of its address.
    pub resources: Vec<ResourceProgress>,
    /// Diagnostics to add.
    pub diagnostics: Vec<Diagnostic>,
    /// The outputs after an apply, replacing those before.
    pub outputs: Option<Vec<Output>>,
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

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSITIONS: [Transition; 9] = [
        Transition::Park,
        Transition::Queue,
        Transition::Lease,
        Transition::Succeed,
        Transition::Fail,
        Transition::TimeOut,
        Transition::Cancel,
        Transition::Interrupt,
        Transition::Break,
    ];

    #[test]
    fn final_states_have_no_way_out_and_all_others_reach_one() {
        for status in RunStatus::ALL {
            let ways: Vec<_> = TRANSITIONS.iter().filter_map(|t| status.after(*t).ok()).collect();
            assert_eq!(ways.is_empty(), status.is_final(), "{status}");
            assert_eq!(ways.contains(&RunStatus::InternalError), !status.is_final(), "{status}");
        }
    }

    #[test]
    fn only_a_working_run_succeeds() {
        for status in RunStatus::ALL {
            assert_eq!(status.after(Transition::Succeed).is_ok(), status == RunStatus::Working);
        }
    }
}
