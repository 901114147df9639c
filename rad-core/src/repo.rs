//! Where modules come from: repositories, their branches, and the trees of their commits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::access::Publisher;
use crate::error::BackendError;
use crate::source::{CommitId, SourceTree, TreeEntry};

/// Which repository an account publishes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RepoConnection {
    /// The repository's name as its source lists it: `owner/name`, or a directory name for local sources.
    pub repository: String,
    /// The branch; `None` follows the repository's default branch.
    pub branch: Option<String>,
    /// The directory that holds the modules, relative to the root; empty for the root itself.
    pub sub_dir: String,
}

/// A repository together with who opens it, and what with.
#[derive(Debug, Clone, Copy)]
pub struct RepoAccess<'a> {
    /// The repository's name as its source lists it.
    pub repository: &'a str,
    /// On whose behalf: a source may open a repository for one publisher and not for another.
    pub publisher: Publisher,
    /// A token, where the source asks for one.
    pub credential: Option<&'a SecretString>,
}

/// A repository that a credential can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// The name to connect by.
    pub name: String,
    /// The branch that stands for the repository; `None` while it is empty.
    pub default_branch: Option<String>,
    /// Whether only some people can read it.
    pub private: bool,
    /// Whether it no longer takes commits.
    pub archived: bool,
    /// Whether the credential may only read it, so that nothing can be published from it.
    pub read_only: bool,
}

/// The tip of a branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The branch's name.
    pub branch: String,
    /// The commit at its tip.
    pub commit: CommitId,
    /// When that commit was made, where the source knows.
    pub committed_at: Option<DateTime<Utc>>,
}

/// What a source says about a credential that it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialReport {
    /// Whose it is, by the source's own name for the account.
    pub owner: String,
    /// When it expires, where it does.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Reads repositories.
///
/// # Contract
/// - Trees are read at a commit, without a checkout, and are the same at every reading.
/// - A tree holds what is below the sub-directory, with paths relative to it; links are entries and never followed;
///   submodules and other entries that are neither file, directory nor link are left out.
/// - Limits on files, sizes and depth end in [`RepoError::TooLarge`], never in a partial tree.
/// - A name never reaches outside what the source was set up with, nor to what it holds for another publisher: that is
///   [`NotFound`](RepoError::NotFound).
#[async_trait]
pub trait RepoSource: Send + Sync + fmt::Debug {
    /// Every repository that `publisher` can read with `credential`, in the order of names.
    ///
    /// # Errors
    /// [`Denied`](RepoError::Denied) if the credential is refused.
    async fn repositories(
        &self,
        publisher: Publisher,
        credential: Option<&SecretString>,
    ) -> Result<Vec<Repository>, RepoError>;

