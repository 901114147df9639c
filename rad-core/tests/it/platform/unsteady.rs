//! A ledger that fails where a test wants it to, or brings two processes to the same point at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{
    EntryQuery, Finding, Ledger, LedgerError, Post, Posted, RevenueGroups, RevenueQuery, RevenueTotals,
};
use rad_core::memory::MemoryLedger;
use rad_core::page::Page;
use rad_core::revenue::{AccountState, EntryKey, Grouping, PLATFORM_ACCOUNT, RevenueLine};
use tokio::sync::Barrier;

/// A ledger that fails to take share rules, or where those who look for rules and find none wait for each other.
#[derive(Debug)]
pub(super) struct UnsteadyLedger {
    pub(super) kept: Arc<MemoryLedger>,
    /// How many posts of share rules fail from now on.
    pub(super) failures: AtomicU32,
    pub(super) meeting: Option<Arc<Barrier>>,
}

#[async_trait]
impl Ledger for UnsteadyLedger {
    async fn post_batch(&self, posts: &[Post]) -> Result<Vec<Posted>, LedgerError> {
        if posts.iter().any(|post| post.account == PLATFORM_ACCOUNT) {
            let one_less = |left: u32| left.checked_sub(1);
            if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
                return Err(BackendError::unavailable("posting", "out of order").into());
            }
        }
        self.kept.post_batch(posts).await
    }

    async fn state(&self, account: AccountId) -> Result<AccountState, LedgerError> {
        self.kept.state(account).await
    }

    async fn by_key(&self, account: AccountId, key: EntryKey) -> Result<Option<Posted>, LedgerError> {
        self.kept.by_key(account, key).await
    }

    async fn entries(&self, query: &EntryQuery) -> Result<Page<Posted>, LedgerError> {
        let page = self.kept.entries(query).await?;
        if let Some(meeting) = self.meeting.as_ref().filter(|_| page.items.is_empty()) {
            meeting.wait().await;
        }
        Ok(page)
    }

    async fn revenue(&self, query: &RevenueQuery) -> Result<Page<RevenueLine>, LedgerError> {
        self.kept.revenue(query).await
    }

    async fn revenue_totals(&self, query: &RevenueQuery) -> Result<RevenueTotals, LedgerError> {
        self.kept.revenue_totals(query).await
    }

    async fn revenue_by(&self, query: &RevenueQuery, by: Grouping) -> Result<RevenueGroups, LedgerError> {
        self.kept.revenue_by(query, by).await
    }

    async fn accounts(&self, after: Option<AccountId>, limit: u32) -> Result<Vec<AccountId>, LedgerError> {
        self.kept.accounts(after, limit).await
    }

    async fn verify(&self, account: AccountId) -> Result<Vec<Finding>, LedgerError> {
        self.kept.verify(account).await
    }
}
