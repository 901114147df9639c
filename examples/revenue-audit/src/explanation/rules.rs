//! The share rules that the platform's account puts in force, with their entries.

use rad_core::revenue::{Body, Entry, ShareHistory, Violation};

use super::{Posted, Rules};

/// The history of share rules.
#[derive(Debug, Default)]
pub(super) struct RuleBook {
    history: ShareHistory,
    /// The entries, in the order of versions.
    posted: Vec<Posted>,
}

impl RuleBook {
    pub(super) fn add(&mut self, entry: &Entry, posted: Posted) -> Result<(), Violation> {
        self.history.add(entry)?;
        self.posted.push(posted);
        Ok(())
    }

    /// The rules that a charge names, and whether its terms are those in force at its time.
    pub(super) fn of(&self, charge: &Entry) -> Option<Rules> {
        let Body::Capture(capture) = &charge.body else { return None };
        let rules = self.history.version(capture.terms.rule_version)?;
        let posted = self.posted.get(usize::try_from(rules.version.checked_sub(1)?).ok()?)?;
        let problem = self.history.check(charge).err().map(|error| error.to_string());
        Some(Rules { posted: *posted, version: rules.version, effective: rules.effective, problem })
    }
}
