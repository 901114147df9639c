//! Verifying accounts: everything is computed again from the entries and compared with what is stored.
//!
//! The rows of a range of accounts are read in pages, in account order, so that a million small accounts take no more trips to
//! the database than one large one, and no more memory.

use std::collections::{BTreeMap, BTreeSet};

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{Finding, Posted, Topic, Verified};
use rad_core::revenue::AccountState;
use rad_core::source::Digest;
use tokio::task::JoinSet;

use super::book::stored_charges;
use super::rows::{CHARGE, EntryRow, HOLD, HeadRow, LOT, LineRow, StateRow, number};
use crate::database::bytes;

/// How many entries are read at a time.
pub(super) const PAGE: usize = 2_000;

/// The most findings that are told of an account: one wrong entry makes most that follow look wrong.
const MOST_FINDINGS: usize = 100;

/// The rows of accounts as one moment has them: each database reads them its own way.
///
/// Bounds of accounts are bytes: `from` belongs to the range, `to` does not.
pub(super) trait Stored: Send {
    /// At most [`PAGE`] entries after a place, of accounts before `to`, in order.
    fn entries(
        &mut self,
        after: &Place,
        to: &[u8],
    ) -> impl Future<Output = Result<Vec<StoredEntry>, BackendError>> + Send;
    /// The revenue lines of the entries after a place up to another, in order. A line that cannot be read is an error of its
    /// own, so that it is a finding.
    fn lines(
        &mut self,
        after: &Place,
        to: &Place,
    ) -> impl Future<Output = Result<Vec<Result<LineRow, BackendError>>, BackendError>> + Send;
    fn heads(
        &mut self,
        from: &[u8],
        to: &[u8],
    ) -> impl Future<Output = Result<Vec<HeadRow>, BackendError>> + Send;
    fn state(
        &mut self,
        from: &[u8],
        to: &[u8],
    ) -> impl Future<Output = Result<Vec<StateRow>, BackendError>> + Send;
    /// Accounts, and pairs of a lot and a charge that took from it.
    fn charge_lots(
        &mut self,
        from: &[u8],
        to: &[u8],
    ) -> impl Future<Output = Result<Vec<(Vec<u8>, i64, i64)>, BackendError>> + Send;
}

/// Where an entry stands in the order of accounts and numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) account: Vec<u8>,
    pub(super) seq: i64,
}

/// An entry, or why it cannot be read.
#[derive(Debug)]
pub(super) struct StoredEntry {
    pub(super) place: Place,
    pub(super) row: Result<EntryRow, BackendError>,
}

/// Compares everything that is stored of the accounts after one up to another with what their entries lead to.
pub(super) async fn verify(
    stored: &mut impl Stored,
    after: Option<AccountId>,
    to: Option<AccountId>,
) -> Result<Verified, BackendError> {
    // One byte more than an id is after that id, and before every other one.
    let beyond = |id: AccountId| [id.as_bytes().as_slice(), &[0]].concat();
    let from = after.map_or_else(Vec::new, beyond);
    verify_between(stored, from, to.map_or_else(|| vec![u8::MAX; 17], beyond)).await
}

/// Verifies in a task of its own, so that ranges that are verified side by side use several processors. It ends with whoever
/// waits for it.
pub(super) async fn in_own_task(
    verifying: impl Future<Output = Result<Verified, BackendError>> + Send + 'static,
) -> Result<Verified, BackendError> {
    let mut task = JoinSet::new();
    task.spawn(verifying);
    match task.join_next().await {
        Some(Ok(verified)) => verified,
        Some(Err(error)) => Err(BackendError::unavailable("verifying accounts", error)),
        None => Err(BackendError::unavailable("verifying accounts", "its task is gone")),
    }
}

/// Compares everything that is stored of an account with what its entries lead to.
pub(super) async fn verify_one(
    stored: &mut impl Stored,
    account: AccountId,
) -> Result<Vec<Finding>, BackendError> {
    let from = account.as_bytes().to_vec();
    let to = [account.as_bytes().as_slice(), &[0]].concat();
    Ok(verify_between(stored, from, to).await?.findings)
}

