//! Looking at deployments and their runs: lists, details, outputs, logs.

use super::checking::{self, Checked};
use super::{Actor, Capability, PlatformError};
use crate::access::Role;
use crate::deployment::{Deployment, DeploymentQuery, LogChunk, Plan, Run};
use crate::id::{DeploymentId, RunId};
use crate::page::{Cursor, Page};
use crate::runner::{Output, ResourceProgress};

/// Everything about one deployment.
#[derive(Debug, Clone)]
pub struct DeploymentDetails {
    /// The deployment.
    pub deployment: Deployment,
    /// Its runs, newest first.
    pub runs: Vec<Run>,
    /// The resources of the newest run.
    pub resources: Vec<ResourceProgress>,
    /// The outputs of the latest apply; values of sensitive ones are null here.
    pub outputs: Vec<Output>,
    /// Whether Terraform left a state, so that something may exist.
    pub has_state: bool,
    /// The plan of the newest run.
    pub plan: Plan,
    /// What the newest check found that came to its end, unless something was run since.
    pub checked: Option<Checked>,
    /// Whether the one who asks may act on it.
    pub may_act: bool,
    /// Whether the one who asks may purge it.
    pub may_purge: bool,
}

impl Actor {
    /// A page of deployments: the account's own, or everybody's for those who may see them.
    ///
    /// # Errors
    /// [`Forbidden`](PlatformError::Forbidden) to ask for everybody's without the role for it.
    pub async fn deployments(
        &self,
        everybody: bool,
        text: &str,
        after: Option<Cursor>,
    ) -> Result<Page<Deployment>, PlatformError> {
        if everybody && !self.sees_all_deployments().await? {
            return Err(PlatformError::Forbidden { capability: Capability::SeeAllDeployments });
        }
        let owner = if everybody { None } else { Some(self.id()) };
        let text = text.chars().take(200).collect();
        let query = DeploymentQuery { owner, text, deleted: true, after, limit: 50 };
        Ok(self.parts.deployments.list(&query).await?)
    }

    /// Whether the account sees the deployments of others.
    ///
    /// # Errors
    /// A failure of a backend.
    pub async fn sees_all_deployments(&self) -> Result<bool, PlatformError> {
        let partner = self.account().roles.has(Role::Partner);
        Ok(self.can(Capability::SeeAllDeployments) || (partner && self.settings().await?.private_mode))
    }

    /// Everything about a deployment.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound) for those not shown to the account.
    pub async fn deployment(&self, id: DeploymentId) -> Result<DeploymentDetails, PlatformError> {
        let deployment = self.visible_deployment(id).await?;
        let store = &self.parts.deployments;
        let mut outputs = store.outputs(id).await?;
        for output in outputs.iter_mut().filter(|output| output.sensitive) {
            output.value = serde_json::Value::Null;
        }
        let runs = store.runs(id).await?;
        let newest = runs.first().map_or(deployment.latest_run, |run| run.id);
        Ok(DeploymentDetails {
            checked: checking::latest(&self.parts, &runs).await?,
            runs,
            resources: store.resources(newest).await?,
            outputs,
            has_state: !store.state_versions(id).await?.is_empty(),
            plan: store.plan(newest).await?,
            may_act: self.may_act(&deployment),
            may_purge: self.may_purge(&deployment),
            deployment,
        })
    }

    /// The value of one output, sensitive or not; for the owner only.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound) to all others.
    pub async fn reveal_output(
        &self,
        id: DeploymentId,
        name: &str,
    ) -> Result<serde_json::Value, PlatformError> {
        let deployment = self.visible_deployment(id).await?;
        if deployment.owner != self.id() {
            return Err(PlatformError::NotFound { what: "output" });
        }
        let outputs = self.parts.deployments.outputs(id).await?;
        let output = outputs.into_iter().find(|output| output.name == name);
        Ok(output.ok_or(PlatformError::NotFound { what: "output" })?.value)
    }

    /// A run of a deployment shown to the account.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound).
    pub async fn run(&self, id: RunId) -> Result<Run, PlatformError> {
        let run = self.parts.deployments.run(id).await?;
        self.visible_deployment(run.deployment).await?;
        Ok(run)
    }

    /// The log of a run from `offset`, at most 64 KiB.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound).
    pub async fn run_log(&self, id: RunId, offset: u64) -> Result<LogChunk, PlatformError> {
        self.run(id).await?;
        Ok(self.parts.deployments.log(id, offset, 64 * 1024).await?)
    }

    pub(super) async fn visible_deployment(&self, id: DeploymentId) -> Result<Deployment, PlatformError> {
        let deployment = self.parts.deployments.deployment(id).await?;
        if deployment.owner == self.id() || self.sees_all_deployments().await? {
            Ok(deployment)
        } else {
            Err(PlatformError::NotFound { what: "deployment" })
        }
    }

    pub(super) async fn own_deployment(&self, id: DeploymentId) -> Result<Deployment, PlatformError> {
        let deployment = self.visible_deployment(id).await?;
        if self.may_act(&deployment) {
            Ok(deployment)
        } else {
            Err(PlatformError::Forbidden { capability: Capability::ChangeAllDeployments })
        }
    }

    fn may_act(&self, deployment: &Deployment) -> bool {
        deployment.owner == self.id() || self.can(Capability::ChangeAllDeployments)
    }
}
