//! Repositories in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::access::Publisher;
use crate::error::BackendError;
use crate::repo::{
    FileChange, Head, NewCommit, RepoAccess, RepoError, RepoSource, RepoWriter, Repository, Standing,
    sub_dir_names,
};
use crate::source::{CommitId, Digest, SourceTree};

/// A [`RepoSource`] over trees that the program makes itself; it asks for no credential and opens for every publisher.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rad_core::memory::MemoryRepos;
/// use rad_core::access::Publisher;
/// use rad_core::repo::{RepoAccess, RepoSource};
/// use rad_core::source::SourceTree;
///
/// let repos = MemoryRepos::default();
/// let mut tree = SourceTree::default();
/// tree.insert_file("hello/main.tf", "output \"x\" { value = 1 }")?;
/// let commit = repos.commit("samples", "main", tree, chrono::Utc::now())?;
///
/// let repo = RepoAccess { repository: "samples", publisher: Publisher::Platform, credential: None };
/// assert_eq!(repos.head(repo, None).await?.commit, commit);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct MemoryRepos {
    repositories: Mutex<BTreeMap<String, Stored>>,
}

#[derive(Debug, Default)]
struct Stored {
    /// The first branch that was committed to.
    default_branch: Option<String>,
    branches: BTreeMap<String, CommitId>,
    commits: BTreeMap<CommitId, Commit>,
}

#[derive(Debug)]
struct Commit {
    tree: SourceTree,
    at: DateTime<Utc>,
}

impl MemoryRepos {
    /// Makes an empty repository; one of that name stays as it is.
    pub fn create(&self, repository: &str) {
        self.repositories().entry(repository.to_owned()).or_default();
    }

    /// Puts a commit with this content on top of a branch; the repository and the branch are made if need be.
    ///
    /// # Errors
    /// [`RepoError::Backend`] if the commit cannot be named, which does not happen.
    pub fn commit(
        &self,
        repository: &str,
        branch: &str,
        tree: SourceTree,
        at: DateTime<Utc>,
    ) -> Result<CommitId, RepoError> {
        let mut repositories = self.repositories();
        repositories.entry(repository.to_owned()).or_default().commit(branch, tree, at)
    }

    fn repositories(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
        self.repositories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(
        &self,
        repository: &str,
        read: impl FnOnce(&Stored) -> Result<T, RepoError>,
    ) -> Result<T, RepoError> {
        let repositories = self.repositories();
        let stored = repositories.get(repository);
        read(stored.ok_or_else(|| RepoError::NotFound { repository: repository.to_owned() })?)
    }
}

impl Stored {
    fn commit(&mut self, branch: &str, tree: SourceTree, at: DateTime<Utc>) -> Result<CommitId, RepoError> {
        let parent = self.branches.get(branch).map_or("", CommitId::as_str);
        let name = Digest::of(format!("{parent} {} {}", tree.digest(), at.timestamp_micros()).as_bytes());
        let name = name.to_string().parse::<CommitId>();
        let name = name.map_err(|e| BackendError::permanent("naming a commit", e))?;
        self.commits.insert(name.clone(), Commit { tree, at });
        self.branches.insert(branch.to_owned(), name.clone());
        self.default_branch.get_or_insert_with(|| branch.to_owned());
        Ok(name)
    }

    /// The tip of a branch, or of the default branch.
    fn head(&self, repository: &str, branch: Option<&str>) -> Result<Head, RepoError> {
        let repository = repository.to_owned();
        let Some(default) = &self.default_branch else { return Err(RepoError::Empty { repository }) };
        let branch = branch.unwrap_or(default).to_owned();
        match self.branches.get(&branch) {
            Some(commit) => {
                let committed_at = self.commits.get(commit).map(|commit| commit.at);
                Ok(Head { branch, commit: commit.clone(), committed_at })
            }
            None => Err(RepoError::no_branch(&repository, &branch, self.branches.keys().cloned())),
        }
    }
}

#[async_trait]
impl RepoSource for MemoryRepos {
    async fn repositories(
        &self,
        _publisher: Publisher,
        _credential: Option<&SecretString>,
    ) -> Result<Vec<Repository>, RepoError> {
        let describe = |(name, stored): (&String, &Stored)| Repository {
            name: name.clone(),
            default_branch: stored.default_branch.clone(),
            private: false,
            archived: false,
            read_only: false,
        };
        Ok(MemoryRepos::repositories(self).iter().map(describe).collect())
    }

