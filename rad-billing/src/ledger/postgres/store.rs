//! What posting needs of PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::Posted;
use rad_core::revenue::{EntryKey, Needs};
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Transaction};

use super::super::book::Book;
use super::super::posting::{Store, Writes};
use super::{loading, writing};
use crate::database::failed;

/// Every statement sees what was committed before it, so that what is read after a head is locked is up to date.
///
/// Plans are kept for as long as a connection is; one made while the tables were small must not read them whole later.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;
    SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

/// The tables of a ledger, through a pool of connections.
#[derive(Debug, Clone)]
pub(super) struct PostgresStore {
    pool: PgPool,
}

impl PostgresStore {
    pub(super) const fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

impl Store for PostgresStore {
    type Transaction = Transaction<'static, Postgres>;

    const NAME: &'static str = "postgres";

    /// While some wait for the disk, others are prepared.
    const GROUPS: usize = 6;

    async fn begin(&self) -> Result<Self::Transaction, BackendError> {
        self.pool.begin_with(BEGIN).await.map_err(failed("beginning a transaction"))
    }

    async fn books(
        transaction: &mut Self::Transaction,
        accounts: &BTreeSet<AccountId>,
        needs: &[(AccountId, Needs)],
    ) -> Result<BTreeMap<AccountId, Book>, BackendError> {
        loading::books(transaction, accounts, needs, true).await
    }

    async fn by_keys(
        transaction: &mut Self::Transaction,
        keys: &[(AccountId, EntryKey)],
    ) -> Result<Vec<Posted>, BackendError> {
        loading::by_keys(transaction, keys).await
    }

    async fn write(mut transaction: Self::Transaction, writes: Writes) -> Result<(), BackendError> {
        writing::execute(writes, &mut *transaction).await?;
        transaction.commit().await.map_err(failed("committing entries"))
    }

    async fn write_alone(&self, writes: Writes) -> Result<(), BackendError> {
        // One statement is a transaction by itself, and one trip to the server.
        writing::execute(writes, &self.pool).await
    }
}
