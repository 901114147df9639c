//! `/admin/isolation`: what keeps runs from the platform, from each other and within bounds on this machine, and what does not.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use rad_core::platform::{Capability, PlatformError};
use rad_runner::terraform::{Measure, TerraformRunner};

use super::{Answer, page};
use crate::config::Runs;
use crate::layout::{Layout, Section};
use crate::session::Session;
use crate::state::App;

#[derive(Template)]
#[template(path = "pages/isolation.html")]
struct IsolationPage {
    layout: Layout,
    engine: Result<String, String>,
    works: bool,
    measures: Vec<Measure>,
    gaps: usize,
    bounds: Vec<(&'static str, String)>,
    /// Whether a cluster carries runs out, which sets bounds of its own.
    cluster: bool,
}

/// `GET /admin/isolation`
pub(super) async fn show(session: Session, State(app): State<App>) -> Answer {
    let capability = Capability::ChangeAllSettings;
    if !session.actor.can(capability) {
        return Err(PlatformError::Forbidden { capability }.into());
    }
    let engine = session.actor.engine().await;
    let measures = match &app.engine {
        Some(engine) => measures(engine).await,
        None => Vec::new(),
    };
    page(IsolationPage {
        layout: session.layout("What runs are kept from", Section::Settings).await?,
        engine: match engine {
            Ok(engine) => Ok(format!("{} {}", engine.name, engine.version)),
            Err(error) => Err(error.to_string()),
        },
        works: app.works,
        gaps: measures.iter().filter(|measure| measure.gap.is_some()).count(),
        measures,
        bounds: bounds(&app.runs),
        cluster: app.runs.kubernetes.is_some(),
    })
}

/// What this machine enforces; nothing where no run can be begun at all, which the engine's refusal tells.
async fn measures(engine: &TerraformRunner) -> Vec<Measure> {
    engine.enforcement().await.map(|enforcement| enforcement.measures.clone()).unwrap_or_default()
}

/// The bounds that need no help of the machine.
fn bounds(runs: &Runs) -> Vec<(&'static str, String)> {
    let minutes = |time: Duration| format!("{} min", time.as_secs() / 60);
    let most = |most: Option<u32>| most.map_or_else(|| "no limit".to_owned(), |most| most.to_string());
    let mut bounds = vec![
        ("Time of a run", minutes(runs.times.whole)),
        ("Time of its initialisation, plan, apply", {
            [runs.times.init, runs.times.plan, runs.times.apply].map(minutes).join(", ")
        }),
        ("Time of a purge", minutes(runs.purge)),
        ("Runs at a time in one process", runs.workers.to_string()),
        ("Runs at a time of one account", most(runs.most.per_owner)),
        ("Runs at a time on all workers", most(runs.most.total)),
    ];
    if runs.kubernetes.is_none() {
        bounds.push(("Log of a run", format!("{} KiB", runs.log / 1024)));
    }
    bounds
}
