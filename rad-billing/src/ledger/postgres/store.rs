//! What posting needs of PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::Posted;
use rad_core::revenue::{EntryKey, Needs};
use sqlx::Postgres;
use sqlx::postgres::PgPool;

use super::super::book::Book;
use super::super::posting::{Connections, Lease, Store, Writes};
use super::super::rows::{EntryRow, HeadRow};
use super::{loading, writing};
use crate::database::failed;

/// Every statement sees what was committed before it, so that what is read after a head is locked is up to date.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Plans are kept for as long as a connection is; one made while the tables were small must not read them whole later. Set once
/// for each connection: a function that sets them costs a quarter more.
const SETTINGS: [(&str, &str); 5] = [
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// The tables of a ledger.
#[derive(Debug, Clone)]
pub(super) struct PostgresStore {
    connections: Arc<Connections<Postgres>>,
}

impl PostgresStore {
    pub(super) fn new(pool: PgPool) -> Self {
        let connections = Connections::new(pool, |options| options.options(SETTINGS));
        Self { connections: Arc::new(connections) }
    }

    pub(super) fn pool(&self) -> &PgPool {
        self.connections.pool()
    }
}

impl Store for PostgresStore {
    type Transaction = Lease<Postgres>;

    const NAME: &'static str = "postgres";

    /// While one waits for the disk, another is prepared. More of them would be smaller ones, and what a group costs beside its
    /// posts is worth about ten posts.
    const GROUPS: usize = 2;

    async fn begin(&self) -> Result<Lease<Postgres>, BackendError> {
        let mut lease = self.connections.take().await?;
        sqlx::raw_sql(BEGIN)
            .execute(&mut lease.connection)
            .await
            .map_err(failed("beginning a transaction"))?;
        Ok(lease)
    }

    async fn heads(
        lease: &mut Lease<Postgres>,
        accounts: &BTreeSet<AccountId>,
    ) -> Result<Vec<HeadRow>, BackendError> {
        loading::heads(&mut lease.connection, accounts, true).await
    }

    async fn entries_after(
        lease: &mut Lease<Postgres>,
        places: &[(AccountId, i64)],
    ) -> Result<Vec<EntryRow>, BackendError> {
        loading::entries_after(&mut lease.connection, places).await
    }

    async fn books(
        lease: &mut Lease<Postgres>,
        heads: &BTreeMap<AccountId, HeadRow>,
        needs: &[(AccountId, Needs)],
    ) -> Result<BTreeMap<AccountId, Book>, BackendError> {
        loading::books(&mut lease.connection, heads, needs).await
    }

    async fn by_keys(
        lease: &mut Lease<Postgres>,
        keys: &[(AccountId, EntryKey)],
    ) -> Result<Vec<Posted>, BackendError> {
        loading::by_keys(&mut lease.connection, keys).await
    }

    async fn write(mut lease: Lease<Postgres>, writes: Writes) -> Result<(), BackendError> {
        writing::execute(writes, &mut lease.connection).await?;
        let committed = sqlx::raw_sql("COMMIT").execute(&mut lease.connection).await;
        committed.map_err(failed("committing entries"))?;
        lease.give_back();
        Ok(())
    }

    async fn end(mut lease: Lease<Postgres>) -> Result<(), BackendError> {
        let ended = sqlx::raw_sql("ROLLBACK").execute(&mut lease.connection).await;
        ended.map_err(failed("ending a transaction"))?;
        lease.give_back();
        Ok(())
    }

    async fn write_alone(&self, writes: Writes) -> Result<(), BackendError> {
        let mut lease = self.connections.take().await?;
        // One statement is a transaction by itself, and one trip to the server.
        writing::execute(writes, &mut lease.connection).await?;
        lease.give_back();
        Ok(())
    }

    async fn close(&self) {
        self.connections.close().await;
    }
}
