//! Updating a deployment: other values, a newer commit of its module, or both.

use secrecy::ExposeSecret;
use serde_json::Value;

use super::acting::invalid;
use super::deploying::{platform_values, split_secrets, within_limit};
use super::{Actor, Capability, PlatformError};
use crate::deployment::{Deployment, RunStatus, SecretValues, Target};
use crate::id::DeploymentId;
use crate::module::{CheckedValues, Manifest, Values};
use crate::money::Credits;
use crate::runner::Action;
use crate::source::{CommitId, Digest};

/// What the form of an update shows.
#[derive(Debug, Clone)]
pub struct UpdateForm {
    /// The deployment.
    pub deployment: Deployment,
    /// The commit that the form is for.
    pub commit: CommitId,
    /// The commit on offer, where the listing has another than the deployment was made from.
    pub newer: Option<CommitId>,
    /// What the module declares at the commit of the form.
    pub manifest: Manifest,
    /// What lies below the values that are typed: answers of the publisher.
    pub published: Values,
    /// The values there are now, sensitive ones left out: what the form begins with.
    pub current: Values,
}

/// A variable that an update would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedVariable {
    /// Its name.
    pub name: String,
    /// Whether the module says that nothing is created anew for it; otherwise resources may be destroyed.
    pub update_safe: bool,
}

/// What an update is made from.
struct Base {
    commit: CommitId,
    source: Digest,
    manifest: Manifest,
    published: Values,
}

impl Actor {
    /// The form of an update: for the commit the deployment is made from, or with `newest` for the one on offer, if there is one.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound) and forbidden for deployments of others; [`Invalid`](PlatformError::Invalid) where
    /// there is nothing to update.
    pub async fn update_form(&self, id: DeploymentId, newest: bool) -> Result<UpdateForm, PlatformError> {
        let deployment = self.updatable(id).await?;
        let newer = self.newer(&deployment).await?;
        let offered = newer.as_ref().map(|base| base.commit.clone());
        let base = match newer.filter(|_| newest) {
            Some(newer) => newer,
            None => self.present(&deployment).await?,
        };
        let current = deployment.values.iter().filter(|(name, _)| {
            base.manifest.variable(name).is_some_and(|variable| base.manifest.is_asked(variable))
        });
        let current = current.map(|(name, value)| (name.clone(), value.clone())).collect();
        let Base { commit, manifest, published, .. } = base;
        Ok(UpdateForm { commit, newer: offered, manifest, published, current, deployment })
    }

