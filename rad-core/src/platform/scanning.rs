//! Scanning connected repositories: what is at the head, of which only what changed since the last time is parsed.

use secrecy::SecretString;

use super::{Parts, PlatformError};
use crate::access::Publisher;
use crate::module::{Discovery, FoundModule, READER, discover_again};
use crate::reading::Reading;
use crate::repo::{Head, RepoAccess, RepoConnection, RepoSource};
use crate::source::SourceTree;

/// What is at the head of what a publisher is connected to.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) head: Head,
    /// The modules, in the order of names.
    pub(super) modules: Vec<FoundModule>,
    /// How many of them were parsed for it.
    pub(super) parsed: usize,
}

impl Parts {
    /// Scans what a publisher is connected to. While the head is where it was the last time, no sources are read, and none are
    /// given.
    pub(super) async fn scan(
        &self,
        publisher: Publisher,
        connection: &RepoConnection,
    ) -> Result<(Scan, Option<SourceTree>), PlatformError> {
        let repo = self.open(publisher, connection).await?;
        let head = repo.head().await?;
        let before = self.last_reading(publisher).await;
        let is_known =
            |reading: &Reading| reading.is_of(&connection.repository, &connection.sub_dir, &head.commit);
        match before {
            Some(reading) if is_known(&reading) => {
                Ok((Scan { head, modules: reading.modules, parsed: 0 }, None))
            }
            before => {
                let tree = repo.tree(&head).await?;
                Ok((self.scan_since(before, publisher, connection, head, &tree).await, Some(tree)))
            }
        }
    }

    /// Scans sources that were read already.
    pub(super) async fn scan_tree(
        &self,
        publisher: Publisher,
        connection: &RepoConnection,
        head: Head,
        tree: &SourceTree,
    ) -> Scan {
        let before = self.last_reading(publisher).await;
        self.scan_since(before, publisher, connection, head, tree).await
    }

    async fn scan_since(
        &self,
        before: Option<Reading>,
        publisher: Publisher,
        connection: &RepoConnection,
        head: Head,
        tree: &SourceTree,
    ) -> Scan {
        let before = before.map(|reading| reading.modules).unwrap_or_default();
        let Discovery { modules, parsed } = discover_again(tree, before);
        tracing::debug!(%publisher, commit = %head.commit, modules = modules.len(), parsed, "scanned a repository");
        let reading = Reading {
            publisher,
            reader: READER.to_owned(),
            repository: connection.repository.clone(),
            sub_dir: connection.sub_dir.clone(),
            commit: head.commit.clone(),
            modules,
        };
        // It saves work the next time; nothing is lost without it.
        if let Err(error) = self.readings.keep(&reading).await {
            tracing::warn!(%publisher, %error, "what was read of a repository could not be kept");
        }
        Scan { head, modules: reading.modules, parsed }
    }

    /// What was found the last time, if that is known.
    async fn last_reading(&self, publisher: Publisher) -> Option<Reading> {
        match self.readings.reading(publisher, READER).await {
            Ok(reading) => reading,
            Err(error) => {
                tracing::warn!(%publisher, %error, "what was read of a repository before is not known");
                None
            }
        }
    }

    /// What a publisher is connected to, with the publisher's token.
    pub(super) async fn open<'a>(
        &'a self,
        publisher: Publisher,
        connection: &'a RepoConnection,
    ) -> Result<OpenRepo<'a>, PlatformError> {
        let token = self.token_of(publisher).await?;
        Ok(OpenRepo { repos: self.repos.as_ref(), connection, publisher, token })
    }
}

/// A connected repository, and the token that opens it.
#[derive(Debug)]
pub(super) struct OpenRepo<'a> {
    repos: &'a dyn RepoSource,
    connection: &'a RepoConnection,
    publisher: Publisher,
    token: Option<SecretString>,
}

impl OpenRepo<'_> {
    /// Whether it may be published from.
    pub(super) async fn check_publishing(&self) -> Result<(), PlatformError> {
        Ok(self.repos.check_publishing(self.access()).await?)
    }

    /// The head of the branch.
    pub(super) async fn head(&self) -> Result<Head, PlatformError> {
        Ok(self.repos.head(self.access(), self.connection.branch.as_deref()).await?)
    }

    /// The sources at that head.
    pub(super) async fn tree(&self, head: &Head) -> Result<SourceTree, PlatformError> {
        Ok(self.repos.tree(self.access(), &head.commit, &self.connection.sub_dir).await?)
    }

    fn access(&self) -> RepoAccess<'_> {
        let repository = &self.connection.repository;
        RepoAccess { repository, publisher: self.publisher, credential: self.token.as_ref() }
    }
}
