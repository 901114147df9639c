//! One account while it is verified: replayed entry by entry, everything that is stored of it compared with that.

use std::collections::BTreeSet;

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{Finding, Topic};
use rad_core::revenue::{AccountState, Compact, Effect, EntryHasher, RevenueLine};
use rad_core::source::Digest;

use super::cells::{Cursor, EntryView, HeadView, LineView, StateView, StoredRow, TookView};
use crate::database::bytes;
use crate::ledger::book::stored_charges;
use crate::ledger::micros::Micros;
use crate::ledger::rows::{CHARGE, HOLD, LOT, entry, number, owes};

/// The most findings that are told of an account: one wrong entry makes most that follow look wrong.
const MOST_FINDINGS: usize = 100;

/// An account as its entries say.
#[derive(Debug)]
pub(super) struct Replay {
    /// The bytes that its rows are stored under.
    stored_as: Vec<u8>,
    account: AccountId,
    state: AccountState,
    hash: Digest,
    /// Which charges took from which lots, in the order they did.
    took: Vec<(i64, i64)>,
    /// The charges that have rows.
    charges: BTreeSet<u64>,
    findings: Vec<Finding>,
    /// Whether an entry was found that cannot be replayed.
    is_broken: bool,
    memory: Memory,
}

/// What is used again for every entry of every account.
#[derive(Debug, Default)]
pub(super) struct Memory {
    effect: Effect,
    hasher: EntryHasher,
    compact: Vec<u8>,
}

impl Replay {
    pub(super) fn new(stored_as: &[u8], memory: Memory) -> Self {
        let id = bytes(stored_as).map(AccountId::from_bytes);
        let account = id.unwrap_or(AccountId::from_bytes([0; 16]));
        let mut replay = Self {
            stored_as: stored_as.to_vec(),
            account,
            state: AccountState::new(account),
            hash: Digest::ZERO,
            took: Vec::new(),
            charges: BTreeSet::new(),
            findings: Vec::new(),
            is_broken: id.is_none(),
            memory,
        };
        if id.is_none() {
            replay.found(None, "rows are stored under an id that has not 16 bytes".to_owned());
        }
        replay
    }

    /// The bytes that its rows are stored under.
    pub(super) fn stored_as(&self) -> &[u8] {
        &self.stored_as
    }

