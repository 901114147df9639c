//! The few paths of GitHub's API that a sync asks for, with one repository of one branch.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use flate2::Compression;
use flate2::write::GzEncoder;
use rad_core::access::Publisher;
use rad_core::repo::RepoAccess;
use rad_core::source::{SourceTree, TreeEntry};
use secrecy::SecretString;

/// The server.
pub(crate) struct Server {
    address: String,
    served: Arc<Served>,
}

struct Served {
    head: Mutex<Commit>,
    calls: AtomicUsize,
}

#[derive(Clone)]
struct Commit {
    name: String,
    archive: Bytes,
}

impl Served {
    /// The head, for one more call.
    fn asked(&self) -> Commit {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Server {
    pub(crate) async fn start(tree: &SourceTree) -> anyhow::Result<Self> {
        let head = Mutex::new(Commit::of(tree)?);
        let served = Arc::new(Served { head, calls: AtomicUsize::new(0) });
        let app = Router::new()
            .route("/user", get(owner))
            .route("/graphql", post(default_head))
            .route("/repos/octo/modules/commits", get(newest))
            .route("/repos/octo/modules/tarball/{commit}", get(archive))
            .with_state(Arc::clone(&served));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        tokio::spawn(std::future::IntoFuture::into_future(axum::serve(listener, app)));
        Ok(Self { address, served })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The repository, opened with a token.
    pub(crate) fn access<'a>(&self, token: &'a SecretString) -> RepoAccess<'a> {
        RepoAccess { repository: "octo/modules", publisher: Publisher::Platform, credential: Some(token) }
    }

    /// Puts another commit on the branch.
    pub(crate) fn push(&self, tree: &SourceTree) -> anyhow::Result<()> {
        let commit = Commit::of(tree)?;
        *self.served.head.lock().unwrap_or_else(PoisonError::into_inner) = commit;
        Ok(())
    }

    /// Bytes of the archive.
    pub(crate) fn packed(&self) -> usize {
        self.served.head.lock().unwrap_or_else(PoisonError::into_inner).archive.len()
    }

    /// Calls since the last time.
    pub(crate) fn calls(&self) -> usize {
        self.served.calls.swap(0, Ordering::Relaxed)
    }
}

impl Commit {
    /// A commit of this tree alone, named by it.
    fn of(tree: &SourceTree) -> anyhow::Result<Self> {
        let name = tree.digest().to_string().chars().take(40).collect();
        Ok(Self { name, archive: packed(tree)?.into() })
    }

    fn tag(&self) -> String {
        format!("\"{}\"", self.name)
    }
}

/// A tree as GitHub archives a commit: everything in one directory.
fn packed(tree: &SourceTree) -> anyhow::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (path, entry) in tree.iter() {
        let TreeEntry::File { bytes, .. } = entry else { continue };
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("octo-modules-1212121/{path}"), bytes.as_ref())?;
    }
    let mut packed = archive.into_inner()?;
    packed.flush()?;
    Ok(packed.finish()?)
}

async fn default_head(State(served): State<Arc<Served>>) -> Response {
    let commit = served.asked().name;
    let target = format!("{{\"oid\":\"{commit}\",\"committedDate\":\"2026-01-01T00:00:00Z\"}}");
    let branch = format!("{{\"name\":\"main\",\"target\":{target}}}");
    json(format!("{{\"data\":{{\"repository\":{{\"defaultBranchRef\":{branch}}}}}}}"))
}

async fn newest(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response {
    let head = served.asked();
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == head.tag().as_bytes()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([(ETAG, head.tag())], json(format!("[{{\"sha\":\"{}\"}}]", head.name))).into_response()
}

async fn archive(State(served): State<Arc<Served>>) -> Bytes {
    served.asked().archive
}

/// Whose the token is.
async fn owner() -> Response {
    ([("X-OAuth-Scopes", "repo")], json("{\"login\":\"octo\"}".to_owned())).into_response()
}

fn json(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}
