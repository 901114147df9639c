//! The part of the fake GitHub that commits are made through: references, trees and commits of the Git data API.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use rad_core::memory::MemoryRepos;
use rad_core::repo::{RepoAccess, RepoSource};
use rad_core::source::{CommitId, SourceTree};
use serde_json::{Value, json};

use crate::fake_github::{access, not_found};

/// Repositories, and the trees that were written and no commit has yet.
#[derive(Default)]
struct Stored {
    repos: Arc<MemoryRepos>,
    trees: Mutex<HashMap<String, SourceTree>>,
}

type Shared = State<Arc<Stored>>;
type Named = Path<(String, String)>;

pub(crate) fn routes(repos: Arc<MemoryRepos>) -> Router {
    let git = Router::new()
        .route("/ref/heads/{branch}", get(reference))
        .route("/refs/heads/{branch}", patch(moved))
        .route("/commits/{commit}", get(commit))
        .route("/commits", post(made))
        .route("/trees/{tree}", get(tree))
        .route("/trees", post(written))
        .with_state(Arc::new(Stored { repos, ..Stored::default() }));
    Router::new().nest("/repos/{owner}/{name}/git", git)
}

impl Stored {
    async fn tree(&self, repo: RepoAccess<'_>, commit: &str) -> Option<SourceTree> {
        let commit: CommitId = commit.parse().ok()?;
        self.repos.tree(repo, &commit, "").await.ok()
    }
}

async fn reference(State(stored): Shared, Path(at): Path<(String, String, String)>) -> Response {
    let (owner, name, branch) = at;
    match stored.repos.head(access(&format!("{owner}/{name}")), Some(&branch)).await {
        Ok(head) => Json(json!({ "object": { "sha": head.commit } })).into_response(),
        Err(_) => not_found(),
    }
}

/// A tree goes by the name of its commit.
async fn commit(Path((_, _, commit)): Path<(String, String, String)>) -> Json<Value> {
    Json(json!({ "tree": { "sha": commit } }))
}

async fn tree(State(stored): Shared, Path((owner, name, tree)): Path<(String, String, String)>) -> Response {
    match stored.tree(access(&format!("{owner}/{name}")), &tree).await {
        Some(tree) => {
            let listed: Vec<Value> =
                tree.iter().map(|(path, _)| json!({ "path": path, "type": "blob" })).collect();
            Json(json!({ "tree": listed, "truncated": false })).into_response()
        }
        None => not_found(),
    }
}

async fn written(State(stored): Shared, Path((owner, name)): Named, Json(asked): Json<Value>) -> Json<Value> {
    let base = asked["base_tree"].as_str().unwrap();
    let mut tree = stored.tree(access(&format!("{owner}/{name}")), base).await.unwrap();
    for entry in asked["tree"].as_array().unwrap() {
        let path = entry["path"].as_str().unwrap();
        match entry["content"].as_str() {
            Some(content) => tree.insert_file(path, content.to_owned()).unwrap(),
            None => drop(tree.remove(path)),
        }
    }
    let digest = tree.digest().to_string();
    stored.trees.lock().unwrap().insert(digest.clone(), tree);
    Json(json!({ "sha": digest }))
}

/// The commit goes onto the branch it is made for at once: nothing else happens to it in a test.
async fn made(State(stored): Shared, Path((owner, name)): Named, Json(asked): Json<Value>) -> Json<Value> {
    let tree = stored.trees.lock().unwrap().remove(asked["tree"].as_str().unwrap()).unwrap();
    let made = stored.repos.commit(&format!("{owner}/{name}"), "main", tree, chrono::Utc::now()).unwrap();
    Json(json!({ "sha": made }))
}

async fn moved() -> Json<Value> {
    Json(json!({}))
}