async fn verify_between(
    stored: &mut impl Stored,
    mut from: Vec<u8>,
    to: Vec<u8>,
) -> Result<Verified, BackendError> {
    let mut verified = Verified::default();
    let mut replays = Replays::default();
    let mut after = Place { account: from.clone(), seq: i64::MIN };
    loop {
        let page = stored.entries(&after, &to).await?;
        let is_last = page.len() < PAGE;
        verified.entries += page.len() as u64;
        let end = match page.last() {
            Some(last) if !is_last => last.place.clone(),
            _ => Place { account: to.clone(), seq: i64::MIN },
        };
        for entry in page {
            replays.entry(entry)?;
        }
        replays.lines(stored.lines(&after, &end).await?);
        // An account may go on after the page: all before it are complete.
        let complete = end.account.clone();
        if complete > from {
            let finished = replays.complete(
                &complete,
                stored.heads(&from, &complete).await?,
                stored.state(&from, &complete).await?,
                stored.charge_lots(&from, &complete).await?,
            )?;
            verified.accounts += finished.accounts;
            verified.findings.extend(finished.findings);
            from = complete;
        }
        if is_last {
            return Ok(verified);
        }
        after = end;
    }
}

/// The accounts whose rows are being read, by the bytes of their ids.
#[derive(Default)]
struct Replays {
    accounts: BTreeMap<Vec<u8>, Replay>,
    /// The lines of the entries read last, in order.
    lines: Vec<LineRow>,
}

impl Replays {
    fn account(&mut self, account: &[u8]) -> &mut Replay {
        self.accounts.entry(account.to_vec()).or_insert_with(|| Replay::new(account))
    }

    fn entry(&mut self, entry: StoredEntry) -> Result<(), BackendError> {
        let mut lines = std::mem::take(&mut self.lines);
        let replay = self.account(&entry.place.account);
        if !replay.is_broken
            && let Some(problem) = replay.entry(entry, &mut lines)?
        {
            replay.is_broken = true;
            replay.found(Some(replay.state.seq() + 1), problem);
        }
        self.lines = lines;
        Ok(())
    }

    /// Compares the lines of the entries replayed last with those stored.
    fn lines(&mut self, rows: Vec<Result<LineRow, BackendError>>) {
        let mut stored = BTreeMap::new();
        for row in rows {
            match row {
                Ok(line) => drop(stored.insert((line.account.clone(), line.entry, line.place), line)),
                Err(error) => self.account(&[]).found(None, detail(&error)),
            }
        }
        for wanted in std::mem::take(&mut self.lines) {
            let place = (wanted.account.clone(), wanted.entry, wanted.place);
            if stored.remove(&place).as_ref() != Some(&wanted) {
                let problem = "its revenue line is missing or not what the entries lead to".to_owned();
                self.account(&wanted.account).found(u64::try_from(wanted.entry).ok(), problem);
            }
        }
        for (account, entry, _) in stored.into_keys() {
            let replay = self.account(&account);
            // Where an entry cannot be replayed nothing can be said about what comes after it.
            if !replay.is_broken {
                let problem = "it has a revenue line it did not book".to_owned();
                replay.found(u64::try_from(entry).ok(), problem);
            }
        }
    }

    /// Compares the state of the accounts before a bound, and lets go of them.
    fn complete(
        &mut self,
        to: &[u8],
        heads: Vec<HeadRow>,
        state: Vec<StateRow>,
        charge_lots: Vec<(Vec<u8>, i64, i64)>,
    ) -> Result<Verified, BackendError> {
        let mut verified = Verified::default();
        for head in heads {
            let account = head.account.clone();
            self.account(&account).head = Some(head);
        }
        for row in state {
            let account = row.account.clone();
            self.account(&account).rows.push(row);
        }
        for (account, lot, charge) in charge_lots {
            self.account(&account).stored_took.push((lot, charge));
        }
        let rest = self.accounts.split_off(to);
        for replay in std::mem::replace(&mut self.accounts, rest).into_values() {
            verified.accounts += 1;
            verified.findings.extend(replay.finish()?);
        }
        Ok(verified)
    }
}

/// An account as its entries say.
struct Replay {
    account: AccountId,
    state: AccountState,
    hash: Digest,
    took: BTreeSet<(i64, i64)>,
    /// The charges that have rows.
    charges: BTreeSet<u64>,
    findings: Vec<Finding>,
    /// Whether an entry was found that cannot be replayed.
    is_broken: bool,
    // What is stored of its state.
    head: Option<HeadRow>,
    rows: Vec<StateRow>,
    stored_took: Vec<(i64, i64)>,
}

impl Replay {
    fn new(account: &[u8]) -> Self {
        let id = bytes(account).map(AccountId::from_bytes);
        let account = id.unwrap_or(AccountId::from_bytes([0; 16]));
        let mut replay = Self {
            account,
            state: AccountState::new(account),
            hash: Digest::ZERO,
            took: BTreeSet::new(),
            charges: BTreeSet::new(),
            findings: Vec::new(),
            is_broken: id.is_none(),
            head: None,
            rows: Vec::new(),
            stored_took: Vec::new(),
        };
        if id.is_none() {
            replay.found(None, "rows are stored under an id that has not 16 bytes".to_owned());
        }
        replay
    }

