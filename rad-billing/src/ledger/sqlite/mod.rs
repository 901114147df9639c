//! The ledger in a SQLite file.
//!
//! Posting loads what is open of an account, lets the engine apply the entry, and writes the entry, what it did and the
//! rows of the state that changed, in one transaction that no other writer can get in between. The file has the hash of
//! every entry and the effect the engine gave, so that [`verify`](rad_core::ledger::Ledger::verify) finds what was changed
//! behind the ledger.

mod book;
mod reading;
mod rows;
mod verifying;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use async_trait::async_trait;
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{EntryQuery, Finding, Ledger, LedgerError, Post, Posted, RevenueQuery, RevenueTotals};
use rad_core::page::Page;
use rad_core::revenue::{AccountState, EntryKey, RevenueLine};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;
use tokio::sync::Mutex;

use self::book::Book;
use self::rows::{EntryRow, LineRow};
use crate::sqlite::{begin, failed};

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
        Ok(Book::load(&mut reading, account).await?.into_state())
    }

    async fn by_key(&self, account: AccountId, key: EntryKey) -> Result<Option<Posted>, LedgerError> {
        let mut reading = self.pool.acquire().await.map_err(failed("looking for a key"))?;
        Ok(by_key(&mut reading, account, key).await?)
    }

    async fn entries(&self, query: &EntryQuery) -> Result<Page<Posted>, LedgerError> {
        Ok(reading::entries(&self.pool, query).await?)
    }

    async fn revenue(&self, query: &RevenueQuery) -> Result<Page<RevenueLine>, LedgerError> {
        Ok(reading::revenue(&self.pool, query).await?)
    }

    async fn revenue_totals(&self, query: &RevenueQuery) -> Result<RevenueTotals, LedgerError> {
        Ok(reading::revenue_totals(&self.pool, query).await?)
    }

    async fn accounts(&self, after: Option<AccountId>, limit: u32) -> Result<Vec<AccountId>, LedgerError> {
        Ok(reading::accounts(&self.pool, after, limit).await?)
    }

    async fn verify(&self, account: AccountId) -> Result<Vec<Finding>, LedgerError> {
        // One transaction: entries posted meanwhile are not seen half.
        let mut reading = self.pool.begin().await.map_err(failed("verifying an account"))?;
        Ok(verifying::verify(&mut reading, account).await?)
    }
}

async fn post_all(connection: &mut SqliteConnection, posts: &[Post]) -> Result<Vec<Posted>, LedgerError> {
    let mut books: BTreeMap<AccountId, Book> = BTreeMap::new();
    let mut results = Vec::with_capacity(posts.len());
    for (index, post) in posts.iter().enumerate() {
        if let Some(posted) = by_key(connection, post.account, post.key).await? {
            if !post.is_content_of(&posted.entry) {
                return Err(LedgerError::KeyReused { index, key: post.key });
            }
            results.push(Posted { repeated: true, ..posted });
            continue;
        }
        let book = match books.entry(post.account) {
            Entry::Occupied(book) => book.into_mut(),
            Entry::Vacant(place) => place.insert(Book::load(connection, post.account).await?),
        };
        book.fetch(connection, AccountState::needs(&post.body)).await?;
        let posted = book.apply(index, post)?;
        append(connection, &posted).await?;
        results.push(posted);
    }
    for book in books.values() {
        book.save(connection).await?;
    }
    Ok(results)
}

/// Appends an entry, its revenue lines, and which lots its charges took from.
async fn append(connection: &mut SqliteConnection, posted: &Posted) -> Result<(), BackendError> {
    EntryRow::of(posted)?.insert(connection).await?;
    for (place, line) in posted.effect.lines.iter().enumerate() {
        LineRow::of(place, line)?.insert(connection).await?;
    }
    for part in &posted.effect.parts {
        sqlx::query("INSERT OR IGNORE INTO ledger_charge_lots (account, lot, charge) VALUES (?, ?, ?)")
            .bind(posted.entry.account.as_bytes().as_slice())
            .bind(rows::number(part.lot)?)
            .bind(rows::number(part.charge)?)
            .execute(&mut *connection)
            .await
            .map_err(failed("noting what a charge took"))?;
    }
    Ok(())
}

async fn by_key(
    connection: &mut SqliteConnection,
    account: AccountId,
    key: EntryKey,
) -> Result<Option<Posted>, BackendError> {
    let row = sqlx::query("SELECT * FROM ledger_entries WHERE account = ? AND key = ?")
        .bind(account.as_bytes().as_slice())
        .bind(key.as_bytes().as_slice())
        .fetch_optional(connection)
        .await
        .map_err(failed("looking for a key"))?;
    row.map(|row| EntryRow::read(&row)?.posted()).transpose()
}
