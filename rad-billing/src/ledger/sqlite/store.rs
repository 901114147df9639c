//! What posting needs of SQLite.

use std::collections::{BTreeMap, BTreeSet};

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::Posted;
use rad_core::revenue::{EntryKey, Needs};
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, Transaction};

use super::super::book::Book;
use super::super::posting::{Store, Writes};
use super::{loading, writing};
use crate::database::failed;
use crate::sqlite::begin;

/// The tables of a ledger in a file.
#[derive(Debug, Clone)]
pub(super) struct SqliteStore {
    pool: SqlitePool,
}

impl SqliteStore {
    pub(super) const fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }
}

impl Store for SqliteStore {
    type Transaction = Transaction<'static, Sqlite>;

    const NAME: &'static str = "sqlite";

    /// A file has one writer at a time. Waiting on the board is fair; waiting for the file's lock is not.
    const GROUPS: usize = 1;

    async fn begin(&self) -> Result<Self::Transaction, BackendError> {
        begin(&self.pool).await
    }

    async fn books(
        transaction: &mut Self::Transaction,
        accounts: &BTreeSet<AccountId>,
        needs: &[(AccountId, Needs)],
    ) -> Result<BTreeMap<AccountId, Book>, BackendError> {
        let mut books = BTreeMap::new();
        for account in accounts {
            books.insert(*account, loading::book(transaction, *account).await?);
        }
        for (account, need) in needs {
            if let Some(book) = books.get_mut(account) {
                loading::attach(transaction, *account, book, *need).await?;
            }
        }
        Ok(books)
    }

    async fn by_keys(
        transaction: &mut Self::Transaction,
        keys: &[(AccountId, EntryKey)],
    ) -> Result<Vec<Posted>, BackendError> {
        let mut known = Vec::new();
        for (account, key) in keys {
            known.extend(loading::by_key(transaction, *account, *key).await?);
        }
        Ok(known)
    }

    async fn write(mut transaction: Self::Transaction, writes: Writes) -> Result<(), BackendError> {
        writing::execute(&writes, &mut transaction).await?;
        transaction.commit().await.map_err(failed("committing entries"))
    }

    async fn write_alone(&self, writes: Writes) -> Result<(), BackendError> {
        Self::write(self.begin().await?, writes).await
    }
}
