//! Watches of repositories in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::access::Publisher;
use crate::error::BackendError;
use crate::watch::{MOST_SYNCS, SyncRecord, Watch, WatchStore};

/// A [`WatchStore`] that lasts as long as the process.
#[derive(Debug, Default)]
pub struct MemoryWatches {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    watches: BTreeMap<Publisher, Watch>,
    /// The latest first.
    syncs: BTreeMap<Publisher, VecDeque<SyncRecord>>,
}

impl MemoryWatches {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl WatchStore for MemoryWatches {
    async fn watch(&self, publisher: Publisher) -> Result<Option<Watch>, BackendError> {
        Ok(self.kept().watches.get(&publisher).cloned())
    }

    async fn begin(&self, watch: &Watch) -> Result<(), BackendError> {
        self.kept().watches.insert(watch.publisher, watch.clone());
        Ok(())
    }

    async fn end(&self, publisher: Publisher) -> Result<(), BackendError> {
        self.kept().watches.remove(&publisher);
        Ok(())
    }

    async fn set_auto_update(
        &self,
        publisher: Publisher,
        on: bool,
        next_at: DateTime<Utc>,
    ) -> Result<(), BackendError> {
        if let Some(watch) = self.kept().watches.get_mut(&publisher) {
            (watch.auto_update, watch.next_at, watch.last.commit) = (on, next_at, None);
        }
        Ok(())
    }

    async fn due(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Watch>, BackendError> {
        let mut kept = self.kept();
        let mut due: Vec<&mut Watch> =
            kept.watches.values_mut().filter(|watch| watch.next_at <= now).collect();
        due.sort_by_key(|watch| watch.next_at);
        due.truncate(limit as usize);
        let lend = |watch: &mut Watch| {
            watch.next_at = until;
            watch.clone()
        };
        Ok(due.into_iter().map(lend).collect())
    }

    async fn looked(&self, looked: &Watch) -> Result<(), BackendError> {
        let mut kept = self.kept();
        let is_same = |watch: &&mut Watch| {
            watch.auto_update == looked.auto_update && watch.connection == looked.connection
        };
        if let Some(watch) = kept.watches.get_mut(&looked.publisher).filter(is_same) {
            watch.clone_from(looked);
        }
        Ok(())
    }

    async fn keep_sync(&self, sync: &SyncRecord) -> Result<(), BackendError> {
        let mut kept = self.kept();
        let syncs = kept.syncs.entry(sync.publisher).or_default();
        syncs.push_front(sync.clone());
        syncs.truncate(MOST_SYNCS as usize);
        Ok(())
    }

    async fn syncs(&self, publisher: Publisher, limit: u32) -> Result<Vec<SyncRecord>, BackendError> {
        let kept = self.kept();
        let syncs = kept.syncs.get(&publisher);
        Ok(syncs.into_iter().flatten().take(limit as usize).cloned().collect())
    }
}
