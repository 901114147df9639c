//! `/deployments`: the list, and everything about one.

use askama::Template;
use axum::extract::{Path, Query};
use rad_core::deployment::{Deployment, DeploymentStatus, Run, RunStatus, Settlement};
use rad_core::id::DeploymentId;
use rad_core::page::Cursor;
use rad_core::platform::{DeploymentDetails, PlatformError};
use rad_core::runner::{Action, ChangeKind, ChangeStatus, Diagnostic, ResourceProgress, Severity, Step};
use serde::{Deserialize, Serialize};

use super::events::is_live;
use super::{Answer, go, id_of, page, query};
use crate::error::PageError;
use crate::layout::{Layout, Section};
use crate::module_form::short_text;
use crate::session::{Posted, Session};
use crate::show;

#[derive(Template)]
#[template(path = "pages/deployments.html")]
struct ListPage {
    layout: Layout,
    may_see_all: bool,
    all: bool,
    search: String,
    events: Option<String>,
    rows: Vec<RowView>,
    next: Option<String>,
}

struct RowView {
    id: String,
    module: String,
    status: &'static str,
    class: String,
    cost: String,
    time: String,
    machine_time: String,
}

/// Which deployments to show.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    all: bool,
    q: String,
    after: Option<String>,
}

/// `GET /deployments`
pub(super) async fn list(session: Session, Query(wanted): Query<Wanted>) -> Answer {
    let first_page = wanted.after.is_none();
    let found = session.actor.deployments(wanted.all, &wanted.q, wanted.after.map(Cursor::new)).await?;
    let all = if wanted.all { "true" } else { "" };
    let address = |after: &str| query(&[("all", all), ("q", &wanted.q), ("after", after)]);
    page(ListPage {
        layout: session.layout("Deployments", Section::Deployments).await?,
        may_see_all: session.actor.sees_all_deployments().await?,
        all: wanted.all,
        events: first_page.then(|| format!("/deployments/events{}", address(""))),
        rows: found.items.iter().map(row_view).collect(),
        next: found.next.as_ref().map(|cursor| format!("/deployments{}", address(cursor.as_str()))),
        search: wanted.q,
    })
}

fn row_view(deployment: &Deployment) -> RowView {
    RowView {
        id: deployment.id.to_string(),
        module: deployment.module_name.clone(),
        status: deployment.status.as_str(),
        class: show::status_class(deployment.status),
        cost: deployment.cost.to_string(),
        time: show::time(deployment.created_at),
        machine_time: show::machine_time(deployment.created_at),
    }
}

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
    run: String,
    action: &'static str,
    progress: ProgressView,
    log: String,
    diagnostics: Vec<DiagnosticView>,
    outputs: Vec<OutputView>,
    charged: Option<(String, String)>,
    variables: Vec<(String, Option<String>)>,
    runs: Vec<RunView>,
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

/// How far a run has come, for the page and for its events.
#[derive(Debug, Serialize)]
pub(super) struct ProgressView {
    status: &'static str,
    step: &'static str,
    live: bool,
    done: usize,
    total: usize,
    resources: Vec<ResourceView>,
}

#[derive(Debug, Serialize)]
struct ResourceView {
    address: String,
    change: &'static str,
    status: &'static str,
    seconds: Option<u64>,
}

impl ProgressView {
    pub(super) fn of(run: &Run, resources: &[ResourceProgress]) -> Self {
        let changed = || resources.iter().filter(|resource| resource.change != ChangeKind::Read);
        Self {
            status: DeploymentStatus::of(run.action, run.status).as_str(),
            step: match run.step {
                _ if run.status.is_final() => "",
                Some(Step::Init) => "fetching providers",
                Some(Step::Plan) => "planning",
                Some(Step::Apply) if run.action == Action::Delete => "destroying",
                Some(Step::Apply) => "applying",
                _ => "",
            },
            live: !run.status.is_final(),
            done: changed().filter(|resource| resource.status == ChangeStatus::Complete).count(),
            total: changed().count(),
            resources: resources.iter().map(resource_view).collect(),
        }
    }

    fn bar_max(&self) -> usize {
        self.total.max(1)
    }

    fn failed(&self) -> bool {
        self.resources.iter().any(|resource| resource.status == "failed")
    }
}

