//! A server that speaks the API of Jules as its reference has it, and fails when a test asks for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rad_core::agent::{Activity, ActivityEvent, AgentSession, Artifact, ChangeSet, Originator};
use rad_github::Jules;
use rad_github::github::Patience;
use serde_json::{Value, json};

pub(super) const KEY: &str = "AIza-good";

/// The server, stopped when it is dropped.
pub(super) struct Server {
    state: Shared,
    address: String,
    task: tokio::task::JoinHandle<()>,
}

type Shared = Arc<Mutex<Stored>>;

#[derive(Default)]
struct Stored {
    sources: Vec<Value>,
    sessions: Vec<Session>,
    faults: VecDeque<Fault>,
    asked: Vec<String>,
    knows_no_filter: bool,
    newest_first: bool,
}

struct Session {
    told: Value,
    activities: Vec<Value>,
}

/// What goes wrong with a request.
pub(super) enum Fault {
    /// An answer with this status, these headers and this body.
    Answer(u16, Vec<(&'static str, &'static str)>, String),
    /// The request is carried out, and the answer breaks off.
    Lost,
    /// The answer goes on and on.
    Endless,
}

impl Server {
    pub(super) async fn start() -> Self {
        let state = Shared::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/v1alpha", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/sources", get(sources))
            .route("/sessions", post(start))
            .route("/sessions/{id}", get(session).post(act))
            .route("/sessions/{id}/activities", get(activities))
            .route("/sessions/{id}/activities/{activity}", get(activity))
            .layer(middleware::from_fn_with_state(Arc::clone(&state), gate))
            .with_state(Arc::clone(&state));
        let app = Router::new().nest("/v1alpha", routes);
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { state, address, task }
    }

    pub(super) fn jules(&self) -> Jules {
        let patience = Patience {
            answer: Duration::from_secs(5),
            first_wait: Duration::from_millis(5),
            ..Patience::default()
        };
        Jules::builder().api(&self.address).patience(patience).build().unwrap()
    }

    pub(super) fn connect(&self, repository: &str) {
        let (owner, repo) = repository.split_once('/').unwrap();
        let sources = &mut self.stored().sources;
        let id = format!("github-{}", sources.len());
        sources.push(json!({
            "name": format!("sources/{id}"),
            "id": id,
            "githubRepo": {
                "owner": owner,
                "repo": repo,
                "isPrivate": true,
                "defaultBranch": { "displayName": "main" },
                "branches": [{ "displayName": "main" }],
            },
        }));
    }

    pub(super) fn act(&self, session: &str, activity: &Activity) {
        let mut stored = self.stored();
        let (name, body) = event(&activity.event);
        let mut told = json!({
            "name": format!("{session}/activities/{}", activity.id),
            "id": activity.id,
            "createTime": activity.at.map(|at| at.to_rfc3339()),
            "originator": match &activity.originator {
                Originator::User => "user",
                Originator::Agent => "agent",
                Originator::System => "system",
                Originator::Other(name) => name,
            },
            "artifacts": activity.artifacts.iter().map(artifact).collect::<Vec<_>>(),
        });
        told[name] = body;
        if let Some(description) = &activity.description {
            told["description"] = json!(description);
        }
        stored.find(session).unwrap().activities.push(told);
    }

    pub(super) fn show(&self, session: &str, activity: &str, place: usize, content: &[u8]) {
        let mut stored = self.stored();
        let activities = &mut stored.find(session).unwrap().activities;
        let found = activities.iter_mut().find(|told| told["id"] == activity).unwrap();
        found["artifacts"][place]["media"]["data"] = json!(STANDARD.encode(content));
    }

    pub(super) fn tell(&self, session: &AgentSession) {
        let mut outputs = Vec::new();
        if let Some(pull) = &session.pull_request {
            outputs.push(json!({ "pullRequest": {
                "url": pull.url, "title": pull.title, "description": pull.description,
            } }));
        }
        outputs.extend(session.change.as_ref().map(|change| json!({ "changeSet": change_set(change) })));
        let mut stored = self.stored();
        let told = &mut stored.find(&session.name).unwrap().told;
        told["state"] = json!(session.state);
        told["url"] = json!(session.url);
        told["outputs"] = json!(outputs);
    }

    /// The next request meets `fault`.
    pub(super) fn fail(&self, fault: Fault) {
        self.stored().faults.push_back(fault);
    }

    /// What was asked since the last time: methods and paths.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.stored().asked)
    }

    pub(super) fn know_no_filter(&self) {
        self.stored().knows_no_filter = true;
    }

    pub(super) fn list_newest_first(&self) {
        self.stored().newest_first = true;
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.state.lock().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stored {
    fn find(&mut self, name: &str) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.told["name"] == name)
    }
}

