//! What the server answers, by path.

use std::sync::Arc;

use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use rad_core::repo::Head;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls_pki_types::PrivatePkcs1KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::server::Shared;
use super::tokens::APP_KEY;

pub(super) type App = State<Arc<Shared>>;

/// Every path, as github.com and as Enterprise Server have it.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .merge(api())
        .nest("/api/v3", api())
        .route("/graphql", post(graphql))
        .route("/api/graphql", post(graphql))
        .route("/codeload/{owner}/{name}/{commit}", get(codeload))
}

fn api() -> Router<Arc<Shared>> {
    Router::new()
        .merge(super::git_data::routes())
        .route("/user", get(user))
        .route("/app/installations/{installation}/access_tokens", post(access_token))
        .route("/installation/repositories", get(installation_repositories))
        .route("/user/repos", get(user_repos))
        .route("/repos/{owner}/{name}", get(repository))
        .route("/repos/{owner}/{name}/branches", get(branches))
        .route("/repos/{owner}/{name}/branches/{branch}", get(branch))
        .route("/repos/{owner}/{name}/commits", get(commits))
        .route("/repos/{owner}/{name}/tarball/{commit}", get(tarball))
        .route("/repos/{owner}/{name}/contents/{*path}", get(contents))
}

pub(super) fn refuse(status: u16, message: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(json!({ "message": message }))).into_response()
}

#[derive(Deserialize)]
struct Paging {
    page: Option<usize>,
    per_page: Option<usize>,
}

/// A page of a list, with links to the next one.
async fn paged(shared: &Shared, request_path: &str, paging: &Paging, all: Vec<Value>) -> Response {
    let size = paging.per_page.unwrap_or(30).min(*shared.page.lock().unwrap());
    let page = paging.page.unwrap_or(1);
    let (from, to) = ((page - 1) * size, page * size);
    let more = to < all.len();
    let items: Vec<Value> = all.into_iter().skip(from).take(size).collect();
    let mut response = Json(items).into_response();
    if more {
        let address = shared.address.lock().unwrap().clone();
        let link = |page: usize| format!("<{address}{request_path}?per_page={size}&page={page}>");
        let links = format!("{}; rel=\"next\", {}; rel=\"first\"", link(page + 1), link(1));
        response.headers_mut().insert(header::LINK, links.parse().unwrap());
    }
    response
}

fn described(name: String, default: Option<String>) -> Value {
    // A very small repository has the size of an empty one.
    let size = if default.is_none() || name.contains("tiny") { 0 } else { 12 };
    json!({
        "full_name": name,
        "default_branch": default.unwrap_or_else(|| "main".to_owned()),
        "private": name.contains("private"),
        "visibility": if name.contains("private") { "private" } else { "public" },
        "archived": name.contains("archived"),
        "size": size,
        "permissions": { "admin": name.contains("owned"), "push": !name.contains("readonly"), "pull": true },
        "owner": { "login": name.split('/').next() },
    })
}

fn asked_with(headers: &HeaderMap) -> &str {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
}

async fn user(headers: HeaderMap) -> Response {
    let scopes = match asked_with(&headers) {
        "ghp_good" => Some("repo, workflow"),
        "ghp_poor" => Some("read:org, gist"),
        "ghp_none" => Some(""),
        "" => return refuse(401, "Requires authentication"),
        _ => None,
    };
    let mut response = Json(json!({ "login": "octo" })).into_response();
    let told = response.headers_mut();
    match scopes {
        Some(scopes) => told.insert("x-oauth-scopes", scopes.parse().unwrap()),
        None => {
            told.insert("github-authentication-token-expiration", "2027-01-31 10:00:00 UTC".parse().unwrap())
        }
    };
    response
}

/// A token for an hour, for who signs with the key of the App.
async fn access_token(Path(installation): Path<u64>, headers: HeaderMap) -> Response {
    let parts: Vec<&str> = asked_with(&headers).split('.').collect();
    let [head, claims, signature] = parts[..] else { return refuse(401, "A JSON web token is needed") };
    let key = PrivatePkcs1KeyDer::from_pem_slice(APP_KEY.as_bytes()).unwrap();
    let key = RsaKeyPair::from_der(key.secret_pkcs1_der()).unwrap();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref().to_vec());
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    key.verify(format!("{head}.{claims}").as_bytes(), &signature).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let (from, until) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert_eq!((claims["iss"].as_str(), until - from <= 600, installation), (Some("Iv1.app"), true, 4711));
    let expires_at = DateTime::from_timestamp(from + 3_660, 0);
    (StatusCode::CREATED, Json(json!({ "token": "ghs_installed", "expires_at": expires_at }))).into_response()
}

async fn installation_repositories(State(shared): App, headers: HeaderMap) -> Response {
    if asked_with(&headers) != "ghs_installed" {
        return refuse(403, "You must authenticate with an installation access token");
    }
    let listed = shared.store.list().await.into_iter();
    let all: Vec<Value> = listed.map(|(name, default)| described(name, default)).collect();
    Json(json!({ "total_count": all.len(), "repositories": all })).into_response()
}

