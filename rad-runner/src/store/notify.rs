//! Notices, in either database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::notify::{Notice, Notifier};
use rad_sql::{Database, json, sql};

/// A [`Notifier`] that keeps notices in a SQLite file or a PostgreSQL database, where people find them.
#[derive(Debug, Clone)]
pub struct SqlNotifier {
    database: Database,
}

impl SqlNotifier {
    /// The notices in a database that [`migrate`](super::migrate) prepared.
    pub fn new(database: impl Into<Database>) -> Self {
        Self { database: database.into() }
    }
}

#[async_trait]
impl Notifier for SqlNotifier {
    async fn notify(
        &self,
        account: AccountId,
        key: &str,
        notice: &Notice,
        at: DateTime<Utc>,
    ) -> Result<(), BackendError> {
        // Asked first: sweeps tell again what was told, and a write would wait for the only writer of a SQLite file.
        let told = sql("SELECT 1 FROM notices WHERE account = $1 AND key = $2");
        if told.bind(account).bind(key).finds(&self.database, "reading a notice").await? {
            return Ok(());
        }
        sql("INSERT INTO notices (account, key, notice, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
            .bind(account)
            .bind(key)
            .bind(json(notice)?)
            .bind(at)
            .execute(&self.database, "keeping a notice")
            .await?;
        Ok(())
    }

    async fn notices(
        &self,
        account: AccountId,
        limit: u32,
    ) -> Result<Vec<(DateTime<Utc>, Notice)>, BackendError> {
        let list = sql("SELECT notice, at FROM notices WHERE account = $1 ORDER BY seq DESC LIMIT $2");
        let rows = list.bind(account).bind(limit).rows(&self.database, "reading notices").await?;
        rows.iter().map(|row| Ok((row.get("at")?, row.json("notice")?))).collect()
    }
}
