//! What posting needs of PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::Posted;
use rad_core::revenue::{EntryKey, Needs};
use sqlx::Postgres;
use sqlx::postgres::{PgConnection, PgPool};

use super::super::book::Book;
use super::super::posting::{Connections, Store, Writes};
use super::super::rows::{EntryRow, HeadRow};
use super::{loading, writing};
use crate::database::failed;

/// Every statement sees what was committed before it, so that what is read after a head is locked is up to date.
///
/// Plans are kept for as long as a connection is; one made while the tables were small must not read them whole later.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;
    SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

/// The tables of a ledger.
#[derive(Debug, Clone)]
pub(super) struct PostgresStore {
    connections: Arc<Connections<Postgres>>,
}

/// Dropped, it closes its connection, and the server takes back what was done.
#[derive(Debug)]
pub(super) struct Open {
    connection: PgConnection,
    store: PostgresStore,
}

impl PostgresStore {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { connections: Arc::new(Connections::new(pool)) }
    }
}

impl Open {
    async fn close(mut self, sql: &'static str, during: &'static str) -> Result<(), BackendError> {
        sqlx::raw_sql(sql).execute(&mut self.connection).await.map_err(failed(during))?;
        self.store.connections.give_back(self.connection);
        Ok(())
    }
}

impl Store for PostgresStore {
    type Transaction = Open;

    const NAME: &'static str = "postgres";

    /// While one waits for the disk, another is prepared. More of them would be smaller ones, and what a group costs beside its
    /// posts is worth about ten posts.
    const GROUPS: usize = 2;

    async fn begin(&self) -> Result<Open, BackendError> {
        let mut connection = self.connections.take().await?;
        sqlx::raw_sql(BEGIN).execute(&mut connection).await.map_err(failed("beginning a transaction"))?;
        Ok(Open { connection, store: self.clone() })
    }

    async fn heads(open: &mut Open, accounts: &BTreeSet<AccountId>) -> Result<Vec<HeadRow>, BackendError> {
        loading::heads(&mut open.connection, accounts, true).await
    }

    async fn entries_after(
        open: &mut Open,
        places: &[(AccountId, i64)],
    ) -> Result<Vec<EntryRow>, BackendError> {
        loading::entries_after(&mut open.connection, places).await
    }

    async fn books(
        open: &mut Open,
        heads: &BTreeMap<AccountId, HeadRow>,
        needs: &[(AccountId, Needs)],
    ) -> Result<BTreeMap<AccountId, Book>, BackendError> {
        loading::books(&mut open.connection, heads, needs).await
    }

    async fn by_keys(open: &mut Open, keys: &[(AccountId, EntryKey)]) -> Result<Vec<Posted>, BackendError> {
        loading::by_keys(&mut open.connection, keys).await
    }

    async fn write(mut open: Open, writes: Writes) -> Result<(), BackendError> {
        writing::execute(writes, &mut open.connection).await?;
        open.close("COMMIT", "committing entries").await
    }

    async fn end(open: Open) -> Result<(), BackendError> {
        open.close("ROLLBACK", "ending a transaction").await
    }

    async fn write_alone(&self, writes: Writes) -> Result<(), BackendError> {
        let mut connection = self.connections.take().await?;
        // One statement is a transaction by itself, and one trip to the server.
        writing::execute(writes, &mut connection).await?;
        self.connections.give_back(connection);
        Ok(())
    }
}
