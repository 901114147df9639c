//! Notices on SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::notify::{Notice, Notifier};
use sqlx::sqlite::SqlitePool;

use super::sqlite::{failed, json, json_text, time};

/// A [`Notifier`] that keeps notices in a SQLite file, where people find them.
#[derive(Debug, Clone)]
pub struct SqliteNotifier {
    pool: SqlitePool,
}

impl SqliteNotifier {
    /// The notices in a database that [`open`](super::open) opened, or that [`migrate`](super::migrate) prepared.
    pub fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl Notifier for SqliteNotifier {
    async fn notify(
        &self,
        account: AccountId,
        key: &str,
        notice: &Notice,
        at: DateTime<Utc>,
    ) -> Result<(), BackendError> {
        let insert =
            "INSERT INTO notices (account, key, notice, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
        sqlx::query(insert)
            .bind(account.as_bytes().as_slice())
            .bind(key)
            .bind(json_text(notice)?)
            .bind(at.timestamp_micros())
            .execute(&self.pool)
            .await
            .map_err(failed("keeping a notice"))?;
        Ok(())
    }

    async fn notices(
        &self,
        account: AccountId,
        limit: u32,
    ) -> Result<Vec<(DateTime<Utc>, Notice)>, BackendError> {
        let select = "SELECT notice, at FROM notices WHERE account = ? ORDER BY seq DESC LIMIT ?";
        let rows = sqlx::query(select)
            .bind(account.as_bytes().as_slice())
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(failed("reading notices"))?;
        rows.iter().map(|row| Ok((time(row, "at")?, json(row, "notice")?))).collect()
    }
}
