//! Modules that need others: what runs in a circle could never be deployed, and is refused before it is published.

use std::collections::{BTreeMap, BTreeSet};

use super::publishing::{ModuleGrid, Selection, wanted_values};
use super::{Parts, PlatformError};
use crate::access::Publisher;
use crate::watch::{PlannedStep, StepKind};

/// Which modules each module needs, by name.
type Needs = BTreeMap<String, Vec<String>>;

impl Parts {
    /// Refuses steps after which modules would need each other in a circle, over the platform's modules too.
    pub(super) async fn check_needs(
        &self,
        grid: &ModuleGrid,
        steps: &[PlannedStep],
        selection: &Selection,
    ) -> Result<(), PlatformError> {
        let others = self.needs_of_others(grid).await?;
        match circle(&needs_after(grid, steps, selection, others)?) {
            None => Ok(()),
            Some(modules) => Err(PlatformError::DependencyCycle { modules }),
        }
    }

    /// The steps of an update that nobody asked for, without those that would close a circle.
    pub(super) async fn without_circles(
        &self,
        grid: &ModuleGrid,
        mut steps: Vec<PlannedStep>,
    ) -> Result<Vec<PlannedStep>, PlatformError> {
        let others = self.needs_of_others(grid).await?;
        while let Some(modules) = circle(&needs_after(grid, &steps, &Selection::default(), others.clone())?) {
            let why = PlatformError::DependencyCycle { modules: modules.clone() }.to_string();
            let closing =
                steps.iter_mut().find(|step| step.kind == StepKind::Update && modules.contains(&step.module));
            // Without one, it was closed before.
            let Some(step) = closing else { break };
            let entry = grid.entries.iter().find(|entry| entry.name == step.module);
            let Some(stays) = entry.and_then(|entry| grid.stays(entry, &why)) else { break };
            *step = stays;
        }
        Ok(steps)
    }

    /// What the modules of the platform need, for publishers of others.
    async fn needs_of_others(&self, grid: &ModuleGrid) -> Result<Needs, PlatformError> {
        if grid.publisher == Publisher::Platform {
            return Ok(Needs::new());
        }
        let (_, listings) = self.catalog.catalogue_of(Publisher::Platform).await?;
        let published = listings.into_iter().filter(|listing| listing.published);
        Ok(published.map(|listing| (listing.name, listing.revision.manifest.metadata.dependencies)).collect())
    }
}

/// What modules need once the steps are taken; a publisher's own module stands before another of its name.
fn needs_after(
    grid: &ModuleGrid,
    steps: &[PlannedStep],
    selection: &Selection,
    mut needs: Needs,
) -> Result<Needs, PlatformError> {
    for entry in &grid.entries {
        let step = steps.iter().find(|step| step.module == entry.name).map(|step| step.kind);
        let metadata = match (step, &entry.manifest, &entry.listing) {
            (Some(StepKind::Publish | StepKind::Update), Some(manifest), _) => {
                let values = wanted_values(entry, selection).cloned().unwrap_or_default();
                manifest.metadata_with(&values).map_err(|problems| PlatformError::Values { problems })?
            }
            (None | Some(StepKind::Keep), _, Some(listing)) if listing.published => {
                listing.revision.manifest.metadata.clone()
            }
            _ => continue,
        };
        needs.insert(entry.name.clone(), metadata.dependencies);
    }
    Ok(needs)
}

/// The modules along a circle, the first of them once more at the end.
fn circle(needs: &Needs) -> Option<Vec<String>> {
    let mut left: BTreeSet<&str> = needs.keys().map(String::as_str).collect();
    // What needs nothing that is left is in no circle.
    loop {
        let before = left.len();
        let waits = |name: &&str| needs[*name].iter().any(|need| left.contains(need.as_str()));
        left = left.iter().copied().filter(waits).collect();
        if left.len() == before {
            break;
        }
    }
    // Whatever is left needs something that is left: followed far enough, it comes round.
    let mut path: Vec<&str> = vec![left.first()?];
    loop {
        let needed = needs.get(*path.last()?)?.iter().find(|need| left.contains(need.as_str()))?;
        if let Some(begins) = path.iter().position(|name| name == needed) {
            let around = path.get(begins..)?.iter().map(ToString::to_string);
            return Some(around.chain([needed.clone()]).collect());
        }
        path.push(needed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(of: &[(&str, &[&str])]) -> Needs {
        let text = |text: &&str| (*text).to_owned();
        of.iter().map(|(name, needs)| (text(name), needs.iter().map(text).collect())).collect()
    }

    #[test]
    fn circles_are_found_and_named_from_end_to_end() {
        for (of, expected) in [
            (&[("a", &["a"][..])][..], Some(&["a", "a"][..])),
            (&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])], Some(&["b", "c", "b"])),
            (&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["elsewhere"])], None),
            (&[("x", &["y", "z"]), ("y", &[]), ("z", &["w"]), ("w", &["x"])], Some(&["w", "x", "z", "w"])),
            (&[], None),
        ] {
            let expected = expected.map(|names| names.iter().map(ToString::to_string).collect());
            assert_eq!(circle(&needs(of)), expected, "{of:?}");
        }
    }

    #[test]
    fn a_long_chain_without_a_circle_is_none() {
        let chain = (0..500).map(|n| (format!("m{n:03}"), vec![format!("m{:03}", n + 1)])).collect();
        assert_eq!(circle(&chain), None);
    }
}
