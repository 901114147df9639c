//! Settings, every version of them, in either database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::settings::{Settings, SettingsError, SettingsStore, VersionedSettings};
use rad_sql::{Database, Row, failed, is_taken, json, sql};

/// A [`SettingsStore`] in a SQLite file or a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct SqlSettings {
    database: Database,
}

impl SqlSettings {
    /// The settings in a database that [`migrate`](crate::migrate) prepared.
    pub fn new(database: impl Into<Database>) -> Self {
        Self { database: database.into() }
    }
}

#[async_trait]
impl SettingsStore for SqlSettings {
    async fn current(&self) -> Result<VersionedSettings, SettingsError> {
        Ok(self.history(1).await?.pop().unwrap_or_default())
    }

    async fn save(
        &self,
        expected: u32,
        settings: &Settings,
        by: AccountId,
        at: DateTime<Utc>,
    ) -> Result<VersionedSettings, SettingsError> {
        settings.validate()?;
        let version = expected.saturating_add(1);
        let saved = sql("INSERT INTO settings_versions (version, settings, by, since) SELECT $1, $2, $3, $4
             WHERE $1 = 1 + (SELECT coalesce(max(version), 0) FROM settings_versions)")
        .bind(version)
        .bind(json(settings)?)
        .bind(by)
        .bind(at)
        .try_execute(&self.database)
        .await;
        match saved {
            Ok(1) => {
                Ok(VersionedSettings { version, settings: settings.clone(), by: Some(by), since: Some(at) })
            }
            Err(error) if !is_taken(&error) => Err(failed("saving the settings")(error).into()),
            _ => Err(SettingsError::Stale { expected, actual: self.current().await?.version }),
        }
    }

    async fn history(&self, limit: u32) -> Result<Vec<VersionedSettings>, SettingsError> {
        let list = sql("SELECT * FROM settings_versions ORDER BY version DESC LIMIT $1").bind(limit);
        let rows = list.rows(&self.database, "reading the settings").await?;
        Ok(rows.iter().map(versioned).collect::<Result<_, _>>()?)
    }
}

fn versioned(row: &Row) -> Result<VersionedSettings, BackendError> {
    Ok(VersionedSettings {
        version: row.get("version")?,
        settings: row.json("settings")?,
        by: Some(row.get("by")?),
        since: Some(row.get("since")?),
    })
}
