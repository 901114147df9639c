//! Modules that need others: what runs in a circle could never be deployed, and is refused before it is published.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::grid::{ModuleGrid, Selection, wanted_values};
use super::{Parts, PlatformError};
use crate::access::Publisher;
use crate::catalog::Listing;
use crate::watch::{PlannedStep, StepKind};

/// What modules need, by name: of each module that is offered under it, what it needs. One of them is enough.
type Needs = BTreeMap<String, Vec<Vec<String>>>;

impl Parts {
    /// Refuses steps after which modules would need each other in a circle, over those of other publishers too.
    pub(super) async fn check_needs(
        &self,
        grid: &ModuleGrid,
        steps: &[PlannedStep],
        selection: &Selection,
    ) -> Result<(), PlatformError> {
        match self.circle_after(grid, steps, selection).await? {
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
        while let Some(modules) = self.circle_after(grid, &steps, &Selection::default()).await? {
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

    /// A circle through modules of the grid, as they are once the steps are taken.
    async fn circle_after(
        &self,
        grid: &ModuleGrid,
        steps: &[PlannedStep],
        selection: &Selection,
    ) -> Result<Option<Vec<String>>, PlatformError> {
        let mut needs = needs_after(grid, steps, selection)?;
        let own = needs.keys().cloned().collect();
        self.follow_needs(grid.publisher, &mut needs).await?;
        Ok(circle(&needs, &own))
    }

    /// Adds what the modules of others need that these lead to.
    async fn follow_needs(&self, publisher: Publisher, needs: &mut Needs) -> Result<(), PlatformError> {
        loop {
            let named = needs.values().flatten().flatten();
            let unknown: BTreeSet<String> =
                named.filter(|name| !needs.contains_key(*name)).cloned().collect();
            if unknown.is_empty() {
                return Ok(());
            }
            let names: Vec<String> = unknown.into_iter().collect();
            let mut offered = self.catalog.named(&names).await?;
            // What the publisher had on offer under such a name is gone once the steps are taken.
            offered.retain(|listing| listing.publisher != publisher);
            for name in names {
                let of_name = offered.iter().filter(|listing| listing.name == name);
                let (platform, partners): (Vec<&Listing>, Vec<&Listing>) =
                    of_name.partition(|listing| listing.publisher == Publisher::Platform);
                let stands = if platform.is_empty() { partners } else { platform };
                let needed = |listing: &Listing| listing.revision.manifest.metadata.dependencies.clone();
                needs.insert(name, stands.into_iter().map(needed).collect());
            }
        }
    }
}

/// What modules of a publisher need once the steps are taken; they stand before others of their names.
fn needs_after(
    grid: &ModuleGrid,
    steps: &[PlannedStep],
    selection: &Selection,
) -> Result<Needs, PlatformError> {
    let mut needs = Needs::new();
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
        needs.insert(entry.name.clone(), vec![metadata.dependencies]);
    }
    Ok(needs)
}

/// The modules along a circle through one of `own` that keeps it from ever being deployed, that one once more at the end.
fn circle(needs: &Needs, own: &BTreeSet<String>) -> Option<Vec<String>> {
    // What nobody offers may come from elsewhere.
    let mut left: BTreeSet<&str> =
        needs.iter().filter(|(_, of)| !of.is_empty()).map(|(name, _)| &**name).collect();
    // What can do with what is not left is deployed, and left no more.
    loop {
        let before = left.len();
        let waits =
            |name: &&str| needs[*name].iter().all(|needed| needed.iter().any(|one| left.contains(&**one)));
        left = left.iter().copied().filter(waits).collect();
        if left.len() == before {
            break;
        }
    }
    own.iter().filter(|name| left.contains(&***name)).find_map(|name| way_back(needs, &left, name))
}

/// The shortest way from a module over what is left to itself.
fn way_back(needs: &Needs, left: &BTreeSet<&str>, to: &str) -> Option<Vec<String>> {
    let mut ways = VecDeque::from([vec![to]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let needed = needs.get(*way.last()?)?.iter().flatten().map(String::as_str);
        for name in needed.filter(|name| left.contains(name)) {
            let on = way.iter().copied().chain([name]);
            if name == to {
                return Some(on.map(str::to_owned).collect());
            }
            if seen.insert(name) {
                ways.push_back(on.collect());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(of: &[(&str, &[&str])]) -> Needs {
        let text = |text: &&str| (*text).to_owned();
        let mut all = Needs::new();
        for (name, needs) in of {
            all.entry(text(name)).or_default().push(needs.iter().map(text).collect());
        }
        all
    }

    fn through_any(needs: &Needs) -> Option<Vec<String>> {
        circle(needs, &needs.keys().cloned().collect())
    }

    #[test]
    fn circles_are_found_and_named_from_end_to_end() {
        for (of, expected) in [
            (&[("a", &["a"][..])][..], Some(&["a", "a"][..])),
            (&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])], Some(&["b", "c", "b"])),
            (&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["elsewhere"])], None),
            (&[("x", &["y", "z"]), ("y", &[]), ("z", &["w"]), ("w", &["x"])], Some(&["w", "x", "z", "w"])),
            (&[], None),
            // Of two that are offered under a name, one is enough.
            (&[("a", &["b"]), ("b", &["a"]), ("b", &[])], None),
            (&[("a", &["b"]), ("b", &["a"]), ("b", &["b"])], Some(&["a", "b", "a"])),
        ] {
            let expected = expected.map(|names| names.iter().map(ToString::to_string).collect());
            assert_eq!(through_any(&needs(of)), expected, "{of:?}");
        }
    }

    #[test]
    fn a_long_chain_without_a_circle_is_none() {
        let chain = (0..500).map(|n| (format!("m{n:03}"), vec![vec![format!("m{:03}", n + 1)]])).collect();
        assert_eq!(through_any(&chain), None);
    }

    #[test]
    fn a_circle_of_others_is_theirs() {
        let needs = needs(&[("own", &["x"]), ("x", &["y"]), ("y", &["x"])]);
        assert_eq!(circle(&needs, &["own".to_owned()].into()), None);
        assert_eq!(
            circle(&needs, &["y".to_owned()].into()),
            Some(["y", "x", "y"].map(String::from).to_vec())
        );
    }
}
