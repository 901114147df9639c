//! `/deployments/{id}`: everything about one deployment.

use askama::Template;
use axum::extract::Path;
use rad_core::deployment::{Deployment, DeploymentStatus, Plan, Run, RunStatus, Settlement, Wait};
use rad_core::id::DeploymentId;
use rad_core::module::describes_module;
use rad_core::platform::{Checked, DeploymentDetails, PlatformError};
use rad_core::runner::{Action, ChangeKind, Diagnostic, Drift, PlannedChange, Severity};

use super::progress::{ProgressView, change};
use super::{Answer, deployment_id, page};
use crate::error::PageError;
use crate::layout::{Layout, Section};
use crate::module_form::short_text;
use crate::pages::events::read_log;
use crate::session::{Posted, Session};
use crate::show;

/// More diagnostics than these are folded.
const FEW: usize = 6;

/// What the page shows of a log at once; the rest is behind the link to the plain text.
const LOG_SHOWN: usize = 1024 * 1024;

#[derive(Template)]
#[template(path = "pages/deployment.html")]
struct DetailsPage {
    layout: Layout,
    id: String,
    module: String,
    status: &'static str,
    class: String,
    commit: String,
    made: String,
    made_machine: String,
    cost: String,
    live: bool,
    settling: bool,
    interrupted: bool,
    waiting: bool,
    needs: Vec<String>,
    has_state: bool,
    is_owner: bool,
    may_act: bool,
    may_retry: bool,
    may_delete: bool,
    may_cancel: bool,
    may_update: bool,
    may_purge: bool,
    diverged: bool,
    purging: bool,
    left: Option<Vec<String>>,
    asks: Option<AskView>,
    plan: Option<Vec<PlannedView>>,
    may_check: bool,
    /// Whether the newest run is a check, which has no resources of its own.
    checks: bool,
    checked: Option<CheckedView>,
    run: String,
    action: &'static str,
    progress: ProgressView,
    log: String,
    diagnostics: Vec<DiagnosticView>,
    /// Whether they are folded: there are many, or they only tell that the run was stopped.
    folded: bool,
    outputs: Vec<OutputView>,
    charged: Option<(String, String)>,
    variables: Vec<(String, Option<String>)>,
    runs: Vec<RunView>,
}

/// What a waiting run asks a person to confirm.
struct AskView {
    digest: String,
    takes_away: Vec<PlannedView>,
}

struct PlannedView {
    address: String,
    change: &'static str,
    takes_away: bool,
}

/// What a check found.
struct CheckedView {
    at: String,
    at_machine: String,
    drift: Vec<DriftView>,
}

struct DriftView {
    address: String,
    what: &'static str,
    attributes: Vec<AttributeView>,
}

struct AttributeView {
    name: String,
    /// What it was and is; nothing where that is sensitive.
    values: Option<(String, String)>,
}

struct DiagnosticView {
    severity: &'static str,
    summary: String,
    detail: String,
    place: String,
    address: String,
}

struct OutputView {
    name: String,
    hidden: bool,
    value: String,
}

struct RunView {
    id: String,
    action: &'static str,
    status: &'static str,
    class: String,
    started: String,
    took: String,
}

/// `GET /deployments/{id}`
pub(super) async fn show(session: Session, Path(id): Path<String>) -> Answer {
    page(view(&session, deployment_id(&id)?, None).await?)
}

/// `POST /deployments/{id}/outputs/{name}`: the page with one sensitive output in the open.
pub(super) async fn reveal(Path((id, name)): Path<(String, String)>, form: Posted) -> Answer {
    page(view(&form.session, deployment_id(&id)?, Some(&name)).await?)
}

