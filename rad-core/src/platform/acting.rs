//! What is done to a deployment that is there: trying again, destroying, cancelling, confirming, purging.

use super::{Actor, Capability, Parts, PlatformError, purging, settling};
use crate::deployment::{
    Deployment, DeploymentError, DeploymentStatus, NewRun, Run, RunStatus, Target, Transition, Wait,
};
use crate::id::{DeploymentId, RunId};
use crate::module::{Manifest, RequiredVersion};
use crate::money::Credits;
use crate::runner::{Action, Engine};
use crate::source::Digest;

impl Actor {
    /// Tries again what failed, was interrupted or cancelled, with the same values; a create takes its fee anew. The engine
    /// refreshes what it knows and plans before it changes anything.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound), busy while a run goes on, and as [`deploy`](Self::deploy);
    /// [`Invalid`](PlatformError::Invalid) if the latest run succeeded, or the deployment is closed.
    pub async fn retry(&self, id: DeploymentId) -> Result<Run, PlatformError> {
        self.require(Capability::Deploy)?;
        let deployment = self.standing_deployment(id).await?;
        let latest = self.parts.deployments.run(deployment.latest_run).await?;
        if latest.status == RunStatus::Success {
            return Err(invalid("its latest run succeeded: there is nothing to try again"));
        }
        let charged = latest.action == Action::Create && self.settings().await?.enable_credits;
        let cost = if charged { deployment.cost } else { Credits::ZERO };
        let target = self.parts.deployments.target(latest.id).await?;
        if latest.action.destroys() {
            self.parts.runner.engine().await?;
            purging::refuse_without_state(&self.parts, &deployment).await?;
        } else {
            let source = target.as_ref().map_or(deployment.source, |target| target.source);
            self.parts.engine_for(&self.parts.manifest(&deployment, &source).await?).await?;
        }
        self.start_run(&deployment, latest.action, cost, target).await
    }

