//! The ledger in a SQLite file.
//!
//! Callers of one process are posted in groups, each in one transaction that no other writer can get in between: entries, what
//! they did, the rows of the state that changed. The file has the hash of every entry and the effect the engine gave, so that
//! [`verify`](rad_core::ledger::Ledger::verify) finds what was changed behind the ledger.

mod folding;
mod loading;
mod reading;
mod statements;
mod store;
mod writing;

use std::sync::Arc;

use async_trait::async_trait;
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{
    EntryQuery, Finding, Ledger, LedgerError, Post, Posted, RevenueGroups, RevenueQuery, RevenueTotals,
    TotalsFinding, Verified,
};
use rad_core::page::Page;
use rad_core::revenue::{AccountState, EntryKey, Grouping, RevenueLine};
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, Transaction};

use self::store::SqliteStore;
use super::export::{Export, Snapshot};
use super::posting::Queue;
use super::queries::Queries as _;
use super::verifying;
use crate::database::failed;
use crate::sqlite::begin;

/// A [`Ledger`] in a SQLite file.
///
/// Several processes can post to one file; within one, callers queue up in the order they came. A clone posts through the
/// same queue.
#[derive(Debug, Clone)]
pub struct SqliteLedger {
    pool: SqlitePool,
    queue: Arc<Queue<SqliteStore>>,
}

impl SqliteLedger {
    /// The ledger in a database that [`open`](crate::sqlite::open) opened.
    pub fn new(pool: SqlitePool) -> Self {
        Self { queue: Arc::new(Queue::new(SqliteStore::new(pool.clone()))), pool }
    }

    /// Begins to read all entries, in account order, as they are now.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn export(&self) -> Result<Export, BackendError> {
        Export::begin(self.snapshot("beginning an export").await?).await
    }

    /// A transaction for reading that sees the database as it is now.
    pub(super) async fn snapshot(&self, during: &'static str) -> Result<Snapshot, BackendError> {
        Ok(Snapshot::Sqlite(self.pool.begin().await.map_err(failed(during))?))
    }

    /// A transaction for writing.
    pub(super) async fn begin(&self, _: &'static str) -> Result<Transaction<'static, Sqlite>, BackendError> {
        begin(&self.pool).await
    }

    pub(super) const fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Adds to the sums of days what posts have appended since that was last done, and gives how many deltas those were.
    ///
    /// The ledger does so by itself after every thousand revenue lines, and when it is [drained](Self::drain). Sums are right with and without it; it keeps what
    /// they must look through short. Any number of processes may do so at once.
    ///
    /// # Errors
    /// A failure of the database; then the deltas are still there.
    pub async fn fold_totals(&self) -> Result<u64, BackendError> {
        self.queue.fold().await
    }

    /// Takes no more posts, and returns when those taken before are settled and the connections they went through are closed: for
    /// an orderly shutdown. Every later post is refused as unavailable; reading goes on.
    pub async fn drain(&self) {
        self.queue.drain().await;
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn post_batch(&self, posts: &[Post]) -> Result<Vec<Posted>, LedgerError> {
        if posts.is_empty() {
            return Ok(Vec::new());
        }
        self.queue.post(posts.to_vec()).await
    }

    async fn state(&self, account: AccountId) -> Result<AccountState, LedgerError> {
        let mut reading = self.pool.begin().await.map_err(failed("reading a state"))?;
        match loading::head(&mut reading, account).await? {
            Some(head) => Ok(loading::book(&mut reading, &head).await?.into_state()),
            None => Ok(AccountState::new(account)),
        }
    }

    async fn by_key(&self, account: AccountId, key: EntryKey) -> Result<Option<Posted>, LedgerError> {
        let mut reading = self.pool.acquire().await.map_err(failed("looking for a key"))?;
        Ok(loading::by_key(&mut reading, account, key).await?)
    }

    async fn entries(&self, query: &EntryQuery) -> Result<Page<Posted>, LedgerError> {
        self.pool.entries(query).await
    }

    async fn revenue(&self, query: &RevenueQuery) -> Result<Page<RevenueLine>, LedgerError> {
        self.pool.revenue(query).await
    }

    async fn revenue_totals(&self, query: &RevenueQuery) -> Result<RevenueTotals, LedgerError> {
        self.pool.revenue_totals(query).await
    }

    async fn revenue_by(&self, query: &RevenueQuery, by: Grouping) -> Result<RevenueGroups, LedgerError> {
        self.pool.revenue_by(query, by).await
    }

    async fn accounts(&self, after: Option<AccountId>, limit: u32) -> Result<Vec<AccountId>, LedgerError> {
        self.pool.accounts(after, limit).await
    }

    async fn verify(&self, account: AccountId) -> Result<Vec<Finding>, LedgerError> {
        // One transaction: entries posted meanwhile are not seen half.
        let mut reading = self.pool.begin().await.map_err(failed("verifying an account"))?;
        Ok(verifying::verify_one(&mut *reading, account).await?)
    }

    async fn verify_range(
        &self,
        after: Option<AccountId>,
        to: Option<AccountId>,
    ) -> Result<Verified, LedgerError> {
        let pool = self.pool.clone();
        let verifying = async move {
            let mut reading = pool.begin().await.map_err(failed("verifying accounts"))?;
            verifying::verify(&mut *reading, after, to).await
        };
        Ok(verifying::in_own_task(verifying).await?)
    }

    async fn verify_totals(&self) -> Result<Vec<TotalsFinding>, LedgerError> {
        self.pool.wrong_days().await
    }
}
