//! `/deployments`: the list; its parts tell of one deployment and act on it.

mod acting;
mod api;
mod details;
mod progress;
mod update;

use askama::Template;
use axum::Router;
use axum::extract::Query;
use axum::routing::{get, post};
use rad_core::deployment::Deployment;
use rad_core::id::DeploymentId;
use rad_core::page::Cursor;
use serde::Deserialize;

pub(super) use self::progress::ProgressView;
use super::{Answer, id_of, page, query};
use crate::error::PageError;
use crate::layout::{Layout, Section};
use crate::session::Session;
use crate::show;
use crate::state::App;

/// The routes of deployments, for people and for programs.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/deployments", get(list))
        .route("/deployments/{id}", get(details::show))
        .route("/deployments/{id}/outputs/{name}", post(details::reveal))
        .route("/deployments/{id}/update", get(update::show).post(update::submit))
        .route("/deployments/{id}/{action}", post(acting::act))
        .route("/api/v1/deployments/{id}", get(api::show))
        .route("/api/v1/deployments/{id}/{action}", post(api::act))
}

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
struct Wanted {
    all: bool,
    q: String,
    after: Option<String>,
}

/// `GET /deployments`
async fn list(session: Session, Query(wanted): Query<Wanted>) -> Answer {
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

fn deployment_id(text: &str) -> Result<DeploymentId, PageError> {
    id_of(text, "deployment")
}