fn resource_view(resource: &ResourceProgress) -> ResourceView {
    ResourceView {
        address: resource.address.clone(),
        change: match resource.change {
            ChangeKind::Create => "create",
            ChangeKind::Update => "update",
            ChangeKind::Replace => "replace",
            ChangeKind::Delete => "destroy",
            ChangeKind::Read => "read",
            _ => "change",
        },
        status: match resource.status {
            ChangeStatus::Planned => "planned",
            ChangeStatus::Started => "started",
            ChangeStatus::Complete => "done",
            ChangeStatus::Errored => "failed",
        },
        seconds: resource.elapsed_seconds,
    }
}

/// `GET /deployments/{id}`
pub(super) async fn show(session: Session, Path(id): Path<String>) -> Answer {
    page(view(&session, deployment_id(&id)?, None).await?)
}

/// `POST /deployments/{id}/outputs/{name}`: the page with one sensitive output in the open.
pub(super) async fn reveal(Path((id, name)): Path<(String, String)>, form: Posted) -> Answer {
    page(view(&form.session, deployment_id(&id)?, Some(&name)).await?)
}

/// `POST /deployments/{id}/delete`
pub(super) async fn delete(Path(id): Path<String>, form: Posted) -> Answer {
    form.session.actor.destroy(deployment_id(&id)?).await?;
    go(format!("/deployments/{id}?notice=deleting"))
}

/// `POST /deployments/{id}/retry`
pub(super) async fn retry(Path(id): Path<String>, form: Posted) -> Answer {
    form.session.actor.retry(deployment_id(&id)?).await?;
    go(format!("/deployments/{id}?notice=retrying"))
}

async fn view(session: &Session, id: DeploymentId, revealed: Option<&str>) -> Result<DetailsPage, PageError> {
    let actor = &session.actor;
    let details = actor.deployment(id).await?;
    let latest = details.runs.first().ok_or(PlatformError::NotFound { what: "run" })?;
    let revealed = match revealed {
        Some(name) => Some((name, actor.reveal_output(id, name).await?)),
        None => None,
    };
    let live = is_live(details.deployment.status);
    // A live page gets its log as events, from the start.
    let log = if live { String::new() } else { whole_log(session, latest).await? };
    let charge = actor.charge_of(id).await?;
    let deployment = &details.deployment;
    let status = deployment.status;
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
        waiting: status == DeploymentStatus::Run(RunStatus::Waiting),
        needs: deployment.needs.clone(),
        has_state: details.has_state,
        is_owner: deployment.owner == actor.id(),
        may_act: details.may_act,
        may_retry: !live && latest.status != RunStatus::Success,
        may_delete: !live && status != DeploymentStatus::Deleted,
        run: latest.id.to_string(),
        action: action(latest.action),
        progress: ProgressView::of(latest, &details.resources),
        log,
        diagnostics: latest.diagnostics.iter().map(diagnostic_view).collect(),
        outputs: outputs(&details, revealed),
        charged: charge.map(|(awarded, purchased)| (awarded.to_string(), purchased.to_string())),
        variables: variables(deployment),
        runs: details.runs.iter().map(run_view).collect(),
    })
}

async fn whole_log(session: &Session, run: &Run) -> Result<String, PageError> {
    // What a page shows at once; the rest is behind the link to the plain text.
    const SHOWN: u64 = 1024 * 1024;
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < SHOWN {
        let chunk = session.actor.run_log(run.id, bytes.len() as u64).await?;
        if chunk.bytes.is_empty() {
            break;
        }
        bytes.extend_from_slice(&chunk.bytes);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
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

/// Variables that describe the listing; nobody typed them for this deployment.
const LISTING: [&str; 11] = [
    "module_description",
    "module_documentation",
    "module_dependency",
    "module_services",
    "credit_cost",
    "require_credit_purchases",
    "enable_purge",
    "public_access",
    "trusted_users",
    "trusted_groups",
    "shared_users",
];

fn variables(deployment: &Deployment) -> Vec<(String, Option<String>)> {
    let typed = deployment.values.iter().filter(|(name, _)| !LISTING.contains(&name.as_str()));
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
        Action::Delete => "Delete",
        _ => "Run",
    }
}

fn deployment_id(text: &str) -> Result<DeploymentId, PageError> {
    id_of(text, "deployment")
}
