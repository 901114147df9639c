//! A [`RepoSource`] over the repositories and directories below configured roots.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use rad_core::access::Publisher;
use rad_core::error::BackendError;
use rad_core::repo::{Head, NewCommit, RepoAccess, RepoError, RepoSource, RepoWriter, Repository};
use rad_core::source::{CommitId, SourceTree};
use secrecy::SecretString;

use super::commit::{commit_changes, make_branch};
use super::directory::{DIRECTORY_BRANCH, PlainDirectory};
use super::git::GitRepository;
use super::path::{Child, find_child};
use crate::limits::TreeLimits;

/// The repositories that are direct children of one of several root directories, by the names of their directories.
///
/// A child is read as a Git repository if it is one, bare or with a work tree, and then only what is committed counts.
/// Any other directory is a plain one: it has the one branch [`DIRECTORY_BRANCH`], and the digest
/// of its tree stands for its commit, so that a tree can be read only while the directory is as it was. Files that
/// Terraform leaves behind (`.terraform/`, state and its backups) are no part of it.
///
/// Where two roots hold the same name the first counts. Hidden children and names that are not UTF-8 are not listed, and a
/// link, a `.git` file or borrowed objects that lead out of the root are refused. Credentials are not asked for, and each opens
/// for every publisher: where they are not all one publisher's, whoever embeds it decides which of them open for whom.
///
/// ```no_run
/// use rad_core::access::Publisher;
/// use rad_core::repo::{RepoAccess, RepoSource as _};
/// use rad_github::local::LocalSource;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let source = LocalSource::new(["/srv/git"])?;
/// let repo = RepoAccess { repository: "networks", publisher: Publisher::Platform, credential: None };
/// let head = source.head(repo, None).await?;
/// let modules = source.tree(repo, &head.commit, "modules").await?;
/// println!("{} files at {}", modules.len(), head.commit.short());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct LocalSource {
    inner: Arc<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    roots: Vec<PathBuf>,
    limits: TreeLimits,
}

impl LocalSource {
    /// A source over the children of `roots`, with the default [`TreeLimits`].
    ///
    /// # Errors
    /// [`RepoError::Backend`] for a root that does not exist or cannot be read.
    pub fn new(roots: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<Self, RepoError> {
        let roots = roots.into_iter().map(|root| root.as_ref().canonicalize());
        let roots = roots
            .collect::<Result<_, _>>()
            .map_err(|e| BackendError::permanent("opening the directory of the repositories", e))?;
        Ok(Self { inner: Arc::new(Inner { roots, limits: TreeLimits::default() }) })
    }

    /// The same source with other limits.
    #[must_use]
    pub fn with_limits(self, limits: TreeLimits) -> Self {
        let inner = Inner { limits, ..Arc::unwrap_or_clone(self.inner) };
        Self { inner: Arc::new(inner) }
    }

    /// Runs `work` where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, RepoError> + Send + 'static,
    ) -> Result<T, RepoError> {
        let inner = Arc::clone(&self.inner);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.unwrap_or_else(|e| Err(BackendError::permanent("reading a local repository", e).into()))
    }
}

#[async_trait]
impl RepoSource for LocalSource {
    async fn repositories(
        &self,
        _publisher: Publisher,
        _credential: Option<&SecretString>,
    ) -> Result<Vec<Repository>, RepoError> {
        self.blocking(Inner::repositories).await
    }

    async fn check_publishing(&self, repo: RepoAccess<'_>) -> Result<(), RepoError> {
        let name = repo.repository.to_owned();
        self.blocking(move |inner| inner.open(&name).map(drop)).await
    }

    async fn branches(&self, repo: RepoAccess<'_>) -> Result<Vec<String>, RepoError> {
        let name = repo.repository.to_owned();
        self.blocking(move |inner| match inner.open(&name)? {
            Opened::Git(git) => git.branches(),
            Opened::Plain(_) => Ok(vec![DIRECTORY_BRANCH.to_owned()]),
        })
        .await
    }