    /// The branches of a repository, in the order of names; none while it is empty.
    ///
    /// # Errors
    /// [`NotFound`](RepoError::NotFound), [`NotARepository`](RepoError::NotARepository), [`Denied`](RepoError::Denied).
    async fn branches(&self, repo: RepoAccess<'_>) -> Result<Vec<String>, RepoError>;

    /// The tip of `branch`, or of the default branch.
    ///
    /// # Errors
    /// As [`branches`](Self::branches), and [`Empty`](RepoError::Empty), [`NoBranch`](RepoError::NoBranch).
    async fn head(&self, repo: RepoAccess<'_>, branch: Option<&str>) -> Result<Head, RepoError>;

    /// The tree below `sub_dir` (empty: the root) at `commit`.
    ///
    /// # Errors
    /// As [`branches`](Self::branches), and [`NoCommit`](RepoError::NoCommit),
    /// [`NoDirectory`](RepoError::NoDirectory), [`TooLarge`](RepoError::TooLarge).
    async fn tree(
        &self,
        repo: RepoAccess<'_>,
        commit: &CommitId,
        sub_dir: &str,
    ) -> Result<SourceTree, RepoError>;

    /// Checks that a repository may be published from: that it is there, and that who opens it may change it. That something
    /// can be read makes it nobody's own.
    ///
    /// # Errors
    /// As [`branches`](Self::branches); [`Denied`](RepoError::Denied) names what is missing.
    async fn check_publishing(&self, repo: RepoAccess<'_>) -> Result<(), RepoError>;

    /// Checks that a credential is accepted, and that it may do what publishing needs, with `repository` where one is
    /// given. A source that asks for no credential refuses every one.
    ///
    /// # Errors
    /// [`Denied`](RepoError::Denied), which names what is missing.
    async fn check(
        &self,
        _credential: &SecretString,
        _repository: Option<&str>,
    ) -> Result<CredentialReport, RepoError> {
        let missing = "repositories are read without a token here; there is none to save".to_owned();
        Err(RepoError::Denied { missing })
    }
}

/// A change to one file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileChange {
    /// Puts a file or link where none is, or in place of the one that is there.
    Put {
        /// The path from the root of the repository.
        path: String,
        /// What stands there afterwards.
        entry: TreeEntry,
    },
    /// Removes the file or link.
    Remove {
        /// The path from the root of the repository.
        path: String,
    },
}

impl FileChange {
    /// The path from the root of the repository.
    pub fn path(&self) -> &str {
        match self {
            Self::Put { path, .. } | Self::Remove { path } => path,
        }
    }
}

/// A commit to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewCommit<'a> {
    /// The branch it goes on top of.
    pub branch: &'a str,
    /// The commit that the changes were made to: its parent.
    pub base: &'a CommitId,
    /// What it says: a line, and more after an empty one if need be.
    pub message: &'a str,
    /// What it changes; each path once.
    pub changes: &'a [FileChange],
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A file or a link.
    File,
    /// A directory, or a repository within the repository.
    Directory,
}

impl NewCommit<'_> {
    /// The most changes of one commit.
    pub const MAX_CHANGES: usize = 1_000;
    /// The most bytes that all files of one commit may have together: 8 MiB.
    pub const MAX_BYTES: u64 = 8 << 20;

    /// Checks the changes against the tree of the base, of which `standing` says what is at a path: for those who write a
    /// [`RepoWriter`].
    ///
    /// # Errors
    /// [`UnusablePath`](RepoError::UnusablePath), [`TooLarge`](RepoError::TooLarge), [`Refused`](RepoError::Refused) for no
    /// changes, a path twice, nothing to remove, a directory in the way.
    pub fn check(
        &self,
        repository: &str,
        mut standing: impl FnMut(&str) -> Result<Option<Standing>, RepoError>,
    ) -> Result<(), RepoError> {
        let refused = |reason: String| Err(RepoError::Refused { repository: repository.to_owned(), reason });
        let (mut put, mut removed) = (BTreeMap::new(), BTreeSet::new());
        for change in self.changes {
            let path = change.path();
            if !SourceTree::is_plain(path) || path.split('/').any(is_git) {
                return Err(RepoError::UnusablePath { path: path.chars().take(120).collect() });
            }
            let is_twice = put.contains_key(path) || removed.contains(path);
            match change {
                FileChange::Put { entry, .. } => drop(put.insert(path, entry.size())),
                FileChange::Remove { .. } => drop(removed.insert(path)),
            }
            if is_twice {
                return refused(format!("{path:?} is changed twice"));
            }
        }
        for (what, size, limit) in [
            ("the number of changes", self.changes.len() as u64, Self::MAX_CHANGES as u64),
            ("the content of the changes, in bytes,", put.values().sum(), Self::MAX_BYTES),
        ] {
            if size > limit {
                return Err(RepoError::TooLarge { what: format!("{what} is {size}, which"), limit });
            }
        }
        if self.changes.is_empty() {
            return refused("it would change nothing".to_owned());
        }
        for path in &removed {
            if standing(path)? != Some(Standing::File) {
                return refused(format!("there is no file {path:?} to remove"));
            }
        }
        for path in put.keys() {
            if standing(path)? == Some(Standing::Directory) {
                return refused(format!("{path:?} is a directory"));
            }
            for (slash, _) in path.match_indices('/') {
                let parent = path.get(..slash).unwrap_or_default();
                let is_file = standing(parent)? == Some(Standing::File) && !removed.contains(parent);
                if is_file || put.contains_key(parent) {
                    return refused(format!("{parent:?} is a file, so that {path:?} cannot lie below it"));
                }
            }
        }
        Ok(())
    }
}

