//! Changes to a repository: commits through the Git data API, branches, and pull requests.

use std::collections::HashMap;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use rad_core::error::BackendError;
use rad_core::repo::{FileChange, NewCommit, Proposal, RepoAccess, RepoError, RepoWriter, Standing};
use rad_core::source::{CommitId, TreeEntry};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::ask::Ask;
use super::failure::ApiError;
use super::name::{encoded, is_branch};
use super::source::{At, GitHub};

/// Bytes of text that are sent along with a tree; longer files and others go on their own.
const INLINE: usize = 256 << 10;
/// Entries of a tree that GitHub lists at once.
const LISTED: u64 = 100_000;

/// An open pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PullRequest {
    /// Its number within the repository.
    pub number: u64,
    /// Its page.
    #[serde(rename = "html_url")]
    pub url: String,
}

#[derive(Deserialize)]
struct Object {
    sha: CommitId,
}

#[derive(Deserialize)]
struct Reference {
    object: Object,
}

#[derive(Deserialize)]
struct CommitObject {
    tree: Object,
}

#[derive(Deserialize)]
struct Listing {
    tree: Vec<Listed>,
    truncated: bool,
}

#[derive(Deserialize)]
struct Listed {
    path: String,
    r#type: String,
}

/// Through the Git data API. After a [`Backend`](RepoError::Backend) failure nothing was changed, unless its cause says that
/// this is not known.
#[async_trait]
impl RepoWriter for GitHub {
    async fn commit(&self, repo: RepoAccess<'_>, commit: NewCommit<'_>) -> Result<CommitId, RepoError> {
        let at = self.at(repo).await?;
        let actual = self.branch_at(&at, commit.branch).await?;
        if actual != *commit.base {
            return Err(moved(commit, actual));
        }
        let made = self.write_commit(&at, commit).await?;
        let path = format!("/git/refs/heads/{}", in_path(commit.branch));
        let ask = ask(Method::PATCH, &at, &path, &json!({ "sha": made, "force": false }))?;
        match self.asked(&at.who, &ask).await {
            Ok(_) => Ok(made),
            Err(ApiError::Failed(cause)) => self.after_doubt(&at, commit, made, cause).await,
            Err(error) if error.is(StatusCode::UNPROCESSABLE_ENTITY) => {
                let actual = self.branch_at(&at, commit.branch).await?;
                if actual == *commit.base {
                    Err(self.told(&at, error).await)
                } else {
                    Err(moved(commit, actual))
                }
            }
            Err(error) => Err(self.told(&at, error).await),
        }
    }

    async fn create_branch(
        &self,
        repo: RepoAccess<'_>,
        branch: &str,
        commit: &CommitId,
    ) -> Result<(), RepoError> {
        GitHub::create_branch(self, repo, branch, commit).await
    }

    async fn propose(
        &self,
        repo: RepoAccess<'_>,
        proposal: &Proposal<'_>,
    ) -> Result<Option<String>, RepoError> {
        Ok(Some(GitHub::propose(self, repo, proposal).await?.url))
    }
}

impl GitHub {
    /// Makes a branch that begins at a commit.
    ///
    /// # Errors
    /// [`Refused`](RepoError::Refused) if there is one of that name elsewhere.
    pub async fn create_branch(
        &self,
        repo: RepoAccess<'_>,
        branch: &str,
        commit: &CommitId,
    ) -> Result<(), RepoError> {
        let at = self.at(repo).await?;
        let repository = at.name.full;
        if !is_branch(branch) {
            let reason = format!("{branch:?} is no name of a branch: use letters, digits, '-', '_' and '/'");
            return Err(RepoError::Refused { repository: repository.to_owned(), reason });
        }
        let made = json!({ "ref": format!("refs/heads/{branch}"), "sha": commit });
        let ask = ask(Method::POST, &at, "/git/refs", &made)?;
        match self.asked(&at.who, &ask).await {
            Ok(_) => Ok(()),
            Err(error @ (ApiError::Failed(_) | ApiError::Refused(_))) => {
                // The answer may have been lost after the branch was made.
                match self.branch_at(&at, branch).await {
                    Ok(actual) if actual == *commit => Ok(()),
                    _ => Err(self.told(&at, error).await),
                }
            }
            Err(error) => Err(error.about(repository)),
        }
    }

    /// Opens a pull request; the one that is open already if there is one from and into the same branches.
    ///
    /// # Errors
    /// [`Refused`](RepoError::Refused) if there is nothing between the branches, or no such branch.
    pub async fn propose(
        &self,
        repo: RepoAccess<'_>,
        proposal: &Proposal<'_>,
    ) -> Result<PullRequest, RepoError> {
        let at = self.at(repo).await?;
        let repository = at.name.full;
        let opened = json!({
            "title": proposal.title, "body": proposal.body, "head": proposal.from, "base": proposal.into,
        });
        let ask = ask(Method::POST, &at, "/pulls", &opened)?;
        let refusal = match self.asked(&at.who, &ask).await {
            Ok(answer) => return answer.json().map_err(|e| e.about(repository)),
            Err(error @ (ApiError::Failed(_) | ApiError::Refused(_))) => error,
            Err(error) => return Err(error.about(repository)),
        };
        let head = encoded(&format!("{}:{}", at.name.owner, proposal.from));
        let query = format!("/pulls?state=open&head={head}&base={}", encoded(proposal.into));
        let open = self.asked(&at.who, &Ask::get(at.path(&query))).await;
        let open: Vec<PullRequest> = open.and_then(|answer| answer.json()).unwrap_or_default();
        match open.into_iter().next() {
            Some(open) => Ok(open),
            None => Err(self.told(&at, refusal).await),
        }
    }

