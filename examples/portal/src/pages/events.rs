//! Server-sent events: the log and progress of a run, the statuses on the Deployments page.
//!
//! A log event carries the offset after it as its id. A browser that lost the connection sends the last id back, and
//! goes on exactly there: nothing is missing and nothing comes twice.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, StreamExt};
use rad_core::deployment::{Deployment, DeploymentStatus};
use rad_core::id::RunId;
use rad_core::platform::{Actor, RunFollower, RunNews};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{Answer, deployments, id_of};
use crate::error::PageError;
use crate::session::Session;
use crate::state::App;

/// How often a run is looked at though nobody told of a change.
const RUN_PERIOD: Duration = Duration::from_secs(2);

/// How often the statuses of a list are looked at though nobody told of a change.
const LIST_PERIOD: Duration = Duration::from_secs(5);

/// How long changes of statuses are gathered: many runs may move at once.
const GATHERED: Duration = Duration::from_millis(100);

/// A stream ends after this; the browser connects again, and is asked anew who it is.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// `GET /runs/{id}/events`
pub(super) async fn run(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let follower = session.actor.follow(run_id(&id)?, last.unwrap_or(0)).await?;
    let start = Some((follower, Ending::new(&app.closing)));
    let events = stream::unfold(start, async |following| {
        let (mut follower, ending) = following?;
        let news = ending.before(next(&mut follower)).await??;
        let going_on = (!news.is_over).then_some((follower, ending));
        Some((stream::iter(told(&news)), going_on))
    });
    Ok(Sse::new(events.flatten()).keep_alive(KeepAlive::default()).into_response())
}

/// What is new of a run; nothing where it cannot be read.
async fn next(follower: &mut RunFollower) -> Option<RunNews> {
    let news = loop {
        match timeout(RUN_PERIOD, follower.next()).await {
            Ok(news) => break news,
            Err(_) => {
                if let Some(news) = follower.look().await.transpose() {
                    break news;
                }
            }
        }
    };
    news.inspect_err(|error| tracing::warn!(%error, "a live log ended early")).ok()
}

/// What is new as events.
fn told(news: &RunNews) -> Vec<Result<Event, Infallible>> {
    let mut events = Vec::new();
    if !news.log.is_empty() {
        let text = String::from_utf8_lossy(&news.log);
        let event = Event::default().event("log").id(news.offset.to_string());
        events.push(Ok(event.data(json!(text).to_string())));
    }
    if let Some(stand) = &news.stand {
        let progress = deployments::ProgressView::of(&stand.run, &stand.resources);
        let progress = serde_json::to_string(&progress).unwrap_or_default();
        events.push(Ok(Event::default().event("status").data(progress)));
    }
    // The page is loaded anew at the end: its costs must be there by then.
    if news.is_over {
        events.push(Ok(Event::default().event("end").data("{}")));
    }
    events
}

/// `GET /runs/{id}/log`: the whole log as plain text.
pub(super) async fn log(session: Session, Path(id): Path<String>) -> Answer {
    let text = read_log(&session.actor, run_id(&id)?, usize::MAX).await?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// The log of a run from its beginning, until there are `enough` bytes of it.
pub(super) async fn read_log(actor: &Actor, run: RunId, enough: usize) -> Result<Vec<u8>, PageError> {
    let mut text = Vec::new();
    while text.len() < enough {
        let chunk = actor.run_log(run, text.len() as u64).await?;
        if chunk.bytes.is_empty() {
            break;
        }
        text.extend_from_slice(&chunk.bytes);
    }
    Ok(text)
}

/// Whose deployments to watch.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Watched {
    all: bool,
    q: String,
}

/// `GET /deployments/events`: the statuses of the first page of the list, whenever they change.
pub(super) async fn deployments(
    State(app): State<App>,
    session: Session,
    Query(watched): Query<Watched>,
) -> Answer {
    // Before the list is first read, so that nothing is missed between.
    let news = session.actor.deployment_news();
    let first = statuses(&session.actor.deployments(watched.all, &watched.q, None).await?.items);
    let start = (session.actor, watched, first.clone(), news, Ending::new(&app.closing));
    let changes = stream::unfold(start, async |(actor, watched, mut seen, mut news, ending)| {
        loop {
            let told = async {
                let _ = timeout(LIST_PERIOD, news.changed()).await;
                sleep(GATHERED).await;
            };
            ending.before(told).await?;
            let page = actor.deployments(watched.all, &watched.q, None).await.ok()?;
            let now = statuses(&page.items);
            if now != seen {
                seen.clone_from(&now);
                return Some((now, (actor, watched, seen, news, ending)));
            }
        }
    });
    let events = stream::once(ready(first)).chain(changes);
    let events = events.map(|now| Ok::<_, Infallible>(Event::default().event("statuses").data(now)));
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

fn statuses(deployments: &[Deployment]) -> String {
    let row = |row: &Deployment| json!({ "id": row.id, "status": row.status.as_str(), "live": is_live(row.status) });
    json!(deployments.iter().map(row).collect::<Vec<_>>()).to_string()
}

/// Whether a deployment's status changes by itself.
pub(super) fn is_live(status: DeploymentStatus) -> bool {
    match status {
        DeploymentStatus::Run(status) => !status.is_final(),
        DeploymentStatus::Deleting => true,
        _ => false,
    }
}

/// When a stream ends that has no end of its own.
struct Ending {
    closing: watch::Receiver<bool>,
    at: Instant,
}

impl Ending {
    fn new(closing: &watch::Receiver<bool>) -> Self {
        Self { closing: closing.clone(), at: Instant::now() + LONGEST }
    }

    /// Waits for something; `None` if the stream ends before.
    async fn before<T>(&self, something: impl Future<Output = T>) -> Option<T> {
        let mut closing = self.closing.clone();
        tokio::select! {
            done = something => Some(done),
            _ = closing.wait_for(|closing| *closing) => None,
            () = sleep_until(self.at) => None,
        }
    }
}

fn run_id(text: &str) -> Result<RunId, PageError> {
    id_of(text, "run")
}
