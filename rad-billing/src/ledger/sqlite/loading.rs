//! What posting reads: the open part of an account, what an entry reaches back to, and the entry of a key.

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::Posted;
use rad_core::revenue::{Charge, EntryKey, Needs};
use sqlx::SqliteConnection;

use super::super::book::{Book, Parts};
use super::super::rows::{CHARGE, EntryRow, HeadRow, LOT, StateRow, number};
use crate::database::failed;

/// The head of an account that has one.
pub(super) async fn head(
    connection: &mut SqliteConnection,
    account: AccountId,
) -> Result<Option<HeadRow>, BackendError> {
    sqlx::query_as("SELECT * FROM ledger_accounts WHERE account = ?")
        .bind(account.as_bytes().as_slice())
        .fetch_optional(connection)
        .await
        .map_err(failed("reading an account's head"))
}

/// Reads what is open: lots with something left, holds, and charges that owe.
pub(super) async fn book(connection: &mut SqliteConnection, head: &HeadRow) -> Result<Book, BackendError> {
    let rows = sqlx::query_as("SELECT * FROM ledger_state WHERE account = ? AND is_open = 1")
        .bind(&head.account)
        .fetch_all(connection)
        .await
        .map_err(failed("reading a state"))?;
    Book::new(head, parts(rows)?)
}

/// The entries of an account after the one with this number, in order.
pub(super) async fn entries_after(
    connection: &mut SqliteConnection,
    account: AccountId,
    seq: i64,
) -> Result<Vec<EntryRow>, BackendError> {
    sqlx::query_as("SELECT * FROM ledger_entries WHERE account = ? AND seq > ? ORDER BY seq")
        .bind(account.as_bytes().as_slice())
        .bind(seq)
        .fetch_all(connection)
        .await
        .map_err(failed("reading what others posted"))
}

/// Fetches what an entry reaches back to.
pub(super) async fn attach(
    connection: &mut SqliteConnection,
    account: AccountId,
    book: &mut Book,
    needs: Needs,
) -> Result<(), BackendError> {
    let mut lacking = book.lacking(needs)?;
    let mut found = Parts::default();
    if let Some(lot) = lacking.charges_of {
        lacking.charges.extend(charges_of(connection, account, lot).await?);
    }
    for charge in lacking.charges {
        one(connection, account, CHARGE, charge, &mut found).await?;
        if found.charges.last().is_none_or(|found| found.id != charge) {
            // Nothing has changed it since.
            found.charges.extend(made(connection, account, charge).await?);
        }
    }
    lacking.lots.extend(book.lots_of(needs, &found.charges));
    for lot in lacking.lots {
        one(connection, account, LOT, lot, &mut found).await?;
    }
    book.attach(found.lots, found.charges)
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

async fn charges_of(
    connection: &mut SqliteConnection,
    account: AccountId,
    lot: u64,
) -> Result<Vec<u64>, BackendError> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT charge FROM ledger_charge_lots WHERE account = ? AND lot = ? ORDER BY charge",
    )
    .bind(account.as_bytes().as_slice())
    .bind(number(lot)?)
    .fetch_all(connection)
    .await
    .map_err(failed("reading the charges of a lot"))?;
    Ok(ids.into_iter().map(i64::unsigned_abs).collect())
}

/// A charge as the entry that made it says.
async fn made(
    connection: &mut SqliteConnection,
    account: AccountId,
    charge: u64,
) -> Result<Option<Charge>, BackendError> {
    let Ok(seq) = i64::try_from(charge) else { return Ok(None) };
    let entry: Option<EntryRow> =
        sqlx::query_as("SELECT * FROM ledger_entries WHERE account = ? AND seq = ?")
            .bind(account.as_bytes().as_slice())
            .bind(seq)
            .fetch_optional(connection)
            .await
            .map_err(failed("reading a charge"))?;
    entry.map_or(Ok(None), |entry| entry.charge())
}

async fn one(
    connection: &mut SqliteConnection,
    account: AccountId,
    kind: i16,
    id: u64,
    found: &mut Parts,
) -> Result<(), BackendError> {
    // A number that SQLite cannot keep was never given to anything.
    let Ok(id) = i64::try_from(id) else { return Ok(()) };
    let row: Option<StateRow> =
        sqlx::query_as("SELECT * FROM ledger_state WHERE account = ? AND kind = ? AND id = ?")
            .bind(account.as_bytes().as_slice())
            .bind(kind)
            .bind(id)
            .fetch_optional(connection)
            .await
            .map_err(failed("reading a state"))?;
    row.map_or(Ok(()), |row| row.add_to(found))
}

fn parts(rows: Vec<StateRow>) -> Result<Parts, BackendError> {
    let mut parts = Parts::default();
    rows.iter().try_for_each(|row| row.add_to(&mut parts))?;
    Ok(parts)
}