fn event(event: &ActivityEvent) -> (&str, Value) {
    match event {
        ActivityEvent::PlanGenerated(plan) => {
            let step = |(index, step): (usize, &rad_core::agent::PlanStep)| json!({ "id": format!("s{index}"), "index": index, "title": step.title, "description": step.description });
            // Not in their order: that is what `index` is for.
            let steps: Vec<Value> = plan.steps.iter().enumerate().map(step).rev().collect();
            ("planGenerated", json!({ "plan": { "id": plan.id, "steps": steps } }))
        }
        ActivityEvent::PlanApproved { plan } => ("planApproved", json!({ "planId": plan })),
        ActivityEvent::UserMessaged { message } => ("userMessaged", json!({ "userMessage": message })),
        ActivityEvent::AgentMessaged { message } => ("agentMessaged", json!({ "agentMessage": message })),
        ActivityEvent::Progressed { title, description } => {
            ("progressUpdated", json!({ "title": title, "description": description }))
        }
        ActivityEvent::Completed => ("sessionCompleted", json!({})),
        ActivityEvent::Failed { reason } => ("sessionFailed", json!({ "reason": reason })),
        ActivityEvent::Other { name } => (name, json!({ "what": ["ever", 1] })),
        other => panic!("{other:?}"),
    }
}

fn artifact(artifact: &Artifact) -> Value {
    match artifact {
        Artifact::Change(change) => json!({ "changeSet": change_set(change) }),
        Artifact::CommandOutput { command, output, exit_code } => {
            json!({ "bashOutput": { "command": command, "output": output, "exitCode": exit_code } })
        }
        Artifact::Media { media_type } => json!({ "media": { "data": "AAAA", "mimeType": media_type } }),
        Artifact::Other { name } => json!({ name.as_str(): {} }),
        other => panic!("{other:?}"),
    }
}

fn change_set(change: &ChangeSet) -> Value {
    json!({ "source": "sources/0", "gitPatch": {
        "unidiffPatch": change.patch,
        "baseCommitId": change.base,
        "suggestedCommitMessage": change.message,
    } })
}

fn refuse(status: u16, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let body = json!({ "error": { "code": status.as_u16(), "message": message, "status": "X" } });
    (status, axum::Json(body)).into_response()
}

/// Records what is asked, knows keys, and lets requests fail.
async fn gate(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let key = request.headers().get("x-goog-api-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let fault = {
        let mut stored = shared.lock().unwrap();
        stored.asked.push(format!("{} {}", request.method(), request.uri()));
        stored.faults.pop_front()
    };
    if key.as_deref() != Some(KEY) {
        return refuse(400, "API key not valid. Please pass a valid API key.");
    }
    match fault {
        None => next.run(request).await,
        Some(Fault::Answer(status, headers, body)) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Some(Fault::Lost) => {
            next.run(request).await;
            let broken = futures_util::stream::iter([Ok("{"), Err(std::io::Error::other("lost"))]);
            Response::new(Body::from_stream(broken))
        }
        Some(Fault::Endless) => {
            let part = || Ok::<_, std::io::Error>(" ".repeat(1 << 20));
            Response::new(Body::from_stream(futures_util::stream::iter(std::iter::repeat_with(part))))
        }
    }
}

type Parameters = Query<std::collections::HashMap<String, String>>;

