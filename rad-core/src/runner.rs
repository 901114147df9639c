//! The engine that carries out a run: Terraform, OpenTofu, or a team's own.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::BackendError;
use crate::id::{DeploymentId, RunId};
use crate::module::Values;
use crate::source::SourceTree;

/// What a run does to the real world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Brings the module's resources into being.
    Create,
    /// Destroys what the state knows of.
    Delete,
}

/// Everything a run needs; nothing is looked up elsewhere.
pub struct RunJob {
    /// The run.
    pub run: RunId,
    /// The deployment it belongs to.
    pub deployment: DeploymentId,
    /// What to do.
    pub action: Action,
    /// The module's directory, digest already checked.
    pub source: SourceTree,
    /// The values of the module's variables, sensitive ones included.
    pub values: Values,
    /// Names of the variables whose values must not appear in the log.
    pub sensitive: Vec<String>,
    /// The state the last run left, as the engine wrote it.
    pub state: Option<Bytes>,
    /// The run ends as timed out after this long.
    pub time_limit: Duration,
}

impl fmt::Debug for RunJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunJob")
            .field("run", &self.run)
            .field("deployment", &self.deployment)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}

/// What the engine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// Fetching providers and child modules.
    Init,
    /// Working out what would change.
    Plan,
    /// Making the changes.
    Apply,
}

/// What happens to one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// It comes into being.
    Create,
    /// It is changed where it stands.
    Update,
    /// It is destroyed and made anew.
    Replace,
    /// It is destroyed.
    Delete,
    /// It is read.
    Read,
}

/// How far the change of one resource has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeStatus {
    /// The plan holds it.
    Planned,
    /// It is under way.
    Started,
    /// It is done.
    Complete,
    /// It failed.
    Errored,
}

/// The progress of one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceProgress {
    /// The resource's address, such as `terraform_data.node[3]`.
    pub address: String,
    /// What happens to it.
    pub change: ChangeKind,
    /// How far it has come.
    pub status: ChangeStatus,
    /// Whole seconds it has taken, where the engine says.
    pub elapsed_seconds: Option<u64>,
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The run cannot succeed.
    Error,
    /// Worth a look.
    Warning,
}

/// What the engine has to say about the module or its values. Sensitive values are masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub summary: String,
    /// More lines; may be empty.
    pub detail: String,
    /// The file, relative to the module, and the line it is about.
    pub place: Option<(String, u64)>,
    /// The resource it is about.
    pub address: Option<String>,
}

impl Diagnostic {
    /// An error with a summary and detail of the platform's own.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            place: None,
            address: None,
        }
    }
}

/// An output value of a deployment.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// The output's name.
    pub name: String,
    /// Whether the module marks it sensitive: then it is shown to the owner on request only.
    pub sensitive: bool,
    /// The value.
    pub value: Value,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Output");
        out.field("name", &self.name).field("sensitive", &self.sensitive);
        if !self.sensitive {
            out.field("value", &self.value);
        }
        out.finish_non_exhaustive()
    }
}

/// Something a run has to report while it goes on.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RunEvent {
    /// A step began.
    Step(Step),
    /// Lines for the log, each ended by a line feed, sensitive values masked.
    Log(String),
    /// A resource got further.
    Resource(ResourceProgress),
    /// A diagnostic.
    Diagnostic(Diagnostic),
    /// The engine wrote its state; it is complete and replaces the one before.
    State(Bytes),
    /// The outputs after an apply.
    Outputs(Vec<Output>),
}

/// Why a run has to stop before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// A person cancelled it.
    Cancelled,
    /// The worker lost its lease: nothing it reports is stored any more.
    LeaseLost,
    /// The worker is shutting down.
    ShuttingDown,
}

/// Where a run reports to, and hears that it has to stop.
#[async_trait]
pub trait RunObserver: Send + Sync {
    /// Takes an event, in order.
    ///
    /// # Errors
    /// The run must stop: what it reports is not stored any more.
    async fn event(&self, event: RunEvent) -> Result<(), StopReason>;

    /// Waits until the run has to stop; for ever if it never has to.
    async fn stop(&self) -> StopReason;
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// All of it was done.
    Success,
    /// The engine refused or failed; its diagnostics say why.
    Failure,
    /// The time limit passed.
    Timeout,
    /// It was told to stop.
    Stopped,
}

/// Which engine answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
    /// Its name, such as `OpenTofu`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Carries out runs.
///
/// # Contract
/// - A run reports through its observer only, and every state the engine wrote, the last one before it returns.
/// - The outcome is returned once the engine's processes are gone.
/// - Values of sensitive variables appear in no event but [`RunEvent::State`] and sensitive [`RunEvent::Outputs`].
/// - Told to stop, a run interrupts the engine, waits a grace period, ends it, and returns [`RunOutcome::Stopped`].
#[async_trait]
pub trait Runner: Send + Sync + fmt::Debug {
    /// Which engine answers.
    ///
    /// # Errors
    /// [`NoEngine`](RunnerError::NoEngine) when there is none to run.
    async fn engine(&self) -> Result<Engine, RunnerError>;

    /// Carries out one run to its end.
    ///
    /// # Errors
    /// [`NoEngine`](RunnerError::NoEngine), or a [`Backend`](RunnerError::Backend) failure of the machinery around the
    /// engine; whatever the module does wrong is an outcome, not an error.
    async fn run(&self, job: RunJob, observer: &dyn RunObserver) -> Result<RunOutcome, RunnerError>;

    /// Whether a run that an earlier process began goes on without it, or ended untold, so that [`run`](Self::run) follows
    /// it to its end and starts no second engine. That run then reports everything from its start: the lines told before
    /// are the first lines again, the diagnostics told before the first diagnostics. Asked before
    /// [`clear`](Self::clear), which then spares it.
    ///
    /// # Errors
    /// A [`Backend`](RunnerError::Backend) failure.
    async fn continues(&self, run: RunId) -> Result<bool, RunnerError> {
        let _ = run;
        Ok(false)
    }

    /// The newest complete state that a process of this machine left of a run when it was killed; `None` where it left
    /// none. A runner that keeps nothing between runs has none to give.
    ///
    /// # Errors
    /// A [`Backend`](RunnerError::Backend) failure.
    async fn salvage(&self, run: RunId) -> Result<Option<Bytes>, RunnerError> {
        let _ = run;
        Ok(None)
    }

    /// Removes what killed processes of this machine left behind; called after [`salvage`](Self::salvage) and before any
    /// run.
    ///
    /// # Errors
    /// A [`Backend`](RunnerError::Backend) failure.
    async fn clear(&self) -> Result<(), RunnerError> {
        Ok(())
    }
}

/// Why nothing could be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// No engine is installed.
    #[error("no OpenTofu or Terraform on this machine ({searched}): install one, see {install_page}")]
    NoEngine {
        /// Where it was looked for.
        searched: String,
        /// The page that says how to install it.
        install_page: &'static str,
    },
    /// Nothing keeps module code away from the platform on this machine.
    #[error("module code cannot be isolated on this machine ({reason}): {mend}")]
    NoSandbox {
        /// What is missing or does not work.
        reason: String,
        /// What the operator can do.
        mend: &'static str,
    },
    /// The machinery around the engine failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}
