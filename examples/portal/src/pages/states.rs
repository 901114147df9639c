//! `/deployments/{id}/states`: the versions of a deployment's state, to fetch and to restore.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use rad_core::deployment::{DeploymentStatus, StateOrigin, StateVersion};
use rad_core::id::{AccountId, DeploymentId};

use super::{Answer, go, id_of, page};
use crate::error::PageError;
use crate::layout::{Layout, Section};
use crate::session::{Posted, Session};
use crate::show;
use crate::state::App;

/// The routes of states.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/deployments/{id}/states", get(show))
        .route("/deployments/{id}/states/{number}", get(fetch).post(restore))
}

#[derive(Template)]
#[template(path = "pages/states.html")]
struct StatesPage {
    layout: Layout,
    id: String,
    module: String,
    may_restore: bool,
    versions: Vec<VersionView>,
}

struct VersionView {
    number: u64,
    serial: u64,
    size: String,
    saved: String,
    machine_saved: String,
    /// The run that left it, for a link to its log.
    run: Option<String>,
    origin: String,
    current: bool,
}

/// `GET /deployments/{id}/states`
async fn show(session: Session, Path(id): Path<String>) -> Answer {
    let id: DeploymentId = id_of(&id, "deployment")?;
    let versions = session.actor.state_versions(id).await?;
    let deployment = session.actor.deployment(id).await?.deployment;
    let idle = matches!(deployment.status, DeploymentStatus::Run(status) if status.is_final());
    let own = session.actor.id();
    page(StatesPage {
        layout: session.layout("State versions", Section::Deployments).await?,
        id: id.to_string(),
        module: deployment.module_name,
        may_restore: idle,
        versions: versions.iter().enumerate().map(|(at, version)| view(version, at == 0, own)).collect(),
    })
}

/// `GET /deployments/{id}/states/{number}`: the file, as the engine wrote it.
async fn fetch(session: Session, Path((id, number)): Path<(String, String)>) -> Answer {
    let state = session.actor.state_version(id_of(&id, "deployment")?, version(&number)?).await?;
    let name = format!("attachment; filename=\"{id}-{number}.tfstate\"");
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CONTENT_DISPOSITION, name.as_str()),
        // It holds secrets.
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, state).into_response())
}

/// `POST /deployments/{id}/states/{number}`
async fn restore(Path((id, number)): Path<(String, String)>, form: Posted) -> Answer {
    let (deployment, number) = (id_of(&id, "deployment")?, version(&number)?);
    form.session.actor.restore_state(deployment, number).await?;
    go(format!("/deployments/{id}/states?notice=restored"))
}

fn version(number: &str) -> Result<u64, PageError> {
    id_of(number, "version of the state")
}

fn view(version: &StateVersion, current: bool, own: AccountId) -> VersionView {
    let (run, origin) = match &version.origin {
        StateOrigin::Run { run, .. } => (Some(run.to_string()), "a run".to_owned()),
        StateOrigin::Restored { from, by } if *by == own => {
            (None, format!("version {from}, restored by you"))
        }
        StateOrigin::Restored { from, by } => (None, format!("version {from}, restored by account {by}")),
    };
    VersionView {
        number: version.number,
        serial: version.serial,
        size: format!("{} bytes", version.size),
        saved: show::time(version.saved_at),
        machine_saved: show::machine_time(version.saved_at),
        run,
        origin,
        current,
    }
}