/// A page of `items` called `name`, and where the next one begins.
fn page(name: &str, items: &[Value], parameters: &Parameters) -> Response {
    let size: usize = parameters.get("pageSize").map_or(50, |size| size.parse().unwrap());
    assert!((1..=100).contains(&size), "a page has 1 to 100 items");
    let from = match parameters.get("pageToken") {
        None => 0,
        // A token must come back as it was given.
        Some(token) => token.strip_prefix("from + /=&").unwrap().parse().unwrap(),
    };
    let end = items.len().min(from + size);
    let mut body = json!({});
    if end > from {
        body[name] = json!(items[from..end]);
    }
    if end < items.len() {
        body["nextPageToken"] = json!(format!("from + /=&{end}"));
    }
    axum::Json(body).into_response()
}

async fn sources(State(shared): State<Shared>, parameters: Parameters) -> Response {
    page("sources", &shared.lock().unwrap().sources, &parameters)
}

async fn start(State(shared): State<Shared>, axum::Json(asked): axum::Json<Value>) -> Response {
    let mut stored = shared.lock().unwrap();
    let source = &asked["sourceContext"]["source"];
    if stored.sources.iter().all(|known| known["name"] != *source) {
        return refuse(404, "Requested entity was not found.");
    }
    assert!(asked["sourceContext"]["githubRepoContext"]["startingBranch"].is_string());
    assert_eq!(asked["requirePlanApproval"], json!(true));
    let id = stored.sessions.len();
    let mut told = asked;
    told["name"] = json!(format!("sessions/{id}"));
    told["id"] = json!(id.to_string());
    told["state"] = json!("QUEUED");
    stored.sessions.push(Session { told: told.clone(), activities: Vec::new() });
    axum::Json(told).into_response()
}

async fn session(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    match shared.lock().unwrap().find(&format!("sessions/{id}")) {
        Some(session) => axum::Json(session.told.clone()).into_response(),
        None => refuse(404, "Requested entity was not found."),
    }
}

async fn act(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    axum::Json(asked): axum::Json<Value>,
) -> Response {
    let mut stored = shared.lock().unwrap();
    let (id, verb) = id.split_once(':').unwrap();
    let Some(session) = stored.find(&format!("sessions/{id}")) else {
        return refuse(404, "Requested entity was not found.");
    };
    let number = session.activities.len();
    let mut activity = json!({
        "name": format!("sessions/{id}/activities/u{number}"),
        "id": format!("u{number}"),
        "createTime": format!("2026-01-01T00:00:00.{number:06}Z"),
        "originator": "user",
    });
    match verb {
        "sendMessage" => activity["userMessaged"] = json!({ "userMessage": asked["prompt"] }),
        "approvePlan" if session.told["state"] == "AWAITING_PLAN_APPROVAL" => {
            activity["planApproved"] = json!({ "planId": "p" });
            session.told["state"] = json!("IN_PROGRESS");
        }
        "approvePlan" => return refuse(400, "Precondition check failed."),
        _ => return refuse(404, "no such method"),
    }
    session.activities.push(activity);
    axum::Json(json!({})).into_response()
}

async fn activity(State(shared): State<Shared>, Path((id, activity)): Path<(String, String)>) -> Response {
    let mut stored = shared.lock().unwrap();
    let found = stored.find(&format!("sessions/{id}"));
    match found.and_then(|session| session.activities.iter().find(|told| told["id"] == activity)) {
        Some(told) => axum::Json(told.clone()).into_response(),
        None => refuse(404, "Requested entity was not found."),
    }
}

async fn activities(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Response {
    let mut stored = shared.lock().unwrap();
    let (knows_no_filter, newest_first) = (stored.knows_no_filter, stored.newest_first);
    let since =
        parameters.get("createTime").map(|time| time.parse::<chrono::DateTime<chrono::Utc>>().unwrap());
    if since.is_some() && knows_no_filter {
        return refuse(400, "Invalid JSON payload received. Unknown name \"createTime\".");
    }
    let Some(session) = stored.find(&format!("sessions/{id}")) else {
        return refuse(404, "Requested entity was not found.");
    };
    let mut found = session.activities.clone();
    found.retain(|activity| {
        let at: chrono::DateTime<chrono::Utc> = activity["createTime"].as_str().unwrap().parse().unwrap();
        since.is_none_or(|since| at >= since)
    });
    if newest_first {
        found.reverse();
    }
    page("activities", &found, &parameters)
}
