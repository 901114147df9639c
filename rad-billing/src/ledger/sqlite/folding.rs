//! Folding deltas of revenue into sums of days.

use rad_core::error::BackendError;
use sqlx::{QueryBuilder, Sqlite};

use super::super::totals::{Fold, insert_sums};
use super::store::SqliteStore;
use crate::database::failed;
use crate::sqlite::begin;

impl Fold for SqliteStore {
    async fn fold(&self) -> Result<u64, BackendError> {
        let during = "folding deltas of revenue";
        // A file has one writer at a time: what is there now is there until this commits, and nothing is added.
        let mut transaction = begin(self.pool()).await?;
        let mut sql = QueryBuilder::<Sqlite>::new("");
        insert_sums(&mut sql, "ledger_revenue_deltas");
        sql.build().execute(&mut *transaction).await.map_err(failed(during))?;
        let taken = sqlx::query("DELETE FROM ledger_revenue_deltas").execute(&mut *transaction).await;
        let taken = taken.map_err(failed(during))?.rows_affected();
        transaction.commit().await.map_err(failed(during))?;
        Ok(taken)
    }
}
