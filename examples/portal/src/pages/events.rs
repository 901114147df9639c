//! Server-sent events: the log and progress of a run, the statuses on the Deployments page.
//!
//! A log event carries the offset after it as its id. A browser that lost the connection sends the last id back, and
//! goes on exactly there: nothing is missing and nothing comes twice.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use rad_core::deployment::{DeploymentStatus, Settlement};
use rad_core::id::RunId;
use rad_core::platform::{Actor, PlatformError};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

use super::{Answer, deployments, id_of};
use crate::error::PageError;
use crate::session::Session;
use crate::state::App;

/// How often a live log is looked at.
const LOG_PERIOD: Duration = Duration::from_millis(75);

/// How often the statuses of a list are looked at.
const LIST_PERIOD: Duration = Duration::from_millis(500);

/// A stream ends after this; the browser connects again, and is asked anew who it is.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// `GET /runs/{id}/events`
pub(super) async fn run(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let run = run_id(&id)?;
    session.actor.run(run).await?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let follow = Follow {
        actor: session.actor,
        run,
        offset: last.unwrap_or(0),
        seen: String::new(),
        step: Next::Read,
        pause: Pause::new(&app.closing),
    };
    let events = stream::unfold(follow, |follow| follow.next()).flat_map(stream::iter);
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// A reader of one run.
struct Follow {
    actor: Actor,
    run: RunId,
    offset: u64,
    seen: String,
    step: Next,
    pause: Pause,
}

/// What a reader does next.
enum Next {
    Read,
    Wait,
    Stop,
}

type Events = Vec<Result<Event, Infallible>>;

impl Follow {
    async fn next(mut self) -> Option<(Events, Self)> {
        match self.step {
            Next::Stop => return None,
            Next::Wait => {
                if !self.pause.wait(LOG_PERIOD).await {
                    return None;
                }
            }
            Next::Read => {}
        }
        let events = match self.read().await {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!(run = %self.run, %error, "a live log ended early");
                return None;
            }
        };
        Some((events, self))
    }

    async fn read(&mut self) -> Result<Events, PlatformError> {
        let mut events = Events::new();
        let chunk = self.actor.run_log(self.run, self.offset).await?;
        let whole = whole_lines(&chunk.bytes, chunk.complete);
        if !whole.is_empty() {
            self.offset += whole.len() as u64;
            let text = String::from_utf8_lossy(whole);
            let event = Event::default().event("log").id(self.offset.to_string());
            events.push(Ok(event.data(json!(text).to_string())));
        }
        let (status, settled) = self.status().await?;
        if status != self.seen {
            events.push(Ok(Event::default().event("status").data(&status)));
            self.seen = status;
        }
        // The page is loaded anew at the end: its costs must be there by then.
        let all_read = chunk.complete && self.offset >= chunk.next && settled;
        if all_read {
            events.push(Ok(Event::default().event("end").data("{}")));
        }
        self.step = match (all_read, whole.is_empty()) {
            (true, _) => Next::Stop,
            (false, true) => Next::Wait,
            (false, false) => Next::Read,
        };
        Ok(events)
    }

    /// How far the run has come, and whether its hold is captured or released where it has ended.
    async fn status(&self) -> Result<(String, bool), PlatformError> {
        let run = self.actor.run(self.run).await?;
        let resources = self.actor.run_resources(self.run).await?;
        let view = deployments::ProgressView::of(&run, &resources);
        Ok((serde_json::to_string(&view).unwrap_or_default(), run.settlement != Settlement::Owed))
    }
}

/// The bytes up to the last line feed; all of them once the run is over. A chunk without any line feed is cut between
/// two characters.
fn whole_lines(bytes: &Bytes, complete: bool) -> &[u8] {
    if complete {
        return bytes;
    }
    match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(last) => &bytes[..=last],
        None if bytes.len() < 4096 => &[],
        None => match std::str::from_utf8(bytes) {
            Ok(_) => bytes,
            Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
            Err(_) => bytes,
        },
    }
}

/// `GET /runs/{id}/log`: the whole log as plain text.
pub(super) async fn log(session: Session, Path(id): Path<String>) -> Answer {
    let run = run_id(&id)?;
    let mut text = Vec::new();
    loop {
        let chunk = session.actor.run_log(run, text.len() as u64).await?;
        if chunk.bytes.is_empty() {
            break;
        }
        text.extend_from_slice(&chunk.bytes);
    }
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
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
    session.actor.deployments(watched.all, &watched.q, None).await?;
    let start = (session.actor, watched, String::new(), Pause::new(&app.closing));
    let events = stream::unfold(start, |(actor, watched, seen, pause)| async move {
        loop {
            let page = actor.deployments(watched.all, &watched.q, None).await.ok()?;
            let rows: Vec<_> = page
                .items
                .iter()
                .map(
                    |row| json!({ "id": row.id, "status": row.status.as_str(), "live": is_live(row.status) }),
                )
                .collect();
            let now = json!(rows).to_string();
            if now != seen {
                return Some((Event::default().event("statuses").data(&now), (actor, watched, now, pause)));
            }
            if !pause.wait(LIST_PERIOD).await {
                return None;
            }
        }
    });
    Ok(Sse::new(events.map(Ok::<_, Infallible>)).keep_alive(KeepAlive::default()).into_response())
}

/// Whether a deployment's status changes by itself.
pub(super) fn is_live(status: DeploymentStatus) -> bool {
    match status {
        DeploymentStatus::Run(status) => !status.is_final(),
        DeploymentStatus::Deleting => true,
        _ => false,
    }
}

/// The time between two looks, cut short when the portal closes.
struct Pause {
    closing: watch::Receiver<bool>,
    since: Instant,
}

impl Pause {
    fn new(closing: &watch::Receiver<bool>) -> Self {
        Self { closing: closing.clone(), since: Instant::now() }
    }

    /// Waits; false if the stream is to end.
    async fn wait(&self, period: Duration) -> bool {
        let mut closing = self.closing.clone();
        let closed = closing.wait_for(|closing| *closing);
        tokio::time::timeout(period, closed).await.is_err() && self.since.elapsed() < LONGEST
    }
}

fn run_id(text: &str) -> Result<RunId, PageError> {
    id_of(text, "run")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_log_is_cut_between_lines_and_never_inside_a_character() {
        let cut = |text: &[u8], complete| whole_lines(&Bytes::copy_from_slice(text), complete).len();
        assert_eq!(cut(b"one\ntwo", false), 4);
        assert_eq!(cut(b"one\ntwo", true), 7);
        assert_eq!(cut(b"two", false), 0);
        let mut long = vec![b'x'; 5000];
        long.extend_from_slice(&"é".as_bytes()[..1]);
        assert_eq!(cut(&long, false), 5000);
    }
}
