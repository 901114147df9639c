//! The open part of an account: loaded before posting, and the rows that changed written after.

use std::collections::BTreeMap;

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{LedgerError, Post, Posted, Topic};
use rad_core::revenue::{AccountState, Charge, DebtOf, Lot, Needs, OpenHold, Snapshot, Violation};
use rad_core::source::Digest;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqliteConnection};

use super::rows::{from_json, json, number};
use crate::sqlite::{bytes, failed};

/// An account as far as posting needs it.
#[derive(Debug)]
pub(super) struct Book {
    account: AccountId,
    state: AccountState,
    /// The hash of the last entry.
    head: Digest,
    /// The last entry's number when the book was loaded.
    loaded: u64,
    stored: StateRows,
}

/// The rows of a state as they are in the database.
#[derive(Debug, Default)]
pub(super) struct StateRows {
    pub(super) lots: BTreeMap<u64, Lot>,
    pub(super) holds: BTreeMap<u64, OpenHold>,
    pub(super) charges: BTreeMap<u64, Charge>,
}

impl Book {
    /// Loads what is open: lots with something left, holds, and charges that owe.
    pub(super) async fn load(
        connection: &mut SqliteConnection,
        account: AccountId,
    ) -> Result<Self, BackendError> {
        let head: Option<(i64, Vec<u8>, String)> =
            sqlx::query_as("SELECT seq, hash, state FROM ledger_accounts WHERE account = ?")
                .bind(account.as_bytes().as_slice())
                .fetch_optional(&mut *connection)
                .await
                .map_err(failed("reading an account's head"))?;
        let Some((seq, hash, state)) = head else {
            let (state, stored) = (AccountState::new(account), StateRows::default());
            return Ok(Self { account, state, head: Digest::ZERO, loaded: 0, stored });
        };
        let mut snapshot: Snapshot = from_json("state", &state)?;
        if snapshot.account != account || i64::try_from(snapshot.seq) != Ok(seq) {
            return Err(inconsistent("the head is of another account or entry"));
        }
        let head = bytes(&hash).map(Digest::from_bytes).ok_or_else(|| inconsistent("the hash is none"))?;
        snapshot.lots = all(
            connection,
            account,
            "SELECT lot FROM ledger_lots WHERE account = ? AND is_open = 1 ORDER BY id",
        )
        .await?;
        snapshot.holds =
            all(connection, account, "SELECT hold FROM ledger_holds WHERE account = ? ORDER BY id").await?;
        let mut owing: Vec<u64> = snapshot
            .debts
            .iter()
            .filter_map(|debt| match debt.of {
                DebtOf::Charge(charge) => Some(charge),
                DebtOf::Hold(_) => None,
            })
            .collect();
        owing.sort_unstable();
        owing.dedup();
        for charge in owing {
            snapshot.charges.extend(one(connection, account, CHARGE, charge).await?);
        }
        let stored = StateRows::of(&snapshot);
        let loaded = snapshot.seq;
        let state = AccountState::try_from(snapshot).map_err(inconsistent)?;
        Ok(Self { account, state, head, loaded, stored })
    }

    /// Fetches what an entry reaches back to.
    pub(super) async fn fetch(
        &mut self,
        connection: &mut SqliteConnection,
        needs: Needs,
    ) -> Result<(), BackendError> {
        let account = self.account;
        let mut charges: Vec<Charge> = Vec::new();
        let mut lot_ids = Vec::new();
        match needs {
            Needs::Nothing => return Ok(()),
            Needs::Lot(lot) => lot_ids.push(lot),
            Needs::Charge(charge) => {
                let known = self.state.charge(charge);
                let charge = match known {
                    Some(charge) => Some(charge),
                    None => one(connection, account, CHARGE, charge).await?,
                };
                lot_ids.extend(charge.iter().flat_map(|charge| &charge.parts).map(|part| part.lot));
                charges.extend(charge);
            }
            Needs::LotAndItsCharges(lot) => {
                lot_ids.push(lot);
                charges = sqlx::query_scalar::<_, String>(
                    "SELECT charge FROM ledger_charges WHERE account = ?1 AND id IN
                         (SELECT charge FROM ledger_charge_lots WHERE account = ?1 AND lot = ?2)",
                )
                .bind(account.as_bytes().as_slice())
                .bind(number(lot)?)
                .fetch_all(&mut *connection)
                .await
                .map_err(failed("reading the charges of a lot"))?
                .iter()
                .map(|text| from_json("charge", text))
                .collect::<Result<_, _>>()?;
            }
            _ => return Err(BackendError::permanent("posting an entry", "its kind is not known here")),
        }
        let mut lots: Vec<Lot> = Vec::new();
        for lot in lot_ids {
            if self.state.lot(lot).is_none() && !lots.iter().any(|known| known.id == lot) {
                lots.extend(one(connection, account, LOT, lot).await?);
            }
        }
        charges.retain(|charge| self.state.charge(charge.id).is_none());
        for lot in &lots {
            self.stored.lots.insert(lot.id, lot.clone());
        }
        for charge in &charges {
            self.stored.charges.insert(charge.id, charge.clone());
        }
        self.state.attach(lots, charges).map_err(inconsistent)
    }

    /// Lets the engine apply an entry.
    pub(super) fn apply(&mut self, index: usize, post: &Post) -> Result<Posted, LedgerError> {
        let entry = self.state.draft(post.at, post.key, post.actor, post.body.clone());
        let topic = Topic::of(&entry.body, &self.state);
        let effect = self.state.apply(&entry).map_err(|violation| match violation {
            Violation::Inconsistent { what } => inconsistent(what).into(),
            violation => LedgerError::Refused { index, violation },
        })?;
        let hash = entry.hash(&self.head);
        self.head = hash;
        Ok(Posted { entry, hash, effect, topic, repeated: false })
    }

