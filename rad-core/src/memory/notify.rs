//! Notices in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::BackendError;
use crate::id::AccountId;
use crate::notify::{KeptNotice, Notice, Notifier};

/// Keeps notices in memory; gone with the process.
#[derive(Debug, Default)]
pub struct MemoryNotifier {
    kept: Mutex<Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    account: AccountId,
    key: String,
    told: KeptNotice,
}

impl MemoryNotifier {
    /// A notifier that has told nobody anything.
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Notifier for MemoryNotifier {
    async fn notify(
        &self,
        account: AccountId,
        key: &str,
        notice: &Notice,
        at: DateTime<Utc>,
    ) -> Result<(), BackendError> {
        let mut kept = self.kept();
        if !kept.iter().any(|one| one.account == account && one.key == key) {
            let number = kept.len() as u64 + 1;
            let told = KeptNotice { number, at, notice: notice.clone(), seen: false };
            kept.push(Kept { account, key: key.to_owned(), told });
        }
        Ok(())
    }

    async fn notices(&self, account: AccountId, limit: u32) -> Result<Vec<KeptNotice>, BackendError> {
        let kept = self.kept();
        let own = kept.iter().rev().filter(|one| one.account == account);
        Ok(own.take(limit as usize).map(|one| one.told.clone()).collect())
    }

    async fn unseen(&self, account: AccountId) -> Result<u64, BackendError> {
        Ok(self.kept().iter().filter(|one| one.account == account && !one.told.seen).count() as u64)
    }

    async fn mark_seen(&self, account: AccountId, last: u64) -> Result<(), BackendError> {
        let mut kept = self.kept();
        for one in kept.iter_mut().filter(|one| one.account == account && one.told.number <= last) {
            one.told.seen = true;
        }
        Ok(())
    }
}