    /// Which variables an update would change, by the values as they would be afterwards.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn changed_by_update(
        &self,
        id: DeploymentId,
        commit: &CommitId,
        typed: &Values,
    ) -> Result<Vec<ChangedVariable>, PlatformError> {
        let deployment = self.updatable(id).await?;
        let base = self.base(&deployment, commit).await?;
        let secrets = self.parts.deployments.secrets(id).await?;
        let checked = self.checked(&deployment, &base, &secrets, typed).await?;
        let before = |name: &str| value_now(&deployment, &secrets, name);
        let asked = base.manifest.variables.iter().filter(|variable| base.manifest.is_asked(variable));
        let changed = asked.filter(|variable| {
            let value = |value: Option<Value>| value.unwrap_or_default();
            value(before(&variable.name)) != value(checked.values.get(&variable.name).cloned())
        });
        let changed = changed.map(|variable| ChangedVariable {
            name: variable.name.clone(),
            update_safe: variable.hints.update_safe,
        });
        Ok(changed.collect())
    }

    /// Runs a deployment again with other values, free of the module's fee: at `commit`, which is the one it is made from or
    /// the one on offer. A sensitive value that is not typed stays what it is.
    ///
    /// The deployment stays what it is until the plan is made and its apply begins; a plan that destroys or replaces
    /// something waits for [`confirm`](Self::confirm).
    ///
    /// # Errors
    /// As [`deploy`](Self::deploy); busy while a run goes on; [`Invalid`](PlatformError::Invalid) where there is nothing to
    /// update, or the commit is neither.
    pub async fn update(
        &self,
        id: DeploymentId,
        commit: &CommitId,
        typed: &Values,
    ) -> Result<crate::deployment::Run, PlatformError> {
        self.require(Capability::Deploy)?;
        within_limit("values", typed)?;
        let deployment = self.updatable(id).await?;
        let base = self.base(&deployment, commit).await?;
        let kept = self.parts.deployments.secrets(id).await?;
        let (values, secrets) = split_secrets(self.checked(&deployment, &base, &kept, typed).await?);
        self.parts.engine_for(&base.manifest).await?;
        let target = Target {
            commit: base.commit,
            source: base.source,
            values,
            secrets,
            needs: base.manifest.metadata.dependencies,
            may_purge: base.manifest.metadata.enable_purge,
        };
        self.start_run(&deployment, Action::Update, Credits::ZERO, Some(target)).await
    }

    /// A deployment that the account may act on and that was made once: until then its fee is not paid.
    pub(super) async fn updatable(&self, id: DeploymentId) -> Result<Deployment, PlatformError> {
        let deployment = self.standing_deployment(id).await?;
        let runs = self.parts.deployments.runs(id).await?;
        if !runs.iter().any(|run| run.action == Action::Create && run.status == RunStatus::Success) {
            return Err(invalid("it was never made: try again, or delete it"));
        }
        Ok(deployment)
    }

    async fn base(&self, deployment: &Deployment, commit: &CommitId) -> Result<Base, PlatformError> {
        if *commit == deployment.commit {
            return self.present(deployment).await;
        }
        let newer = self.newer(deployment).await?.filter(|base| base.commit == *commit);
        newer.ok_or_else(|| {
            let short = commit.short();
            let reason = format!("{short} is not on offer any more: look at the form again");
            PlatformError::Invalid { field: "commit", reason }
        })
    }

    /// What the deployment is made from now. Its publisher's answers are among its values.
    async fn present(&self, deployment: &Deployment) -> Result<Base, PlatformError> {
        let mut manifest = self.parts.manifest(deployment, &deployment.source).await?;
        let not_asked =
            |name: &str| manifest.variable(name).is_some_and(|variable| !manifest.is_asked(variable));
        let published: Values = deployment
            .values
            .iter()
            .filter(|(name, _)| not_asked(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        manifest.metadata.dependencies.clone_from(&deployment.needs);
        manifest.metadata.enable_purge = deployment.may_purge;
        let (commit, source) = (deployment.commit.clone(), deployment.source);
        Ok(Base { commit, source, manifest, published })
    }

    /// The values after an update: what the platform set stays, and so do sensitive values that are not typed.
    async fn checked(
        &self,
        deployment: &Deployment,
        base: &Base,
        secrets: &SecretValues,
        typed: &Values,
    ) -> Result<CheckedValues, PlatformError> {
        // The module may have one of these variables only since this commit.
        let owner = self.parts.directory.account(deployment.owner).await?;
        let mut platform = platform_values(deployment.id, &owner.email);
        for (name, value) in &mut platform {
            if let Some(now) = value_now(deployment, secrets, name) {
                *value = now;
            }
        }
        let mut all = typed.clone();
        for (name, secret) in secrets {
            let asked = base.manifest.variable(name).is_some_and(|variable| base.manifest.is_asked(variable));
            let blank = all.get(name).is_none_or(|value| value.is_null() || *value == "");
            if let (true, Ok(kept)) = (asked && blank, serde_json::from_str(secret.expose_secret())) {
                all.insert(name.clone(), kept);
            }
        }
        let checked = base.manifest.check(&platform, &base.published, &all);
        checked.map_err(|problems| PlatformError::Values { problems })
    }

    /// What the listing offers, where that is another source than the deployment's and the account may deploy it.
    async fn newer(&self, deployment: &Deployment) -> Result<Option<Base>, PlatformError> {
        let settings = self.settings().await?;
        let listing = match self.deployable(deployment.module, &settings).await {
            Ok(listing) => listing,
            Err(PlatformError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let revision = listing.revision;
        let other = revision.digest != deployment.source && revision.commit != deployment.commit;
        Ok(other.then_some(Base {
            commit: revision.commit,
            source: revision.digest,
            manifest: revision.manifest,
            published: revision.values,
        }))
    }
}

/// The value that a variable has now, sensitive or not.
fn value_now(deployment: &Deployment, secrets: &SecretValues, name: &str) -> Option<Value> {
    match secrets.get(name) {
        Some(secret) => serde_json::from_str(secret.expose_secret()).ok(),
        None => deployment.values.get(name).cloned(),
    }
}
