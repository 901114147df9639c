//! Publishing from the connected repository as a planned desired-state sync.

use std::collections::{BTreeMap, BTreeSet};

use super::deploying::within_limit;
use super::{Actor, Parts, PlatformError};
use crate::catalog::{CatalogChange, Listing, Publisher, Revision};
use crate::id::AccountId;
use crate::module::{FoundModule, Manifest, SourceError, Values, discover};
use crate::repo::Head;
use crate::source::{CommitId, SourceTree};
use crate::watch::{PlannedStep, StepKind, SyncRecord};

/// What there is to publish: every module found at the head of the connected branch, and every one published before.
#[derive(Debug, Clone)]
pub struct ModuleGrid {
    /// Whose modules they are.
    pub publisher: Publisher,
    /// The repository they were found in.
    pub repository: String,
    /// The head they were found at.
    pub head: Head,
    /// The version of the publisher's catalogue it was compared with.
    pub version: u64,
    /// The modules, in the order of names.
    pub entries: Vec<GridEntry>,
}

/// A module of the grid.
#[derive(Debug, Clone)]
pub struct GridEntry {
    /// The module's directory.
    pub name: String,
    /// How it stands against the catalogue.
    pub state: GridState,
    /// What its source declares now; absent where it is invalid or gone.
    pub manifest: Option<Manifest>,
    /// Its listing, where it is or was published.
    pub listing: Option<Listing>,
}

impl GridEntry {
    /// Whether the module is on offer.
    pub fn is_published(&self) -> bool {
        self.listing.as_ref().is_some_and(|listing| listing.published)
    }
}

/// How a module of the repository stands against the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub enum GridState {
    /// Not on offer.
    New,
    /// On offer as it is.
    Published,
    /// On offer at an earlier revision.
    Changed,
    /// Its source cannot be read, for these reasons.
    Invalid(Vec<SourceError>),
    /// On offer, and no longer in the repository.
    Gone,
}

/// What the publisher wants on offer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// The names of the modules.
    pub modules: BTreeSet<String>,
    /// Answers to variables of group 0, by module.
    pub values: BTreeMap<String, Values>,
}

/// A sync as it is shown before it is applied.
#[derive(Debug, Clone)]
pub struct SyncPlan {
    /// The commit that would be published.
    pub commit: CommitId,
    /// The version of the publisher's catalogue it was made for.
    pub version: u64,
    /// What would happen to each module concerned.
    pub steps: Vec<PlannedStep>,
}

impl SyncPlan {
    /// Whether applying it would change nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(|step| step.kind == StepKind::Keep)
    }
}

impl Actor {
    /// Every module of the connected repository, and how it stands against the catalogue.
    ///
    /// # Errors
    /// Forbidden, [`NotConnected`](PlatformError::NotConnected), or what is wrong with the repository.
    pub async fn module_grid(&self) -> Result<ModuleGrid, PlatformError> {
        Ok(self.scan().await?.0)
    }

    /// What publishing exactly `selection` would change.
    ///
    /// # Errors
    /// As [`module_grid`](Self::module_grid), and [`Unpublishable`](PlatformError::Unpublishable) for a selected module
    /// that is invalid or not there, or publish-time values it does not take;
    /// [`DependencyCycle`](PlatformError::DependencyCycle) for modules that need each other in a circle.
    pub async fn plan_sync(&self, selection: &Selection) -> Result<SyncPlan, PlatformError> {
        let (grid, _) = self.scan().await?;
        check_selection(&grid, selection)?;
        let steps = grid.steps(selection);
        self.parts.check_needs(&grid, &steps, selection).await?;
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
        let (grid, tree) = self.scan().await?;
        if grid.head.commit != *commit || grid.version != version {
            return Err(PlatformError::PlanChanged);
        }
        check_selection(&grid, selection)?;
        let steps = grid.steps(selection);
        self.parts.check_needs(&grid, &steps, selection).await?;
        self.parts.carry_out(&grid, &tree, steps, selection, Some(self.id())).await
    }

    async fn scan(&self) -> Result<(ModuleGrid, SourceTree), PlatformError> {
        let publisher = self.publishes_as()?;
        let connection =
            self.parts.directory.connection(publisher).await?.ok_or(PlatformError::NotConnected)?;
        let (head, tree) = self.parts.read(publisher, &connection).await?;
        let catalogue = self.parts.catalog.catalogue_of(publisher).await?;
        Ok((ModuleGrid::of(publisher, connection.repository, head, &tree, catalogue), tree))
    }
}

impl ModuleGrid {
    /// The modules of a tree beside those of a catalogue.
    pub(super) fn of(
        publisher: Publisher,
        repository: String,
        head: Head,
        tree: &SourceTree,
        (version, listings): (u64, Vec<Listing>),
    ) -> Self {
        Self { publisher, repository, head, version, entries: compare(discover(tree), listings) }
    }

    /// What publishing exactly `selection` would change.
    fn steps(&self, selection: &Selection) -> Vec<PlannedStep> {
        self.entries.iter().filter_map(|entry| plan_step(entry, selection, self)).collect()
    }

    /// What keeps a catalogue up to date by itself: published modules that changed move to the head, those that are gone leave;
    /// those that cannot be published as they are at the head stay where they are.
    pub(super) fn update_steps(&self) -> Vec<PlannedStep> {
        let published = self.entries.iter().filter(|entry| entry.is_published());
        published.filter_map(|entry| self.update_step(entry)).collect()
    }

