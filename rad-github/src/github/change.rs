//! Changes to a repository: commits through the Git data API, branches, and pull requests.

use std::collections::HashMap;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use rad_core::error::BackendError;
use rad_core::repo::{FileChange, NewCommit, RepoAccess, RepoError, RepoWriter, Standing};
use rad_core::source::{CommitId, TreeEntry};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Ask, Who};
use super::failure::ApiError;
use super::name::{RepoName, encoded, is_branch};
use super::source::GitHub;

/// Bytes of text that are sent along with a tree; longer files and others go on their own.
const INLINE: usize = 256 << 10;
/// Entries of a tree that GitHub lists at once.
const LISTED: u64 = 100_000;

/// A pull request to open.
#[derive(Debug, Clone, Copy)]
pub struct Proposal<'a> {
    /// The branch with the changes.
    pub from: &'a str,
    /// The branch that they are to go to.
    pub into: &'a str,
    /// Its title.
    pub title: &'a str,
    /// What it is about, in Markdown.
    pub body: &'a str,
}

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
        let repository = repo.repository;
        RepoName::parse(repository)?;
        let who = self.who(repo.credential).await?;
        let actual = self.branch_at(&who, repository, commit.branch).await?;
        if actual != *commit.base {
            return Err(moved(commit, actual));
        }
        let made = self.write_commit(&who, repository, commit).await?;
        let path = format!("/git/refs/heads/{}", in_path(commit.branch));
        let ask = ask(Method::PATCH, repository, &path, &json!({ "sha": made, "force": false }))?;
        match self.inner.transport.ask(&who, &ask).await {
            Ok(_) => Ok(made),
            Err(ApiError::Failed(cause)) => self.after_doubt(&who, repository, commit, made, cause).await,
            Err(error) if error.is(StatusCode::UNPROCESSABLE_ENTITY) => {
                let actual = self.branch_at(&who, repository, commit.branch).await?;
                if actual == *commit.base { Err(error.about(repository)) } else { Err(moved(commit, actual)) }
            }
            Err(error) => Err(error.about(repository)),
        }
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
        at: &CommitId,
    ) -> Result<(), RepoError> {
        let repository = repo.repository;
        RepoName::parse(repository)?;
        if !is_branch(branch) {
            let reason = format!("{branch:?} is no name of a branch: use letters, digits, '-', '_' and '/'");
            return Err(RepoError::Refused { repository: repository.to_owned(), reason });
        }
        let who = self.who(repo.credential).await?;
        let made = json!({ "ref": format!("refs/heads/{branch}"), "sha": at });
        let ask = ask(Method::POST, repository, "/git/refs", &made)?;
        match self.inner.transport.ask(&who, &ask).await {
            Ok(_) => Ok(()),
            Err(error @ (ApiError::Failed(_) | ApiError::Refused(_))) => {
                // The answer may have been lost after the branch was made.
                match self.branch_at(&who, repository, branch).await {
                    Ok(actual) if actual == *at => Ok(()),
                    _ => Err(error.about(repository)),
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
        let repository = repo.repository;
        let name = RepoName::parse(repository)?;
        let who = self.who(repo.credential).await?;
        let opened = json!({
            "title": proposal.title, "body": proposal.body, "head": proposal.from, "base": proposal.into,
        });
        let ask = ask(Method::POST, repository, "/pulls", &opened)?;
        let refusal = match self.inner.transport.ask(&who, &ask).await {
            Ok(answer) => return answer.json().map_err(|e| e.about(repository)),
            Err(error @ (ApiError::Failed(_) | ApiError::Refused(_))) => error,
            Err(error) => return Err(error.about(repository)),
        };
        let head = encoded(&format!("{}:{}", name.owner, proposal.from));
        let query = format!("/pulls?state=open&head={head}&base={}", encoded(proposal.into));
        let open = self.inner.transport.ask(&who, &Ask::get(name.path(&query))).await;
        let open: Vec<PullRequest> = open.and_then(|answer| answer.json()).unwrap_or_default();
        open.into_iter().next().ok_or_else(|| refusal.about(repository))
    }

    /// Where a branch stands, read anew.
    async fn branch_at(&self, who: &Who, repository: &str, branch: &str) -> Result<CommitId, RepoError> {
        if !is_branch(branch) {
            return Err(self.no_branch(who, repository, branch).await);
        }
        let path = RepoName::parse(repository)?.path(&format!("/git/ref/heads/{}", in_path(branch)));
        match self.ask(who, &Ask::get(path), repository).await {
            Ok(answer) => {
                let found: Reference = answer.json().map_err(|e| e.about(repository))?;
                Ok(found.object.sha)
            }
            Err(RepoError::NotFound { .. }) => Err(self.no_branch(who, repository, branch).await),
            Err(error) => Err(error),
        }
    }

    /// Writes files, tree and commit. Until a branch leads to them nobody sees them, and GitHub clears them away.
    async fn write_commit(
        &self,
        who: &Who,
        repository: &str,
        commit: NewCommit<'_>,
    ) -> Result<CommitId, RepoError> {
        let path = RepoName::parse(repository)?.path(&format!("/git/commits/{}", commit.base));
        let base = self.ask(who, &Ask::get(path), repository).await?;
        let base: CommitObject = base.json().map_err(|e| e.about(repository))?;
        let standing = self.standing(who, repository, &base.tree.sha).await?;
        commit.check(repository, |path| Ok(standing.get(path).copied()))?;
        let mut entries = Vec::with_capacity(commit.changes.len());
        for change in commit.changes {
            entries.push(self.tree_entry(who, repository, change).await?);
        }
        let tree = json!({ "base_tree": base.tree.sha, "tree": entries });
        let tree: Object = self.write(who, repository, "/git/trees", &tree).await?;
        let made = json!({ "message": commit.message, "tree": tree.sha, "parents": [commit.base] });
        let made: Object = self.write(who, repository, "/git/commits", &made).await?;
        Ok(made.sha)
    }

    /// What stands at each path of a tree: GitHub itself would put a file over a directory without a word.
    async fn standing(
        &self,
        who: &Who,
        repository: &str,
        tree: &CommitId,
    ) -> Result<HashMap<String, Standing>, RepoError> {
        let path = RepoName::parse(repository)?.path(&format!("/git/trees/{tree}?recursive=1"));
        let listing = self.ask(who, &Ask::get(path), repository).await?;
        let listing: Listing = listing.json().map_err(|e| e.about(repository))?;
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

    async fn tree_entry(&self, who: &Who, repository: &str, change: &FileChange) -> Result<Value, RepoError> {
        let path = change.path();
        // What Git itself reads there would be its own settings; no two spellings of it are told apart everywhere.
        if path.split('/').any(|name| name.eq_ignore_ascii_case(".git")) {
            return Err(RepoError::UnusablePath { path: path.to_owned() });
        }
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
        let blob: Object = self.write(who, repository, "/git/blobs", &blob).await?;
        Ok(json!({ "path": path, "mode": mode, "type": "blob", "sha": blob.sha }))
    }

    /// Writes an object, which may be done twice: it is named by its content, or nothing leads to it yet.
    async fn write<T: for<'de> Deserialize<'de>>(
        &self,
        who: &Who,
        repository: &str,
        path: &str,
        object: &Value,
    ) -> Result<T, RepoError> {
        let ask = ask(Method::POST, repository, path, object)?.repeatable();
        let answer = self.ask(who, &ask, repository).await?;
        answer.json().map_err(|e| e.about(repository))
    }

    /// What became of a branch whose update was not answered.
    async fn after_doubt(
        &self,
        who: &Who,
        repository: &str,
        commit: NewCommit<'_>,
        made: CommitId,
        cause: Box<dyn std::error::Error + Send + Sync>,
    ) -> Result<CommitId, RepoError> {
        match self.branch_at(who, repository, commit.branch).await {
            Ok(actual) if actual == made => Ok(made),
            Ok(actual) if actual == *commit.base => Err(ApiError::Failed(cause).about(repository)),
            _ => {
                let cause =
                    format!("it is not known whether {} became {made}: look at it ({cause})", commit.branch);
                Err(BackendError::permanent("moving a branch", cause).into())
            }
        }
    }
}

fn ask(method: Method, repository: &str, path: &str, body: &Value) -> Result<Ask, RepoError> {
    let path = RepoName::parse(repository)?.path(path);
    Ask::write(method, path, body).map_err(|e| e.about(repository))
}

fn moved(commit: NewCommit<'_>, actual: CommitId) -> RepoError {
    RepoError::Moved { branch: commit.branch.to_owned(), expected: commit.base.clone(), actual: Some(actual) }
}

/// A branch in a path, where its slashes stay.
fn in_path(branch: &str) -> String {
    branch.split('/').map(encoded).collect::<Vec<_>>().join("/")
}