    /// Writes the head, if the account has no entry that this book has not seen, and the rows that changed.
    pub(super) async fn save(&self, connection: &mut SqliteConnection) -> Result<(), BackendError> {
        let snapshot = self.state.snapshot();
        let done = sqlx::query(
            "INSERT INTO ledger_accounts (account, seq, hash, state) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (account) DO UPDATE SET seq = ?2, hash = ?3, state = ?4 WHERE seq = ?5",
        )
        .bind(self.account.as_bytes().as_slice())
        .bind(number(snapshot.seq)?)
        .bind(self.head.as_bytes().as_slice())
        .bind(head_text(&snapshot)?)
        .bind(number(self.loaded)?)
        .execute(&mut *connection)
        .await
        .map_err(failed("writing an account's head"))?;
        if done.rows_affected() != 1 {
            let changed = "another writer was in between";
            return Err(BackendError::unavailable("writing an account's head", changed));
        }
        let rows = StateRows::of(&snapshot);
        for (id, lot) in changed(&rows.lots, &self.stored.lots) {
            self.put(connection, UPSERT_LOT, id, json(lot)?, Some(!lot.is_closed())).await?;
        }
        for (id, hold) in changed(&rows.holds, &self.stored.holds) {
            self.put(connection, UPSERT_HOLD, id, json(hold)?, None).await?;
        }
        for (id, charge) in changed(&rows.charges, &self.stored.charges) {
            self.put(connection, UPSERT_CHARGE, id, json(charge)?, None).await?;
        }
        for id in self.stored.holds.keys().filter(|id| !rows.holds.contains_key(id)) {
            sqlx::query("DELETE FROM ledger_holds WHERE account = ? AND id = ?")
                .bind(self.account.as_bytes().as_slice())
                .bind(number(*id)?)
                .execute(&mut *connection)
                .await
                .map_err(failed("closing a hold"))?;
        }
        Ok(())
    }

    pub(super) fn into_state(self) -> AccountState {
        self.state
    }

    async fn put(
        &self,
        connection: &mut SqliteConnection,
        sql: &'static str,
        id: u64,
        text: String,
        is_open: Option<bool>,
    ) -> Result<(), BackendError> {
        let row: sqlx::query::Query<'_, Sqlite, SqliteArguments> =
            sqlx::query(sql).bind(self.account.as_bytes().as_slice()).bind(number(id)?).bind(text);
        let row = match is_open {
            Some(is_open) => row.bind(is_open),
            None => row,
        };
        row.execute(connection).await.map_err(failed("writing a state"))?;
        Ok(())
    }
}

impl StateRows {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        Self {
            lots: snapshot.lots.iter().map(|lot| (lot.id, lot.clone())).collect(),
            holds: snapshot.holds.iter().map(|hold| (hold.id, hold.clone())).collect(),
            charges: snapshot.charges.iter().map(|charge| (charge.id, charge.clone())).collect(),
        }
    }
}

/// The state without what has rows of its own.
pub(super) fn head_text(snapshot: &Snapshot) -> Result<String, BackendError> {
    json(&Snapshot { lots: Vec::new(), holds: Vec::new(), charges: Vec::new(), ..snapshot.clone() })
}

const LOT: &str = "SELECT lot FROM ledger_lots WHERE account = ? AND id = ?";
const CHARGE: &str = "SELECT charge FROM ledger_charges WHERE account = ? AND id = ?";
const UPSERT_LOT: &str = "INSERT INTO ledger_lots (account, id, lot, is_open) VALUES (?, ?, ?3, ?4)
    ON CONFLICT (account, id) DO UPDATE SET lot = ?3, is_open = ?4";
const UPSERT_HOLD: &str = "INSERT INTO ledger_holds (account, id, hold) VALUES (?, ?, ?3)
    ON CONFLICT (account, id) DO UPDATE SET hold = ?3";
const UPSERT_CHARGE: &str = "INSERT INTO ledger_charges (account, id, charge) VALUES (?, ?, ?3)
    ON CONFLICT (account, id) DO UPDATE SET charge = ?3";

fn changed<'a, T: PartialEq>(
    now: &'a BTreeMap<u64, T>,
    before: &'a BTreeMap<u64, T>,
) -> impl Iterator<Item = (u64, &'a T)> {
    now.iter().filter(|(id, row)| before.get(id) != Some(row)).map(|(id, row)| (*id, row))
}

async fn all<T: DeserializeOwned>(
    connection: &mut SqliteConnection,
    account: AccountId,
    sql: &'static str,
) -> Result<Vec<T>, BackendError> {
    let texts: Vec<String> = sqlx::query_scalar(sql)
        .bind(account.as_bytes().as_slice())
        .fetch_all(connection)
        .await
        .map_err(failed("reading a state"))?;
    texts.iter().map(|text| from_json("of a state", text)).collect()
}

async fn one<T: DeserializeOwned>(
    connection: &mut SqliteConnection,
    account: AccountId,
    sql: &'static str,
    id: u64,
) -> Result<Option<T>, BackendError> {
    // A number that SQLite cannot keep was never given to anything.
    let Ok(id) = i64::try_from(id) else { return Ok(None) };
    let text: Option<String> = sqlx::query_scalar(sql)
        .bind(account.as_bytes().as_slice())
        .bind(id)
        .fetch_optional(connection)
        .await
        .map_err(failed("reading a state"))?;
    text.map(|text| from_json("of a state", &text)).transpose()
}

fn inconsistent(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BackendError {
    BackendError::corrupt("reading a state", what)
}
