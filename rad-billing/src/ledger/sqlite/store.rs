//! What posting needs of SQLite.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::Posted;
use rad_core::revenue::{EntryKey, Needs};
use sqlx::Sqlite;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::super::book::Book;
use super::super::posting::{Connections, Lease, Store, Writes};
use super::super::rows::{EntryRow, HeadRow};
use super::loading;
use super::writing::{self, During};
use crate::database::failed;

/// How long the write-ahead log gets before a post copies it into the file, in pages of 4 KiB. Pages that were written several
/// times until then are copied once.
const LOG_PAGES: &str = "8000";

/// How much of the file the posting connection keeps in memory: 16 MiB (the sign tells KiB from pages). Posting goes from account
/// to account, and each has its own pages in every index.
const CACHE: &str = "-16384";

/// The tables of a ledger in a file.
#[derive(Debug, Clone)]
pub(super) struct SqliteStore {
    connections: Arc<Connections<Sqlite>>,
}

impl SqliteStore {
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self { connections: Arc::new(Connections::new(pool, for_posting)) }
    }

    pub(super) fn pool(&self) -> &SqlitePool {
        self.connections.pool()
    }
}

impl Store for SqliteStore {
    type Transaction = Lease<Sqlite>;

    const NAME: &'static str = "sqlite";

    /// A file has one writer at a time. Waiting on the board is fair; waiting for the file's lock is not.
    const GROUPS: usize = 1;

    async fn begin(&self) -> Result<Lease<Sqlite>, BackendError> {
        let mut lease = self.connections.take().await?;
        // Nobody else can write until it ends.
        let begun = sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut lease.connection).await;
        begun.map_err(failed("beginning a transaction"))?;
        Ok(lease)
    }

    async fn heads(
        lease: &mut Lease<Sqlite>,
        accounts: &BTreeSet<AccountId>,
    ) -> Result<Vec<HeadRow>, BackendError> {
        let mut heads = Vec::new();
        for account in accounts {
            heads.extend(loading::head(&mut lease.connection, *account).await?);
        }
        Ok(heads)
    }

    async fn entries_after(
        lease: &mut Lease<Sqlite>,
        places: &[(AccountId, i64)],
    ) -> Result<Vec<EntryRow>, BackendError> {
        let mut entries = Vec::new();
        for (account, seq) in places {
            entries.extend(loading::entries_after(&mut lease.connection, *account, *seq).await?);
        }
        Ok(entries)
    }

    async fn books(
        lease: &mut Lease<Sqlite>,
        heads: &BTreeMap<AccountId, HeadRow>,
        needs: &[(AccountId, Needs)],
    ) -> Result<BTreeMap<AccountId, Book>, BackendError> {
        let mut books = BTreeMap::new();
        for (account, head) in heads {
            books.insert(*account, loading::book(&mut lease.connection, head).await?);
        }
        for (account, need) in needs {
            if let Some(book) = books.get_mut(account) {
                loading::attach(&mut lease.connection, *account, book, *need).await?;
            }
        }
        Ok(books)
    }

    async fn by_keys(
        lease: &mut Lease<Sqlite>,
        keys: &[(AccountId, EntryKey)],
    ) -> Result<Vec<Posted>, BackendError> {
        let mut known = Vec::new();
        for (account, key) in keys {
            known.extend(loading::by_key(&mut lease.connection, *account, *key).await?);
        }
        Ok(known)
    }

    async fn write(mut lease: Lease<Sqlite>, writes: Writes) -> Result<(), BackendError> {
        writing::execute(writes, During::Begun, &mut lease.connection).await?;
        lease.give_back();
        Ok(())
    }

    async fn end(mut lease: Lease<Sqlite>) -> Result<(), BackendError> {
        let ended = sqlx::raw_sql("ROLLBACK").execute(&mut lease.connection).await;
        ended.map_err(failed("ending a transaction"))?;
        lease.give_back();
        Ok(())
    }

    async fn write_alone(&self, writes: Writes) -> Result<(), BackendError> {
        let mut lease = self.connections.take().await?;
        writing::execute(writes, During::Own, &mut lease.connection).await?;
        lease.give_back();
        Ok(())
    }

    async fn close(&self) {
        self.connections.close().await;
    }
}

/// The options of a connection for posting. What a statement may have to take back is kept in memory; readers, who sort much more
/// than that, go on using files.
fn for_posting(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options.pragma("wal_autocheckpoint", LOG_PAGES).pragma("cache_size", CACHE).pragma("temp_store", "MEMORY")
}
