//! Notices, in either database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::notify::{KeptNotice, Notice, Notifier};
use rad_sql::{Database, Row, json, sql};

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

    async fn notices(&self, account: AccountId, limit: u32) -> Result<Vec<KeptNotice>, BackendError> {
        let list =
            sql("SELECT seq, notice, at, seen FROM notices WHERE account = $1 ORDER BY seq DESC LIMIT $2");
        let rows = list.bind(account).bind(limit).rows(&self.database, "reading notices").await?;
        let kept = |row: &Row| {
            Ok(KeptNotice {
                number: row.get("seq")?,
                at: row.get("at")?,
                notice: row.json("notice")?,
                seen: row.get("seen")?,
            })
        };
        rows.iter().map(kept).collect()
    }

    async fn unseen(&self, account: AccountId) -> Result<u64, BackendError> {
        let count = sql("SELECT count(*) AS unseen FROM notices WHERE account = $1 AND NOT seen");
        count.bind(account).one(&self.database, "counting notices").await?.get("unseen")
    }

    async fn mark_seen(&self, account: AccountId, last: u64) -> Result<(), BackendError> {
        sql("UPDATE notices SET seen = TRUE WHERE account = $1 AND seq <= $2 AND NOT seen")
            .bind(account)
            .bind(last)
            .execute(&self.database, "marking notices as seen")
            .await?;
        Ok(())
    }
}
