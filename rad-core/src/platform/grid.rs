//! What there is to publish: the modules of a repository beside those of a catalogue, and what a selection of them changes.

use std::collections::{BTreeMap, BTreeSet};

use super::PlatformError;
use super::deploying::within_limit;
use super::scanning::Scan;
use crate::catalog::{Listing, Publisher};
use crate::module::{FoundModule, Manifest, SourceError, Values};
use crate::repo::Head;
use crate::source::CommitId;
use crate::watch::{PlannedStep, StepKind};

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
    /// How many of them were parsed for it; the others are as they were when the repository was read before.
    pub parsed: usize,
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

impl ModuleGrid {
    /// The modules of a scan beside those of a catalogue.
    pub(super) fn of(
        publisher: Publisher,
        repository: String,
        scan: Scan,
        (version, listings): (u64, Vec<Listing>),
    ) -> Self {
        let Scan { head, modules, parsed } = scan;
        Self { publisher, repository, head, version, entries: compare(modules, listings), parsed }
    }

    /// What publishing exactly `selection` would change.
    pub(super) fn steps(&self, selection: &Selection) -> Vec<PlannedStep> {
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

/// What is wrong with a module's source, in a line.
fn listed(errors: &[SourceError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
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

pub(super) fn check_selection(grid: &ModuleGrid, selection: &Selection) -> Result<(), PlatformError> {
    for name in &selection.modules {
        let missing = || PlatformError::Unpublishable {
            module: name.clone(),
            reason: format!("the repository has no module of this name at {}", grid.head.commit.short()),
        };
        let entry = grid.entries.iter().find(|entry| entry.name == *name).ok_or_else(missing)?;
        // What is on offer may stay there as it was published, whatever became of its source.
        if !(matches!(entry.state, GridState::Invalid(_)) && entry.is_published()) {
            check_entry(entry, selection)?;
        }
    }
    Ok(())
}

/// Whether a module can be published as it is now, with the values it would have.
fn check_entry(entry: &GridEntry, selection: &Selection) -> Result<(), PlatformError> {
    let refuse = |reason: String| Err(PlatformError::Unpublishable { module: entry.name.clone(), reason });
    match (&entry.state, &entry.manifest) {
        (GridState::Invalid(errors), _) => refuse(listed(errors)),
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
        (GridState::Gone, _) => return Some(PlannedStep::gone(&entry.name)),
        (GridState::Invalid(errors), true) => {
            return grid.stays(entry, &listed(errors)).filter(|_| entry.is_published());
        }
        (_, false) if entry.is_published() => (StepKind::Withdraw, "deselected".to_owned()),
        _ => return None,
    };
    Some(PlannedStep { module: entry.name.clone(), kind, reason })
}
