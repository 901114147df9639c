//! The ledger in a PostgreSQL database.
//!
//! Callers of one process are posted in groups: while one group commits, the next one gathers. What a group writes (entries,
//! what they did, the rows of the state that changed) goes as arrays, in one statement that first moves the heads of its
//! accounts. Groups of other processes wait at the same heads, so that there is no coordinator.

mod copying;
mod folding;
mod loading;
mod store;
mod summing;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
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
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Transaction};

use self::copying::Moment;
use self::store::PostgresStore;
use super::export::{Export, Snapshot};
use super::posting::Queue;
use super::queries::Queries as _;
use super::verifying;
use crate::database::failed;

/// A [`Ledger`] in a PostgreSQL database.
///
/// Any number of processes can post to one database. A clone posts through the same queue.
#[derive(Debug, Clone)]
pub struct PostgresLedger {
    pool: PgPool,
    queue: Arc<Queue<PostgresStore>>,
}

impl PostgresLedger {
    /// The ledger in a database that [`open`](crate::postgres::open) or [`migrate`](crate::postgres::migrate) prepared.
    pub fn new(pool: PgPool) -> Self {
        Self { queue: Arc::new(Queue::new(PostgresStore::new(pool.clone()))), pool }
    }

    /// Begins to read all entries, in account order, as they are now.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn export(&self) -> Result<Export, BackendError> {
        Export::begin(self.snapshot("beginning an export").await?).await
    }

    /// A transaction that sees the database as it is now, for as long as it takes.
    pub(super) async fn snapshot(&self, during: &'static str) -> Result<Snapshot, BackendError> {
        let mut reading = snapshot(&self.pool, during).await?;
        // Whoever reads it may take a break between pages.
        let patient = "SET LOCAL idle_in_transaction_session_timeout = 0";
        sqlx::query(patient).execute(&mut *reading).await.map_err(failed(during))?;
        Ok(Snapshot::Postgres(reading))
    }

    /// A transaction for writing.
    pub(super) async fn begin(
        &self,
        during: &'static str,
    ) -> Result<Transaction<'static, Postgres>, BackendError> {
        self.pool.begin().await.map_err(failed(during))
    }

    pub(super) const fn pool(&self) -> &PgPool {
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
impl Ledger for PostgresLedger {
    async fn post_batch(&self, posts: &[Post]) -> Result<Vec<Posted>, LedgerError> {
        if posts.is_empty() {
            return Ok(Vec::new());
        }
        self.queue.post(posts.to_vec()).await
    }

    async fn state(&self, account: AccountId) -> Result<AccountState, LedgerError> {
        let mut reading = snapshot(&self.pool, "reading a state").await?;
        let head = loading::heads(&mut reading, &BTreeSet::from([account]), false).await?.pop();
        let Some(head) = head else { return Ok(AccountState::new(account)) };
        let mut books = loading::books(&mut reading, &BTreeMap::from([(account, head)]), &[]).await?;
        Ok(books.remove(&account).map_or_else(|| AccountState::new(account), |book| book.into_state()))
    }

    async fn by_key(&self, account: AccountId, key: EntryKey) -> Result<Option<Posted>, LedgerError> {
        let mut reading = self.pool.acquire().await.map_err(failed("looking for a key"))?;
        Ok(loading::by_keys(&mut reading, &[(account, key)]).await?.pop())
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
        // One snapshot: entries posted meanwhile are not seen half.
        let mut moment = Moment::begin(&self.pool).await?;
        let findings = verifying::verify_one(&mut moment, account).await?;
        moment.end().await?;
        Ok(findings)
    }

    async fn verify_range(
        &self,
        after: Option<AccountId>,
        to: Option<AccountId>,
    ) -> Result<Verified, LedgerError> {
        let pool = self.pool.clone();
        let verifying = async move {
            let mut moment = Moment::begin(&pool).await?;
            let verified = verifying::verify(&mut moment, after, to).await?;
            moment.end().await?;
            Ok(verified)
        };
        Ok(verifying::in_own_task(verifying).await?)
    }

    async fn verify_totals(&self) -> Result<Vec<TotalsFinding>, LedgerError> {
        if summing::sums_are_right(&self.pool).await? {
            return Ok(Vec::new());
        }
        self.pool.wrong_days().await
    }
}

/// A transaction that sees the database as it is now, whatever others commit meanwhile.
async fn snapshot(
    pool: &PgPool,
    during: &'static str,
) -> Result<Transaction<'static, Postgres>, BackendError> {
    pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(failed(during))
}
