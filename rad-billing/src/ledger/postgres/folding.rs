//! Folding deltas of revenue into sums of days.

use rad_core::error::BackendError;
use sqlx::{Postgres, QueryBuilder};

use super::super::totals::{Fold, insert_sums};
use super::store::PostgresStore;
use crate::database::failed;

/// How many deltas one statement folds at the most.
const MOST: i64 = 10_000;

impl Fold for PostgresStore {
    async fn fold(&self) -> Result<u64, BackendError> {
        let mut folded = 0;
        loop {
            let mut sql = QueryBuilder::<Postgres>::new(TAKE);
            sql.push_bind(MOST);
            sql.push(") RETURNING day, partner, agent, module, lines, gross, partner_share, agent_share), folded AS (");
            insert_sums(&mut sql, "taken");
            sql.push(") SELECT count(*) FROM taken");
            let taken: i64 = sql
                .build_query_scalar()
                .fetch_one(self.pool())
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
