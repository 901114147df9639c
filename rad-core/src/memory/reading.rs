//! Readings of repositories in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::access::Publisher;
use crate::error::BackendError;
use crate::reading::{Reading, ReadingStore};

/// A [`ReadingStore`] that lasts as long as the process.
#[derive(Debug, Default)]
pub struct MemoryReadings {
    readings: Mutex<BTreeMap<Publisher, Reading>>,
}

impl MemoryReadings {
    fn readings(&self) -> MutexGuard<'_, BTreeMap<Publisher, Reading>> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ReadingStore for MemoryReadings {
    async fn reading(&self, publisher: Publisher, reader: &str) -> Result<Option<Reading>, BackendError> {
        Ok(self.readings().get(&publisher).filter(|reading| reading.reader == reader).cloned())
    }

    async fn keep(&self, reading: &Reading) -> Result<(), BackendError> {
        self.readings().insert(reading.publisher, reading.clone());
        Ok(())
    }

    async fn forget(&self, publisher: Publisher) -> Result<(), BackendError> {
        self.readings().remove(&publisher);
        Ok(())
    }
}
