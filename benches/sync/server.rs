//! The few paths of GitHub's API that a sync asks for, with one repository of one commit.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use flate2::Compression;
use flate2::write::GzEncoder;
use rad_core::repo::RepoAccess;
use rad_core::source::{SourceTree, TreeEntry};
use secrecy::SecretString;

const COMMIT: &str = "1212121212121212121212121212121212121212";
const TAG: &str = "\"1212\"";

/// The server.
pub(crate) struct Server {
    address: String,
    served: Arc<Served>,
}

struct Served {
    archive: Bytes,
    calls: AtomicUsize,
}

impl Server {
    pub(crate) async fn start(tree: &SourceTree) -> anyhow::Result<Self> {
        let served = Arc::new(Served { archive: packed(tree)?.into(), calls: AtomicUsize::new(0) });
        let app = Router::new()
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
        RepoAccess { repository: "octo/modules", credential: Some(token) }
    }

    /// Bytes of the archive.
    pub(crate) fn packed(&self) -> usize {
        self.served.archive.len()
    }

    /// Calls since the last time.
    pub(crate) fn calls(&self) -> usize {
        self.served.calls.swap(0, Ordering::Relaxed)
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
    served.calls.fetch_add(1, Ordering::Relaxed);
    let target = format!("{{\"oid\":\"{COMMIT}\",\"committedDate\":\"2026-01-01T00:00:00Z\"}}");
    let branch = format!("{{\"name\":\"main\",\"target\":{target}}}");
    json(format!("{{\"data\":{{\"repository\":{{\"defaultBranchRef\":{branch}}}}}}}"))
}

async fn newest(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response {
    served.calls.fetch_add(1, Ordering::Relaxed);
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known == TAG) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let mut answer = json(format!("[{{\"sha\":\"{COMMIT}\"}}]"));
    answer.headers_mut().insert(ETAG, axum::http::HeaderValue::from_static(TAG));
    answer
}

async fn archive(State(served): State<Arc<Served>>) -> Bytes {
    served.calls.fetch_add(1, Ordering::Relaxed);
    served.archive.clone()
}

fn json(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}
