//! Folding deltas of revenue into sums of days.

use rad_core::error::BackendError;
use sqlx::postgres::PgPool;
use sqlx::{Postgres, QueryBuilder};

use super::super::totals::{Fold, SPREAD};
use crate::database::failed;

/// How many deltas one statement folds at the most.
const MOST: i64 = 10_000;

impl Fold for PgPool {
    async fn fold(&self) -> Result<u64, BackendError> {
        let mut folded = 0;
        loop {
            let mut sql = QueryBuilder::<Postgres>::new(TAKE);
            sql.push_bind(MOST).push(INTO).push(SPREAD.0).push("taken").push(SPREAD.1).push(SUMS);
            let taken: i64 = sql
                .build_query_scalar()
                .fetch_one(self)
                .await
                .map_err(failed("folding deltas of revenue"))?;
            folded += taken.unsigned_abs();
            if taken < MOST {
                return Ok(folded);
            }
        }
    }
}

/// What another process is folding is left to it.
const TAKE: &str = "WITH taken AS (
        DELETE FROM ledger_revenue_deltas WHERE id IN
            (SELECT id FROM ledger_revenue_deltas ORDER BY id FOR UPDATE SKIP LOCKED LIMIT ";
/// The rows of sums are written in one order by everybody, so that nobody waits in a circle.
const INTO: &str = ")
        RETURNING day, partner, agent, module, lines, gross, partner_share, agent_share
    ), folded AS (
        INSERT INTO ledger_revenue_days AS days
            (scope, partner, agent, module, day, lines, gross, partner_share, agent_share)
        SELECT scope, partner, agent, module, day, sum(lines), sum(gross), sum(partner_share), sum(agent_share)
        FROM (";
const SUMS: &str = ") AS spread GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (scope, partner, agent, module, day) DO UPDATE SET
            lines = days.lines + excluded.lines, gross = days.gross + excluded.gross,
            partner_share = days.partner_share + excluded.partner_share,
            agent_share = days.agent_share + excluded.agent_share
    )
    SELECT count(*) FROM taken";
