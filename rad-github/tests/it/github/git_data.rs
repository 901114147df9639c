//! The server's Git data API, branches and pull requests: objects are written with gix.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gix::objs::tree::EntryKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{App, refuse};
use super::server::Shared;
use crate::time;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/repos/{owner}/{name}/git/ref/heads/{*branch}", get(reference))
        .route("/repos/{owner}/{name}/git/refs", post(create_reference))
        .route("/repos/{owner}/{name}/git/refs/heads/{*branch}", patch(move_reference))
        .route("/repos/{owner}/{name}/git/commits/{commit}", get(commit))
        .route("/repos/{owner}/{name}/git/commits", post(create_commit))
        .route("/repos/{owner}/{name}/git/blobs", post(create_blob))
        .route("/repos/{owner}/{name}/git/trees", post(create_tree))
        .route("/repos/{owner}/{name}/git/trees/{tree}", get(list_tree))
        .route("/repos/{owner}/{name}/pulls", post(create_pull).get(pulls))
}

fn open(shared: &Shared, owner: &str, name: &str) -> gix::Repository {
    gix::open(shared.store.path(&format!("{owner}/{name}"))).unwrap()
}

fn branch_at(repo: &gix::Repository, branch: &str) -> Option<String> {
    let mut found = repo.try_find_reference(&format!("refs/heads/{branch}")).ok()??;
    Some(found.peel_to_id().ok()?.to_string())
}

fn id(value: &Value) -> gix::ObjectId {
    value.as_str().unwrap().parse().unwrap()
}

fn made(body: Value) -> Response {
    (StatusCode::CREATED, Json(body)).into_response()
}

fn set(repo: &gix::Repository, branch: &str, to: gix::ObjectId) {
    let any = gix::refs::transaction::PreviousValue::Any;
    repo.reference(format!("refs/heads/{branch}"), to, any, "a change").unwrap();
}

async fn reference(
    State(shared): App,
    Path((owner, name, branch)): Path<(String, String, String)>,
) -> Response {
    if !shared.store.exists(&format!("{owner}/{name}")) {
        return refuse(404, "Not Found");
    }
    match branch_at(&open(&shared, &owner, &name), &branch) {
        Some(sha) => Json(json!({ "object": { "type": "commit", "sha": sha } })).into_response(),
        None => refuse(404, "Not Found"),
    }
}

async fn create_reference(
    State(shared): App,
    Path((owner, name)): Path<(String, String)>,
    Json(new): Json<Value>,
) -> Response {
    let repo = open(&shared, &owner, &name);
    let branch = new["ref"].as_str().unwrap().strip_prefix("refs/heads/").unwrap();
    if branch_at(&repo, branch).is_some() {
        return refuse(422, "Reference already exists");
    }
    set(&repo, branch, id(&new["sha"]));
    made(json!({ "object": { "sha": new["sha"] } }))
}

async fn move_reference(
    State(shared): App,
    Path((owner, name, branch)): Path<(String, String, String)>,
    Json(to): Json<Value>,
) -> Response {
    if branch.starts_with("protected") {
        return refuse(422, "Changes must be made through a pull request.");
    }
    let repo = open(&shared, &owner, &name);
    let from = branch_at(&repo, &branch).unwrap();
    let to_id = id(&to["sha"]);
    let parents: Vec<String> =
        repo.find_commit(to_id).unwrap().parent_ids().map(|parent| parent.to_string()).collect();
    if !parents.contains(&from) && to["force"] == json!(false) {
        return refuse(422, "Update is not a fast forward");
    }
    set(&repo, &branch, to_id);
    Json(json!({ "object": { "sha": to["sha"] } })).into_response()
}

async fn commit(State(shared): App, Path((owner, name, commit)): Path<(String, String, String)>) -> Response {
    let repo = open(&shared, &owner, &name);
    let tree = repo.find_commit(id(&json!(commit))).unwrap().tree_id().unwrap().to_string();
    Json(json!({ "sha": commit, "tree": { "sha": tree } })).into_response()
}