    async fn check_publishing(&self, repo: RepoAccess<'_>) -> Result<(), RepoError> {
        self.read(repo.repository, |_| Ok(()))
    }

    async fn branches(&self, repo: RepoAccess<'_>) -> Result<Vec<String>, RepoError> {
        self.read(repo.repository, |stored| Ok(stored.branches.keys().cloned().collect()))
    }

    async fn head(&self, repo: RepoAccess<'_>, branch: Option<&str>) -> Result<Head, RepoError> {
        self.read(repo.repository, |stored| stored.head(repo.repository, branch))
    }

    async fn tree(
        &self,
        repo: RepoAccess<'_>,
        commit: &CommitId,
        sub_dir: &str,
    ) -> Result<SourceTree, RepoError> {
        let repository = repo.repository.to_owned();
        self.read(repo.repository, |stored| {
            let Some(found) = stored.commits.get(commit) else {
                return Err(RepoError::NoCommit { repository, revision: commit.to_string() });
            };
            let names = sub_dir_names(sub_dir);
            let below = names.as_ref().map(|names| found.tree.directory(&names.join("/")));
            match below {
                Some(below) if !below.is_empty() || names.is_some_and(|names| names.is_empty()) => Ok(below),
                _ => Err(RepoError::NoDirectory { repository, sub_dir: sub_dir.to_owned() }),
            }
        })
    }
}

#[async_trait]
impl RepoWriter for MemoryRepos {
    async fn commit(&self, repo: RepoAccess<'_>, commit: NewCommit<'_>) -> Result<CommitId, RepoError> {
        let mut repositories = MemoryRepos::repositories(self);
        let repository = repo.repository.to_owned();
        let Some(stored) = repositories.get_mut(&repository) else {
            return Err(RepoError::NotFound { repository });
        };
        let head = stored.head(&repository, Some(commit.branch))?;
        if head.commit != *commit.base {
            let (branch, expected) = (head.branch, commit.base.clone());
            return Err(RepoError::Moved { branch, expected, actual: Some(head.commit) });
        }
        let mut tree = stored.commits.get(&head.commit).map(|base| base.tree.clone()).unwrap_or_default();
        commit.check(&repository, |path| Ok(standing(&tree, path)))?;
        for change in commit.changes {
            match change {
                FileChange::Put { path, entry } => {
                    let unusable = |_| RepoError::UnusablePath { path: path.clone() };
                    tree.insert(path.clone(), entry.clone()).map_err(unusable)?;
                }
                FileChange::Remove { path } => drop(tree.remove(path)),
            }
        }
        stored.commit(commit.branch, tree, head.committed_at.unwrap_or_default())
    }

    async fn create_branch(
        &self,
        repo: RepoAccess<'_>,
        branch: &str,
        commit: &CommitId,
    ) -> Result<(), RepoError> {
        let mut repositories = MemoryRepos::repositories(self);
        let repository = repo.repository.to_owned();
        let Some(stored) = repositories.get_mut(&repository) else {
            return Err(RepoError::NotFound { repository });
        };
        if !stored.commits.contains_key(commit) {
            return Err(RepoError::NoCommit { repository, revision: commit.to_string() });
        }
        match stored.branches.get(branch) {
            Some(actual) if actual != commit => {
                let reason = format!("there is a branch {branch:?} elsewhere");
                Err(RepoError::Refused { repository, reason })
            }
            _ => {
                stored.branches.insert(branch.to_owned(), commit.clone());
                Ok(())
            }
        }
    }
}

fn standing(tree: &SourceTree, path: &str) -> Option<Standing> {
    match tree.entry(path) {
        Some(_) => Some(Standing::File),
        None => tree.has_directory(path).then_some(Standing::Directory),
    }
}
