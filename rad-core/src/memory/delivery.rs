//! Deliveries in memory.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::delivery::{DeliveryLog, MOST_DELIVERIES};
use crate::error::BackendError;
use crate::source::Digest;

/// A [`DeliveryLog`] that lasts as long as the process.
#[derive(Debug, Default)]
pub struct MemoryDeliveries {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    until: HashMap<Digest, DateTime<Utc>>,
    order: BTreeSet<(DateTime<Utc>, Digest)>,
}

impl MemoryDeliveries {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget(&mut self, key: &Digest) {
        if let Some(until) = self.until.remove(key) {
            self.order.remove(&(until, *key));
        }
    }

    /// Forgets what lapsed, and what is too much.
    fn tidy(&mut self, now: DateTime<Utc>) {
        while let Some((until, key)) = self.order.first().copied() {
            if until > now && self.order.len() <= MOST_DELIVERIES {
                return;
            }
            self.forget(&key);
        }
    }
}

#[async_trait]
impl DeliveryLog for MemoryDeliveries {
    async fn take(
        &self,
        keys: &[Digest],
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool, BackendError> {
        let mut kept = self.kept();
        kept.tidy(now);
        let is_new = !keys.iter().any(|key| kept.until.contains_key(key));
        for key in keys {
            if !kept.until.contains_key(key) {
                kept.until.insert(*key, until);
                kept.order.insert((until, *key));
            }
        }
        kept.tidy(now);
        Ok(is_new)
    }

    async fn forget(&self, keys: &[Digest]) -> Result<(), BackendError> {
        let mut kept = self.kept();
        keys.iter().for_each(|key| kept.forget(key));
        Ok(())
    }
}
