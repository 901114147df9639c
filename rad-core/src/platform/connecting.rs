//! Connecting the repository that a publisher's modules are in.

use std::collections::BTreeSet;

use super::publishing::Done;
use super::{Actor, Capability, Parts, PlatformError};
use crate::access::{Publisher, Role};
use crate::directory::DirectoryError;
use crate::id::AccountId;
use crate::module::module_names;
use crate::repo::{Head, RepoAccess, RepoConnection, RepoError, Repository};
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
        let Some(connection) = connection else {
            self.parts.disconnect(publisher, self.id()).await?;
            return Ok(None);
        };
        self.parts.open(publisher, &connection).await?.check_publishing().await?;
        let (head, tree) = self.parts.read(publisher, &connection).await?;
        self.parts.directory.set_connection(publisher, Some(&connection)).await?;
        let (repository, commit) = (connection.repository.as_str(), Some(&head.commit));
        let done = Done { publisher, repository, commit, by: Some(self.id()) };
        self.parts.watch_anew(&connection, &module_names(&tree), done).await?;
        Ok(Some(head))
    }

    /// On whose behalf the account may publish: the platform's as an admin, its own as a partner, in this order.
    pub fn publishers(&self) -> Vec<Publisher> {
        let all = [Publisher::Platform, Publisher::Partner(self.id())];
        all.into_iter().filter(|publisher| self.can(needed(*publisher))).collect()
    }

    /// The same account, which chose to publish on behalf of `publisher`. Unless that is one of its
    /// [`publishers`](Self::publishers), everything that publishes is forbidden to it.
    #[must_use]
    pub fn publishing_as(mut self, publisher: Publisher) -> Self {
        self.publishing = Some(publisher);
        self
    }

    /// Whose modules the account publishes: those it [chose](Self::publishing_as); where it chose nothing, the platform's for
    /// an admin, its own for a partner.
    ///
    /// # Errors
    /// Forbidden to all others.
    pub fn publishes_as(&self) -> Result<Publisher, PlatformError> {
        let may = self.publishers();
        let publisher = self.publishing.or_else(|| may.first().copied());
        publisher.filter(|publisher| may.contains(publisher)).ok_or_else(|| {
            let capability = publisher.map_or(Capability::Publish, needed);
            PlatformError::Forbidden { capability }
        })
    }

    /// What a partner has on offer, and from where; also of an account that is no partner any more.
    ///
    /// # Errors
    /// Forbidden without [`Capability::ChangeAccounts`].
    pub async fn offer_of(&self, partner: AccountId) -> Result<PartnerOffer, PlatformError> {
        self.require(Capability::ChangeAccounts)?;
        let publisher = Publisher::Partner(partner);
        let (_, listings) = self.parts.catalog.catalogue_of(publisher).await?;
        let connection = self.parts.directory.connection(publisher).await?;
        Ok(PartnerOffer { connection, modules: listings.iter().filter(|listing| listing.published).count() })
    }

    /// Disconnects a partner's repository, and takes all of the partner's modules off the catalogue; also those of an account
    /// that is no partner any more. No deployment is touched.
    ///
    /// # Errors
    /// Forbidden without [`Capability::ChangeAccounts`].
    pub async fn withdraw_offer_of(&self, partner: AccountId) -> Result<(), PlatformError> {
        self.require(Capability::ChangeAccounts)?;
        self.parts.disconnect(Publisher::Partner(partner), self.id()).await
    }

    /// The repository that is connected.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish.
    pub async fn connection(&self) -> Result<Option<RepoConnection>, PlatformError> {
        Ok(self.parts.directory.connection(self.publishes_as()?).await?)
    }
}

/// What a partner has on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerOffer {
    /// The repository that is connected.
    pub connection: Option<RepoConnection>,
    /// How many modules are on offer.
    pub modules: usize,
}

/// What publishing on behalf of a publisher takes.
fn needed(publisher: Publisher) -> Capability {
    match publisher {
        Publisher::Platform => Capability::PublishForPlatform,
        Publisher::Partner(_) => Capability::Publish,
    }
}

impl Parts {
    /// Whether a publisher may put something on offer by now.
    pub(super) async fn may_publish(&self, publisher: Publisher) -> Result<bool, PlatformError> {
        let Publisher::Partner(account) = publisher else { return Ok(true) };
        match self.directory.account(account).await {
            Ok(account) => Ok(account.roles.has(Role::Partner)),
            Err(DirectoryError::NotFound) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Disconnects a publisher's repository: everything leaves the catalogue.
    async fn disconnect(&self, publisher: Publisher, by: AccountId) -> Result<(), PlatformError> {
        self.directory.set_connection(publisher, None).await?;
        self.watches.end(publisher).await?;
        self.readings.forget(publisher).await?;
        let done = Done { publisher, repository: "", commit: None, by: Some(by) };
        self.begin_anew(&BTreeSet::new(), done).await
    }

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
