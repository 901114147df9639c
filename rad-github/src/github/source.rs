//! The [`RepoSource`] over GitHub's API.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use rad_core::access::Publisher;
use rad_core::error::BackendError;
use rad_core::repo::{CredentialReport, Head, RepoAccess, RepoError, RepoSource, Repository, sub_dir_names};
use rad_core::source::{CommitId, SourceTree};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

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
/// A credential is a personal access token, classic or fine-grained. Without one, the installation of a GitHub App speaks for
/// the publisher that it was given to; for everybody else only public repositories can be read, none listed, and none
/// published from.
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
    installed: BTreeMap<Publisher, Installed>,
    limits: ArchiveLimits,
    patience: Patience,
}

/// A repository that is asked about, and who asks.
#[derive(Debug)]
pub(super) struct At<'a> {
    pub(super) who: Who,
    pub(super) name: RepoName<'a>,
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
            installed: builder.apps.into_iter().map(|(of, app)| (of, Installed::new(app))).collect(),
            limits: builder.limits,
            patience: builder.patience,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The repositories that `publisher` can read with `credential`, page by page as GitHub sends them.
    ///
    /// # Errors
    /// [`Denied`](RepoError::Denied) without a credential.
    pub async fn repository_pages(
        &self,
        publisher: Publisher,
        credential: Option<&SecretString>,
    ) -> Result<RepositoryPages, RepoError> {
        let who = self.who(publisher, credential).await?;
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
        self.described(&self.at(repo).await?).await
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
        let Some(parts) = sub_dir_names(path).filter(|parts| !parts.is_empty()) else { return Ok(None) };
        let parts: Vec<String> = parts.into_iter().map(encoded).collect();
        let at = self.at(repo).await?;
        let path = at.path(&format!("/contents/{}?ref={}", parts.join("/"), encoded(revision)));
        let ask = Ask::get(path).accept("application/vnd.github.raw+json");
        match self.asked(&at.who, &ask).await {
            // A directory is listed as JSON, whatever was asked for.
            Ok(answer)
                if answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) =>
            {
                Ok(None)
            }
            Ok(answer) => Ok(Some(answer.into_body())),
            // Either is missing, the repository or the file.
            Err(error) if error.is(StatusCode::NOT_FOUND) => self.described(&at).await.map(|_| None),
            Err(error) => Err(error.about(at.name.full)),
        }
    }

    /// What GitHub says about a repository.
    pub(super) async fn described(&self, at: &At<'_>) -> Result<GitHubRepository, RepoError> {
        Ok(self.json::<WireRepository>(at, &Ask::get(at.path(""))).await?.into())
    }

    /// The repository that questions are about, and who asks them.
    pub(super) async fn at<'a>(&self, repo: RepoAccess<'a>) -> Result<At<'a>, RepoError> {
        let name = RepoName::parse(repo.repository)?;
        Ok(At { name, who: self.who(repo.publisher, repo.credential).await? })
    }

    /// Who asks for `publisher` with `credential`.
    async fn who(&self, publisher: Publisher, credential: Option<&SecretString>) -> Result<Who, RepoError> {
        match (credential, self.inner.installed.get(&publisher)) {
            (Some(token), _) => with(token),
            (None, Some(app)) => app.who(&self.inner.transport).await.map_err(|e| e.about("the App")),
            (None, None) => Ok(Who::anonymous()),
        }
    }

    /// The answer to a question about a repository.
    pub(super) async fn ask(&self, at: &At<'_>, ask: &Ask) -> Result<Answer, RepoError> {
        let answer = self.asked(&at.who, ask).await;
        if let Err(ApiError::Refused(_)) = &answer {
            self.inner.memory.forget(&at.seen());
        }
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.told(at, error).await),
        }
    }

    /// What a refusal means for a question about a repository: of one that has another name by now, which.
    pub(super) async fn told(&self, at: &At<'_>, error: ApiError) -> RepoError {
        if !error.is_elsewhere() {
            return error.about(at.name.full);
        }
        // Questions are sent on to it.
        let found = self.asked(&at.who, &Ask::get(at.path(""))).await;
        let found = found.and_then(|answer| answer.json::<WireRepository>());
        let to = found.ok().map(|wire| GitHubRepository::from(wire).repository.name);
        RepoError::Renamed { repository: at.name.full.to_owned(), to }
    }

    /// The answer to a question about a repository, read.
    pub(super) async fn json<T: DeserializeOwned>(&self, at: &At<'_>, ask: &Ask) -> Result<T, RepoError> {
        self.ask(at, ask).await?.json().map_err(|e| e.about(at.name.full))
    }

    /// The answer to any question: all of them are asked here, downloads apart.
    pub(super) async fn asked(&self, who: &Who, ask: &Ask) -> Result<Answer, ApiError> {
        self.heeded(who, self.inner.transport.ask(who, ask).await).await
    }

    /// Has the App's token made anew if that is what an answer says.
    async fn heeded<T>(&self, who: &Who, answer: Result<T, ApiError>) -> Result<T, ApiError> {
        if answer.as_ref().is_err_and(|error| error.is(StatusCode::UNAUTHORIZED))
            && let Some(app) = self.inner.installed.values().find(|app| app.speaks_as(who))
        {
            app.renew().await;
        }
        answer
    }

    /// Downloads and unpacks the archive of a commit.
    async fn downloaded(
        &self,
        at: &At<'_>,
        commit: &CommitId,
        sub_dir: &str,
    ) -> Result<SourceTree, RepoError> {
        let repository = at.name.full;
        let wanted = Wanted {
            commit: commit.clone(),
            sub_dir: sub_dir.to_owned(),
            limits: self.inner.limits,
            next: self.inner.patience.answer,
            whole: self.inner.patience.archive,
        };
        let ask = Ask::get(at.path(&format!("/tarball/{commit}")));
        let read =
            self.inner.transport.read(&at.who, &ask, |response| unpack(response, wanted.clone())).await;
        match self.heeded(&at.who, read).await {
            Ok(Ok(tree)) => Ok(tree),
            Ok(Err(ArchiveError::NoDirectory)) => {
                Err(RepoError::NoDirectory { repository: repository.to_owned(), sub_dir: sub_dir.to_owned() })
            }
            Ok(Err(ArchiveError::Refused(refusal))) => Err(refusal),
            Ok(Err(error)) => Err(BackendError::permanent("reading the archive of a commit", error).into()),
            Err(error) if error.is(StatusCode::NOT_FOUND) => {
                // Either is missing, the repository or the commit.
                self.described(at).await?;
                Err(RepoError::NoCommit { repository: repository.to_owned(), revision: commit.to_string() })
            }
            Err(error) => Err(error.about(repository)),
        }
    }
}

