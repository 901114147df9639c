//! Verifying an account: everything is computed again from the entries and compared with what is stored.

use std::collections::{BTreeMap, BTreeSet};

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{Finding, Posted, Topic};
use rad_core::revenue::{AccountState, Charge, Lot, OpenHold};
use rad_core::source::Digest;

use super::book::{StateRows, head_text};
use super::rows::{EntryRow, HeadRow, LineRow, json, number};
use crate::database::bytes;

/// How many entries are read at a time.
const PAGE: i64 = 500;

/// The most findings that are told of: one wrong entry makes most that follow look wrong.
const MOST_FINDINGS: usize = 100;

/// The rows of one account as one moment has them: each database reads them its own way.
///
/// Rows that cannot be read come as errors of their own, so that they are findings.
pub(super) trait StoredAccount: Send {
    /// At most `limit` entries after the entry `after`, in order.
    fn entries(&mut self, after: i64, limit: i64) -> impl Future<Output = Rows<EntryRow>> + Send;
    /// The revenue lines of the entries after `after` up to `to`, in order.
    fn lines(&mut self, after: i64, to: i64) -> impl Future<Output = Rows<LineRow>> + Send;
    fn count_lines(&mut self) -> impl Future<Output = Result<i64, BackendError>> + Send;
    fn head(&mut self) -> impl Future<Output = Result<Option<HeadRow>, BackendError>> + Send;
    /// Lots by id: 1 if they are open, and their text.
    fn lots(&mut self) -> impl Future<Output = Result<Vec<(i64, i64, String)>, BackendError>> + Send;
    fn holds(&mut self) -> impl Future<Output = Result<Vec<(i64, String)>, BackendError>> + Send;
    fn charges(&mut self) -> impl Future<Output = Result<Vec<(i64, String)>, BackendError>> + Send;
    /// Pairs of a lot and a charge that took from it.
    fn charge_lots(&mut self) -> impl Future<Output = Result<Vec<(i64, i64)>, BackendError>> + Send;
}

/// Rows, of which some may not be readable.
pub(super) type Rows<T> = Result<Vec<Result<T, BackendError>>, BackendError>;

/// Compares everything that is stored of an account with what its entries lead to.
pub(super) async fn verify(
    stored: &mut impl StoredAccount,
    account: AccountId,
) -> Result<Vec<Finding>, BackendError> {
    let mut replay = Replay::new(account);
    while !replay.is_broken {
        let before = number(replay.state.seq())?;
        let rows = stored.entries(before, PAGE).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            if let Some(problem) = replay.entry(row)? {
                replay.is_broken = true;
                replay.found(Some(replay.state.seq() + 1), problem);
                break;
            }
        }
        let lines = stored.lines(before, number(replay.state.seq())?).await?;
        replay.lines(lines);
    }
    // Where an entry cannot be replayed nothing can be said about what comes after it.
    if !replay.is_broken {
        replay.count_lines(stored.count_lines().await?);
        replay.head(stored.head().await?)?;
        let state = StateRows::of(&replay.state.snapshot());
        replay.lots(&state, stored.lots().await?)?;
        replay.holds(&state, stored.holds().await?)?;
        replay.charges(&state, stored.charges().await?)?;
        replay.charge_lots(stored.charge_lots().await?);
    }
    Ok(replay.findings)
}

/// The account as its entries say.
struct Replay {
    account: AccountId,
    state: AccountState,
    head: Digest,
    /// The lines of the entries read last, and how many there were in all.
    page: Vec<LineRow>,
    lines: i64,
    charge_lots: BTreeSet<(i64, i64)>,
    findings: Vec<Finding>,
    /// Whether an entry was found that cannot be replayed.
    is_broken: bool,
}

impl Replay {
    fn new(account: AccountId) -> Self {
        Self {
            account,
            state: AccountState::new(account),
            head: Digest::ZERO,
            page: Vec::new(),
            lines: 0,
            charge_lots: BTreeSet::new(),
            findings: Vec::new(),
            is_broken: false,
        }
    }

    /// Replays an entry and compares every column of it. Gives the reason if it cannot be replayed.
    fn entry(&mut self, row: Result<EntryRow, BackendError>) -> Result<Option<String>, BackendError> {
        let expected = self.state.seq() + 1;
        let stored = match row {
            Ok(stored) => stored,
            Err(error) => return Ok(Some(detail(&error))),
        };
        if stored.seq != number(expected)? {
            return Ok(Some(format!("entry {expected} is missing; {} follows", stored.seq)));
        }
        let entry = match stored.entry() {
            Ok(entry) => entry,
            Err(error) => return Ok(Some(detail(&error))),
        };
        let topic = Topic::of(&entry.body, &self.state);
        let effect = match self.state.apply(&entry) {
            Ok(effect) => effect,
            Err(violation) => return Ok(Some(format!("it could not have been posted: {violation}"))),
        };
        let hash = entry.hash(&self.head);
        // The chain goes on from what is stored, so that one altered entry is one finding.
        self.head = bytes(&stored.hash).map_or(hash, Digest::from_bytes);
        let posted = Posted { entry, hash, effect, topic, repeated: false };
        for column in EntryRow::of(&posted)?.differences(&stored) {
            self.found(Some(expected), format!("column {column} is not what the entries lead to"));
        }
        for (place, line) in posted.effect.lines.iter().enumerate() {
            self.page.push(LineRow::of(place, line)?);
            self.lines += 1;
        }
        for part in &posted.effect.parts {
            self.charge_lots.insert((number(part.lot)?, number(part.charge)?));
        }
        Ok(None)
    }