    /// Replays the next entry and compares every column of it and its revenue lines. Where an entry cannot be replayed nothing
    /// can be said about what comes after it.
    pub(super) fn entry<'r, R: StoredRow>(
        &mut self,
        stored: &EntryView<'r>,
        lines: &mut Cursor<'r, R, LineView<'r>>,
    ) -> Result<(), BackendError> {
        if self.is_broken {
            return Ok(());
        }
        match self.replay(stored) {
            Ok(()) => self.compare_lines(stored.seq, lines),
            Err(Stop::Broken(problem)) => {
                self.is_broken = true;
                self.found(Some(self.state.seq() + 1), problem);
            }
            Err(Stop::Failed(error)) => return Err(error),
        }
        Ok(())
    }

    fn replay(&mut self, stored: &EntryView<'_>) -> Result<(), Stop> {
        let expected = self.state.seq() + 1;
        if stored.seq != number(expected)? {
            return Err(Stop::Broken(format!("entry {expected} is missing; {} follows", stored.seq)));
        }
        let said = stored.said.as_ref().map_err(broken)?;
        let entry = entry(self.account, expected, said.at, said.key, said.actor, said.body)
            .map_err(|error| broken(&error))?;
        let topic = Topic::of(&entry.body, &self.state);
        let Memory { effect, hasher, compact } = &mut self.memory;
        if let Err(violation) = self.state.apply_into(&entry, effect) {
            return Err(Stop::Broken(format!("it could not have been posted: {violation}")));
        }
        self.charges.extend(stored_charges(&entry, effect, &self.state));
        for part in &effect.parts {
            self.took.push((number(part.lot)?, number(part.charge)?));
        }
        let hash = hasher.hash(&entry, &self.hash);
        // The chain goes on from what is stored, so that one altered entry is one finding.
        self.hash = bytes(said.hash).map_or(hash, Digest::from_bytes);
        effect.compact_into(compact);
        // Number, time, key and actor have one form each: they were read as they are stored.
        let columns = [
            ("kind", said.kind == entry.body.kind().as_bytes()),
            ("category", said.category == topic.category.map(|category| category.as_str().as_bytes())),
            ("deployment", said.deployment == topic.deployment.as_ref().map(|id| id.as_bytes().as_slice())),
            ("module", said.module == topic.module.as_ref().map(|id| id.as_bytes().as_slice())),
            ("note", said.note == entry.body.note().as_deref().map(str::as_bytes)),
            ("body", said.body == hasher.body()),
            ("effect", said.effect == compact),
            ("hash", said.hash == hash.as_bytes()),
        ];
        for (column, _) in columns.into_iter().filter(|(_, is_same)| !is_same) {
            self.found(Some(expected), format!("column {column} is not what the entries lead to"));
        }
        Ok(())
    }

    /// Compares the lines that the entry replayed last booked with those stored, which are in the order of their places.
    fn compare_lines<'r, R: StoredRow>(&mut self, seq: i64, lines: &mut Cursor<'r, R, LineView<'r>>) {
        self.find_unbooked(lines, |line| line.entry < seq);
        let booked = std::mem::take(&mut self.memory.effect.lines);
        for (place, wanted) in (0_i64..).zip(&booked) {
            self.find_unbooked(lines, |line| (line.entry, line.place) < (seq, place));
            let stored = lines.take_if(&self.stored_as, |line| (line.entry, line.place) == (seq, place));
            if !stored.is_some_and(|stored| stored.is(wanted)) {
                let problem = "its revenue line is missing or not what the entries lead to";
                self.found(u64::try_from(seq).ok(), problem.to_owned());
            }
        }
        self.find_unbooked(lines, |line| line.entry <= seq);
        self.memory.effect.lines = booked;
    }

    /// Passes over revenue lines that no entry booked.
    fn find_unbooked<'r, R: StoredRow>(
        &mut self,
        lines: &mut Cursor<'r, R, LineView<'r>>,
        is_such: impl Fn(&LineView<'r>) -> bool,
    ) {
        while let Some(line) = lines.take_if(&self.stored_as, &is_such) {
            if !self.is_broken {
                self.found(
                    u64::try_from(line.entry).ok(),
                    "it has a revenue line it did not book".to_owned(),
                );
            }
        }
    }

    /// Passes over the revenue lines that are left after the entries that were read.
    pub(super) fn rest_of_lines<'r, R: StoredRow>(&mut self, lines: &mut Cursor<'r, R, LineView<'r>>) {
        self.find_unbooked(lines, |_| true);
    }

    /// Compares what is stored of the state after the last entry, and gives everything that was found.
    pub(super) fn finish<'r, R: StoredRow>(
        mut self,
        heads: &mut Cursor<'r, R, HeadView<'r>>,
        rows: &mut Cursor<'r, R, StateView<'r>>,
        took: &mut Cursor<'r, R, TookView>,
    ) -> Result<(Vec<Finding>, Memory), BackendError> {
        if self.is_broken {
            // Nothing can be said about them.
            while heads.take(&self.stored_as).is_some() {}
            while rows.take(&self.stored_as).is_some() {}
            while took.take(&self.stored_as).is_some() {}
        } else {
            self.compare_head(heads)?;
            self.compare_state(rows)?;
            self.compare_took(took);
        }
        Ok((self.findings, self.memory))
    }

    fn compare_head<'r, R: StoredRow>(
        &mut self,
        heads: &mut Cursor<'r, R, HeadView<'r>>,
    ) -> Result<(), BackendError> {
        let last = number(self.state.seq())?;
        let Some(stored) = heads.take(&self.stored_as) else {
            if last > 0 {
                self.found(None, "its head is missing".to_owned());
            }
            return Ok(());
        };
        if stored.seq != last {
            // The first entry that is missing, or that the head knows nothing of.
            let first = u64::try_from(stored.seq.min(last).saturating_add(1)).ok();
            self.found(first, format!("its head is at entry {}, its last entry is {last}", stored.seq));
        } else if stored.hash != self.hash.as_bytes() {
            self.found(None, "the hash of its head is not that of its last entry".to_owned());
        }
        self.state.totals().compact_into(&mut self.memory.compact);
        if stored.state != self.memory.compact {
            self.found(None, "its totals and debts are not what the entries lead to".to_owned());
        }
        Ok(())
    }

    /// Compares lots, holds and charges with the rows, which are in the order of kinds and numbers.
    fn compare_state<'r, R: StoredRow>(
        &mut self,
        rows: &mut Cursor<'r, R, StateView<'r>>,
    ) -> Result<(), BackendError> {
        let mut compare = Compare { stored_as: &self.stored_as, rows, problems: Vec::new() };
        let compact = &mut self.memory.compact;
        for lot in self.state.lots() {
            lot.compact_into(compact);
            compare.row(LOT, lot.id, !lot.is_closed(), compact)?;
        }
        for hold in self.state.holds() {
            hold.compact_into(compact);
            compare.row(HOLD, hold.id, true, compact)?;
        }
        for charge in self.state.charges(&self.charges) {
            charge.compact_into(compact);
            compare.row(CHARGE, charge.id, owes(self.state.debts(), charge.id), compact)?;
        }
        compare.pass_over(|_| true);
        for problem in compare.problems {
            self.found(None, problem);
        }
        Ok(())
    }

    fn compare_took<'r, R: StoredRow>(&mut self, took: &mut Cursor<'r, R, TookView>) {
        self.took.sort_unstable();
        self.took.dedup();
        let mut stored =
            std::iter::from_fn(|| took.take(&self.stored_as).map(|took| (took.lot, took.charge)));
        let is_same = self.took.iter().all(|wanted| stored.next() == Some(*wanted));
        // To the end, so that the next account begins with its own.
        if stored.count() > 0 || !is_same {
            let problem = "which charges took from which lots is not what the entries lead to";
            self.found(None, problem.to_owned());
        }
    }

    fn found(&mut self, seq: Option<u64>, problem: String) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(Finding { account: self.account, seq, problem });
        }
    }
}

