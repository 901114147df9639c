//! Where there is no such charge: what is there instead, and which charge may be meant.

use std::collections::BTreeSet;

use rad_core::revenue::{Body, Effect, Entry, EntryId};

use crate::failure::InputFault;

/// The most charges that are named.
const NAMED: usize = 5;

/// What is known of an entry that may turn out to be no charge.
#[derive(Debug)]
pub(super) struct Missing {
    wanted: EntryId,
    entries: u64,
    kind: Option<&'static str>,
    /// Charges that have to do with the entry.
    related: BTreeSet<u64>,
    /// The first charges of the account.
    charges: BTreeSet<u64>,
}

impl Missing {
    pub(super) const fn new(wanted: EntryId) -> Self {
        Self { wanted, entries: 0, kind: None, related: BTreeSet::new(), charges: BTreeSet::new() }
    }

    pub(super) fn note(&mut self, entry: &Entry, effect: &Effect) {
        self.entries = entry.seq;
        if entry.seq == self.wanted.seq {
            self.kind = Some(entry.body.kind());
        }
        if matches!(entry.body, Body::Capture(_) | Body::ProjectDebit(_)) && self.charges.len() < NAMED {
            self.charges.insert(entry.seq);
        }
        if matches!(&entry.body, Body::Capture(capture) if capture.hold == self.wanted.seq) {
            self.related.insert(entry.seq);
        }
        let of =
            effect.parts.iter().filter(|part| part.lot == self.wanted.seq || entry.seq == self.wanted.seq);
        let room = NAMED.saturating_sub(self.related.len());
        self.related.extend(of.map(|part| part.charge).take(room));
    }

    pub(super) fn help(&self, source: &str) -> InputFault {
        let account = self.wanted.account;
        let (reason, mend) = match self.kind {
            _ if self.entries == 0 => (
                format!("{source} has no entry of account {account}"),
                format!("`revenue-audit replay {source} --by account` lists the accounts with charges"),
            ),
            None => (format!("the account has entries 1 to {}", self.entries), self.suggest()),
            Some(kind) => {
                (format!("the entry is no charge but a {}", kind.replace('_', " ")), self.suggest())
            }
        };
        InputFault::Argument { value: self.wanted.to_string(), reason, mend }
    }

    fn suggest(&self) -> String {
        let account = self.wanted.account;
        let ids = |charges: &BTreeSet<u64>| -> String {
            let ids = charges.iter().map(|seq| EntryId { account, seq: *seq }.to_string());
            ids.collect::<Vec<_>>().join(", ")
        };
        match (self.related.is_empty(), self.charges.is_empty()) {
            (false, _) => format!("the charges it has to do with are {}", ids(&self.related)),
            (true, false) => format!("the first charges of the account are {}", ids(&self.charges)),
            (true, true) => "the account has no charges".to_owned(),
        }
    }
}