async fn user_repos(
    State(shared): App,
    Query(paging): Query<Paging>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Response {
    if !headers.contains_key(header::AUTHORIZATION) {
        return refuse(401, "Requires authentication");
    }
    let mut all = Vec::new();
    for (name, default) in shared.store.list().await {
        all.push(described(name, default));
    }
    paged(&shared, uri.path(), &paging, all).await
}

/// `owner/name`, if it exists.
fn known(shared: &Shared, owner: &str, name: &str) -> Option<String> {
    Some(format!("{owner}/{name}")).filter(|repository| shared.store.exists(repository))
}

fn not_found() -> Response {
    refuse(404, "Not Found")
}

async fn repository(
    State(shared): App,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if name == "hidden" && asked_with(&headers).starts_with("github_pat_") {
        return not_found();
    }
    let Some(name) = known(&shared, &owner, &name) else { return not_found() };
    let default = shared.store.head(&name, None).await.ok().map(|head| head.branch);
    Json(described(name, default)).into_response()
}

async fn branches(
    State(shared): App,
    Path((owner, name)): Path<(String, String)>,
    Query(paging): Query<Paging>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Response {
    if asked_with(&headers) == "github_pat_metadata" {
        let mut response = refuse(403, "Resource not accessible by personal access token");
        response.headers_mut().insert("x-accepted-github-permissions", "contents=read".parse().unwrap());
        return response;
    }
    let Some(name) = known(&shared, &owner, &name) else { return not_found() };
    let branches = shared.store.branches(&name).await;
    let all = branches.into_iter().map(|branch| json!({ "name": branch })).collect();
    paged(&shared, uri.path(), &paging, all).await
}

fn commit_json(head: &Head) -> Value {
    json!({ "sha": head.commit, "commit": { "committer": { "date": head.committed_at } } })
}

async fn branch(State(shared): App, Path((owner, name, branch)): Path<(String, String, String)>) -> Response {
    let Some(name) = known(&shared, &owner, &name) else { return not_found() };
    match shared.store.head(&name, Some(&branch)).await {
        Ok(head) => Json(json!({ "name": head.branch, "commit": commit_json(&head) })).into_response(),
        Err(_) => refuse(404, "Branch not found"),
    }
}

async fn commits(State(shared): App, Path((owner, name)): Path<(String, String)>) -> Response {
    let Some(name) = known(&shared, &owner, &name) else { return not_found() };
    match shared.store.head(&name, None).await {
        Ok(head) => Json(json!([commit_json(&head)])).into_response(),
        Err(_) => refuse(409, "Git Repository is empty."),
    }
}

async fn graphql(State(shared): App, headers: HeaderMap, Json(question): Json<Value>) -> Response {
    if !headers.contains_key(header::AUTHORIZATION) {
        return refuse(401, "This endpoint requires you to be authenticated.");
    }
    let text = |name: &str| question["variables"][name].as_str().unwrap().to_owned();
    let Some(name) = known(&shared, &text("owner"), &text("name")) else {
        let errors = json!([{ "type": "NOT_FOUND", "message": "Could not resolve to a Repository" }]);
        return Json(json!({ "data": { "repository": null }, "errors": errors })).into_response();
    };
    let branch = match shared.store.head(&name, None).await {
        Ok(head) => json!({
            "name": head.branch,
            "target": { "oid": head.commit, "committedDate": head.committed_at },
        }),
        Err(_) => Value::Null,
    };
    Json(json!({ "data": { "repository": { "defaultBranchRef": branch } } })).into_response()
}

/// The API sends to another server for archives.
async fn tarball(
    State(shared): App,
    Path((owner, name, commit)): Path<(String, String, String)>,
) -> Response {
    if known(&shared, &owner, &name).is_none() {
        return not_found();
    }
    // `localhost` is another authority than the address of the API.
    let address = shared.address.lock().unwrap().replace("127.0.0.1", "localhost");
    let location = format!("{address}/codeload/{owner}/{name}/{commit}?token=once");
    (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
}

async fn codeload(
    State(shared): App,
    Path((owner, name, commit)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    assert!(!headers.contains_key(header::AUTHORIZATION), "the token stays with the API");
    let instead = shared.archive.lock().unwrap().clone();
    let archive = match instead {
        Some(archive) => Some(archive),
        None => shared.store.archive(&format!("{owner}/{name}"), &commit).await,
    };
    match archive {
        Some(archive) => ([(header::CONTENT_TYPE, "application/x-gzip")], archive).into_response(),
        None => not_found(),
    }
}

#[derive(Deserialize)]
struct Revision {
    r#ref: String,
}

async fn contents(
    State(shared): App,
    Path((owner, name, path)): Path<(String, String, String)>,
    Query(revision): Query<Revision>,
) -> Response {
    let Some(name) = known(&shared, &owner, &name) else { return not_found() };
    let commit = match shared.store.head(&name, Some(&revision.r#ref)).await {
        Ok(head) => Some(head.commit),
        Err(_) => revision.r#ref.parse().ok(),
    };
    let Some(commit) = commit else { return refuse(404, "No commit found for the ref") };
    let Ok(tree) = shared.store.tree(&name, &commit).await else { return not_found() };
    if let Some(bytes) = tree.file(&path) {
        return ([(header::CONTENT_TYPE, "application/vnd.github.raw+json; charset=utf-8")], bytes.clone())
            .into_response();
    }
    if tree.directory(&path).is_empty() {
        return not_found();
    }
    Json(json!([{ "type": "file" }])).into_response()
}