    /// Compares the lines of the entries replayed last with those stored.
    fn lines(&mut self, rows: Vec<Result<LineRow, BackendError>>) {
        let mut stored = BTreeMap::new();
        for row in rows {
            match row {
                Ok(line) => drop(stored.insert((line.entry, line.place), line)),
                Err(error) => self.found(None, detail(&error)),
            }
        }
        for wanted in std::mem::take(&mut self.page) {
            if stored.remove(&(wanted.entry, wanted.place)).as_ref() != Some(&wanted) {
                let problem = "its revenue line is missing or not what the entries lead to".to_owned();
                self.found(u64::try_from(wanted.entry).ok(), problem);
            }
        }
        for (entry, _) in stored.into_keys() {
            self.found(u64::try_from(entry).ok(), "it has a revenue line it did not book".to_owned());
        }
    }

    fn count_lines(&mut self, count: i64) {
        if count != self.lines {
            self.found(None, format!("{count} revenue lines are stored, the entries booked {}", self.lines));
        }
    }

    fn head(&mut self, stored: Option<HeadRow>) -> Result<(), BackendError> {
        let seq = number(self.state.seq())?;
        let Some(stored) = stored else {
            if seq > 0 {
                self.found(None, "its head is missing".to_owned());
            }
            return Ok(());
        };
        if stored.seq != seq {
            // The first entry that is missing, or that the head knows nothing of.
            let first = u64::try_from(stored.seq.min(seq).saturating_add(1)).ok();
            self.found(first, format!("its head is at entry {}, its last entry is {seq}", stored.seq));
        } else if stored.hash != self.head.as_bytes() {
            self.found(None, "the hash of its head is not that of its last entry".to_owned());
        }
        if stored.state != head_text(&self.state.snapshot())? {
            self.found(None, "its totals and debts are not what the entries lead to".to_owned());
        }
        Ok(())
    }

    fn lots(&mut self, state: &StateRows, stored: Vec<(i64, i64, String)>) -> Result<(), BackendError> {
        let row = |(id, lot): (&u64, &Lot)| Ok((number(*id)?, (i64::from(!lot.is_closed()), json(lot)?)));
        let wanted = state.lots.iter().map(row).collect::<Result<_, BackendError>>()?;
        let stored = stored.into_iter().map(|(id, is_open, text)| (id, (is_open, text))).collect();
        self.compare("lot", wanted, stored);
        Ok(())
    }

    fn holds(&mut self, state: &StateRows, stored: Vec<(i64, String)>) -> Result<(), BackendError> {
        let row = |(id, hold): (&u64, &OpenHold)| Ok((number(*id)?, json(hold)?));
        let wanted = state.holds.iter().map(row).collect::<Result<_, BackendError>>()?;
        self.compare("hold", wanted, stored.into_iter().collect());
        Ok(())
    }

    fn charges(&mut self, state: &StateRows, stored: Vec<(i64, String)>) -> Result<(), BackendError> {
        let row = |(id, charge): (&u64, &Charge)| Ok((number(*id)?, json(charge)?));
        let wanted = state.charges.iter().map(row).collect::<Result<_, BackendError>>()?;
        self.compare("charge", wanted, stored.into_iter().collect());
        Ok(())
    }

    fn charge_lots(&mut self, stored: Vec<(i64, i64)>) {
        if BTreeSet::from_iter(stored) != self.charge_lots {
            self.found(None, "which charges took from which lots is not what the entries lead to".to_owned());
        }
    }

    fn compare<T: PartialEq>(&mut self, what: &str, wanted: BTreeMap<i64, T>, mut stored: BTreeMap<i64, T>) {
        for (id, row) in wanted {
            if stored.remove(&id).as_ref() != Some(&row) {
                self.found(None, format!("{what} {id} is missing or not what the entries lead to"));
            }
        }
        for id in stored.into_keys() {
            self.found(None, format!("{what} {id} is stored, and the entries know nothing of it"));
        }
    }

    fn found(&mut self, seq: Option<u64>, problem: String) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(Finding { account: self.account, seq, problem });
        }
    }
}

/// What exactly could not be read.
fn detail(error: &BackendError) -> String {
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    format!("it cannot be read: {cause}")
}
