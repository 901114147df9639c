//! The [`RepoSource`] over GitHub's API.

use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use rad_core::error::BackendError;
use rad_core::repo::{CredentialReport, Head, RepoAccess, RepoError, RepoSource, Repository, sub_dir_names};
use rad_core::source::{CommitId, SourceTree};
use secrecy::SecretString;

use super::app::Installed;
use super::archive::{ArchiveError, ArchiveLimits};
use super::ask::{Answer, Ask, Who};
use super::config::{ConfigError, GitHubBuilder, Patience};
use super::download::{Wanted, unpack};
use super::failure::ApiError;
use super::memory::{Memory, Seen};
use super::name::{RepoName, encoded};
use super::repositories::{GitHubRepository, RepositoryPages};
use super::transport::{Dialect, Transport};
use super::wire::WireRepository;

/// Repositories on GitHub or GitHub Enterprise, named `owner/name`.
///
/// A credential is a personal access token, classic or fine-grained; without one, the installation of a GitHub App speaks
/// if the source was built with one, and otherwise only public repositories can be read, and none listed.
///
/// Reading a branch is two calls: its head, and one archive of the commit. Reading it again while it is unchanged is one
/// conditional call, which does not count against GitHub's rate limit. The archive is what `git archive` makes of a commit:
/// `export-ignore` in `.gitattributes` leaves files out of it.
///
/// Clones share connections, limits and what was learnt.
#[derive(Debug, Clone)]
pub struct GitHub {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) transport: Transport,
    pub(super) memory: Memory,
    installed: Option<Installed>,
    limits: ArchiveLimits,
    patience: Patience,
}

impl GitHub {
    /// Settings, to begin with the defaults for github.com.
    pub fn builder() -> GitHubBuilder {
        GitHubBuilder::default()
    }

    pub(super) fn new(builder: GitHubBuilder) -> Result<Self, ConfigError> {
        let inner = Inner {
            transport: Transport::new(
                Dialect::github(),
                &builder.api,
                builder.patience,
                Arc::clone(&builder.clock),
            )?,
            memory: Memory::new(builder.cache_bytes),
            installed: builder.app.map(Installed::new),
            limits: builder.limits,
            patience: builder.patience,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The repositories that `credential` can read, page by page as GitHub sends them.
    ///
    /// # Errors
    /// [`Denied`](RepoError::Denied) without a credential.
    pub async fn repository_pages(
        &self,
        credential: Option<&SecretString>,
    ) -> Result<RepositoryPages, RepoError> {
        let who = self.who(credential).await?;
        if who.is_anonymous() {
            let missing = "GitHub lists repositories only for a token: save one first".to_owned();
            return Err(RepoError::Denied { missing });
        }
        Ok(RepositoryPages::new(self.clone(), who, credential.is_none()))
    }

    /// What GitHub says about one repository.
    ///
    /// # Errors
    /// As [`RepoSource::branches`].
    pub async fn repository(&self, repo: RepoAccess<'_>) -> Result<GitHubRepository, RepoError> {
        let name = RepoName::parse(repo.repository)?;
        let who = self.who(repo.credential).await?;
        let found = self.ask(&who, &Ask::get(name.path("")), repo.repository).await?;
        let wire: WireRepository = found.json().map_err(|e| e.about(repo.repository))?;
        Ok(wire.into())
    }

    /// One file at a commit or branch, of up to 16 MiB; `None` if there is none at that path.
    ///
    /// # Errors
    /// As [`RepoSource::branches`].
    pub async fn file(
        &self,
        repo: RepoAccess<'_>,
        revision: &str,
        path: &str,
    ) -> Result<Option<bytes::Bytes>, RepoError> {
        let name = RepoName::parse(repo.repository)?;
        let Some(parts) = sub_dir_names(path).filter(|parts| !parts.is_empty()) else { return Ok(None) };
        let parts: Vec<String> = parts.into_iter().map(encoded).collect();
        let rest = format!("/contents/{}?ref={}", parts.join("/"), encoded(revision));
        let who = self.who(repo.credential).await?;
        let ask = Ask::get(name.path(&rest)).accept("application/vnd.github.raw+json");
        match self.inner.transport.ask(&who, &ask).await {
            // A directory is listed as JSON, whatever was asked for.
            Ok(answer)
                if answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) =>
            {
                Ok(None)
            }
            Ok(answer) => Ok(Some(answer.into_body())),
            Err(error) if error.is(StatusCode::NOT_FOUND) => {
                self.ask(&who, &Ask::get(name.path("")), repo.repository).await.map(|_| None)
            }
            Err(error) => Err(error.about(repo.repository)),
        }
    }

    /// Who asks with `credential`.
    pub(super) async fn who(&self, credential: Option<&SecretString>) -> Result<Who, RepoError> {
        match (credential, &self.inner.installed) {
            (Some(token), _) => Who::token(token).ok_or_else(|| RepoError::Denied {
                missing: "the token is empty or has characters that no token has: copy it again".to_owned(),
            }),
            (None, Some(app)) => app.who(&self.inner.transport).await.map_err(|e| e.about("the App")),
            (None, None) => Ok(Who::anonymous()),
        }
    }

    /// The answer to a question about `repository`.
    pub(super) async fn ask(&self, who: &Who, ask: &Ask, repository: &str) -> Result<Answer, RepoError> {
        let answer = self.inner.transport.ask(who, ask).await;
        if let Err(ApiError::Refused(_)) = &answer {
            self.inner.memory.forget(&self.seen(who, repository));
        }
        if let (Err(error), Some(app)) = (&answer, &self.inner.installed)
            && error.is(StatusCode::UNAUTHORIZED)
        {
            app.renew().await;
        }
        answer.map_err(|e| e.about(repository))
    }

    /// GitHub takes names in any case; what is remembered of them goes by the lower one.
    pub(super) fn seen(&self, who: &Who, repository: &str) -> Seen {
        Seen { who: who.id, repository: repository.to_ascii_lowercase() }
    }

    /// Downloads and unpacks the archive of a commit.
    async fn downloaded(
        &self,
        who: &Who,
        repository: &str,
        commit: &CommitId,
        sub_dir: &str,
    ) -> Result<SourceTree, RepoError> {
        let name = RepoName::parse(repository)?;
        let wanted = Wanted {
            commit: commit.clone(),
            sub_dir: sub_dir.to_owned(),
            limits: self.inner.limits,
            next: self.inner.patience.answer,
            whole: self.inner.patience.archive,
        };
        let ask = Ask::get(name.path(&format!("/tarball/{commit}")));
        let read = self.inner.transport.read(who, &ask, |response| unpack(response, wanted.clone())).await;
        match read {
            Ok(Ok(tree)) => Ok(tree),
            Ok(Err(ArchiveError::NoDirectory)) => {
                Err(RepoError::NoDirectory { repository: repository.to_owned(), sub_dir: sub_dir.to_owned() })
            }
            Ok(Err(ArchiveError::Refused(refusal))) => Err(refusal),
            Ok(Err(error)) => Err(BackendError::permanent("reading the archive of a commit", error).into()),
            Err(error) if error.is(StatusCode::NOT_FOUND) => {
                // Either is missing, the repository or the commit.
                self.ask(who, &Ask::get(name.path("")), repository).await?;
                Err(RepoError::NoCommit { repository: repository.to_owned(), revision: commit.to_string() })
            }
            Err(error) => Err(error.about(repository)),
        }
    }
}

#[async_trait]
impl RepoSource for GitHub {
    async fn repositories(&self, credential: Option<&SecretString>) -> Result<Vec<Repository>, RepoError> {
        let mut pages = self.repository_pages(credential).await?;
        let mut all = Vec::new();
        while let Some(page) = pages.next().await? {
            all.extend(page.into_iter().map(|found| found.repository));
        }
        // A repository that is made or renamed between two pages can be on both.
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.dedup_by(|a, b| a.name == b.name);
        Ok(all)
    }

