//! Connecting the repository that a publisher's modules are in.

use std::collections::BTreeSet;

use super::publishing::Done;
use super::{Actor, Capability, Parts, PlatformError};
use crate::access::Publisher;
use crate::module::module_names;
use crate::repo::{Head, RepoAccess, RepoConnection, RepoError, Repository};
use crate::source::SourceTree;
use crate::watch::{Look, Watch};

impl Actor {
    /// The repositories that can be connected.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish; a refusal of the source.
    pub async fn repositories(&self) -> Result<Vec<Repository>, PlatformError> {
        let publisher = self.publishes_as()?;
        let token = self.parts.token_of(publisher).await?;
        Ok(self.parts.repos.repositories(publisher, token.as_ref()).await?)
    }

    /// The branches of a repository that can be connected, the default one first, the others by name; none while it is empty.
    ///
    /// # Errors
    /// As [`repositories`](Self::repositories).
    pub async fn branches(&self, repository: &str) -> Result<Vec<String>, PlatformError> {
        let publisher = self.publishes_as()?;
        let token = self.parts.token_of(publisher).await?;
        let repo = RepoAccess { repository, publisher, credential: token.as_ref() };
        let mut branches = self.parts.repos.branches(repo).await?;
        match self.parts.repos.head(repo, None).await {
            // The order of the others stays.
            Ok(head) => branches.sort_by_key(|branch| *branch != head.branch),
            Err(RepoError::Empty { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(branches)
    }

    /// Connects a repository, after reading it once; `None` disconnects. What is not in the new one leaves the catalogue.
    ///
    /// An admin connects the platform's own repository this way, a partner the partner's.
    ///
    /// # Errors
    /// Forbidden, or what is wrong with the repository, branch or directory, or what the token lacks to publish from it; then
    /// nothing is changed.
    pub async fn connect(&self, connection: Option<RepoConnection>) -> Result<Option<Head>, PlatformError> {
        let publisher = self.publishes_as()?;
        let (head, tree) = match &connection {
            None => (None, SourceTree::default()),
            Some(connection) => {
                self.parts.open(publisher, connection).await?.check_publishing().await?;
                let (head, tree) = self.parts.read(publisher, connection).await?;
                (Some(head), tree)
            }
        };
        self.parts.directory.set_connection(publisher, connection.as_ref()).await?;
        let done = Done {
            publisher,
            repository: connection.as_ref().map_or("", |connection| &connection.repository),
            commit: head.as_ref().map(|head| &head.commit),
            by: Some(self.id()),
        };
        let found = module_names(&tree);
        match &connection {
            Some(connection) => self.parts.watch_anew(connection, &found, done).await?,
            None => {
                self.parts.watches.end(publisher).await?;
                self.parts.readings.forget(publisher).await?;
                self.parts.begin_anew(&found, done).await?;
            }
        }
        Ok(head)
    }

    /// Whose modules the account publishes: the platform's for an admin, its own for a partner.
    ///
    /// # Errors
    /// Forbidden to all others.
    pub fn publishes_as(&self) -> Result<Publisher, PlatformError> {
        if self.can(Capability::PublishForPlatform) {
            return Ok(Publisher::Platform);
        }
        self.require(Capability::Publish)?;
        Ok(Publisher::Partner(self.id()))
    }

    /// The repository that is connected.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish.
    pub async fn connection(&self) -> Result<Option<RepoConnection>, PlatformError> {
        Ok(self.parts.directory.connection(self.publishes_as()?).await?)
    }
}

impl Parts {
    /// Begins a catalogue anew with what is connected now, and watches that.
    async fn watch_anew(
        &self,
        connection: &RepoConnection,
        found: &BTreeSet<&str>,
        done: Done<'_>,
    ) -> Result<(), PlatformError> {
        let (publisher, now) = (done.publisher, self.clock.now());
        let watch = Watch::anew(publisher, connection.clone(), now);
        self.watches.begin(&watch).await?;
        self.begin_anew(found, done).await?;
        // Only now the catalogue is what was read.
        let last = Look { read_at: Some(now), commit: done.commit.cloned(), ..Look::default() };
        Ok(self.watches.looked(&Watch { last, ..watch }).await?)
    }
}
