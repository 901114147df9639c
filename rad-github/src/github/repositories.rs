//! The repositories a credential can read, page by page.

use rad_core::repo::{RepoError, Repository};
use serde::Deserialize;

use super::ask::{Answer, Ask, Who};
use super::failure::ApiError;
use super::memory::Seen;
use super::name::RepoName;
use super::source::GitHub;
use super::wire::{InstallationPage, Named, WireRepository};

/// Pages of 100 that are read of one list at the most.
const PAGES: u32 = 200;
/// Repositories of a page that are asked whether they are empty, at the most.
const PROBES: usize = 30;

/// A repository with what GitHub says beyond [`Repository`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHubRepository {
    /// Its name, default branch, and whether it is private or archived.
    pub repository: Repository,
    /// Who can see it.
    pub visibility: Visibility,
    /// What the credential may do with it.
    pub permissions: Permissions,
}

/// Who can see a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Visibility {
    /// Everybody.
    Public,
    /// Who was given access.
    Private,
    /// The members of an enterprise.
    Internal,
}

/// What a credential may do with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Permissions {
    /// Read.
    pub pull: bool,
    /// Write.
    pub push: bool,
    /// Change settings, such as webhooks.
    pub admin: bool,
}

/// The pages of a list of repositories, each fetched when it is asked for.
#[derive(Debug)]
pub struct RepositoryPages {
    github: GitHub,
    who: Who,
    next: Option<String>,
    pages: u32,
}

impl RepositoryPages {
    pub(super) fn new(github: GitHub, who: Who, of_installation: bool) -> Self {
        let first = if of_installation {
            "/installation/repositories?per_page=100"
        } else {
            "/user/repos?per_page=100&sort=full_name"
        };
        Self { github, who, next: Some(first.to_owned()), pages: 0 }
    }

    /// The next page of up to 100 repositories; `None` after the last one.
    ///
    /// # Errors
    /// [`Denied`](RepoError::Denied), [`RateLimited`](RepoError::RateLimited), [`TooLarge`](RepoError::TooLarge) after
    /// 20,000 repositories, or [`Backend`](RepoError::Backend).
    pub async fn next(&mut self) -> Result<Option<Vec<GitHubRepository>>, RepoError> {
        let Some(path) = self.next.take() else { return Ok(None) };
        self.pages += 1;
        if self.pages > PAGES {
            let what = "the number of repositories".to_owned();
            return Err(RepoError::TooLarge { what, limit: u64::from(PAGES) * 100 });
        }
        let answer = self.github.asked(&self.who, &Ask::get(path.as_str())).await;
        let answer = answer.map_err(|e| e.about("repositories"))?;
        let wires: Vec<WireRepository> = if path.starts_with("/installation/") {
            answer.json().map(|page: InstallationPage| page.repositories)
        } else {
            answer.json()
        }
        .map_err(|e| e.about("repositories"))?;
        self.next = next_page(&self.github, &answer).map_err(|e| e.about("repositories"))?;
        let mut found = self.described(wires).await?;
        if path.starts_with("/installation/") {
            // What an installation may do stands with the App, not with its repositories.
            found.iter_mut().for_each(|found| found.repository.read_only = false);
        }
        Ok(Some(found))
    }

    /// A list does not say which repositories are empty; only those without content to speak of can be.
    async fn described(&self, wires: Vec<WireRepository>) -> Result<Vec<GitHubRepository>, RepoError> {
        let mut found = Vec::with_capacity(wires.len());
        let mut probes = 0;
        for wire in wires {
            let may_be_empty = wire.size == Some(0);
            let mut described = GitHubRepository::from(wire);
            if may_be_empty && probes < PROBES {
                probes += 1;
                if self.is_empty(&described.repository.name).await? {
                    described.repository.default_branch = None;
                }
            }
            if let Some(branch) = &described.repository.default_branch {
                let seen = Seen::by(&self.who, &described.repository.name);
                let now = self.github.inner.transport.now();
                self.github.inner.memory.learn_default(&seen, branch, now);
            }
            found.push(described);
        }
        Ok(found)
    }

    async fn is_empty(&self, repository: &str) -> Result<bool, RepoError> {
        let ask = Ask::get(RepoName::parse(repository)?.path("/branches?per_page=1"));
        let answer = self.github.asked(&self.who, &ask).await;
        match answer.and_then(|answer| answer.json::<Vec<Named>>()) {
            Ok(branches) => Ok(branches.is_empty()),
            // The list shows it, and its content is not for this credential: then it does not matter here.
            Err(ApiError::Refused(_)) => Ok(false),
            Err(error) => Err(error.about(repository)),
        }
    }
}

/// The path of the page after this one (RFC 8288), which must be one of the same API.
pub(super) fn next_page(github: &GitHub, answer: &Answer) -> Result<Option<String>, ApiError> {
    let Some(links) = answer.header("link") else { return Ok(None) };
    let next = links.split(',').find_map(|link| {
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        parameters.split(';').any(|p| matches!(p.trim(), "rel=\"next\"" | "rel=next")).then_some(address)
    });
    let Some(next) = next else { return Ok(None) };
    let api = &github.inner.transport.api;
    let path = next.parse().ok().and_then(|uri| api.path_of(&uri));
    let path = path.and_then(|path| path.strip_prefix(api.prefix.as_str()).map(str::to_owned));
    path.map(Some).ok_or_else(|| ApiError::Unreadable("the next page is not one of the API".into()))
}
