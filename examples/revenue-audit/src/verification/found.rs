//! The findings so far: a bounded list of them, and how many there are.

use rad_core::id::AccountId;

use super::finding::{Finding, Wrong};
use crate::checkpoint::Differs;

/// Where a finding is.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) account: AccountId,
    pub(super) seq: u64,
    pub(super) line: Option<u64>,
}

/// What a source has at all: what it leaves out everywhere is missing nowhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Has {
    pub(super) hashes: bool,
    pub(super) recorded: bool,
}

/// The findings so far.
#[derive(Debug)]
pub(super) struct Found {
    most: usize,
    number: u64,
    wrong: List,
    hashes_missing: List,
    recorded_missing: List,
}

/// The first findings of a kind, numbered in the order of the source, and how many there are.
#[derive(Debug, Default)]
struct List {
    first: Vec<(u64, Finding)>,
    count: u64,
}

impl Found {
    pub(super) fn new(most: usize) -> Self {
        let [wrong, hashes_missing, recorded_missing] = [(); 3].map(|()| List::default());
        Self { most, number: 0, wrong, hashes_missing, recorded_missing }
    }

    pub(super) fn add(&mut self, at: At, wrong: Wrong) {
        let list = match wrong {
            Wrong::HashMissing => &mut self.hashes_missing,
            Wrong::RecordedMissing => &mut self.recorded_missing,
            _ => &mut self.wrong,
        };
        self.number += 1;
        list.count += 1;
        if list.first.len() < self.most {
            list.first
                .push((self.number, Finding { account: at.account, seq: at.seq, line: at.line, wrong }));
        }
    }

    /// Adds that an account differs from its checkpoint; `at` is where the source is.
    pub(super) fn differs(&mut self, (account, what): Differs, at: Option<(AccountId, Option<u64>)>) {
        let line = at.filter(|(current, _)| *current == account).and_then(|(_, line)| line);
        self.add(At { account, seq: what.seq(), line }, Wrong::NotExtended(what));
    }

    /// How many there are for certain.
    pub(super) const fn count(&self) -> u64 {
        self.wrong.count
    }

    /// The first findings in the order of the source, and how many more there are.
    pub(super) fn finish(self, has: Has) -> (Vec<Finding>, u64) {
        let mut all = self.wrong;
        for (counts, list) in [(has.hashes, self.hashes_missing), (has.recorded, self.recorded_missing)] {
            if counts {
                all.first.extend(list.first);
                all.count += list.count;
            }
        }
        all.first.sort_by_key(|(number, _)| *number);
        all.first.truncate(self.most);
        let more = all.count - all.first.len() as u64;
        (all.first.into_iter().map(|(_, finding)| finding).collect(), more)
    }
}
