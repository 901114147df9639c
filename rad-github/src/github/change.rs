//! Changes to a repository: commits through the Git data API, branches, and pull requests.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use rad_core::error::BackendError;
use rad_core::repo::{RepoAccess, RepoError};
use rad_core::source::{CommitId, SourceTree, TreeEntry};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Ask, Who};
use super::failure::ApiError;
use super::name::{RepoName, encoded, is_branch};
use super::source::GitHub;

/// Bytes of text that are sent along with a tree; longer files and others go on their own.
const INLINE: usize = 256 << 10;

/// What happens to a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// It is added or replaced.
    Put(TreeEntry),
    /// It is removed.
    Remove,
}

/// A set of changes to become one commit.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// The branch it goes on top of.
    pub branch: &'a str,
    /// The commit it was made for, which must be the branch's head.
    pub base: &'a CommitId,
    /// What happens, by path from the root of the repository.
    pub edits: &'a BTreeMap<String, Edit>,
    /// What the commit says.
    pub message: &'a str,
}

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

impl GitHub {
    /// Commits a set of changes, all or nothing, in the name of the credential's owner.
    ///
    /// # Errors
    /// [`Moved`](RepoError::Moved) if the branch is not at the base (any more), [`NoBranch`](RepoError::NoBranch),
    /// [`Refused`](RepoError::Refused) by GitHub's rules or for a set that is empty or removes what is not there,
    /// [`UnusablePath`](RepoError::UnusablePath). After a [`Backend`](RepoError::Backend) failure nothing was
    /// changed, unless its cause says that this is not known.
    pub async fn commit(&self, repo: RepoAccess<'_>, change: &Change<'_>) -> Result<CommitId, RepoError> {
        let repository = repo.repository;
        RepoName::parse(repository)?;
        check(repository, change.edits)?;
        let who = self.who(repo.credential).await?;
        let actual = self.branch_at(&who, repository, change.branch).await?;
        if actual != *change.base {
            return Err(moved(change, Some(actual)));
        }
        let commit = self.write_commit(&who, repository, change).await?;
        let path = format!("/git/refs/heads/{}", in_path(change.branch));
        let ask = ask(Method::PATCH, repository, &path, &json!({ "sha": commit, "force": false }))?;
        match self.inner.transport.ask(&who, &ask).await {
            Ok(_) => Ok(commit),
            Err(ApiError::Failed(cause)) => self.after_doubt(&who, repository, change, commit, cause).await,
            Err(error) if error.is(StatusCode::UNPROCESSABLE_ENTITY) => {
                let actual = self.branch_at(&who, repository, change.branch).await?;
                if actual == *change.base {
                    Err(error.about(repository))
                } else {
                    Err(moved(change, Some(actual)))
                }
            }
            Err(error) => Err(error.about(repository)),
        }
    }

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
        change: &Change<'_>,
    ) -> Result<CommitId, RepoError> {
        let path = RepoName::parse(repository)?.path(&format!("/git/commits/{}", change.base));
        let base = self.ask(who, &Ask::get(path), repository).await?;
        let base: CommitObject = base.json().map_err(|e| e.about(repository))?;
        let mut entries = Vec::with_capacity(change.edits.len());
        for (path, edit) in change.edits {
            entries.push(self.tree_entry(who, repository, path, edit).await?);
        }
        let tree = json!({ "base_tree": base.tree.sha, "tree": entries });
        let tree: Object = self.write(who, repository, "/git/trees", &tree).await?;
        let commit = json!({ "message": change.message, "tree": tree.sha, "parents": [change.base] });
        let commit: Object = self.write(who, repository, "/git/commits", &commit).await?;
        Ok(commit.sha)
    }

    async fn tree_entry(
        &self,
        who: &Who,
        repository: &str,
        path: &str,
        edit: &Edit,
    ) -> Result<Value, RepoError> {
        let (mode, bytes) = match edit {
            Edit::Remove => {
                return Ok(json!({ "path": path, "mode": "100644", "type": "blob", "sha": null }));
            }
            Edit::Put(TreeEntry::File { bytes, executable: false }) => ("100644", bytes.as_ref()),
            Edit::Put(TreeEntry::File { bytes, executable: true }) => ("100755", bytes.as_ref()),
            Edit::Put(TreeEntry::Symlink { target }) => ("120000", target.as_bytes()),
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
        change: &Change<'_>,
        commit: CommitId,
        cause: Box<dyn std::error::Error + Send + Sync>,
    ) -> Result<CommitId, RepoError> {
        match self.branch_at(who, repository, change.branch).await {
            Ok(actual) if actual == commit => Ok(commit),
            Ok(actual) if actual == *change.base => Err(ApiError::Failed(cause).about(repository)),
            _ => {
                let cause = format!(
                    "it is not known whether {} became {commit}: look at it ({cause})",
                    change.branch
                );
                Err(BackendError::permanent("moving a branch", cause).into())
            }
        }
    }
}

fn ask(method: Method, repository: &str, path: &str, body: &Value) -> Result<Ask, RepoError> {
    let path = RepoName::parse(repository)?.path(path);
    Ask::write(method, path, body).map_err(|e| e.about(repository))
}

fn check(repository: &str, edits: &BTreeMap<String, Edit>) -> Result<(), RepoError> {
    if edits.is_empty() {
        let reason = "there is nothing to commit: change a file first".to_owned();
        return Err(RepoError::Refused { repository: repository.to_owned(), reason });
    }
    for path in edits.keys() {
        let plain = SourceTree::default().insert_file(path.as_str(), "").is_ok();
        if !plain || path.split('/').any(|name| name.eq_ignore_ascii_case(".git")) {
            return Err(RepoError::UnusablePath { path: path.clone() });
        }
    }
    Ok(())
}

fn moved(change: &Change<'_>, actual: Option<CommitId>) -> RepoError {
    RepoError::Moved { branch: change.branch.to_owned(), expected: change.base.clone(), actual }
}

/// A branch in a path, where its slashes stay.
fn in_path(branch: &str) -> String {
    branch.split('/').map(encoded).collect::<Vec<_>>().join("/")
}