    async fn head(&self, repo: RepoAccess<'_>, branch: Option<&str>) -> Result<Head, RepoError> {
        let name = repo.repository.to_owned();
        let branch = branch.map(str::to_owned);
        self.blocking(move |inner| match inner.open(&name)? {
            Opened::Git(git) => git.head(branch.as_deref()),
            Opened::Plain(directory) => directory.head(branch.as_deref(), &inner.limits),
        })
        .await
    }

    async fn tree(
        &self,
        repo: RepoAccess<'_>,
        commit: &CommitId,
        sub_dir: &str,
    ) -> Result<SourceTree, RepoError> {
        let (name, commit, sub_dir) = (repo.repository.to_owned(), commit.clone(), sub_dir.to_owned());
        self.blocking(move |inner| match inner.open(&name)? {
            Opened::Git(git) => git.tree(&commit, &sub_dir, &inner.limits),
            Opened::Plain(directory) => directory.tree(&commit, &sub_dir, &inner.limits),
        })
        .await
    }
}

/// Commits are made in the name of `rad`. A branch that is checked out, and a plain directory, take none.
#[async_trait]
impl RepoWriter for LocalSource {
    async fn commit(&self, repo: RepoAccess<'_>, commit: NewCommit<'_>) -> Result<CommitId, RepoError> {
        let name = repo.repository.to_owned();
        let (branch, base) = (commit.branch.to_owned(), commit.base.clone());
        let (message, changes) = (commit.message.to_owned(), commit.changes.to_vec());
        self.blocking(move |inner| match inner.open(&name)? {
            Opened::Git(git) => {
                let (branch, message) = (branch.as_str(), message.as_str());
                commit_changes(&git, NewCommit { branch, base: &base, message, changes: &changes })
            }
            Opened::Plain(_) => Err(RepoError::Refused {
                repository: name,
                reason: "a plain directory takes no commits".to_owned(),
            }),
        })
        .await
    }

    async fn create_branch(
        &self,
        repo: RepoAccess<'_>,
        branch: &str,
        commit: &CommitId,
    ) -> Result<(), RepoError> {
        let (name, branch, commit) = (repo.repository.to_owned(), branch.to_owned(), commit.clone());
        self.blocking(move |inner| match inner.open(&name)? {
            Opened::Git(git) => make_branch(&git, &branch, &commit),
            Opened::Plain(_) => Err(RepoError::Refused {
                repository: name,
                reason: "a plain directory has no branches".to_owned(),
            }),
        })
        .await
    }
}

/// A child of a root, as what it turned out to be.
enum Opened {
    Git(Box<GitRepository>),
    Plain(PlainDirectory),
}

impl Inner {
    fn open(&self, name: &str) -> Result<Opened, RepoError> {
        let Child { directory, root } = find_child(&self.roots, name)?;
        match GitRepository::open(name, &directory, Some(&root))? {
            Some(git) => Ok(Opened::Git(Box::new(git))),
            None => Ok(Opened::Plain(PlainDirectory::new(name, directory))),
        }
    }

    fn repositories(&self) -> Result<Vec<Repository>, RepoError> {
        let mut found = BTreeMap::new();
        for root in &self.roots {
            let unreadable = |e| BackendError::unavailable("listing the repositories", e);
            for child in root.read_dir().map_err(unreadable)? {
                let child = child.map_err(unreadable)?;
                let Ok(name) = child.file_name().into_string() else { continue };
                if child.path().is_dir() && find_child(&self.roots, &name).is_ok() {
                    found.entry(name).or_insert(());
                }
            }
        }
        Ok(found.into_keys().map(|name| self.describe(name)).collect())
    }

    /// A broken repository is listed too: connecting it says what is wrong.
    fn describe(&self, name: String) -> Repository {
        let default_branch = match self.open(&name) {
            Ok(Opened::Git(git)) => git.default_branch().ok().flatten(),
            Ok(Opened::Plain(_)) => Some(DIRECTORY_BRANCH.to_owned()),
            Err(_) => None,
        };
        Repository { name, default_branch, private: false, archived: false, read_only: false }
    }
}
