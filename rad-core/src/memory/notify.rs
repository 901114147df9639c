//! Notices in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::BackendError;
use crate::id::AccountId;
use crate::notify::{Notice, Notifier};

/// Keeps notices in memory; gone with the process.
#[derive(Debug, Default)]
pub struct MemoryNotifier {
    kept: Mutex<Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    account: AccountId,
    key: String,
    at: DateTime<Utc>,
    notice: Notice,
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
            kept.push(Kept { account, key: key.to_owned(), at, notice: notice.clone() });
        }
        Ok(())
    }

    async fn notices(
        &self,
        account: AccountId,
        limit: u32,
    ) -> Result<Vec<(DateTime<Utc>, Notice)>, BackendError> {
        let kept = self.kept();
        let own = kept.iter().rev().filter(|one| one.account == account);
        Ok(own.take(limit as usize).map(|one| (one.at, one.notice.clone())).collect())
    }
}
