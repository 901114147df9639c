//! A code agent for tests: speaks the API of Jules, plans as soon as it is asked, and proposes one change.

use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What opens it; nothing of it may reach a browser.
pub(crate) const KEY: &str = "AIza-of-the-portal";

/// A picture of one green pixel.
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/// The agent, stopped when it is dropped.
pub(crate) struct FakeJules {
    pub(crate) api: String,
    pub(crate) key_file: PathBuf,
    shared: Shared,
    task: tokio::task::JoinHandle<()>,
    _dir: TempDir,
}

type Shared = Arc<Mutex<Stored>>;

#[derive(Default)]
struct Stored {
    /// The change it proposes once its plan is approved.
    change: Value,
    state: &'static str,
    activities: Vec<Value>,
}

impl FakeJules {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key_file = dir.path().join("jules.key");
        let options = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&key_file);
        std::io::Write::write_all(&mut options.unwrap(), format!("{KEY}\n").as_bytes()).unwrap();
        let shared = Shared::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}/v1alpha", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/sources", get(sources))
            .route("/sessions", post(start))
            .route("/sessions/{id}", get(session).post(act))
            .route("/sessions/{id}/activities", get(activities))
            .route("/sessions/{id}/activities/{activity}", get(activity))
            .layer(middleware::from_fn(only_with_the_key))
            .with_state(Arc::clone(&shared));
        let app = Router::new().nest("/v1alpha", routes);
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { api, key_file, shared, task, _dir: dir }
    }

    /// What it proposes from now on.
    pub(crate) fn proposes(&self, base: &str, patch: &str) {
        self.shared.lock().unwrap().change = json!({ "changeSet": { "source": "sources/1", "gitPatch": {
            "baseCommitId": base, "unidiffPatch": patch, "suggestedCommitMessage": "Greet everybody",
        } } });
    }
}

impl Drop for FakeJules {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stored {
    fn add(&mut self, originator: &str, name: &str, event: Value, artifacts: &[Value]) {
        let number = self.activities.len();
        let mut activity = json!({
            "id": format!("a{number}"),
            "createTime": format!("2026-10-01T08:00:{number:02}Z"),
            "originator": originator,
            "artifacts": artifacts,
        });
        activity[name] = event;
        self.activities.push(activity);
    }

    fn told(&self) -> Json<Value> {
        Json(json!({ "name": "sessions/1", "id": "1", "state": self.state,
                     "url": "https://agent.example.com/session/1" }))
    }
}

async fn only_with_the_key(request: Request, next: Next) -> Response {
    if request.headers().get("x-goog-api-key").is_some_and(|key| key == KEY) {
        next.run(request).await
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}

async fn sources() -> Json<Value> {
    // The demo repository is on this machine, and has no owner.
    Json(json!({ "sources": [
            { "name": "sources/1", "githubRepo": { "owner": "", "repo": "demo-modules" } },
            { "name": "sources/2", "githubRepo": { "owner": "octo", "repo": "modules" } },
        ] }))
}

async fn start(State(shared): State<Shared>, Json(asked): Json<Value>) -> Json<Value> {
    let mut stored = shared.lock().unwrap();
    stored.activities.clear();
    stored.state = "AWAITING_PLAN_APPROVAL";
    stored.add("user", "userMessaged", json!({ "userMessage": asked["prompt"] }), &[]);
    let steps = json!([{ "title": "Read <b>main.tf</b>", "index": 0 }, { "title": "Change it", "index": 1 }]);
    stored.add("agent", "planGenerated", json!({ "plan": { "id": "p", "steps": steps } }), &[]);
    stored.told()
}

async fn session(State(shared): State<Shared>, Path(_): Path<String>) -> Json<Value> {
    shared.lock().unwrap().told()
}

async fn act(State(shared): State<Shared>, Path(id): Path<String>, Json(asked): Json<Value>) -> Json<Value> {
    let mut stored = shared.lock().unwrap();
    let change = stored.change.clone();
    if id.ends_with(":approvePlan") {
        stored.state = "COMPLETED";
        stored.add("user", "planApproved", json!({ "planId": "p" }), &[]);
        let output =
            json!({ "bashOutput": { "command": "terraform validate", "output": "Success!", "exitCode": 0 } });
        let picture = json!({ "media": { "data": PICTURE, "mimeType": "image/png" } });
        stored.add("agent", "progressUpdated", json!({ "title": "Changed it" }), &[output, change, picture]);
        stored.add("system", "sessionCompleted", json!({}), &[]);
    } else {
        stored.add("user", "userMessaged", json!({ "userMessage": asked["prompt"] }), &[]);
        stored.add("agent", "agentMessaged", json!({ "agentMessage": "Here is another one." }), &[change]);
    }
    Json(json!({}))
}

async fn activity(State(shared): State<Shared>, Path((_, id)): Path<(String, String)>) -> Response {
    match shared.lock().unwrap().activities.iter().find(|told| told["id"] == id) {
        Some(told) => Json(told.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn activities(State(shared): State<Shared>, Path(_): Path<String>) -> Json<Value> {
    Json(json!({ "activities": shared.lock().unwrap().activities }))
}