/// A branch that is to be taken over into another one.
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

/// Commits to repositories.
///
/// # Contract
/// - A commit's parent is the commit that the changes were made to, which must be the tip of the branch: of two that change
///   one branch at the same time one wins, and the other is told that it [`Moved`](RepoError::Moved).
/// - A commit is made whole or not at all; what it does not name stays as it is.
/// - It is made in the name of whoever the credential belongs to.
#[async_trait]
pub trait RepoWriter: RepoSource {
    /// Makes a commit on top of a branch and gives its name.
    ///
    /// # Errors
    /// As [`head`](RepoSource::head) and [`NewCommit::check`]; [`Moved`](RepoError::Moved),
    /// [`Renamed`](RepoError::Renamed), [`Denied`](RepoError::Denied) if the
    /// credential may only read, [`Refused`](RepoError::Refused) by rules of the repository.
    async fn commit(&self, repo: RepoAccess<'_>, commit: NewCommit<'_>) -> Result<CommitId, RepoError>;

    /// Makes a branch that begins at a commit; one that stands there already is as good.
    ///
    /// # Errors
    /// As [`head`](RepoSource::head), [`NoCommit`](RepoError::NoCommit) and [`Denied`](RepoError::Denied);
    /// [`Refused`](RepoError::Refused) if there is a branch of that name elsewhere, or none can have that name.
    async fn create_branch(
        &self,
        repo: RepoAccess<'_>,
        branch: &str,
        commit: &CommitId,
    ) -> Result<(), RepoError>;

    /// Asks those who look after a branch to take over another one, and gives the page where they are asked; the one that is
    /// open already if they are asked twice. `None` where the source knows no such thing: the branch itself is all there is.
    ///
    /// # Errors
    /// As [`head`](RepoSource::head) and [`Denied`](RepoError::Denied); [`Refused`](RepoError::Refused) if there is nothing
    /// between the branches.
    async fn propose(
        &self,
        _repo: RepoAccess<'_>,
        _proposal: &Proposal<'_>,
    ) -> Result<Option<String>, RepoError> {
        Ok(None)
    }
}

/// Whether a name in a path is Git's own: what it reads there would be its settings. No two spellings of it are told apart
/// everywhere.
pub(crate) fn is_git(name: &str) -> bool {
    name.eq_ignore_ascii_case(".git")
}

/// The names that lead to a sub-directory given as `modules`, `./modules/` or `a/b`; none for the root, `None` where it is
/// absolute or leads upwards.
///
/// ```
/// use rad_core::repo::sub_dir_names;
///
/// assert_eq!(sub_dir_names("./modules/"), Some(vec!["modules"]));
/// assert_eq!(sub_dir_names(""), Some(vec![]));
/// assert_eq!(sub_dir_names("modules/../../etc"), None);
/// ```
pub fn sub_dir_names(sub_dir: &str) -> Option<Vec<&str>> {
    if sub_dir.starts_with('/') || sub_dir.contains(['\\', '\0']) {
        return None;
    }
    let names: Vec<&str> = sub_dir.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    (!names.contains(&"..")).then_some(names)
}

