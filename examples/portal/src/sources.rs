//! Where modules come from here: `owner/name` is on GitHub, every other name in the directory of local repositories, as far as
//! they are the publisher's.

use async_trait::async_trait;
use rad_core::access::Publisher;
use rad_core::repo::{
    CredentialReport, Head, NewCommit, Proposal, RepoAccess, RepoError, RepoSource, RepoWriter, Repository,
};
use rad_core::source::{CommitId, SourceTree};
use rad_github::{GitHub, LocalSource};
use secrecy::SecretString;

use crate::given::Given;

/// Local repositories, and GitHub's where it is set up.
#[derive(Debug)]
pub(crate) struct Sources {
    local: LocalSource,
    given: Given,
    github: Option<GitHub>,
}

impl Sources {
    /// Both; without `github` no name leads there.
    pub(crate) fn new(local: LocalSource, given: Given, github: Option<GitHub>) -> Self {
        Self { local, given, github }
    }

    /// Where a repository is, by its name: those of local ones are names of directories, without a slash.
    async fn of(&self, repo: RepoAccess<'_>) -> Result<&dyn RepoWriter, RepoError> {
        if let Some(github) = self.github.as_ref().filter(|_| repo.repository.contains('/')) {
            return Ok(github);
        }
        match self.given.to(repo.publisher).await? {
            Some(given) if !given.contains(repo.repository) => {
                Err(RepoError::NotFound { repository: repo.repository.to_owned() })
            }
            _ => Ok(&self.local),
        }
    }
}

#[async_trait]
impl RepoSource for Sources {
    async fn repositories(
        &self,
        publisher: Publisher,
        credential: Option<&SecretString>,
    ) -> Result<Vec<Repository>, RepoError> {
        let mut all = self.local.repositories(publisher, None).await?;
        if let Some(given) = self.given.to(publisher).await? {
            all.retain(|repository| given.contains(&repository.name));
        }
        if let (Some(github), Some(_)) = (&self.github, credential) {
            all.extend(github.repositories(publisher, credential).await?);
            all.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(all)
    }

    async fn branches(&self, repo: RepoAccess<'_>) -> Result<Vec<String>, RepoError> {
        self.of(repo).await?.branches(repo).await
    }

    async fn head(&self, repo: RepoAccess<'_>, branch: Option<&str>) -> Result<Head, RepoError> {
        self.of(repo).await?.head(repo, branch).await
    }

    async fn tree(
        &self,
        repo: RepoAccess<'_>,
        commit: &CommitId,
        sub_dir: &str,
    ) -> Result<SourceTree, RepoError> {
        self.of(repo).await?.tree(repo, commit, sub_dir).await
    }

    async fn check_publishing(&self, repo: RepoAccess<'_>) -> Result<(), RepoError> {
        self.of(repo).await?.check_publishing(repo).await
    }

    async fn check(
        &self,
        credential: &SecretString,
        repository: Option<&str>,
    ) -> Result<CredentialReport, RepoError> {
        match &self.github {
            Some(github) => github.check(credential, repository.filter(|name| name.contains('/'))).await,
            None => self.local.check(credential, repository).await,
        }
    }
}

#[async_trait]
impl RepoWriter for Sources {
    async fn commit(&self, repo: RepoAccess<'_>, commit: NewCommit<'_>) -> Result<CommitId, RepoError> {
        self.of(repo).await?.commit(repo, commit).await
    }

    async fn create_branch(
        &self,
        repo: RepoAccess<'_>,
        branch: &str,
        commit: &CommitId,
    ) -> Result<(), RepoError> {
        self.of(repo).await?.create_branch(repo, branch, commit).await
    }

    async fn propose(
        &self,
        repo: RepoAccess<'_>,
        proposal: &Proposal<'_>,
    ) -> Result<Option<String>, RepoError> {
        self.of(repo).await?.propose(repo, proposal).await
    }
}