    /// Destroys what a deployment made; its record stays until its retention ends. Free. A run that no worker has taken is
    /// cancelled first, and the next sweep gives its hold back.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound), busy while a run goes on, [`Runner`](PlatformError::Runner) where nothing
    /// can be run; [`Invalid`](PlatformError::Invalid) if it is destroyed already, or the state of what it made was lost.
    pub async fn destroy(&self, id: DeploymentId) -> Result<Run, PlatformError> {
        let deployment = self.standing_deployment(id).await?;
        self.parts.runner.engine().await?;
        let latest = self.newest_run(id).await?;
        // The state of what goes on may be still to come; the store refuses a second run beside it.
        if latest.status != RunStatus::Working {
            purging::refuse_without_state(&self.parts, &deployment).await?;
        }
        if !latest.action.destroys() && matches!(latest.status, RunStatus::Waiting | RunStatus::Queued) {
            let now = self.parts.clock.now();
            match self.parts.deployments.advance(latest.id, Transition::Cancel, now).await {
                // A worker took it, or it ended: the store says whether a delete can follow.
                Ok(_) | Err(DeploymentError::Illegal(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.start_run(&deployment, Action::Delete, Credits::ZERO, None).await
    }

    /// Cancels what goes on of a deployment; see [`cancel_run`](Self::cancel_run).
    ///
    /// # Errors
    /// As [`cancel_run`](Self::cancel_run).
    pub async fn cancel(&self, id: DeploymentId) -> Result<Run, PlatformError> {
        self.own_deployment(id).await?;
        self.cancel_run(self.newest_run(id).await?.id).await
    }

    /// The newest run of a deployment, a check among them.
    async fn newest_run(&self, id: DeploymentId) -> Result<Run, PlatformError> {
        let newest = self.parts.deployments.runs(id).await?.into_iter().next();
        newest.ok_or(PlatformError::NotFound { what: "run" })
    }

    /// Cancels a run. One that no worker has ends at once and its hold is released. One that a worker has is interrupted, gets a
    /// grace period and is killed then; its state is kept, and it ends as cancelled unless its own end was faster.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound) and forbidden for deployments of others; [`Invalid`](PlatformError::Invalid) if it
    /// has ended already, or is a purge.
    pub async fn cancel_run(&self, run: RunId) -> Result<Run, PlatformError> {
        let asked = self.parts.deployments.run(run).await?;
        self.own_deployment(asked.deployment).await?;
        if asked.action == Action::Purge {
            return Err(invalid("a purge goes on until it has closed the deployment"));
        }
        match self.parts.deployments.cancel(run, self.parts.clock.now()).await {
            Ok(run) => {
                if run.status.is_final() {
                    settling::settle_or_leave(&self.parts, &run).await;
                }
                Ok(run)
            }
            Err(DeploymentError::Illegal(refused)) => {
                Err(invalid(format!("its run has ended already: {}", refused.status)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Confirms what a waiting run destroys or replaces, as the person saw it: `seen` is the [digest](crate::deployment::Plan::digest)
    /// of the plan. The run is queued; the engine plans anew, and asks again if more is taken away by then.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound) and forbidden for deployments of others; [`Invalid`](PlatformError::Invalid) where
    /// nothing waits for a confirmation, or the plan is not the one that was seen.
    pub async fn confirm(&self, run: RunId, seen: &Digest) -> Result<Run, PlatformError> {
        let asked = self.parts.deployments.run(run).await?;
        self.own_deployment(asked.deployment).await?;
        if asked.waits_for != Some(Wait::Confirmation) {
            return Err(invalid("nothing of it waits for a confirmation"));
        }
        let plan = self.parts.deployments.plan(run).await?;
        if plan.digest() != *seen {
            let reason = "it is not the plan that you saw: look at the new one".to_owned();
            return Err(PlatformError::Invalid { field: "plan", reason });
        }
        let now = self.parts.clock.now();
        match self.parts.deployments.confirm(run, &plan.takes_away(), now).await {
            Err(DeploymentError::Illegal(_)) => {
                Err(invalid("nothing of it waits for a confirmation any more"))
            }
            confirmed => Ok(confirmed?),
        }
    }

    /// Closes a deployment that is stuck: what goes on is stopped, and what does not stop loses its lease; a destroy is tried
    /// within a bound; then the record is closed whatever came of it, with the list of resources that may be left.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound) and forbidden for deployments of others; [`Invalid`](PlatformError::Invalid) where
    /// only an admin may, or it is closed already.
    pub async fn purge(&self, id: DeploymentId) -> Result<Deployment, PlatformError> {
        let deployment = self.standing_deployment(id).await?;
        if !self.may_purge(&deployment) {
            return Err(invalid("its module does not offer purging: ask an admin, or delete it"));
        }
        self.parts.deployments.ask_purge(id, self.parts.clock.now()).await?;
        let asked = self.parts.deployments.deployment(id).await?;
        purging::carry_on(&self.parts, &asked).await?;
        Ok(self.parts.deployments.deployment(id).await?)
    }

    pub(super) fn may_purge(&self, deployment: &Deployment) -> bool {
        let owns = deployment.owner == self.id();
        owns && deployment.may_purge || self.can(Capability::ChangeAllDeployments)
    }

    /// A deployment that the account may act on and that is not closed.
    pub(super) async fn standing_deployment(&self, id: DeploymentId) -> Result<Deployment, PlatformError> {
        let deployment = self.own_deployment(id).await?;
        if deployment.status == DeploymentStatus::Deleted {
            return Err(invalid("it is destroyed already"));
        }
        Ok(deployment)
    }

    /// Starts a run for which there is an engine: every caller has asked.
    pub(super) async fn start_run(
        &self,
        deployment: &Deployment,
        action: Action,
        cost: Credits,
        target: Option<Target>,
    ) -> Result<Run, PlatformError> {
        let now = self.parts.clock.now();
        let new = NewRun { id: RunId::new(), deployment: deployment.id, action, cost, target };
        let run = self.parts.deployments.add_run(new, now).await?;
        settling::begin(&self.parts, deployment, &run).await?;
        Ok(self.parts.deployments.run(run.id).await?)
    }
}

impl Parts {
    /// The engine, if a module may be run with it.
    pub(super) async fn engine_for(&self, manifest: &Manifest) -> Result<Engine, PlatformError> {
        let engine = self.runner.engine().await?;
        let Some(required) = manifest.required_version.as_deref().filter(|_| engine.is_terraform) else {
            return Ok(engine);
        };
        let admitted = RequiredVersion::parse(required).and_then(|wanted| wanted.admits(&engine.version));
        match admitted {
            Ok(true) => Ok(engine),
            Ok(false) => {
                Err(PlatformError::EngineVersion { engine, required: required.to_owned(), reason: None })
            }
            Err(error) => {
                let reason = Some(error.to_string());
                Err(PlatformError::EngineVersion { engine, required: required.to_owned(), reason })
            }
        }
    }

    /// What an archived source of a deployment declares.
    pub(super) async fn manifest(
        &self,
        deployment: &Deployment,
        source: &Digest,
    ) -> Result<Manifest, PlatformError> {
        let tree = self.archive.load(source).await?;
        Manifest::read(&deployment.module_name, &tree).map_err(|errors| {
            let reason = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            invalid(format!("its source cannot be read: {reason}"))
        })
    }
}

pub(super) fn invalid(reason: impl Into<String>) -> PlatformError {
    PlatformError::Invalid { field: "deployment", reason: reason.into() }
}
