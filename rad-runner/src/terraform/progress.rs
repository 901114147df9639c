//! Following each resource from the plan to its end. A replacement is two changes to the engine and one to people.

use std::collections::HashMap;

use rad_core::runner::{ChangeKind, ChangeStatus, MOST_RESOURCES, ResourceProgress};

use super::event::Meaning;

/// What is known of the resources of a run.
#[derive(Debug, Default)]
pub(super) struct Progress {
    resources: HashMap<String, Followed>,
}

#[derive(Debug, Clone, Copy)]
struct Followed {
    change: ChangeKind,
    /// How many of the engine's changes are still to be done.
    left: u8,
}

impl Progress {
    /// Notes a message; gives how far its resource has come, if that is news.
    pub(super) fn note(&mut self, meaning: &Meaning) -> Option<ResourceProgress> {
        let (address, change, status, elapsed) = match meaning {
            Meaning::Planned(address, change) => (address, *change, ChangeStatus::Planned, None),
            Meaning::Started(address, change) => (address, *change, ChangeStatus::Started, None),
            Meaning::Progress(address, change, seconds) => {
                (address, *change, ChangeStatus::Started, Some(*seconds))
            }
            Meaning::Complete(address, change, seconds) => {
                (address, *change, ChangeStatus::Complete, *seconds)
            }
            Meaning::Errored(address, change, seconds) => (address, *change, ChangeStatus::Errored, *seconds),
            Meaning::Text
            | Meaning::Version
            | Meaning::Drifted(..)
            | Meaning::Diagnostic(_)
            | Meaning::Outputs => return None,
        };
        let known = self.resources.contains_key(address);
        // The apply repeats what the plan said.
        if known && status == ChangeStatus::Planned || !known && self.resources.len() == MOST_RESOURCES {
            return None;
        }
        let left = if change == ChangeKind::Replace { 2 } else { 1 };
        let followed = self.resources.entry(address.clone()).or_insert(Followed { change, left });
        let mut status = status;
        if status == ChangeStatus::Complete {
            followed.left = followed.left.saturating_sub(1);
            if followed.left > 0 {
                status = ChangeStatus::Started;
            }
        }
        Some(ResourceProgress {
            address: address.clone(),
            change: followed.change,
            status,
            elapsed_seconds: elapsed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_is_complete_when_both_its_changes_are() {
        let mut progress = Progress::default();
        let address = || "a".to_owned();
        let mut seen = Vec::new();
        for meaning in [
            Meaning::Planned(address(), ChangeKind::Replace),
            Meaning::Planned(address(), ChangeKind::Replace),
            Meaning::Started(address(), ChangeKind::Delete),
            Meaning::Complete(address(), ChangeKind::Delete, Some(0)),
            Meaning::Started(address(), ChangeKind::Create),
            Meaning::Complete(address(), ChangeKind::Create, Some(1)),
        ] {
            seen.extend(progress.note(&meaning).map(|one| (one.change, one.status)));
        }
        use ChangeStatus::{Complete, Planned, Started};
        let statuses: Vec<_> = seen.iter().map(|(_, status)| *status).collect();
        assert_eq!(statuses, [Planned, Started, Started, Started, Complete]);
        assert!(seen.iter().all(|(change, _)| *change == ChangeKind::Replace));
    }
}