    /// Where a branch stands, read anew.
    async fn branch_at(&self, at: &At<'_>, branch: &str) -> Result<CommitId, RepoError> {
        if !is_branch(branch) {
            return Err(self.no_branch(at, branch).await);
        }
        let path = at.path(&format!("/git/ref/heads/{}", in_path(branch)));
        match self.json::<Reference>(at, &Ask::get(path)).await {
            Ok(found) => Ok(found.object.sha),
            Err(RepoError::NotFound { .. }) => Err(self.no_branch(at, branch).await),
            Err(error) => Err(error),
        }
    }

    /// Writes files, tree and commit. Until a branch leads to them nobody sees them, and GitHub clears them away.
    async fn write_commit(&self, at: &At<'_>, commit: NewCommit<'_>) -> Result<CommitId, RepoError> {
        let path = at.path(&format!("/git/commits/{}", commit.base));
        let base: CommitObject = self.json(at, &Ask::get(path)).await?;
        let standing = self.standing(at, &base.tree.sha).await?;
        commit.check(at.name.full, |path| Ok(standing.get(path).copied()))?;
        let mut entries = Vec::with_capacity(commit.changes.len());
        for change in commit.changes {
            entries.push(self.tree_entry(at, change).await?);
        }
        let tree = json!({ "base_tree": base.tree.sha, "tree": entries });
        let tree: Object = self.write(at, "/git/trees", &tree).await?;
        let made = json!({ "message": commit.message, "tree": tree.sha, "parents": [commit.base] });
        let made: Object = self.write(at, "/git/commits", &made).await?;
        Ok(made.sha)
    }

    /// What stands at each path of a tree: GitHub itself would put a file over a directory without a word.
    async fn standing(&self, at: &At<'_>, tree: &CommitId) -> Result<HashMap<String, Standing>, RepoError> {
        let path = at.path(&format!("/git/trees/{tree}?recursive=1"));
        let listing: Listing = self.json(at, &Ask::get(path)).await?;
        if listing.truncated {
            let what = "the number of files and directories".to_owned();
            return Err(RepoError::TooLarge { what, limit: LISTED });
        }
        let standing = |entry: Listed| match entry.r#type.as_str() {
            "blob" => (entry.path, Standing::File),
            _ => (entry.path, Standing::Directory),
        };
        Ok(listing.tree.into_iter().map(standing).collect())
    }

    async fn tree_entry(&self, at: &At<'_>, change: &FileChange) -> Result<Value, RepoError> {
        let path = change.path();
        let FileChange::Put { entry, .. } = change else {
            return Ok(json!({ "path": path, "mode": "100644", "type": "blob", "sha": null }));
        };
        let (mode, bytes) = match entry {
            TreeEntry::File { bytes, executable: false } => ("100644", bytes.as_ref()),
            TreeEntry::File { bytes, executable: true } => ("100755", bytes.as_ref()),
            TreeEntry::Symlink { target } => ("120000", target.as_bytes()),
        };
        let text =
            std::str::from_utf8(bytes).ok().filter(|text| text.len() <= INLINE && !text.contains('\0'));
        if let Some(text) = text {
            return Ok(json!({ "path": path, "mode": mode, "type": "blob", "content": text }));
        }
        let blob = json!({ "content": STANDARD.encode(bytes), "encoding": "base64" });
        let blob: Object = self.write(at, "/git/blobs", &blob).await?;
        Ok(json!({ "path": path, "mode": mode, "type": "blob", "sha": blob.sha }))
    }

    /// Writes an object, which may be done twice: it is named by its content, or nothing leads to it yet.
    async fn write<T: DeserializeOwned>(
        &self,
        at: &At<'_>,
        path: &str,
        object: &Value,
    ) -> Result<T, RepoError> {
        self.json(at, &ask(Method::POST, at, path, object)?.repeatable()).await
    }

    /// What became of a branch whose update was not answered.
    async fn after_doubt(
        &self,
        at: &At<'_>,
        commit: NewCommit<'_>,
        made: CommitId,
        cause: Box<dyn std::error::Error + Send + Sync>,
    ) -> Result<CommitId, RepoError> {
        match self.branch_at(at, commit.branch).await {
            Ok(actual) if actual == made => Ok(made),
            Ok(actual) if actual == *commit.base => Err(ApiError::Failed(cause).about(at.name.full)),
            _ => {
                let cause =
                    format!("it is not known whether {} became {made}: look at it ({cause})", commit.branch);
                Err(BackendError::permanent("moving a branch", cause).into())
            }
        }
    }
}

fn ask(method: Method, at: &At<'_>, path: &str, body: &Value) -> Result<Ask, RepoError> {
    Ask::write(method, at.path(path), body).map_err(|e| e.about(at.name.full))
}

fn moved(commit: NewCommit<'_>, actual: CommitId) -> RepoError {
    RepoError::Moved { branch: commit.branch.to_owned(), expected: commit.base.clone(), actual: Some(actual) }
}

/// A branch in a path, where its slashes stay.
fn in_path(branch: &str) -> String {
    branch.split('/').map(encoded).collect::<Vec<_>>().join("/")
}
