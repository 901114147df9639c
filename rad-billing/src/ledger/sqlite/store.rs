//! What posting needs of SQLite.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::Posted;
use rad_core::revenue::{EntryKey, Needs};
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, SqliteConnection};

use super::super::book::Book;
use super::super::posting::{Connections, Store, Writes};
use super::super::rows::{EntryRow, HeadRow};
use super::loading;
use super::writing::{self, During};
use crate::database::failed;

/// The tables of a ledger in a file.
#[derive(Debug, Clone)]
pub(super) struct SqliteStore {
    connections: Arc<Connections<Sqlite>>,
}

/// Dropped, it closes its connection, and SQLite takes back what was done.
#[derive(Debug)]
pub(super) struct Open {
    connection: SqliteConnection,
    store: SqliteStore,
}

impl SqliteStore {
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self { connections: Arc::new(Connections::new(pool)) }
    }
}

impl Store for SqliteStore {
    type Transaction = Open;

    const NAME: &'static str = "sqlite";

    /// A file has one writer at a time. Waiting on the board is fair; waiting for the file's lock is not.
    const GROUPS: usize = 1;

    async fn begin(&self) -> Result<Open, BackendError> {
        let mut connection = self.connections.take().await?;
        // Nobody else can write until it ends.
        let begun = sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await;
        begun.map_err(failed("beginning a transaction"))?;
        Ok(Open { connection, store: self.clone() })
    }

    async fn heads(open: &mut Open, accounts: &BTreeSet<AccountId>) -> Result<Vec<HeadRow>, BackendError> {
        let mut heads = Vec::new();
        for account in accounts {
            heads.extend(loading::head(&mut open.connection, *account).await?);
        }
        Ok(heads)
    }

    async fn entries_after(
        open: &mut Open,
        places: &[(AccountId, i64)],
    ) -> Result<Vec<EntryRow>, BackendError> {
        let mut entries = Vec::new();
        for (account, seq) in places {
            entries.extend(loading::entries_after(&mut open.connection, *account, *seq).await?);
        }
        Ok(entries)
    }

    async fn books(
        open: &mut Open,
        heads: &BTreeMap<AccountId, HeadRow>,
        needs: &[(AccountId, Needs)],
    ) -> Result<BTreeMap<AccountId, Book>, BackendError> {
        let mut books = BTreeMap::new();
        for (account, head) in heads {
            books.insert(*account, loading::book(&mut open.connection, head).await?);
        }
        for (account, need) in needs {
            if let Some(book) = books.get_mut(account) {
                loading::attach(&mut open.connection, *account, book, *need).await?;
            }
        }
        Ok(books)
    }

    async fn by_keys(open: &mut Open, keys: &[(AccountId, EntryKey)]) -> Result<Vec<Posted>, BackendError> {
        let mut known = Vec::new();
        for (account, key) in keys {
            known.extend(loading::by_key(&mut open.connection, *account, *key).await?);
        }
        Ok(known)
    }

    async fn write(mut open: Open, writes: Writes) -> Result<(), BackendError> {
        writing::execute(writes, During::Begun, &mut open.connection).await?;
        open.store.connections.give_back(open.connection);
        Ok(())
    }

    async fn end(mut open: Open) -> Result<(), BackendError> {
        let ended = sqlx::raw_sql("ROLLBACK").execute(&mut open.connection).await;
        ended.map_err(failed("ending a transaction"))?;
        open.store.connections.give_back(open.connection);
        Ok(())
    }

    async fn write_alone(&self, writes: Writes) -> Result<(), BackendError> {
        let mut connection = self.connections.take().await?;
        writing::execute(writes, During::Own, &mut connection).await?;
        self.connections.give_back(connection);
        Ok(())
    }
}
