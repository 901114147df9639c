//! What posting writes: the rows of a group, many with one statement.

use rad_core::error::BackendError;
use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::super::posting::{Gone, Took, Writes};
use super::super::rows::{EntryRow, HeadRow, LineRow, StateRow};
use super::super::totals::DeltaRow;
use crate::database::{conflict, failed};

/// How many rows one statement writes: few different numbers, for every one is a statement that is prepared and kept.
const ROWS: [usize; 3] = [32, 8, 1];

/// Writes everything, if every account still has the last entry that its book was loaded with; a conflict if not.
pub(super) async fn execute(writes: &Writes, connection: &mut SqliteConnection) -> Result<(), BackendError> {
    for (head, before) in &writes.heads {
        move_head(connection, head, *before).await?;
    }
    insert(connection, ENTRIES, &writes.entries, push_entry, "").await?;
    insert(connection, LINES, &writes.lines, push_line, "").await?;
    insert(connection, TOOK, &writes.took, push_took, " ON CONFLICT DO NOTHING").await?;
    let update = " ON CONFLICT DO UPDATE SET is_open = excluded.is_open, value = excluded.value";
    insert(connection, STATE, &writes.state, push_state, update).await?;
    for gone in &writes.gone {
        remove(connection, gone).await?;
    }
    insert(connection, DELTAS, writes.deltas.rows(), push_delta, "").await
}

const ENTRIES: &str = "INSERT INTO ledger_entries
    (account, seq, at, key, actor, kind, category, deployment, module, note, body, effect, hash) ";
const LINES: &str = "INSERT INTO ledger_lines
    (account, entry, place, at, partner, agent, module, gross, partner_share, agent_share, platform_share) ";
const TOOK: &str = "INSERT INTO ledger_charge_lots (account, lot, charge) ";
const DELTAS: &str = "INSERT INTO ledger_revenue_deltas
    (day, partner, agent, module, lines, gross, partner_share, agent_share) ";
const STATE: &str = "INSERT INTO ledger_state (account, kind, id, is_open, value) ";

async fn move_head(
    connection: &mut SqliteConnection,
    head: &HeadRow,
    before: i64,
) -> Result<(), BackendError> {
    let sql = match before {
        0 => {
            "INSERT INTO ledger_accounts (account, seq, hash, state) SELECT ?1, ?2, ?3, ?4 WHERE ?5 = 0
             ON CONFLICT DO NOTHING"
        }
        _ => "UPDATE ledger_accounts SET seq = ?2, hash = ?3, state = ?4 WHERE account = ?1 AND seq = ?5",
    };
    let moved = sqlx::query(sql)
        .bind(&head.account)
        .bind(head.seq)
        .bind(&head.hash)
        .bind(&head.state)
        .bind(before)
        .execute(connection)
        .await
        .map_err(failed("moving an account's head"))?;
    if moved.rows_affected() == 1 { Ok(()) } else { Err(conflict("moving an account's head")) }
}

async fn insert<'r, T>(
    connection: &mut SqliteConnection,
    into: &'static str,
    rows: &'r [T],
    push: fn(&mut Separated<'_, Sqlite, &'static str>, &'r T),
    after: &'static str,
) -> Result<(), BackendError> {
    let mut rows = rows;
    for size in ROWS {
        while let Some((chunk, rest)) = rows.split_at_checked(size) {
            let mut sql = QueryBuilder::new(into);
            sql.push_values(chunk, |mut values, row| push(&mut values, row)).push(after);
            sql.build().execute(&mut *connection).await.map_err(failed("writing entries"))?;
            rows = rest;
        }
    }
    Ok(())
}

async fn remove(connection: &mut SqliteConnection, gone: &Gone) -> Result<(), BackendError> {
    sqlx::query("DELETE FROM ledger_state WHERE account = ? AND kind = ? AND id = ?")
        .bind(&gone.account)
        .bind(gone.kind)
        .bind(gone.id)
        .execute(connection)
        .await
        .map_err(failed("closing a hold"))?;
    Ok(())
}

type Values<'v> = Separated<'v, Sqlite, &'static str>;

fn push_entry(values: &mut Values<'_>, row: &EntryRow) {
    values
        .push_bind(row.account.clone())
        .push_bind(row.seq)
        .push_bind(row.at)
        .push_bind(row.key.clone())
        .push_bind(row.actor.clone())
        .push_bind(row.kind.clone())
        .push_bind(row.category.clone())
        .push_bind(row.deployment.clone())
        .push_bind(row.module.clone())
        .push_bind(row.note.clone())
        .push_bind(row.body.clone())
        .push_bind(row.effect.clone())
        .push_bind(row.hash.clone());
}

fn push_line(values: &mut Values<'_>, row: &LineRow) {
    values
        .push_bind(row.account.clone())
        .push_bind(row.entry)
        .push_bind(row.place)
        .push_bind(row.at)
        .push_bind(row.partner.clone())
        .push_bind(row.agent.clone())
        .push_bind(row.module.clone())
        .push_bind(row.gross)
        .push_bind(row.partner_share)
        .push_bind(row.agent_share)
        .push_bind(row.platform_share);
}

fn push_took(values: &mut Values<'_>, row: &Took) {
    values.push_bind(row.account.clone()).push_bind(row.lot).push_bind(row.charge);
}

fn push_state(values: &mut Values<'_>, row: &StateRow) {
    values
        .push_bind(row.account.clone())
        .push_bind(row.kind)
        .push_bind(row.id)
        .push_bind(row.is_open)
        .push_bind(row.value.clone());
}

fn push_delta(values: &mut Values<'_>, row: &DeltaRow) {
    values
        .push_bind(row.day)
        .push_bind(row.partner.clone())
        .push_bind(row.agent.clone())
        .push_bind(row.module.clone())
        .push_bind(row.lines)
        .push_bind(row.gross)
        .push_bind(row.partner_share)
        .push_bind(row.agent_share);
}