    /// Leaves a published module where it is.
    pub(super) fn stays(&self, entry: &GridEntry, why: &str) -> Option<PlannedStep> {
        let listing = entry.listing.as_ref()?;
        let (new, old) = (self.head.commit.short(), listing.revision.commit.short());
        let reason = format!("cannot be published at {new} and stays at {old}: {why}");
        Some(PlannedStep { module: entry.name.clone(), kind: StepKind::Keep, reason })
    }

    fn update_step(&self, entry: &GridEntry) -> Option<PlannedStep> {
        let selection = Selection { modules: [entry.name.clone()].into(), ..Selection::default() };
        let stays = |why: String| self.stays(entry, &why);
        match (&entry.state, check_entry(entry, &selection)) {
            (GridState::Gone, _) => plan_step(entry, &selection, self),
            (GridState::Invalid(_) | GridState::Changed, Err(refusal)) => stays(told(refusal)),
            (GridState::Changed, Ok(())) => plan_step(entry, &selection, self),
            _ => None,
        }
    }
}

/// Why a module cannot be published, in a sentence.
fn told(refusal: PlatformError) -> String {
    match refusal {
        PlatformError::Unpublishable { reason, .. } => reason,
        PlatformError::Values { problems } => {
            let problems = problems
                .into_iter()
                .map(|problem| format!("{}{}: {}", problem.variable, problem.path, problem.message));
            problems.collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
}

impl Parts {
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
        let is_news = !changes.is_empty() || (done.by.is_none() && !steps.is_empty());
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

fn compare(found: Vec<FoundModule>, listings: Vec<Listing>) -> Vec<GridEntry> {
    let mut listings: BTreeMap<String, Listing> =
        listings.into_iter().map(|listing| (listing.name.clone(), listing)).collect();
    let mut entries = Vec::new();
    for module in found {
        let listing = listings.remove(&module.name);
        let published = listing.as_ref().filter(|listing| listing.published);
        let (state, manifest) = match module.outcome {
            Err(errors) => (GridState::Invalid(errors), None),
            Ok(manifest) => {
                let state = match published {
                    None => GridState::New,
                    Some(listing) if listing.revision.digest == module.digest => GridState::Published,
                    Some(_) => GridState::Changed,
                };
                (state, Some(manifest))
            }
        };
        entries.push(GridEntry { name: module.name, state, manifest, listing });
    }
    let gone = listings.into_values().filter(|listing| listing.published);
    entries.extend(gone.map(|listing| GridEntry {
        name: listing.name.clone(),
        state: GridState::Gone,
        manifest: None,
        listing: Some(listing),
    }));
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

fn check_selection(grid: &ModuleGrid, selection: &Selection) -> Result<(), PlatformError> {
    for name in &selection.modules {
        let missing = || PlatformError::Unpublishable {
            module: name.clone(),
            reason: format!("the repository has no module of this name at {}", grid.head.commit.short()),
        };
        let entry = grid.entries.iter().find(|entry| entry.name == *name).ok_or_else(missing)?;
        check_entry(entry, selection)?;
    }
    Ok(())
}

/// Whether a module can be published as it is now, with the values it would have.
fn check_entry(entry: &GridEntry, selection: &Selection) -> Result<(), PlatformError> {
    let refuse = |reason: String| Err(PlatformError::Unpublishable { module: entry.name.clone(), reason });
    match (&entry.state, &entry.manifest) {
        (GridState::Invalid(errors), _) => {
            let reasons: Vec<String> = errors.iter().map(ToString::to_string).collect();
            refuse(reasons.join("; "))
        }
        (GridState::Gone, _) | (_, None) => refuse("it is no longer in the repository".to_owned()),
        (_, Some(manifest)) => {
            let Some(values) = wanted_values(entry, selection) else { return Ok(()) };
            within_limit("values", values)?;
            let checked = manifest.check_publish_values(values);
            checked.map(drop).map_err(|problems| PlatformError::Values { problems })
        }
    }
}

/// The publish-time values the selection gives a module; without any, those it was published with stay.
pub(super) fn wanted_values<'a>(entry: &'a GridEntry, selection: &'a Selection) -> Option<&'a Values> {
    selection.values.get(&entry.name).or(entry.listing.as_ref().map(|listing| &listing.revision.values))
}

fn plan_step(entry: &GridEntry, selection: &Selection, grid: &ModuleGrid) -> Option<PlannedStep> {
    let selected = selection.modules.contains(&entry.name);
    let commit = grid.head.commit.short();
    let (kind, reason) = match (&entry.state, selected) {
        (GridState::New, true) => (StepKind::Publish, format!("new at {commit}")),
        (GridState::Changed, true) => (StepKind::Update, format!("changed, moves to {commit}")),
        (GridState::Published, true) => {
            let listing = entry.listing.as_ref()?;
            if wanted_values(entry, selection).is_some_and(|values| *values != listing.revision.values) {
                (StepKind::Update, "other publish-time values".to_owned())
            } else {
                (StepKind::Keep, "published as it is".to_owned())
            }
        }
        (GridState::Gone, _) => (StepKind::Withdraw, "no longer in the repository".to_owned()),
        (_, false) if entry.is_published() => (StepKind::Withdraw, "deselected".to_owned()),
        _ => return None,
    };
    Some(PlannedStep { module: entry.name.clone(), kind, reason })
}
