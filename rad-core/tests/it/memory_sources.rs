//! Repositories, catalogue and archive in memory keep the contracts.

use async_trait::async_trait;
use chrono::Utc;
use rad_core::conformance::repo::RepoFixture;
use rad_core::conformance::{archive, catalog, credential, repo};
use rad_core::memory::{MemoryArchive, MemoryCatalog, MemoryCredentials, MemoryRepos};
use rad_core::repo::{RepoSource, RepoWriter};
use rad_core::source::{CommitId, SourceTree};

/// Repositories in memory, as the suite makes them.
struct Repos(MemoryRepos);

#[async_trait]
impl RepoFixture for Repos {
    fn source(&self) -> &dyn RepoSource {
        &self.0
    }

    fn writer(&self) -> Option<&dyn RepoWriter> {
        Some(&self.0)
    }

    async fn create(&self, name: &str) -> String {
        self.0.create(name);
        name.to_owned()
    }

    async fn commit(&self, repository: &str, branch: &str, tree: &SourceTree) -> CommitId {
        self.0.commit(repository, branch, tree.clone(), Utc::now()).unwrap()
    }
}

#[tokio::test]
async fn repositories_keep_the_contract() {
    repo::all(&Repos(MemoryRepos::default())).await;
}

#[tokio::test]
async fn the_catalogue_keeps_the_contract() {
    catalog::all(&MemoryCatalog::default()).await;
}

#[tokio::test]
async fn the_archive_keeps_the_contract() {
    archive::all(&MemoryArchive::default()).await;
}

#[tokio::test]
async fn credentials_keep_the_contract() {
    let store = MemoryCredentials::default();
    credential::keeps_credentials_apart(&store).await;
    credential::replaces_what_did_not_change(&store).await;
}
