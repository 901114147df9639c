//! The engine that carries out a run: Terraform, OpenTofu, or a team's own.

mod event;
mod job;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use event::{
    ChangeKind, ChangeStatus, Diagnostic, Drift, DriftedAttribute, MOST_RESOURCES, Output, PlannedChange,
    ResourceProgress, RunEvent, RunObserver, Severity, Step, StopReason,
};
pub use job::{Action, Consent, RunJob, RunLimits};

use crate::error::BackendError;
use crate::id::RunId;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// All of it was done.
    Success,
    /// The engine refused or failed; its diagnostics say why.
    Failure,
    /// A time limit passed.
    Timeout,
    /// It was told to stop.
    Stopped,
    /// Its plan takes away more than the [`Consent`] of its job covers: nothing was changed.
    Unconfirmed,
}

/// Which engine answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
    /// Its name, such as `OpenTofu`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether it is the version that a module's `required_version` speaks of.
    pub is_terraform: bool,
}

/// Carries out runs.
///
/// # Contract
/// - A run reports through its observer only, and every state the engine wrote, the last one before it returns.
/// - The outcome is returned once the engine's processes are gone.
/// - Values of sensitive variables appear in no event but [`RunEvent::State`] and sensitive [`RunEvent::Outputs`].
/// - A plan is reported whole, as [`RunEvent::Planned`], before anything of it is applied; one that the job's [`Consent`] does
///   not cover is not applied, and leaves nothing on the runner's machine.
/// - The event of [`Step::Apply`] is taken by the observer before anything is changed.
/// - A [check](Action::Check) ends with the plan: it reports what it found as one [`RunEvent::Drift`], and no plan, progress,
///   state or outputs.
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

    /// The addresses of the resources that a state knows of; `None` where the runner cannot tell.
    fn resources(&self, state: &[u8]) -> Option<Vec<String>> {
        let _ = state;
        None
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
