//! Checking for drift: whether what a deployment made is still what its state says.

use super::{Actor, Capability, Parts, PlatformError};
use crate::deployment::{Run, RunStatus};
use crate::id::DeploymentId;
use crate::money::Credits;
use crate::runner::{Action, Drift};

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The check.
    pub run: Run,
    /// What is not what the state says; empty where all is.
    pub drift: Vec<Drift>,
}

impl Actor {
    /// Checks a deployment for drift: the engine looks at what exists, at the commit and with the values the deployment is made
    /// from, and nothing is changed. Free; who may update may check.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound) and forbidden for deployments of others; busy while a run goes on;
    /// [`Runner`](PlatformError::Runner) where nothing can be run; [`EngineVersion`](PlatformError::EngineVersion) where the module
    /// wants another engine; [`Invalid`](PlatformError::Invalid) where nothing is deployed.
    pub async fn check_drift(&self, id: DeploymentId) -> Result<Run, PlatformError> {
        self.require(Capability::Deploy)?;
        let deployment = self.updatable(id).await?;
        self.parts.engine_for(&self.parts.manifest(&deployment, &deployment.source).await?).await?;
        self.start_run(&deployment, Action::Check, Credits::ZERO, None).await
    }
}

/// What the newest check found that came to its end, unless something was run since; `runs` are newest first.
pub(super) async fn latest(parts: &Parts, runs: &[Run]) -> Result<Option<Checked>, PlatformError> {
    let mut since = runs.iter().take_while(|run| !run.action.applies());
    let Some(run) = since.find(|run| run.status == RunStatus::Success) else { return Ok(None) };
    let drift = parts.deployments.plan(run.id).await?.drift;
    Ok(drift.map(|drift| Checked { run: run.clone(), drift }))
}