async fn create_commit(
    State(shared): App,
    Path((owner, name)): Path<(String, String)>,
    Json(new): Json<Value>,
) -> Response {
    let author = gix::actor::Signature {
        name: "octo".into(),
        email: "octo@example.com".into(),
        time: gix::date::Time::new(time().timestamp(), 0),
    };
    let commit = gix::objs::Commit {
        tree: id(&new["tree"]),
        parents: new["parents"].as_array().unwrap().iter().map(id).collect(),
        author: author.clone(),
        committer: author,
        encoding: None,
        message: new["message"].as_str().unwrap().into(),
        extra_headers: Vec::new(),
    };
    made(json!({ "sha": open(&shared, &owner, &name).write_object(&commit).unwrap().to_string() }))
}

async fn create_blob(
    State(shared): App,
    Path((owner, name)): Path<(String, String)>,
    Json(new): Json<Value>,
) -> Response {
    assert_eq!(new["encoding"], "base64");
    let bytes = STANDARD.decode(new["content"].as_str().unwrap()).unwrap();
    made(json!({ "sha": open(&shared, &owner, &name).write_blob(bytes).unwrap().to_string() }))
}

async fn list_tree(
    State(shared): App,
    Path((owner, name, tree)): Path<(String, String, String)>,
) -> Response {
    let repo = open(&shared, &owner, &name);
    let (mut all, mut waiting) = (Vec::new(), vec![(String::new(), id(&json!(tree)))]);
    while let Some((prefix, tree)) = waiting.pop() {
        for entry in repo.find_tree(tree).unwrap().iter() {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", entry.filename());
            if entry.mode().is_tree() {
                waiting.push((format!("{path}/"), entry.object_id()));
            }
            let kind = if entry.mode().is_tree() { "tree" } else { "blob" };
            all.push(json!({ "path": path, "type": kind }));
        }
    }
    let truncated = name.contains("endless");
    Json(json!({ "sha": tree, "tree": all, "truncated": truncated })).into_response()
}

async fn create_tree(
    State(shared): App,
    Path((owner, name)): Path<(String, String)>,
    Json(new): Json<Value>,
) -> Response {
    let repo = open(&shared, &owner, &name);
    let mut editor = repo.edit_tree(id(&new["base_tree"])).unwrap();
    for entry in new["tree"].as_array().unwrap() {
        let path = entry["path"].as_str().unwrap();
        if entry.get("sha") == Some(&Value::Null) {
            let base = repo.find_tree(id(&new["base_tree"])).unwrap();
            if base.lookup_entry_by_path(path).unwrap().is_none() {
                return refuse(422, "GitRPC::BadObjectState");
            }
            editor.remove(path).unwrap();
            continue;
        }
        let kind = match entry["mode"].as_str().unwrap() {
            "100755" => EntryKind::BlobExecutable,
            "120000" => EntryKind::Link,
            _ => EntryKind::Blob,
        };
        let blob = match entry["content"].as_str() {
            Some(text) => repo.write_blob(text).unwrap().detach(),
            None => id(&entry["sha"]),
        };
        editor.upsert(path, kind, blob).unwrap();
    }
    made(json!({ "sha": editor.write().unwrap().to_string() }))
}

async fn create_pull(
    State(shared): App,
    Path((owner, name)): Path<(String, String)>,
    Json(new): Json<Value>,
) -> Response {
    let repo = open(&shared, &owner, &name);
    let text = |field: &str| new[field].as_str().unwrap().to_owned();
    let failed = |reason: &str| {
        let body = json!({ "message": "Validation Failed", "errors": [{ "message": reason }] });
        (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
    };
    if branch_at(&repo, &text("head")).is_none() || branch_at(&repo, &text("base")).is_none() {
        return failed("not a branch");
    }
    let mut pulls = shared.pulls.lock().unwrap();
    let key = (format!("{owner}:{}", text("head")), text("base"));
    if pulls.contains(&key) {
        return failed(&format!("A pull request already exists for {}.", key.0));
    }
    pulls.push(key);
    made(pull(pulls.len()))
}

fn pull(number: usize) -> Value {
    json!({ "number": number, "html_url": format!("https://github.example.com/pull/{number}") })
}

#[derive(Deserialize)]
struct Between {
    head: String,
    base: String,
    state: String,
}

async fn pulls(State(shared): App, Query(between): Query<Between>) -> Response {
    assert_eq!(between.state, "open");
    let pulls = shared.pulls.lock().unwrap();
    let at = pulls.iter().position(|pull| *pull == (between.head.clone(), between.base.clone()));
    Json(at.map(|at| pull(at + 1)).into_iter().collect::<Vec<_>>()).into_response()
}
