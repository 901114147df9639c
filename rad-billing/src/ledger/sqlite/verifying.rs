//! Verifying an account: everything is computed again from the entries and compared with what is stored.

use std::collections::{BTreeMap, BTreeSet};

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{Finding, Posted, Topic};
use rad_core::revenue::AccountState;
use rad_core::source::Digest;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::book::{StateRows, head_text};
use super::rows::{EntryRow, LineRow, json, number};
use crate::sqlite::{bytes, failed};

/// How many entries are read at a time.
const PAGE: i64 = 500;

/// The most findings that are told of: one wrong entry makes most that follow look wrong.
const MOST_FINDINGS: usize = 100;

/// Compares everything that is stored of an account with what its entries lead to.
pub(super) async fn verify(
    connection: &mut SqliteConnection,
    account: AccountId,
) -> Result<Vec<Finding>, BackendError> {
    let mut replay = Replay::new(account);
    while !replay.is_broken {
        let rows =
            sqlx::query("SELECT * FROM ledger_entries WHERE account = ? AND seq > ? ORDER BY seq LIMIT ?")
                .bind(account.as_bytes().as_slice())
                .bind(number(replay.state.seq())?)
                .bind(PAGE)
                .fetch_all(&mut *connection)
                .await
                .map_err(failed("reading entries"))?;
        if rows.is_empty() {
            break;
        }
        let before = replay.state.seq();
        for row in &rows {
            if let Some(problem) = replay.entry(row)? {
                replay.is_broken = true;
                replay.found(Some(replay.state.seq() + 1), problem);
                break;
            }
        }
        replay.lines(connection, before).await?;
    }
    // Where an entry cannot be replayed nothing can be said about what comes after it.
    if !replay.is_broken {
        replay.count_lines(connection).await?;
        replay.head(connection).await?;
        replay.state(connection).await?;
        replay.charge_lots(connection).await?;
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
    fn entry(&mut self, row: &SqliteRow) -> Result<Option<String>, BackendError> {
        let expected = self.state.seq() + 1;
        let stored = match EntryRow::read(row) {
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

    /// Compares the lines of the entries after `before` with those stored.
    async fn lines(&mut self, connection: &mut SqliteConnection, before: u64) -> Result<(), BackendError> {
        let rows = sqlx::query(
            "SELECT * FROM ledger_lines WHERE account = ? AND entry > ? AND entry <= ? ORDER BY entry, place",
        )
        .bind(self.account.as_bytes().as_slice())
        .bind(number(before)?)
        .bind(number(self.state.seq())?)
        .fetch_all(connection)
        .await
        .map_err(failed("reading revenue lines"))?;
        let mut stored = BTreeMap::new();
        for row in &rows {
            match LineRow::read(row) {
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
        Ok(())
    }

    async fn count_lines(&mut self, connection: &mut SqliteConnection) -> Result<(), BackendError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger_lines WHERE account = ?")
            .bind(self.account.as_bytes().as_slice())
            .fetch_one(connection)
            .await
            .map_err(failed("counting revenue lines"))?;
        if count != self.lines {
            self.found(None, format!("{count} revenue lines are stored, the entries booked {}", self.lines));
        }
        Ok(())
    }

    async fn head(&mut self, connection: &mut SqliteConnection) -> Result<(), BackendError> {
        let stored: Option<(i64, Vec<u8>, String)> =
            sqlx::query_as("SELECT seq, hash, state FROM ledger_accounts WHERE account = ?")
                .bind(self.account.as_bytes().as_slice())
                .fetch_optional(connection)
                .await
                .map_err(failed("reading an account's head"))?;
        let seq = number(self.state.seq())?;
        let Some((stored_seq, hash, state)) = stored else {
            if seq > 0 {
                self.found(None, "its head is missing".to_owned());
            }
            return Ok(());
        };
        if stored_seq != seq {
            self.found(None, format!("its head is at entry {stored_seq}, its last entry is {seq}"));
        } else if hash != self.head.as_bytes() {
            self.found(None, "the hash of its head is not that of its last entry".to_owned());
        }
        if state != head_text(&self.state.snapshot())? {
            self.found(None, "its totals and debts are not what the entries lead to".to_owned());
        }
        Ok(())
    }

    async fn state(&mut self, connection: &mut SqliteConnection) -> Result<(), BackendError> {
        let rows = StateRows::of(&self.state.snapshot());
        let lots =
            texts(connection, self.account, "SELECT id, is_open || lot FROM ledger_lots WHERE account = ?")
                .await?;
        let wanted = rows
            .lots
            .iter()
            .map(|(id, lot)| Ok((number(*id)?, format!("{}{}", u8::from(!lot.is_closed()), json(lot)?))));
        self.compare("lot", wanted.collect::<Result<_, BackendError>>()?, lots);
        let holds =
            texts(connection, self.account, "SELECT id, hold FROM ledger_holds WHERE account = ?").await?;
        let wanted = rows.holds.iter().map(|(id, hold)| Ok((number(*id)?, json(hold)?)));
        self.compare("hold", wanted.collect::<Result<_, BackendError>>()?, holds);
        let charges =
            texts(connection, self.account, "SELECT id, charge FROM ledger_charges WHERE account = ?")
                .await?;
        let wanted = rows.charges.iter().map(|(id, charge)| Ok((number(*id)?, json(charge)?)));
        self.compare("charge", wanted.collect::<Result<_, BackendError>>()?, charges);
        Ok(())
    }

    async fn charge_lots(&mut self, connection: &mut SqliteConnection) -> Result<(), BackendError> {
        let stored: Vec<(i64, i64)> =
            sqlx::query_as("SELECT lot, charge FROM ledger_charge_lots WHERE account = ?")
                .bind(self.account.as_bytes().as_slice())
                .fetch_all(connection)
                .await
                .map_err(failed("reading what charges took"))?;
        if BTreeSet::from_iter(stored) != self.charge_lots {
            self.found(None, "which charges took from which lots is not what the entries lead to".to_owned());
        }
        Ok(())
    }

    fn compare(&mut self, what: &str, wanted: BTreeMap<i64, String>, mut stored: BTreeMap<i64, String>) {
        for (id, text) in wanted {
            if stored.remove(&id).as_ref() != Some(&text) {
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

async fn texts(
    connection: &mut SqliteConnection,
    account: AccountId,
    sql: &'static str,
) -> Result<BTreeMap<i64, String>, BackendError> {
    let rows = sqlx::query(sql)
        .bind(account.as_bytes().as_slice())
        .fetch_all(connection)
        .await
        .map_err(failed("reading a state"))?;
    let read = |row: &SqliteRow| Ok((row.try_get(0)?, row.try_get(1)?));
    rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(failed("reading a state"))
}