/// Who asks with a token.
pub(super) fn with(token: &SecretString) -> Result<Who, RepoError> {
    let missing = "the token is empty or has characters that no token has: copy it again";
    Who::token(token).ok_or_else(|| RepoError::Denied { missing: missing.to_owned() })
}

impl At<'_> {
    /// The path of a question about the repository.
    pub(super) fn path(&self, rest: &str) -> String {
        self.name.path(rest)
    }

    pub(super) fn seen(&self) -> Seen {
        Seen::by(&self.who, self.name.full)
    }
}

#[async_trait]
impl RepoSource for GitHub {
    async fn repositories(
        &self,
        publisher: Publisher,
        credential: Option<&SecretString>,
    ) -> Result<Vec<Repository>, RepoError> {
        let mut pages = self.repository_pages(publisher, credential).await?;
        let mut all = Vec::new();
        while let Some(page) = pages.next().await? {
            all.extend(page.into_iter().map(|found| found.repository));
        }
        // A repository that is made or renamed between two pages can be on both.
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.dedup_by(|a, b| a.name == b.name);
        Ok(all)
    }

    async fn check_publishing(&self, repo: RepoAccess<'_>) -> Result<(), RepoError> {
        match repo.credential {
            Some(token) => self.check_token(token, Some(repo.repository)).await.map(drop),
            None => self.check_installation(repo).await,
        }
    }

    async fn branches(&self, repo: RepoAccess<'_>) -> Result<Vec<String>, RepoError> {
        self.branch_names(&self.at(repo).await?).await
    }

    async fn head(&self, repo: RepoAccess<'_>, branch: Option<&str>) -> Result<Head, RepoError> {
        let at = self.at(repo).await?;
        match branch {
            Some(branch) => self.named_head(&at, branch).await,
            None => self.default_head(&at).await,
        }
    }

    async fn tree(
        &self,
        repo: RepoAccess<'_>,
        commit: &CommitId,
        sub_dir: &str,
    ) -> Result<SourceTree, RepoError> {
        let at = self.at(repo).await?;
        let Some(names) = sub_dir_names(sub_dir) else {
            let (repository, sub_dir) = (repo.repository.to_owned(), sub_dir.to_owned());
            return Err(RepoError::NoDirectory { repository, sub_dir });
        };
        let sub_dir = names.join("/");
        let seen = at.seen();
        let memory = &self.inner.memory;
        if let Some(tree) = memory.tree(&seen, commit, &sub_dir, self.inner.transport.now()) {
            return Ok((*tree).clone());
        }
        let tree = Arc::new(self.downloaded(&at, commit, &sub_dir).await?);
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
