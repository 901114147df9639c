//! Versions of a deployment's state: listed, fetched and restored by those who may act on it.

use bytes::Bytes;

use super::{Actor, PlatformError};
use crate::deployment::StateVersion;
use crate::id::DeploymentId;

impl Actor {
    /// The versions kept of a deployment's state, newest first.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound) and forbidden for deployments of others.
    pub async fn state_versions(&self, id: DeploymentId) -> Result<Vec<StateVersion>, PlatformError> {
        self.own_deployment(id).await?;
        Ok(self.parts.deployments.state_versions(id).await?)
    }

    /// A version of a deployment's state as the engine wrote it, secrets included.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound) also for versions that are kept no more; forbidden for deployments of others.
    pub async fn state_version(&self, id: DeploymentId, number: u64) -> Result<Bytes, PlatformError> {
        self.own_deployment(id).await?;
        Ok(self.parts.deployments.state_version(id, number).await?)
    }

    /// Makes an older version the state again, as a new version with a higher serial number. Nothing in the cloud changes: the
    /// next run plans from it.
    ///
    /// # Errors
    /// Busy while a run goes on, [`NotFound`](PlatformError::NotFound) and forbidden for deployments of others;
    /// [`Invalid`](PlatformError::Invalid) if the deployment is closed.
    pub async fn restore_state(&self, id: DeploymentId, number: u64) -> Result<StateVersion, PlatformError> {
        self.standing_deployment(id).await?;
        let now = self.parts.clock.now();
        let restored = self.parts.deployments.restore_state(id, number, self.id(), now).await?;
        tracing::info!(deployment = %id, number, new = restored.number, by = %self.id(), "a state was restored");
        Ok(restored)
    }
}
