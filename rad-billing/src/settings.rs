//! Settings on SQLite, every version of them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::settings::{Settings, SettingsError, SettingsStore, VersionedSettings};
use sqlx::sqlite::{SqlitePool, SqliteRow};

use crate::database::{bytes, failed, is_taken, time};
use crate::sqlite::column;

/// A [`SettingsStore`] in a SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteSettings {
    pool: SqlitePool,
}

impl SqliteSettings {
    /// The settings in a database that [`open`](crate::sqlite::open) opened.
    pub fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl SettingsStore for SqliteSettings {
    async fn current(&self) -> Result<VersionedSettings, SettingsError> {
        let row = sqlx::query("SELECT * FROM settings_versions ORDER BY version DESC LIMIT 1")
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("reading the settings"))?;
        Ok(row.as_ref().map(versioned).transpose()?.unwrap_or_default())
    }

    async fn save(
        &self,
        expected: u32,
        settings: &Settings,
        by: AccountId,
        at: DateTime<Utc>,
    ) -> Result<VersionedSettings, SettingsError> {
        settings.validate()?;
        let text = serde_json::to_string(settings)
            .map_err(|error| BackendError::permanent("writing the settings", error))?;
        let version = expected.saturating_add(1);
        let done = sqlx::query(
            "INSERT INTO settings_versions (version, settings, by, since)
             SELECT ?1, ?2, ?3, ?4
             WHERE ?1 = 1 + (SELECT coalesce(max(version), 0) FROM settings_versions)",
        )
        .bind(version)
        .bind(text)
        .bind(by.as_bytes().as_slice())
        .bind(at.timestamp_micros())
        .execute(&self.pool)
        .await;
        match done {
            Ok(done) if done.rows_affected() == 1 => {
                Ok(VersionedSettings { version, settings: settings.clone(), by: Some(by), since: Some(at) })
            }
            Err(error) if !is_taken(&error) => Err(failed("saving the settings")(error).into()),
            _ => Err(SettingsError::Stale { expected, actual: self.current().await?.version }),
        }
    }

    async fn history(&self, limit: u32) -> Result<Vec<VersionedSettings>, SettingsError> {
        let rows = sqlx::query("SELECT * FROM settings_versions ORDER BY version DESC LIMIT ?")
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(failed("reading the history of the settings"))?;
        Ok(rows.iter().map(versioned).collect::<Result<_, _>>()?)
    }
}

fn versioned(row: &SqliteRow) -> Result<VersionedSettings, BackendError> {
    let by = column(row, "by", |stored: &[u8]| bytes(stored).map(AccountId::from_bytes))?;
    Ok(VersionedSettings {
        version: column(row, "version", Some)?,
        settings: column(row, "settings", |text: &str| serde_json::from_str(text).ok())?,
        by: Some(by),
        since: Some(column(row, "since", time)?),
    })
}