/// Why an account cannot be replayed any further.
enum Stop {
    /// By what is stored of it.
    Broken(String),
    Failed(BackendError),
}

impl From<BackendError> for Stop {
    fn from(error: BackendError) -> Self {
        Self::Failed(error)
    }
}

fn broken(error: &BackendError) -> Stop {
    Stop::Broken(detail(error))
}

/// What exactly could not be read.
pub(super) fn detail(error: &BackendError) -> String {
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    format!("it cannot be read: {cause}")
}

/// Goes along the rows of an account's state.
struct Compare<'c, 'r, R> {
    stored_as: &'c [u8],
    rows: &'c mut Cursor<'r, R, StateView<'r>>,
    problems: Vec<String>,
}

impl<'r, R: StoredRow> Compare<'_, 'r, R> {
    /// That the next row is this one.
    fn row(&mut self, kind: i16, id: u64, is_open: bool, value: &[u8]) -> Result<(), BackendError> {
        let wanted = (kind, number(id)?);
        self.pass_over(|row| (row.kind, row.id) < wanted);
        let stored = self.rows.take_if(self.stored_as, |row| (row.kind, row.id) == wanted);
        if !stored.is_some_and(|row| row.is_open == i16::from(is_open) && row.value == value) {
            let what = name(kind);
            self.problems.push(format!("{what} {id} is missing or not what the entries lead to"));
        }
        Ok(())
    }

    /// Passes over rows that the entries know nothing of.
    fn pass_over(&mut self, is_such: impl Fn(&StateView<'r>) -> bool) {
        while let Some(row) = self.rows.take_if(self.stored_as, &is_such) {
            let what = name(row.kind);
            self.problems.push(format!("{what} {} is stored, and the entries know nothing of it", row.id));
        }
    }
}

/// What a row of a state is, for messages.
fn name(kind: i16) -> &'static str {
    match kind {
        LOT => "lot",
        HOLD => "hold",
        CHARGE => "charge",
        _ => "a row of an unknown kind,",
    }
}

impl LineView<'_> {
    /// Whether it says what a line does; its account, entry and place are the line's.
    fn is(&self, line: &RevenueLine) -> bool {
        let partner = line.publisher.as_ref().map(|partner| partner.as_bytes().as_slice());
        let agent = line.agent_account.as_ref().map(|agent| agent.as_bytes().as_slice());
        self.at == Micros(line.at.timestamp_micros())
            && (self.partner, self.agent, self.module) == (partner, agent, line.module.as_bytes())
            && [self.gross, self.partner_share, self.agent_share, self.platform_share]
                == [line.gross, line.partner, line.agent, line.platform]
    }
}