    async fn branches(&self, repo: RepoAccess<'_>) -> Result<Vec<String>, RepoError> {
        RepoName::parse(repo.repository)?;
        let who = self.who(repo.credential).await?;
        self.branch_names(&who, repo.repository).await
    }

    async fn head(&self, repo: RepoAccess<'_>, branch: Option<&str>) -> Result<Head, RepoError> {
        RepoName::parse(repo.repository)?;
        let who = self.who(repo.credential).await?;
        match branch {
            Some(branch) => self.named_head(&who, repo.repository, branch).await,
            None => self.default_head(&who, repo.repository).await,
        }
    }

    async fn tree(
        &self,
        repo: RepoAccess<'_>,
        commit: &CommitId,
        sub_dir: &str,
    ) -> Result<SourceTree, RepoError> {
        RepoName::parse(repo.repository)?;
        let who = self.who(repo.credential).await?;
        let Some(names) = sub_dir_names(sub_dir) else {
            let (repository, sub_dir) = (repo.repository.to_owned(), sub_dir.to_owned());
            return Err(RepoError::NoDirectory { repository, sub_dir });
        };
        let sub_dir = names.join("/");
        let seen = self.seen(&who, repo.repository);
        let memory = &self.inner.memory;
        if let Some(tree) = memory.tree(&seen, commit, &sub_dir, self.inner.transport.now()) {
            return Ok((*tree).clone());
        }
        let tree = Arc::new(self.downloaded(&who, repo.repository, commit, &sub_dir).await?);
        memory.learn_tree(&seen, commit, &sub_dir, &tree);
        Ok((*tree).clone())
    }

    async fn check(
        &self,
        credential: &SecretString,
        repository: Option<&str>,
    ) -> Result<CredentialReport, RepoError> {
        let report = self.check_token(credential, repository).await?;
        Ok(CredentialReport { owner: report.login, expires_at: report.expires_at })
    }
}
