//! GitHub for tests: the few paths of its API that a portal asks for, with repositories in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use flate2::Compression;
use flate2::write::GzEncoder;
use rad_core::access::Publisher;
use rad_core::memory::MemoryRepos;
use rad_core::repo::{Head, RepoAccess, RepoSource};
use rad_core::source::{SourceTree, TreeEntry};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::fake_git_data;

/// A token that may do everything.
pub(crate) const TOKEN: &str = "ghp_good";

/// A token without the scope that publishing needs.
pub(crate) const POOR_TOKEN: &str = "ghp_poor";

/// The server, stopped when it is dropped.
pub(crate) struct FakeGitHub {
    pub(crate) api: String,
    repos: Arc<MemoryRepos>,
    gate: Arc<Gate>,
    task: tokio::task::JoinHandle<()>,
}

/// What stands before everything that is asked.
#[derive(Default)]
struct Gate {
    /// No token is taken any more.
    revoked: AtomicBool,
    /// How much was asked.
    asked: AtomicUsize,
}

type Shared = State<Arc<MemoryRepos>>;

impl FakeGitHub {
    pub(crate) async fn start() -> Self {
        let (repos, gate) = (Arc::new(MemoryRepos::default()), Arc::new(Gate::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/user", get(user))
            .route("/user/repos", get(repositories))
            .route("/graphql", post(default_head))
            .route("/repos/{owner}/{name}", get(repository))
            .route("/repos/{owner}/{name}/branches", get(branches))
            .route("/repos/{owner}/{name}/branches/{branch}", get(branch))
            .route("/repos/{owner}/{name}/commits", get(commits))
            .route("/repos/{owner}/{name}/tarball/{commit}", get(archive))
            .with_state(Arc::clone(&repos))
            .merge(fake_git_data::routes(Arc::clone(&repos)))
            .layer(middleware::from_fn_with_state(Arc::clone(&gate), only_with_a_token));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { api, repos, gate, task }
    }

    /// Takes no token any more.
    pub(crate) fn revoke(&self) {
        self.gate.revoked.store(true, Ordering::SeqCst);
    }

    /// How much was asked until now.
    pub(crate) fn asked(&self) -> usize {
        self.gate.asked.load(Ordering::SeqCst)
    }

    /// The commit at the tip of the default branch.
    pub(crate) async fn head(&self, repository: &str) -> String {
        self.repos.head(access(repository), None).await.unwrap().commit.to_string()
    }

    /// Commits modules of one output each to `modules/` on `main`.
    pub(crate) fn push(&self, repository: &str, modules: &[&str]) {
        self.push_to(repository, "main", modules);
    }

    /// The same on any branch.
    pub(crate) fn push_to(&self, repository: &str, branch: &str, modules: &[&str]) {
        self.commit(repository, branch, modules, "1");
    }

    /// The same as [`push`](Self::push) with another output in each module.
    pub(crate) fn push_changed(&self, repository: &str, modules: &[&str]) {
        self.commit(repository, "main", modules, "2");
    }

    /// The same with modules that cannot be read.
    pub(crate) fn push_broken(&self, repository: &str, modules: &[&str], broken: &[&str]) {
        let mut tree = tree_of(modules, "1");
        for name in broken {
            tree.insert_file(format!("modules/{name}/main.tf"), "output \"x\" {\n").unwrap();
        }
        self.put(repository, "main", tree);
    }

    fn commit(&self, repository: &str, branch: &str, modules: &[&str], output: &str) {
        self.put(repository, branch, tree_of(modules, output));
    }

    fn put(&self, repository: &str, branch: &str, tree: SourceTree) {
        self.repos.commit(repository, branch, tree, chrono::Utc::now()).unwrap();
    }
}

/// Modules below `modules/`.
fn tree_of(modules: &[&str], output: &str) -> SourceTree {
    let mut tree = SourceTree::default();
    tree.insert_file("README.md", "# Modules\n").unwrap();
    for name in modules {
        let source =
            format!("variable \"public_access\" {{ default = true }}\noutput \"x\" {{ value = {output} }}\n");
        tree.insert_file(format!("modules/{name}/main.tf"), source).unwrap();
    }
    tree
}

impl Drop for FakeGitHub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}

pub(crate) fn not_found() -> Response {
    refuse(StatusCode::NOT_FOUND, "Not Found")
}

pub(crate) fn access(repository: &str) -> RepoAccess<'_> {
    RepoAccess { repository, publisher: Publisher::Platform, credential: None }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

async fn only_with_a_token(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    gate.asked.fetch_add(1, Ordering::SeqCst);
    match token(request.headers()) {
        Some(TOKEN | POOR_TOKEN) if !gate.revoked.load(Ordering::SeqCst) => next.run(request).await,
        _ => refuse(StatusCode::UNAUTHORIZED, "Bad credentials"),
    }
}

async fn user(headers: HeaderMap) -> Response {
    let scopes = if token(&headers) == Some(TOKEN) { "repo" } else { "gist" };
    let expires = ("github-authentication-token-expiration", "2027-01-31 10:00:00 UTC");
    ([("x-oauth-scopes", scopes), expires], Json(json!({ "login": "octo" }))).into_response()
}

fn described(name: &str, default_branch: Option<&str>) -> Value {
    let private = name.contains("private");
    json!({
        "full_name": name,
        "default_branch": default_branch.unwrap_or("main"),
        "private": private,
        "visibility": if private { "private" } else { "public" },
        "archived": name.contains("archived"),
        "size": 12,
        "permissions": { "admin": false, "push": !name.contains("foreign"), "pull": true },
        "owner": { "login": "octo" },
    })
}

async fn repositories(State(repos): Shared) -> Json<Vec<Value>> {
    let all = RepoSource::repositories(&*repos, Publisher::Platform, None).await.unwrap();
    Json(all.iter().map(|found| described(&found.name, found.default_branch.as_deref())).collect())
}

async fn repository(State(repos): Shared, Path((owner, name)): Path<(String, String)>) -> Response {
    let name = format!("{owner}/{name}");
    match repos.head(access(&name), None).await {
        Ok(head) => Json(described(&name, Some(&head.branch))).into_response(),
        Err(_) => not_found(),
    }
}

/// Which page of a listing, and how many on one.
#[derive(Deserialize)]
struct Paging {
    #[serde(default = "one")]
    page: usize,
    per_page: usize,
}

fn one() -> usize {
    1
}

async fn branches(
    State(repos): Shared,
    Path((owner, name)): Path<(String, String)>,
    Query(Paging { page, per_page }): Query<Paging>,
) -> Response {
    let Ok(names) = repos.branches(access(&format!("{owner}/{name}"))).await else { return not_found() };
    let shown = names.iter().skip((page - 1) * per_page).take(per_page);
    let shown = Json(shown.map(|name| json!({ "name": name })).collect::<Vec<_>>());
    if names.len() <= page * per_page {
        return shown.into_response();
    }
    let next = format!("/repos/{owner}/{name}/branches?per_page={per_page}&page={}", page + 1);
    ([("link", format!("<{next}>; rel=\"next\""))], shown).into_response()
}

fn commit_of(head: &Head) -> Value {
    json!({ "sha": head.commit, "commit": { "committer": { "date": head.committed_at } } })
}

/// The history of the default branch, as far as its newest commit.
async fn commits(State(repos): Shared, Path((owner, name)): Path<(String, String)>) -> Response {
    match repos.head(access(&format!("{owner}/{name}")), None).await {
        Ok(head) => Json([commit_of(&head)]).into_response(),
        Err(_) => not_found(),
    }
}

async fn branch(
    State(repos): Shared,
    Path((owner, name, branch)): Path<(String, String, String)>,
) -> Response {
    match repos.head(access(&format!("{owner}/{name}")), Some(&branch)).await {
        Ok(head) => Json(json!({ "name": head.branch, "commit": commit_of(&head) })).into_response(),
        Err(_) => not_found(),
    }
}

async fn default_head(State(repos): Shared, Json(question): Json<Value>) -> Json<Value> {
    let text = |name: &str| question["variables"][name].as_str().unwrap();
    match repos.head(access(&format!("{}/{}", text("owner"), text("name"))), None).await {
        Ok(head) => {
            let target = json!({ "oid": head.commit, "committedDate": head.committed_at });
            let branch = json!({ "name": head.branch, "target": target });
            Json(json!({ "data": { "repository": { "defaultBranchRef": branch } } }))
        }
        Err(_) => {
            let errors = json!([{ "type": "NOT_FOUND", "message": "Could not resolve to a Repository" }]);
            Json(json!({ "data": { "repository": null }, "errors": errors }))
        }
    }
}

async fn archive(
    State(repos): Shared,
    Path((owner, name, commit)): Path<(String, String, String)>,
) -> Response {
    let (repository, commit) = (format!("{owner}/{name}"), commit.parse().unwrap());
    let Ok(tree) = repos.tree(access(&repository), &commit, "").await else { return not_found() };
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, entry) in tree.iter() {
        let TreeEntry::File { bytes, .. } = entry else { continue };
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o664);
        tar.append_data(&mut header, format!("{owner}-{name}-1234567/{path}"), &bytes[..]).unwrap();
    }
    let packed = tar.into_inner().unwrap().finish().unwrap();
    ([("content-type", "application/x-gzip")], Body::from(packed)).into_response()
}
