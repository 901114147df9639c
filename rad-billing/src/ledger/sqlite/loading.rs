//! What posting reads: the open part of an account, what an entry reaches back to, and the entry of a key.

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::Posted;
use rad_core::revenue::{Charge, EntryKey, Needs};
use serde::de::DeserializeOwned;
use sqlx::SqliteConnection;

use super::super::book::{Book, Head};
use super::super::rows::{EntryRow, HeadRow, from_json, number};
use crate::database::failed;

/// Loads what is open: lots with something left, holds, and charges that owe.
pub(super) async fn book(
    connection: &mut SqliteConnection,
    account: AccountId,
) -> Result<Book, BackendError> {
    let row: Option<HeadRow> = sqlx::query_as("SELECT * FROM ledger_accounts WHERE account = ?")
        .bind(account.as_bytes().as_slice())
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed("reading an account's head"))?;
    let Some(row) = row else { return Book::new(Head::new(account), Vec::new(), Vec::new(), Vec::new()) };
    let head = Head::read(account, &row)?;
    let lots =
        all(connection, account, "SELECT lot FROM ledger_lots WHERE account = ? AND is_open = 1 ORDER BY id")
            .await?;
    let holds =
        all(connection, account, "SELECT hold FROM ledger_holds WHERE account = ? ORDER BY id").await?;
    let mut charges = Vec::new();
    for charge in head.owing() {
        charges.extend(one(connection, account, CHARGE, charge).await?);
    }
    Book::new(head, lots, holds, charges)
}

/// Fetches what an entry reaches back to.
pub(super) async fn attach(
    connection: &mut SqliteConnection,
    account: AccountId,
    book: &mut Book,
    needs: Needs,
) -> Result<(), BackendError> {
    let mut lacking = book.lacking(needs)?;
    let mut charges: Vec<Charge> = Vec::new();
    for charge in lacking.charges {
        charges.extend(one(connection, account, CHARGE, charge).await?);
    }
    if let Some(lot) = lacking.charges_of {
        charges = charges_of(connection, account, lot).await?;
    }
    lacking.lots.extend(book.lots_of(needs, &charges));
    let mut lots = Vec::new();
    for lot in lacking.lots {
        lots.extend(one(connection, account, LOT, lot).await?);
    }
    book.attach(lots, charges)
}

pub(super) async fn by_key(
    connection: &mut SqliteConnection,
    account: AccountId,
    key: EntryKey,
) -> Result<Option<Posted>, BackendError> {
    let row = sqlx::query("SELECT * FROM ledger_entries WHERE account = ? AND key = ?")
        .bind(account.as_bytes().as_slice())
        .bind(key.as_bytes().as_slice())
        .fetch_optional(connection)
        .await
        .map_err(failed("looking for a key"))?;
    row.map(|row| EntryRow::read(&row)?.posted()).transpose()
}

const LOT: &str = "SELECT lot FROM ledger_lots WHERE account = ? AND id = ?";
const CHARGE: &str = "SELECT charge FROM ledger_charges WHERE account = ? AND id = ?";

async fn charges_of(
    connection: &mut SqliteConnection,
    account: AccountId,
    lot: u64,
) -> Result<Vec<Charge>, BackendError> {
    let texts: Vec<String> = sqlx::query_scalar(
        "SELECT charge FROM ledger_charges WHERE account = ?1 AND id IN
             (SELECT charge FROM ledger_charge_lots WHERE account = ?1 AND lot = ?2)",
    )
    .bind(account.as_bytes().as_slice())
    .bind(number(lot)?)
    .fetch_all(connection)
    .await
    .map_err(failed("reading the charges of a lot"))?;
    texts.iter().map(|text| from_json("charge", text)).collect()
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
