//! The ledger in a SQLite file.
//!
//! Posting loads what is open of an account, lets the engine apply the entry, and writes the entry, what it did and the
//! rows of the state that changed, in one transaction that no other writer can get in between. The file has the hash of
//! every entry and the effect the engine gave, so that [`verify`](rad_core::ledger::Ledger::verify) finds what was changed
//! behind the ledger.

mod loading;
mod writing;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use async_trait::async_trait;
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{EntryQuery, Finding, Ledger, LedgerError, Post, Posted, RevenueQuery, RevenueTotals};
use rad_core::page::Page;
use rad_core::revenue::{AccountState, EntryKey, RevenueLine};
use sqlx::sqlite::SqlitePool;
use sqlx::{QueryBuilder, SqliteConnection};
use tokio::sync::Mutex;

use super::book::Book;
use super::export::{Export, Snapshot};
use super::listing::{self, SumsRow};
use super::stored::Stored;
use super::verifying;
use crate::database::failed;
use crate::sqlite::begin;

/// A [`Ledger`] in a SQLite file.
///
/// Several processes can post to one file; within one, callers queue up in the order they came.
#[derive(Debug, Clone)]
pub struct SqliteLedger {
    pool: SqlitePool,
    /// SQLite has one writer at a time. Waiting here is fair; waiting for the file's lock is not.
    turn: Arc<Mutex<()>>,
}

impl SqliteLedger {
    /// The ledger in a database that [`open`](crate::sqlite::open) opened.
    pub fn new(pool: SqlitePool) -> Self {
        Self { pool, turn: Arc::default() }
    }

    /// Begins to read all entries, in account order, as they are now.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn export(&self) -> Result<Export, BackendError> {
        let reading = self.pool.begin().await.map_err(failed("beginning an export"))?;
        Export::begin(Snapshot::Sqlite(reading)).await
    }

    async fn write(&self, posts: &[Post]) -> Result<Vec<Posted>, LedgerError> {
        let _turn = self.turn.lock().await;
        let mut transaction = begin(&self.pool).await?;
        match post_all(&mut transaction, posts).await {
            Ok(posted) => {
                transaction.commit().await.map_err(failed("committing entries"))?;
                Ok(posted)
            }
            Err(error) => {
                // The first error is the one that says what went wrong.
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn post_batch(&self, posts: &[Post]) -> Result<Vec<Posted>, LedgerError> {
        if posts.is_empty() {
            return Ok(Vec::new());
        }
        // A task of its own, so that a caller who goes away does not take the transaction along half way.
        let (ledger, posts) = (self.clone(), posts.to_vec());
        let writing = tokio::spawn(async move { ledger.write(&posts).await });
        writing.await.map_err(|error| BackendError::unavailable("posting entries", error))?
    }

    async fn state(&self, account: AccountId) -> Result<AccountState, LedgerError> {
        let mut reading = self.pool.begin().await.map_err(failed("reading a state"))?;
        Ok(loading::book(&mut reading, account).await?.into_state())
    }

    async fn by_key(&self, account: AccountId, key: EntryKey) -> Result<Option<Posted>, LedgerError> {
        let mut reading = self.pool.acquire().await.map_err(failed("looking for a key"))?;
        Ok(loading::by_key(&mut reading, account, key).await?)
    }

    async fn entries(&self, query: &EntryQuery) -> Result<Page<Posted>, LedgerError> {
        let mut sql = QueryBuilder::new("");
        listing::select_entries(&mut sql, query);
        let rows = sql.build_query_as().fetch_all(&self.pool).await.map_err(failed("listing entries"))?;
        Ok(listing::page_of_entries(query, &rows)?)
    }

    async fn revenue(&self, query: &RevenueQuery) -> Result<Page<RevenueLine>, LedgerError> {
        let mut sql = QueryBuilder::new("");
        listing::select_lines(&mut sql, query);
        let rows = sql.build_query_as().fetch_all(&self.pool).await.map_err(failed("listing revenue"))?;
        Ok(listing::page_of_lines(query, &rows)?)
    }

    async fn revenue_totals(&self, query: &RevenueQuery) -> Result<RevenueTotals, LedgerError> {
        let mut sql = QueryBuilder::new("");
        listing::select_sums(&mut sql, query);
        let sums = sql.build_query_as::<SumsRow>().fetch_one(&self.pool).await;
        Ok(sums.map_err(failed("adding up revenue"))?.into())
    }

    async fn accounts(&self, after: Option<AccountId>, limit: u32) -> Result<Vec<AccountId>, LedgerError> {
        let mut sql = QueryBuilder::new("");
        listing::select_accounts(&mut sql, after, limit);
        let ids = sql.build_query_scalar().fetch_all(&self.pool).await.map_err(failed("listing accounts"))?;
        Ok(listing::accounts(&ids)?)
    }

    async fn verify(&self, account: AccountId) -> Result<Vec<Finding>, LedgerError> {
        // One transaction: entries posted meanwhile are not seen half.
        let mut reading = self.pool.begin().await.map_err(failed("verifying an account"))?;
        Ok(verifying::verify(&mut Stored::new(&mut *reading, account), account).await?)
    }
}

async fn post_all(connection: &mut SqliteConnection, posts: &[Post]) -> Result<Vec<Posted>, LedgerError> {
    let mut books: BTreeMap<AccountId, Book> = BTreeMap::new();
    let mut results = Vec::with_capacity(posts.len());
    for (index, post) in posts.iter().enumerate() {
        if let Some(posted) = loading::by_key(connection, post.account, post.key).await? {
            if !post.is_content_of(&posted.entry) {
                return Err(LedgerError::KeyReused { index, key: post.key });
            }
            results.push(Posted { repeated: true, ..posted });
            continue;
        }
        let book = match books.entry(post.account) {
            Entry::Occupied(book) => book.into_mut(),
            Entry::Vacant(place) => place.insert(loading::book(connection, post.account).await?),
        };
        loading::attach(connection, post.account, book, AccountState::needs(&post.body)).await?;
        let posted = book.apply(index, post)?;
        writing::append(connection, &posted).await?;
        results.push(posted);
    }
    for book in books.values() {
        writing::save(connection, book).await?;
    }
    Ok(results)
}
