//! Publishing from the connected repository as a planned desired-state sync.

use std::collections::BTreeMap;

use super::grid::{GridEntry, ModuleGrid, Selection, SyncPlan, check_selection, wanted_values};
use super::{Actor, Parts, PlatformError};
use crate::catalog::{CatalogChange, Publisher, Revision};
use crate::id::AccountId;
use crate::module::Manifest;
use crate::repo::RepoConnection;
use crate::source::{CommitId, SourceTree};
use crate::watch::{PlannedStep, StepKind, SyncRecord};

impl Actor {
    /// Every module of the connected repository, and how it stands against the catalogue.
    ///
    /// # Errors
    /// Forbidden, [`NotConnected`](PlatformError::NotConnected), or what is wrong with the repository.
    pub async fn module_grid(&self) -> Result<ModuleGrid, PlatformError> {
        Ok(self.grid().await?.0)
    }

    /// What publishing exactly `selection` would change. A selected module that is on offer and invalid at the head stays as it
    /// was published.
    ///
    /// # Errors
    /// As [`module_grid`](Self::module_grid), and [`Unpublishable`](PlatformError::Unpublishable) for a selected module
    /// that is not there, or invalid and not on offer, or publish-time values it does not take;
    /// [`DependencyCycle`](PlatformError::DependencyCycle) for modules that need each other in a circle.
    pub async fn plan_sync(&self, selection: &Selection) -> Result<SyncPlan, PlatformError> {
        let (grid, _) = self.grid().await?;
        let steps = self.parts.planned(&grid, selection).await?;
        Ok(SyncPlan { commit: grid.head.commit.clone(), version: grid.version, steps })
    }

    /// Applies the sync that was planned for `selection` at `commit` and `version`, all or nothing.
    ///
    /// # Errors
    /// As [`plan_sync`](Self::plan_sync), and [`PlanChanged`](PlatformError::PlanChanged) if the branch or the catalogue
    /// moved on since.
    pub async fn apply_sync(
        &self,
        selection: &Selection,
        commit: &CommitId,
        version: u64,
    ) -> Result<SyncPlan, PlatformError> {
        let (grid, source) = self.grid().await?;
        if grid.head.commit != *commit || grid.version != version {
            return Err(PlatformError::PlanChanged);
        }
        let steps = self.parts.planned(&grid, selection).await?;
        let (connection, tree) = source;
        let tree = match tree {
            Some(tree) => tree,
            None if steps.iter().any(PlannedStep::offers) => {
                self.parts.open(grid.publisher, &connection).await?.tree(&grid.head).await?
            }
            None => SourceTree::default(),
        };
        self.parts.carry_out(&grid, &tree, steps, selection, Some(self.id())).await
    }

    /// The grid, and where the sources are, or what they are.
    async fn grid(&self) -> Result<(ModuleGrid, (RepoConnection, Option<SourceTree>)), PlatformError> {
        let publisher = self.publishes_as()?;
        // The catalogue first: another connection makes this version a stale one.
        let catalogue = self.parts.catalog.catalogue_of(publisher).await?;
        let connection =
            self.parts.directory.connection(publisher).await?.ok_or(PlatformError::NotConnected)?;
        let (scan, tree) = self.parts.scan(publisher, &connection).await?;
        let grid = ModuleGrid::of(publisher, connection.repository.clone(), scan, catalogue);
        Ok((grid, (connection, tree)))
    }
}

impl Parts {
    /// What publishing exactly `selection` changes, if it can be published.
    async fn planned(
        &self,
        grid: &ModuleGrid,
        selection: &Selection,
    ) -> Result<Vec<PlannedStep>, PlatformError> {
        check_selection(grid, selection)?;
        let steps = grid.steps(selection);
        self.check_needs(grid, &steps, selection).await?;
        Ok(steps)
    }

    /// Carries out the steps of a sync, all or none, and keeps a record of it.
    pub(super) async fn carry_out(
        &self,
        grid: &ModuleGrid,
        tree: &SourceTree,
        steps: Vec<PlannedStep>,
        selection: &Selection,
        by: Option<AccountId>,
    ) -> Result<SyncPlan, PlatformError> {
        let entries: BTreeMap<&str, &GridEntry> =
            grid.entries.iter().map(|entry| (entry.name.as_str(), entry)).collect();
        let mut changes = Vec::new();
        for step in &steps {
            let Some(entry) = entries.get(step.module.as_str()) else { continue };
            match (step.kind, &entry.manifest, &entry.listing) {
                (StepKind::Publish, Some(manifest), _) => {
                    let revision = self.archived(grid, tree, entry, manifest, selection).await?;
                    changes.push(CatalogChange::Publish { name: entry.name.clone(), revision });
                }
                (StepKind::Update, Some(manifest), Some(listing)) => {
                    let revision = self.archived(grid, tree, entry, manifest, selection).await?;
                    changes.push(CatalogChange::Update { module: listing.id, revision });
                }
                (StepKind::Withdraw, _, Some(listing)) => {
                    changes.push(CatalogChange::Withdraw { module: listing.id });
                }
                _ => {}
            }
        }
        let commit = grid.head.commit.clone();
        let done =
            Done { publisher: grid.publisher, repository: &grid.repository, commit: Some(&commit), by };
        let version = self.change_catalogue(done, grid.version, &changes, &steps).await?;
        Ok(SyncPlan { commit, version, steps })
    }

    /// Changes a catalogue as it stood at `version`, all or nothing, and keeps a record of why; gives the new version.
    pub(super) async fn change_catalogue(
        &self,
        done: Done<'_>,
        version: u64,
        changes: &[CatalogChange],
        steps: &[PlannedStep],
    ) -> Result<u64, PlatformError> {
        let at = self.clock.now();
        let version = if changes.is_empty() {
            version
        } else {
            self.catalog.apply(done.publisher, version, changes, at).await?
        };
        let is_news = steps.iter().any(|step| done.by.is_none() || step.kind != StepKind::Keep);
        if is_news {
            let sync = SyncRecord {
                publisher: done.publisher,
                at,
                by: done.by,
                repository: done.repository.to_owned(),
                commit: done.commit.cloned(),
                version,
                steps: steps.to_vec(),
            };
            // What is done is done, whether or not it could be written down.
            if let Err(error) = self.watches.keep_sync(&sync).await {
                tracing::warn!(?sync, %error, "a sync was carried out and its record could not be kept");
            }
        }
        Ok(version)
    }

    /// Archives a module's source and describes it as a revision.
    async fn archived(
        &self,
        grid: &ModuleGrid,
        tree: &SourceTree,
        entry: &GridEntry,
        manifest: &Manifest,
        selection: &Selection,
    ) -> Result<Revision, PlatformError> {
        let values = wanted_values(entry, selection).cloned().unwrap_or_default();
        let mut manifest = manifest.clone();
        manifest.metadata =
            manifest.metadata_with(&values).map_err(|problems| PlatformError::Values { problems })?;
        Ok(Revision {
            repository: grid.repository.clone(),
            commit: grid.head.commit.clone(),
            digest: self.archive.store(&tree.directory(&entry.name)).await?,
            manifest,
            values,
        })
    }
}

/// A sync that is carried out, for its record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done<'a> {
    pub(super) publisher: Publisher,
    pub(super) repository: &'a str,
    pub(super) commit: Option<&'a CommitId>,
    pub(super) by: Option<AccountId>,
}