async fn view(session: &Session, id: DeploymentId, revealed: Option<&str>) -> Result<DetailsPage, PageError> {
    let actor = &session.actor;
    let details = actor.deployment(id).await?;
    let latest = details.runs.first().ok_or(PlatformError::NotFound { what: "run" })?;
    let revealed = match revealed {
        Some(name) => Some((name, actor.reveal_output(id, name).await?)),
        None => None,
    };
    let live = !latest.status.is_final();
    // A live page gets its log as events, from the start.
    let log = if live { Vec::new() } else { read_log(actor, latest.id, LOG_SHOWN).await? };
    let charge = actor.charge_of(id).await?;
    let deployment = &details.deployment;
    let status = deployment.status;
    let stands = status != DeploymentStatus::Deleted && deployment.purge_asked.is_none();
    let unbegun =
        !latest.action.destroys() && matches!(latest.status, RunStatus::Waiting | RunStatus::Queued);
    Ok(DetailsPage {
        layout: session.layout(&deployment.module_name, Section::Deployments).await?,
        id: id.to_string(),
        module: deployment.module_name.clone(),
        status: status.as_str(),
        class: show::status_class(status),
        commit: deployment.commit.short().to_owned(),
        made: show::time(deployment.created_at),
        made_machine: show::machine_time(deployment.created_at),
        cost: deployment.cost.to_string(),
        live,
        settling: latest.settlement == Settlement::Owed,
        interrupted: status == DeploymentStatus::Run(RunStatus::Interrupted),
        waiting: latest.waits_for == Some(Wait::Modules),
        needs: deployment.needs.clone(),
        has_state: details.has_state,
        is_owner: deployment.owner == actor.id(),
        may_act: details.may_act,
        may_retry: stands && !live && status != DeploymentStatus::Run(RunStatus::Success),
        may_delete: stands && (!live || unbegun),
        may_cancel: details.may_act && live && latest.action != Action::Purge && !latest.cancel_asked,
        may_update: stands && !live && details.runs.iter().any(was_made),
        may_check: stands && !live && details.runs.iter().any(was_made),
        checks: latest.action == Action::Check,
        checked: details.checked.as_ref().map(checked_view),
        may_purge: details.may_purge && stands,
        diverged: deployment.diverged,
        purging: deployment.purge_asked.is_some() && status != DeploymentStatus::Deleted,
        left: (latest.action == Action::Purge && !live).then(|| deployment.left.clone()),
        asks: ask_view(latest, &details.plan),
        plan: details.plan.changes.as_deref().map(|changes| changes.iter().map(planned_view).collect()),
        run: latest.id.to_string(),
        action: action(latest.action),
        progress: ProgressView::of(latest, &details.resources),
        log: String::from_utf8_lossy(&log).into_owned(),
        folded: latest.status == RunStatus::Cancelled || latest.diagnostics.len() > FEW,
        diagnostics: latest.diagnostics.iter().map(diagnostic_view).collect(),
        outputs: outputs(&details, revealed),
        charged: charge.map(|(awarded, purchased)| (awarded.to_string(), purchased.to_string())),
        variables: variables(deployment),
        runs: details.runs.iter().map(run_view).collect(),
    })
}

/// Whether a run made the deployment for the first time.
fn was_made(run: &Run) -> bool {
    run.action == Action::Create && run.status == RunStatus::Success
}

fn ask_view(run: &Run, plan: &Plan) -> Option<AskView> {
    let asks = run.waits_for == Some(Wait::Confirmation);
    asks.then(|| AskView {
        digest: plan.digest().to_string(),
        takes_away: plan.takes_away().iter().map(planned_view).collect(),
    })
}

fn checked_view(checked: &Checked) -> CheckedView {
    let at = checked.run.finished_at.unwrap_or(checked.run.created_at);
    CheckedView {
        at: show::time(at),
        at_machine: show::machine_time(at),
        drift: checked.drift.iter().map(drift_view).collect(),
    }
}

fn drift_view(drift: &Drift) -> DriftView {
    let attributes = drift.attributes.iter().map(|attribute| AttributeView {
        name: attribute.name.clone(),
        values: attribute.was.clone().zip(attribute.is.clone()),
    });
    let what = if drift.change == ChangeKind::Delete { "gone" } else { "changed" };
    DriftView { address: drift.address.clone(), what, attributes: attributes.collect() }
}

fn planned_view(planned: &PlannedChange) -> PlannedView {
    let PlannedChange { address, .. } = planned;
    PlannedView { address: address.clone(), change: change(planned.change), takes_away: planned.destroys() }
}

fn outputs(details: &DeploymentDetails, revealed: Option<(&str, serde_json::Value)>) -> Vec<OutputView> {
    let outputs = details.outputs.iter().map(|output| {
        let shown = revealed.as_ref().filter(|(name, _)| *name == output.name).map(|(_, value)| value);
        OutputView {
            name: output.name.clone(),
            hidden: output.sensitive && shown.is_none(),
            value: pretty(shown.unwrap_or(&output.value)),
        }
    });
    outputs.collect()
}

fn pretty(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

fn variables(deployment: &Deployment) -> Vec<(String, Option<String>)> {
    let typed = deployment.values.iter().filter(|(name, _)| !describes_module(name));
    let plain = typed.map(|(name, value)| (name.clone(), Some(short_text(value))));
    plain.chain(deployment.secret_names.iter().map(|name| (name.clone(), None))).collect()
}

fn diagnostic_view(diagnostic: &Diagnostic) -> DiagnosticView {
    DiagnosticView {
        severity: match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        summary: diagnostic.summary.clone(),
        detail: diagnostic.detail.clone(),
        place: diagnostic.place.as_ref().map(|(file, line)| format!("{file}:{line}")).unwrap_or_default(),
        address: diagnostic.address.clone().unwrap_or_default(),
    }
}

fn run_view(run: &Run) -> RunView {
    let took = match (run.started_at, run.finished_at) {
        (Some(from), Some(to)) => show::duration(from, to),
        _ => String::new(),
    };
    RunView {
        id: run.id.to_string(),
        action: action(run.action),
        status: run.status.as_str(),
        class: show::status_class(DeploymentStatus::Run(run.status)),
        started: run.started_at.map(show::time).unwrap_or_default(),
        took,
    }
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Create => "Create",
        Action::Update => "Update",
        Action::Delete => "Delete",
        Action::Purge => "Purge",
        Action::Check => "Check for drift",
        _ => "Run",
    }
}
