//! Settings in memory, every version of them.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::id::AccountId;
use crate::settings::{Settings, SettingsError, SettingsStore, VersionedSettings};

/// A [`SettingsStore`] that lasts as long as the process.
#[derive(Debug, Default)]
pub struct MemorySettings {
    versions: Mutex<Vec<VersionedSettings>>,
}

#[async_trait]
impl SettingsStore for MemorySettings {
    async fn current(&self) -> Result<VersionedSettings, SettingsError> {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(versions.last().cloned().unwrap_or_default())
    }

    async fn save(
        &self,
        expected: u32,
        settings: &Settings,
        by: AccountId,
        at: DateTime<Utc>,
    ) -> Result<VersionedSettings, SettingsError> {
        settings.validate()?;
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let actual = versions.last().map_or(0, |last| last.version);
        if actual != expected {
            return Err(SettingsError::Stale { expected, actual });
        }
        let saved = VersionedSettings {
            version: actual.saturating_add(1),
            settings: settings.clone(),
            by: Some(by),
            since: Some(at),
        };
        versions.push(saved.clone());
        Ok(saved)
    }

    async fn history(&self, limit: u32) -> Result<Vec<VersionedSettings>, SettingsError> {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(versions.iter().rev().take(limit as usize).cloned().collect())
    }
}
