//! What is done to a deployment: by a button of its page, or by a program.

use axum::extract::Path;
use rad_core::deployment::Run;
use rad_core::id::DeploymentId;
use rad_core::platform::{Actor, PlatformError};

use super::{Answer, deployment_id};
use crate::error::PageError;
use crate::fields::Fields;
use crate::pages::go;
use crate::session::Posted;

/// Something that is done to a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Retry,
    Check,
    Delete,
    Cancel,
    Confirm,
    Purge,
}

impl Act {
    pub(super) fn read(name: &str) -> Result<Self, PageError> {
        match name {
            "retry" => Ok(Self::Retry),
            "check" => Ok(Self::Check),
            "delete" => Ok(Self::Delete),
            "cancel" => Ok(Self::Cancel),
            "confirm" => Ok(Self::Confirm),
            "purge" => Ok(Self::Purge),
            _ => Err(PlatformError::NotFound { what: "page" }.into()),
        }
    }

    /// Does it. A purge needs the deployment's id as it was typed, a confirmation the plan that was seen.
    pub(super) async fn run(
        self,
        actor: &Actor,
        id: DeploymentId,
        fields: &Fields,
    ) -> Result<Run, PageError> {
        let latest = async || {
            let details = actor.deployment(id).await?;
            details.runs.into_iter().next().ok_or(PlatformError::NotFound { what: "run" })
        };
        Ok(match self {
            Self::Retry => actor.retry(id).await?,
            Self::Check => actor.check_drift(id).await?,
            Self::Delete => actor.destroy(id).await?,
            Self::Cancel => actor.cancel(id).await?,
            Self::Confirm => actor.confirm(latest().await?.id, &fields.parsed("plan")?).await?,
            Self::Purge => {
                if fields.text("confirm") != id.as_str() {
                    let reason = format!("type {id} to purge it: what is left cannot be destroyed from here");
                    return Err(PlatformError::Invalid { field: "confirm", reason }.into());
                }
                actor.purge(id).await?;
                latest().await?
            }
        })
    }

    fn notice(self) -> &'static str {
        match self {
            Self::Retry => "retrying",
            Self::Check => "checking",
            Self::Delete => "deleting",
            Self::Cancel => "cancelling",
            Self::Confirm => "confirmed",
            Self::Purge => "purging",
        }
    }
}

/// `POST /deployments/{id}/{action}`
pub(super) async fn act(Path((id, action)): Path<(String, String)>, form: Posted) -> Answer {
    let act = Act::read(&action)?;
    act.run(&form.session.actor, deployment_id(&id)?, &form.fields).await?;
    go(format!("/deployments/{id}?notice={}", act.notice()))
}
