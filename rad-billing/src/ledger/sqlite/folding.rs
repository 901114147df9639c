//! Folding deltas of revenue into sums of days.

use rad_core::error::BackendError;
use sqlx::QueryBuilder;
use sqlx::sqlite::SqlitePool;

use super::super::totals::{Fold, SPREAD};
use crate::database::failed;
use crate::sqlite::begin;

impl Fold for SqlitePool {
    async fn fold(&self) -> Result<u64, BackendError> {
        let during = "folding deltas of revenue";
        // A file has one writer at a time: what is there now is there until this commits, and nothing is added.
        let mut transaction = begin(self).await?;
        let mut sql = QueryBuilder::new(INTO);
        sql.push(SPREAD.0).push("ledger_revenue_deltas").push(SPREAD.1).push(SUMS);
        sql.build().execute(&mut *transaction).await.map_err(failed(during))?;
        let taken = sqlx::query("DELETE FROM ledger_revenue_deltas").execute(&mut *transaction).await;
        let taken = taken.map_err(failed(during))?.rows_affected();
        transaction.commit().await.map_err(failed(during))?;
        Ok(taken)
    }
}

const INTO: &str = "INSERT INTO ledger_revenue_days
        (scope, partner, agent, module, day, lines, gross, partner_share, agent_share)
    SELECT scope, partner, agent, module, day, sum(lines), sum(gross), sum(partner_share), sum(agent_share)
    FROM (";
// SQLite takes `ON` for a join without the condition before it.
const SUMS: &str = ") AS spread WHERE 1 = 1 GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (scope, partner, agent, module, day) DO UPDATE SET
        lines = lines + excluded.lines, gross = gross + excluded.gross,
        partner_share = partner_share + excluded.partner_share, agent_share = agent_share + excluded.agent_share";