/// Why a repository could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepoError {
    /// There is no such repository, or the credential does not show it.
    #[error("no repository {repository:?} here: fetch the list of repositories and choose one of it")]
    NotFound {
        /// The name asked for.
        repository: String,
    },
    /// It exists and is not a Git repository.
    #[error("{repository:?} is not a Git repository: {reason}")]
    NotARepository {
        /// The name asked for.
        repository: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It has no commit yet.
    #[error("the repository {repository:?} is empty: push a first commit, then connect it again")]
    Empty {
        /// The name asked for.
        repository: String,
    },
    /// There is no such branch.
    #[error("{repository:?} has no branch {branch:?}; it has {}", known.join(", "))]
    NoBranch {
        /// The repository's name.
        repository: String,
        /// The branch asked for.
        branch: String,
        /// Some of the branches there are, at most [`MOST_BRANCHES`](Self::MOST_BRANCHES).
        known: Vec<String>,
    },
    /// There is no such commit or revision.
    #[error("{repository:?} has no commit {revision:?}")]
    NoCommit {
        /// The repository's name.
        repository: String,
        /// The revision asked for.
        revision: String,
    },
    /// The commit has no such directory.
    #[error("{repository:?} has no directory {sub_dir:?} at that commit")]
    NoDirectory {
        /// The repository's name.
        repository: String,
        /// The directory asked for.
        sub_dir: String,
    },
    /// The credential is refused, or lacks a permission.
    #[error("access denied: {missing}")]
    Denied {
        /// What is missing, in a sentence for the person who made the credential.
        missing: String,
    },
    /// The tree is over a limit.
    #[error("the tree is too large: {what} is over the limit of {limit}")]
    TooLarge {
        /// What is over the limit: a path or a total, with its size.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// A file's name, or where a link points, cannot be kept in a [`SourceTree`].
    #[error(
        "the path {path:?} cannot be used: rename it to UTF-8 text without a backslash, at most 1,024 bytes long"
    )]
    UnusablePath {
        /// The path, with what cannot be read replaced.
        path: String,
    },
    /// The source takes no more requests with this credential for a while.
    #[error("no more requests are taken with this credential until {}: wait until then", until.format("%Y-%m-%d %H:%M:%S UTC"))]
    RateLimited {
        /// When to ask again.
        until: DateTime<Utc>,
    },
    /// The branch is no longer where a change was based; nothing was changed.
    #[error(
        "the branch {branch:?} is no longer at {}: look at what is new on it, then make the change again on top of that",
        expected.short()
    )]
    Moved {
        /// The branch.
        branch: String,
        /// Where it was expected.
        expected: CommitId,
        /// Where it is, where the source says so.
        actual: Option<CommitId>,
    },
    /// It has another name or owner by now, under which it is connected anew; nothing was changed.
    #[error(
        "the repository {repository:?} has moved{}: connect it anew under its new name",
        to.as_ref().map(|to| format!(" to {to:?}")).unwrap_or_default()
    )]
    Renamed {
        /// The name asked for.
        repository: String,
        /// Its name now, where the source says so.
        to: Option<String>,
    },
    /// The source refuses a change by rules of its own; nothing was changed.
    #[error("{repository:?} refuses the change: {reason}")]
    Refused {
        /// The repository's name.
        repository: String,
        /// Why, in the words of the source.
        reason: String,
    },
    /// What the source stands on failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl RepoError {
    /// How many branches [`NoBranch`](Self::NoBranch) names.
    pub const MOST_BRANCHES: usize = 20;

    /// That there is no such branch, naming the first of those there are; [`Empty`](Self::Empty) where there is none.
    pub fn no_branch(repository: &str, branch: &str, known: impl IntoIterator<Item = String>) -> Self {
        let repository = repository.to_owned();
        let known: Vec<String> = known.into_iter().take(Self::MOST_BRANCHES).collect();
        if known.is_empty() {
            return Self::Empty { repository };
        }
        Self::NoBranch { repository, branch: branch.chars().take(100).collect(), known }
    }
}
