//! `/api/v1/deployments/{id}`: a deployment for programs, under the same session, proof and rules as its page.

use axum::Json;
use axum::extract::Path;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use rad_core::deployment::{Run, Wait};
use rad_core::id::{DeploymentId, RunId};
use rad_core::money::Credits;
use rad_core::platform::DeploymentDetails;
use rad_core::runner::{Action, Diagnostic, Drift, Output, PlannedChange, ResourceProgress, Step};
use rad_core::source::{CommitId, Digest};
use serde::Serialize;

use super::acting::Act;
use super::{Answer, deployment_id, update};
use crate::session::{Posted, Session};

/// A deployment. Values of sensitive outputs are null.
#[derive(Serialize)]
struct Shown {
    id: DeploymentId,
    module: String,
    commit: CommitId,
    status: &'static str,
    diverged: bool,
    purge_asked: Option<DateTime<Utc>>,
    /// After a purge: resources that may still exist.
    left: Vec<String>,
    /// Newest first.
    runs: Vec<ShownRun>,
    /// Of the newest run.
    plan: Option<Vec<PlannedChange>>,
    /// What a confirmation sends back as `plan`.
    plan_digest: Digest,
    resources: Vec<ResourceProgress>,
    /// Of the newest check, unless something was run since.
    checked: Option<ShownCheck>,
    outputs: Vec<Output>,
}

/// What a check found.
#[derive(Serialize)]
struct ShownCheck {
    run: RunId,
    at: Option<DateTime<Utc>>,
    /// Empty where what exists is what the state says.
    drift: Vec<Drift>,
}

#[derive(Serialize)]
struct ShownRun {
    id: RunId,
    action: Action,
    status: &'static str,
    waits_for: Option<Wait>,
    cancel_asked: bool,
    step: Option<Step>,
    credits: Credits,
    diagnostics: Vec<Diagnostic>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

/// `GET /api/v1/deployments/{id}`
pub(super) async fn show(session: Session, Path(id): Path<String>) -> Answer {
    let details = session.actor.deployment(deployment_id(&id)?).await?;
    Ok(Json(shown(details)).into_response())
}

/// `POST /api/v1/deployments/{id}/{action}`: gives the run that came of it.
pub(super) async fn act(Path((id, action)): Path<(String, String)>, form: Posted) -> Answer {
    let (id, fields) = (deployment_id(&id)?, &form.fields);
    let run = match action.as_str() {
        "update" => update::by_program(&form.session, id, fields).await?,
        action => Act::read(action)?.run(&form.session.actor, id, fields).await?,
    };
    Ok(Json(shown_run(run)).into_response())
}

fn shown(details: DeploymentDetails) -> Shown {
    let deployment = details.deployment;
    Shown {
        id: deployment.id,
        module: deployment.module_name,
        commit: deployment.commit,
        status: deployment.status.as_str(),
        diverged: deployment.diverged,
        purge_asked: deployment.purge_asked,
        left: deployment.left,
        runs: details.runs.into_iter().map(shown_run).collect(),
        plan_digest: details.plan.digest(),
        plan: details.plan.changes,
        resources: details.resources,
        checked: details.checked.map(|checked| ShownCheck {
            run: checked.run.id,
            at: checked.run.finished_at,
            drift: checked.drift,
        }),
        outputs: details.outputs,
    }
}

fn shown_run(run: Run) -> ShownRun {
    ShownRun {
        id: run.id,
        action: run.action,
        status: run.status.as_str(),
        waits_for: run.waits_for,
        cancel_asked: run.cancel_asked,
        step: run.step,
        credits: run.cost,
        diagnostics: run.diagnostics,
        created_at: run.created_at,
        started_at: run.started_at,
        finished_at: run.finished_at,
    }
}
