//! What posting writes: entries, revenue lines, and the rows of the state that changed.

use rad_core::error::BackendError;
use rad_core::ledger::Posted;
use sqlx::SqliteConnection;

use super::super::book::Book;
use super::super::rows::{EntryRow, LineRow, number};
use crate::database::failed;

/// Appends an entry, its revenue lines, and which lots its charges took from.
pub(super) async fn append(connection: &mut SqliteConnection, posted: &Posted) -> Result<(), BackendError> {
    entry(connection, &EntryRow::of(posted)?).await?;
    for (place, line) in posted.effect.lines.iter().enumerate() {
        revenue_line(connection, &LineRow::of(place, line)?).await?;
    }
    for part in &posted.effect.parts {
        sqlx::query("INSERT OR IGNORE INTO ledger_charge_lots (account, lot, charge) VALUES (?, ?, ?)")
            .bind(posted.entry.account.as_bytes().as_slice())
            .bind(number(part.lot)?)
            .bind(number(part.charge)?)
            .execute(&mut *connection)
            .await
            .map_err(failed("noting what a charge took"))?;
    }
    Ok(())
}

/// Writes the head, if the account has no entry that the book has not seen, and the rows that changed.
pub(super) async fn save(connection: &mut SqliteConnection, book: &Book) -> Result<(), BackendError> {
    let changes = book.changes()?;
    let done = sqlx::query(
        "INSERT INTO ledger_accounts (account, seq, hash, state) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (account) DO UPDATE SET seq = ?2, hash = ?3, state = ?4 WHERE seq = ?5",
    )
    .bind(&changes.head.account)
    .bind(changes.head.seq)
    .bind(&changes.head.hash)
    .bind(&changes.head.state)
    .bind(changes.before)
    .execute(&mut *connection)
    .await
    .map_err(failed("writing an account's head"))?;
    if done.rows_affected() != 1 {
        let changed = "another writer was in between";
        return Err(BackendError::unavailable("writing an account's head", changed));
    }
    let account = changes.head.account.as_slice();
    for (id, is_open, lot) in &changes.lots {
        let row = sqlx::query(UPSERT_LOT).bind(account).bind(id).bind(lot).bind(is_open);
        row.execute(&mut *connection).await.map_err(failed("writing a lot"))?;
    }
    for (id, hold) in &changes.holds {
        let row = sqlx::query(UPSERT_HOLD).bind(account).bind(id).bind(hold);
        row.execute(&mut *connection).await.map_err(failed("writing a hold"))?;
    }
    for (id, charge) in &changes.charges {
        let row = sqlx::query(UPSERT_CHARGE).bind(account).bind(id).bind(charge);
        row.execute(&mut *connection).await.map_err(failed("writing a charge"))?;
    }
    for id in &changes.closed_holds {
        let row = sqlx::query("DELETE FROM ledger_holds WHERE account = ? AND id = ?").bind(account).bind(id);
        row.execute(&mut *connection).await.map_err(failed("closing a hold"))?;
    }
    Ok(())
}

const UPSERT_LOT: &str = "INSERT INTO ledger_lots (account, id, lot, is_open) VALUES (?, ?, ?3, ?4)
    ON CONFLICT (account, id) DO UPDATE SET lot = ?3, is_open = ?4";
const UPSERT_HOLD: &str = "INSERT INTO ledger_holds (account, id, hold) VALUES (?, ?, ?3)
    ON CONFLICT (account, id) DO UPDATE SET hold = ?3";
const UPSERT_CHARGE: &str = "INSERT INTO ledger_charges (account, id, charge) VALUES (?, ?, ?3)
    ON CONFLICT (account, id) DO UPDATE SET charge = ?3";

async fn entry(connection: &mut SqliteConnection, row: &EntryRow) -> Result<(), BackendError> {
    sqlx::query(
        "INSERT INTO ledger_entries
             (account, seq, at, key, actor, kind, category, deployment, body, effect, hash)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&row.account)
    .bind(row.seq)
    .bind(row.at)
    .bind(&row.key)
    .bind(&row.actor)
    .bind(&row.kind)
    .bind(&row.category)
    .bind(&row.deployment)
    .bind(&row.body)
    .bind(&row.effect)
    .bind(&row.hash)
    .execute(connection)
    .await
    .map_err(failed("appending an entry"))?;
    Ok(())
}

async fn revenue_line(connection: &mut SqliteConnection, row: &LineRow) -> Result<(), BackendError> {
    sqlx::query(
        "INSERT INTO ledger_lines
             (account, entry, place, at, partner, agent, module,
              gross, partner_share, agent_share, platform_share, line)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&row.account)
    .bind(row.entry)
    .bind(row.place)
    .bind(row.at)
    .bind(&row.partner)
    .bind(&row.agent)
    .bind(&row.module)
    .bind(row.gross)
    .bind(row.partner_share)
    .bind(row.agent_share)
    .bind(row.platform_share)
    .bind(&row.line)
    .execute(connection)
    .await
    .map_err(failed("appending a revenue line"))?;
    Ok(())
}
