//! Following repositories: what a source tells about one is a reason to read it again, and never believed for itself.

use std::collections::BTreeSet;

use super::{Operations, Parts, PlatformError};
use crate::access::Publisher;
use crate::catalog::{CatalogChange, Listing};
use crate::module::module_names;
use crate::repo::{Head, RepoAccess, RepoConnection, RepoError};
use crate::source::SourceTree;

/// How often a catalogue that somebody else changes at the same time is looked at.
const TRIES: u32 = 5;

/// What a source tells about a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepoNews {
    /// A branch moved, appeared or went.
    Pushed {
        /// The branch.
        branch: String,
        /// Whether it is the repository's default branch.
        is_default: bool,
    },
    /// It is gone.
    Deleted,
    /// It has another name, another default branch, other readers.
    Changed,
}

impl RepoNews {
    /// Whether it can have changed what is read through a connection.
    fn concerns(&self, connection: &RepoConnection) -> bool {
        match (self, &connection.branch) {
            (Self::Pushed { branch, .. }, Some(connected)) => branch == connected,
            (Self::Pushed { is_default, .. }, None) => *is_default,
            (Self::Deleted | Self::Changed, _) => true,
        }
    }

    /// Whether a repository that is refused like this holds no module any more. One that is not found may only be hidden
    /// from a token, unless it is said to be gone.
    fn leaves_nothing(&self, refusal: &RepoError) -> bool {
        match refusal {
            RepoError::Empty { .. } | RepoError::NoBranch { .. } | RepoError::NoDirectory { .. } => true,
            RepoError::NotFound { .. } => *self == Self::Deleted,
            _ => false,
        }
    }
}

impl Operations {
    /// Acts on what a source tells about the repository that a publisher is connected to: reads it again, with the publisher's
    /// own token, and takes the modules that are gone off the catalogue, all or none. Gives how many that were.
    ///
    /// Nothing is published or updated by this, and no deployment is touched. News that are not true, or about another
    /// repository, change nothing.
    ///
    /// # Errors
    /// A failure of a backend; the news can be told again. A publisher whose token or repository is refused keeps what is
    /// published, and that is no error.
    pub async fn follow_repository(
        &self,
        publisher: Publisher,
        repository: &str,
        news: &RepoNews,
    ) -> Result<usize, PlatformError> {
        let mut tries = 1;
        loop {
            match withdraw_gone(&self.parts, publisher, repository, news).await {
                Err(PlatformError::PlanChanged) if tries < TRIES => tries += 1,
                Err(error) if error.backend().is_none() => {
                    tracing::warn!(%publisher, repository, %error, "a repository that changed could not be followed");
                    return Ok(0);
                }
                other => return other,
            }
        }
    }
}

async fn withdraw_gone(
    parts: &Parts,
    publisher: Publisher,
    repository: &str,
    news: &RepoNews,
) -> Result<usize, PlatformError> {
    // The catalogue first: what is published while the repository is read makes this version a stale one.
    let (version, listings) = parts.catalog.catalogue_of(publisher).await?;
    if !listings.iter().any(|listing| listing.published) {
        return Ok(0);
    }
    let connection = parts.directory.connection(publisher).await?;
    let concerned = connection.filter(|connection| {
        connection.repository.eq_ignore_ascii_case(repository) && news.concerns(connection)
    });
    let Some(connection) = concerned else { return Ok(0) };
    let tree = match parts.read(publisher, &connection).await {
        Ok((_, tree)) => tree,
        Err(PlatformError::Repo(refusal)) if news.leaves_nothing(&refusal) => SourceTree::default(),
        Err(error) => return Err(error),
    };
    parts.withdraw_all_but(&module_names(&tree), publisher, version, &listings).await
}

impl Parts {
    /// The head of what a publisher is connected to, and the tree there, read with the publisher's token.
    pub(super) async fn read(
        &self,
        publisher: Publisher,
        connection: &RepoConnection,
    ) -> Result<(Head, SourceTree), PlatformError> {
        let token = self.token_of(publisher).await?;
        let repo = RepoAccess { repository: &connection.repository, credential: token.as_ref() };
        let head = self.repos.head(repo, connection.branch.as_deref()).await?;
        let tree = self.repos.tree(repo, &head.commit, &connection.sub_dir).await?;
        Ok((head, tree))
    }

    /// Takes what is not among `found` off a publisher's catalogue, as it stood at `version`; gives how many that were.
    pub(super) async fn withdraw_all_but(
        &self,
        found: &BTreeSet<&str>,
        publisher: Publisher,
        version: u64,
        listings: &[Listing],
    ) -> Result<usize, PlatformError> {
        let gone =
            listings.iter().filter(|listing| listing.published && !found.contains(listing.name.as_str()));
        let gone: Vec<_> = gone.map(|listing| CatalogChange::Withdraw { module: listing.id }).collect();
        if !gone.is_empty() {
            self.catalog.apply(publisher, version, &gone, self.clock.now()).await?;
        }
        Ok(gone.len())
    }
}
