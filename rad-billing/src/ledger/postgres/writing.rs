//! What posting writes: everything of a group as columns, in one statement.

use rad_core::error::BackendError;
use sqlx::{PgExecutor, Postgres};

use super::super::micros::Micros;
use super::super::posting::{Gone, Took, Writes};
use super::super::rows::{EntryRow, HeadRow, LineRow, StateRow};
use super::super::totals::DeltaRow;
use crate::database::failed;

/// Writes everything, if every account still has the last entry that its book was loaded with; a conflict if not.
pub(super) async fn execute(writes: Writes, executor: impl PgExecutor<'_>) -> Result<(), BackendError> {
    if writes.entries.iter().any(|entry| entry.at < Micros::FIRST_IN_POSTGRES) {
        let problem = "its time is before 4714-11-24 BC, the first that PostgreSQL can keep";
        return Err(BackendError::permanent("appending an entry", problem));
    }
    let Writes { heads, entries, lines, took, state, gone, deltas } = writes;
    let query = sqlx::query(WRITE);
    let query = bind_heads(heads, query);
    let query = bind_entries(entries, query);
    let query = bind_lines(lines, query);
    let query = bind_state(took, state, gone, query);
    let query = bind_deltas(deltas.into_rows(), query);
    query.execute(executor).await.map_err(failed("writing entries"))?;
    Ok(())
}

/// Its parameters are those of the function, in their order.
const WRITE: &str = "SELECT ledger_write(
    $1, $2, $3, $4, $5,
    $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
    $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29,
    $30, $31, $32,
    $33, $34, $35, $36, $37,
    $38, $39, $40,
    $41, $42, $43, $44, $45, $46, $47, $48)";

type Query<'q> = sqlx::query::Query<'q, Postgres, sqlx::postgres::PgArguments>;

/// Binds each field of the rows as a column of its own.
macro_rules! columns {
    ($query:ident, $rows:ident { $($field:ident),* $(,)? }) => {{
        $(let mut $field = Vec::with_capacity($rows.len());)*
        for row in $rows {
            $($field.push(row.$field);)*
        }
        $query$(.bind($field))*
    }};
}

fn bind_heads(heads: Vec<(HeadRow, i64)>, query: Query<'_>) -> Query<'_> {
    let (heads, before): (Vec<HeadRow>, Vec<i64>) = heads.into_iter().unzip();
    columns!(query, heads { account, seq, hash, state }).bind(before)
}

fn bind_entries(rows: Vec<EntryRow>, query: Query<'_>) -> Query<'_> {
    columns!(
        query,
        rows { account, seq, at, key, actor, kind, category, deployment, module, note, body, effect, hash }
    )
}

fn bind_lines(rows: Vec<LineRow>, query: Query<'_>) -> Query<'_> {
    columns!(
        query,
        rows {
            account,
            entry,
            place,
            at,
            partner,
            agent,
            module,
            gross,
            partner_share,
            agent_share,
            platform_share,
        }
    )
}

fn bind_state(took: Vec<Took>, state: Vec<StateRow>, gone: Vec<Gone>, query: Query<'_>) -> Query<'_> {
    let query = columns!(query, took { account, lot, charge });
    let query = columns!(query, state { account, kind, id, is_open, value });
    columns!(query, gone { account, kind, id })
}

fn bind_deltas(rows: Vec<DeltaRow>, query: Query<'_>) -> Query<'_> {
    columns!(query, rows { day, partner, agent, module, lines, gross, partner_share, agent_share })
}