    /// Replays an entry and compares every column of it. Gives the reason if it cannot be replayed.
    fn entry(
        &mut self,
        stored: StoredEntry,
        lines: &mut Vec<LineRow>,
    ) -> Result<Option<String>, BackendError> {
        let expected = self.state.seq() + 1;
        if stored.place.seq != number(expected)? {
            return Ok(Some(format!("entry {expected} is missing; {} follows", stored.place.seq)));
        }
        let stored = match stored.row {
            Ok(stored) => stored,
            Err(error) => return Ok(Some(detail(&error))),
        };
        let entry = match stored.entry() {
            Ok(entry) => entry,
            Err(error) => return Ok(Some(detail(&error))),
        };
        let topic = Topic::of(&entry.body, &self.state);
        let effect = match self.state.apply(&entry) {
            Ok(effect) => effect,
            Err(violation) => return Ok(Some(format!("it could not have been posted: {violation}"))),
        };
        self.charges.extend(stored_charges(&entry, &effect, &self.state));
        let hash = entry.hash(&self.hash);
        // The chain goes on from what is stored, so that one altered entry is one finding.
        self.hash = bytes(&stored.hash).map_or(hash, Digest::from_bytes);
        let posted = Posted { entry, hash, effect, topic, repeated: false };
        for column in EntryRow::of(&posted)?.differences(&stored) {
            self.found(Some(expected), format!("column {column} is not what the entries lead to"));
        }
        for (place, line) in posted.effect.lines.iter().enumerate() {
            lines.push(LineRow::of(place, line)?);
        }
        for part in &posted.effect.parts {
            self.took.insert((number(part.lot)?, number(part.charge)?));
        }
        Ok(None)
    }

    /// Compares what is stored of the state.
    fn finish(mut self) -> Result<Vec<Finding>, BackendError> {
        // Where an entry cannot be replayed nothing can be said about what comes after it.
        if !self.is_broken {
            self.compare_head()?;
            self.compare_rows()?;
            if BTreeSet::from_iter(std::mem::take(&mut self.stored_took)) != self.took {
                let problem = "which charges took from which lots is not what the entries lead to";
                self.found(None, problem.to_owned());
            }
        }
        Ok(self.findings)
    }

    fn compare_head(&mut self) -> Result<(), BackendError> {
        let wanted = HeadRow::of(&self.state, &self.hash)?;
        let Some(stored) = self.head.take() else {
            if wanted.seq > 0 {
                self.found(None, "its head is missing".to_owned());
            }
            return Ok(());
        };
        if stored.seq != wanted.seq {
            // The first entry that is missing, or that the head knows nothing of.
            let first = u64::try_from(stored.seq.min(wanted.seq).saturating_add(1)).ok();
            let problem = format!("its head is at entry {}, its last entry is {}", stored.seq, wanted.seq);
            self.found(first, problem);
        } else if stored.hash != wanted.hash {
            self.found(None, "the hash of its head is not that of its last entry".to_owned());
        }
        if stored.state != wanted.state {
            self.found(None, "its totals and debts are not what the entries lead to".to_owned());
        }
        Ok(())
    }

    fn compare_rows(&mut self) -> Result<(), BackendError> {
        let snapshot = self.state.snapshot();
        let lots = snapshot.lots.iter().map(|lot| StateRow::lot(self.account, lot));
        let holds = snapshot.holds.iter().map(|hold| StateRow::hold(self.account, hold));
        let charges = snapshot.charges.iter().filter(|charge| self.charges.contains(&charge.id));
        let charges = charges.map(|charge| StateRow::charge(self.account, charge, &snapshot.debts));
        let wanted: Vec<StateRow> = lots.chain(holds).chain(charges).collect::<Result<_, _>>()?;
        let rows = std::mem::take(&mut self.rows);
        let mut stored: BTreeMap<_, _> = rows.into_iter().map(|row| ((row.kind, row.id), row)).collect();
        for row in wanted {
            if stored.remove(&(row.kind, row.id)).as_ref() != Some(&row) {
                let what = name(row.kind);
                self.found(None, format!("{what} {} is missing or not what the entries lead to", row.id));
            }
        }
        for (kind, id) in stored.into_keys() {
            let what = name(kind);
            self.found(None, format!("{what} {id} is stored, and the entries know nothing of it"));
        }
        Ok(())
    }

    fn found(&mut self, seq: Option<u64>, problem: String) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(Finding { account: self.account, seq, problem });
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

/// What exactly could not be read.
fn detail(error: &BackendError) -> String {
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    format!("it cannot be read: {cause}")
}
