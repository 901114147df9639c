//! A server on this machine that behaves like GitHub's API, and fails when a test asks for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use rad_core::source::{Digest, SourceTree};
use rad_github::github::{GitHub, GitHubBuilder, Patience};
use secrecy::SecretString;

use super::api::{App, refuse, routes};
use super::store::Store;

/// A token that may do everything.
pub(super) const TOKEN: &str = "ghp_good";

/// The server, stopped when it is dropped.
pub(super) struct Server {
    pub(super) state: Arc<Shared>,
    pub(super) address: String,
    task: tokio::task::JoinHandle<()>,
}

/// What the server knows, and what it was asked.
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) asked: Mutex<Vec<Asked>>,
    faults: Mutex<VecDeque<(&'static str, Fault)>>,
    /// Entries of a page at the most.
    pub(super) page: Mutex<usize>,
    /// A repository that has another name by now: the old one and the new one.
    pub(super) renamed: Mutex<Option<(&'static str, &'static str)>>,
    /// What is sent instead of an archive.
    pub(super) archive: Mutex<Option<Vec<u8>>>,
    pub(super) address: Mutex<String>,
    /// Open pull requests: from and into which branch.
    pub(super) pulls: Mutex<Vec<(String, String)>>,
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) conditional: bool,
    pub(super) authorization: Option<String>,
    pub(super) status: StatusCode,
}

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// An answer with this status, these headers and this message.
    Answer(u16, Vec<(&'static str, String)>, &'static str),
    /// A success with this JSON instead of the truth.
    Instead(&'static str),
    /// The body breaks off in the middle.
    BreakOff,
    /// The body stops in the middle and does not go on.
    Stall,
    /// The body comes byte by byte and never ends.
    Drip,
    /// Nothing is answered.
    Silence,
}

impl Server {
    pub(super) async fn start() -> Self {
        let state = Arc::new(Shared {
            store: Store::new(),
            asked: Mutex::default(),
            faults: Mutex::default(),
            page: Mutex::new(100),
            renamed: Mutex::default(),
            archive: Mutex::default(),
            address: Mutex::default(),
            pulls: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        *state.address.lock().unwrap() = address.clone();
        let app = routes()
            .layer(middleware::from_fn_with_state(Arc::clone(&state), gate))
            .with_state(Arc::clone(&state));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { state, address, task }
    }

    /// A source over it that does not wait long.
    pub(super) fn builder(&self) -> GitHubBuilder {
        let patience = Patience {
            answer: Duration::from_secs(5),
            first_wait: Duration::from_millis(5),
            ..Patience::default()
        };
        GitHub::builder().api(&self.address).patience(patience)
    }

    pub(super) fn github(&self) -> GitHub {
        self.builder().build().unwrap()
    }

    /// The next request whose path holds `part` meets `fault`.
    pub(super) fn fail(&self, part: &'static str, fault: Fault) {
        self.state.faults.lock().unwrap().push_back((part, fault));
    }

    /// What was asked since the last time; what the archive server was asked counts not as a call of the API.
    pub(super) fn calls(&self) -> Vec<Asked> {
        let mut asked = std::mem::take(&mut *self.state.asked.lock().unwrap());
        asked.retain(|asked| !asked.path.starts_with("/codeload/"));
        asked
    }

    pub(super) fn put(
        &self,
        repository: &str,
        branch: &str,
        tree: &SourceTree,
    ) -> rad_core::source::CommitId {
        if !self.state.store.exists(repository) {
            self.state.store.create(repository);
        }
        self.state.store.commit(repository, branch, tree)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn token() -> SecretString {
    TOKEN.into()
}

/// Records what is asked, knows tokens, and lets requests fail.
async fn gate(State(shared): App, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().to_string());
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (conditional, authorization) =
        (headers.contains_key(header::IF_NONE_MATCH), text(header::AUTHORIZATION));
    let etag = text(header::IF_NONE_MATCH);
    assert!(headers.contains_key(header::USER_AGENT), "GitHub refuses who does not say what asks");
    let fault = {
        let mut faults = shared.faults.lock().unwrap();
        let next = faults.iter().position(|(part, _)| path.contains(part));
        next.and_then(|at| faults.remove(at)).map(|(_, fault)| fault)
    };
    let response = match (&fault, authorization.as_deref()) {
        (Some(Fault::Answer(status, headers, message)), _) => {
            let mut response = refuse(*status, message);
            for (name, value) in headers {
                response.headers_mut().insert(*name, value.parse().unwrap());
            }
            response
        }
        (Some(Fault::Instead(json)), _) => {
            ([(header::CONTENT_TYPE, "application/json")], *json).into_response()
        }
        (Some(Fault::Silence), _) => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            refuse(500, "")
        }
        (_, Some(authorization)) if !path.contains("/app/") && !is_known(authorization) => {
            refuse(401, "Bad credentials")
        }
        _ => match elsewhere(&shared, &method, &path) {
            Some(response) => response,
            None => tagged(next.run(request).await, etag.as_deref()).await,
        },
    };
    let status = response.status();
    shared.asked.lock().unwrap().push(Asked { method, path, conditional, authorization, status });
    match fault {
        Some(fault @ (Fault::BreakOff | Fault::Stall)) => {
            broken(response, matches!(fault, Fault::Stall)).await
        }
        Some(Fault::Drip) => {
            Body::from_stream(futures_util::stream::repeat(()).then(drop_of_body)).into_response()
        }
        _ => response,
    }
}

/// Sends whoever asks for a repository under its old name to the new one; who writes is told that the method stays.
fn elsewhere(shared: &Shared, method: &Method, path: &str) -> Option<Response> {
    let (old, new) = (*shared.renamed.lock().unwrap())?;
    let rest = path.strip_prefix(&format!("/repos/{old}"))?;
    let mut response = refuse(if method == Method::GET { 301 } else { 307 }, "Moved Permanently");
    let location = format!("{}/repos/{new}{rest}", shared.address.lock().unwrap());
    response.headers_mut().insert(header::LOCATION, location.parse().unwrap());
    Some(response)
}

fn is_known(authorization: &str) -> bool {
    let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
    matches!(
        token,
        TOKEN | "ghp_poor" | "ghp_none" | "github_pat_fine" | "github_pat_metadata" | "ghs_installed"
    )
}

/// The answer with a tag, or that it did not change.
async fn tagged(response: Response, known: Option<&str>) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    if parts.status == StatusCode::OK {
        let tag = format!("W/\"{}\"", Digest::of(&body));
        if known == Some(tag.as_str()) {
            return StatusCode::NOT_MODIFIED.into_response();
        }
        parts.headers.insert(header::ETAG, tag.parse().unwrap());
    }
    Response::from_parts(parts, body.into())
}

async fn drop_of_body((): ()) -> Result<Bytes, std::io::Error> {
    tokio::time::sleep(Duration::from_millis(10)).await;
    Ok(Bytes::from_static(b" "))
}

/// The answer with the first half of its body, after which nothing or the end of the connection comes.
async fn broken(response: Response, stalls: bool) -> Response {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let half = body.slice(..body.len() / 2);
    let parts_of_body = futures_util::stream::unfold(Some(half), move |half| async move {
        match half {
            Some(half) => Some((Ok::<Bytes, std::io::Error>(half), None)),
            None => {
                // The half goes out before the connection ends.
                tokio::time::sleep(Duration::from_millis(if stalls { 60_000 } else { 20 })).await;
                Some((Err(std::io::ErrorKind::ConnectionReset.into()), None))
            }
        }
    });
    Response::from_parts(parts, Body::from_stream(parts_of_body))
}
