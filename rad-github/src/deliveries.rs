//! Deliveries of webhooks that were taken, in either database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rad_core::delivery::{DeliveryLog, MOST_DELIVERIES};
use rad_core::error::BackendError;
use rad_core::source::Digest;
use rad_sql::{Database, sql};

/// A [`DeliveryLog`] in a SQLite file or a PostgreSQL database: for all processes on it, and over their restarts.
#[derive(Debug, Clone)]
pub struct SqlDeliveries {
    database: Database,
}

impl SqlDeliveries {
    /// The deliveries in a database that [`migrate`](crate::migrate) prepared.
    pub fn new(database: impl Into<Database>) -> Self {
        Self { database: database.into() }
    }
}

#[async_trait]
impl DeliveryLog for SqlDeliveries {
    async fn take(
        &self,
        keys: &[Digest],
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool, BackendError> {
        const TAKING: &str = "taking a delivery";
        let mut transaction = self.database.begin().await?;
        // Of those who take one delivery at once, each waits for the one before.
        transaction.lock("deliveries").await?;
        let tidy = sql("DELETE FROM catalog_deliveries WHERE until <= $1 OR until < (
                 SELECT until FROM catalog_deliveries ORDER BY until DESC LIMIT 1 OFFSET $2)");
        tidy.bind(now).bind(MOST_DELIVERIES as u64).execute(&mut transaction, TAKING).await?;
        let mut kept = 0;
        for key in keys {
            kept += sql("INSERT INTO catalog_deliveries (id, until) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(key)
                .bind(until)
                .execute(&mut transaction, TAKING)
                .await?;
        }
        transaction.commit(TAKING).await?;
        Ok(kept == keys.len() as u64)
    }

    async fn forget(&self, keys: &[Digest]) -> Result<(), BackendError> {
        for key in keys {
            let forget = sql("DELETE FROM catalog_deliveries WHERE id = $1").bind(key);
            forget.execute(&self.database, "forgetting a delivery").await?;
        }
        Ok(())
    }
}
