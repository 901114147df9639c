//! A pool of connections to one of the two databases, and transactions on it.

use rad_core::error::BackendError;
use sqlx::Sqlite;
#[cfg(feature = "postgres")]
use sqlx::postgres::{PgPool, Postgres};
use sqlx::sqlite::SqlitePool;

use crate::error::failed;
#[cfg(feature = "postgres")]
use crate::statement::sql;

/// A pool of connections to a database; cheap to clone.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Database {
    /// A SQLite file.
    Sqlite(SqlitePool),
    /// A PostgreSQL database.
    #[cfg(feature = "postgres")]
    Postgres(PgPool),
}

/// A transaction; what is not committed is rolled back.
#[derive(Debug)]
#[non_exhaustive]
pub enum Transaction {
    /// In a SQLite file.
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    /// In a PostgreSQL database.
    #[cfg(feature = "postgres")]
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// What a statement is executed on: a database, each statement for itself, or a transaction.
#[derive(Debug)]
#[non_exhaustive]
pub enum On<'c> {
    /// Any connection of the pool.
    Database(&'c Database),
    /// Within a transaction.
    Transaction(&'c mut Transaction),
}

impl Database {
    /// Begins a transaction that writes.
    ///
    /// In SQLite no other writer gets in between: what it reads is so until it commits. In PostgreSQL that holds of rows that
    /// were read [`for_update`](crate::Statement::for_update) and of what is behind a [`lock`](Transaction::lock).
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn begin(&self) -> Result<Transaction, BackendError> {
        let began = match self {
            Self::Sqlite(pool) => pool.begin_with("BEGIN IMMEDIATE").await.map(Transaction::Sqlite),
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => pool.begin().await.map(Transaction::Postgres),
        };
        began.map_err(failed("beginning a transaction"))
    }

    /// Begins a transaction that only reads, and sees the database as it is now.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn snapshot(&self) -> Result<Transaction, BackendError> {
        let began = match self {
            Self::Sqlite(pool) => pool.begin().await.map(Transaction::Sqlite),
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => {
                let one_moment = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                pool.begin_with(one_moment).await.map(Transaction::Postgres)
            }
        };
        began.map_err(failed("beginning to read"))
    }

    /// Closes all connections, and waits until they are.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Transaction {
    /// Waits for all other transactions that locked this name, and has those after this one wait until it ends. In SQLite
    /// writers take turns anyway.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn lock(&mut self, name: &str) -> Result<(), BackendError> {
        match self {
            Self::Sqlite(_) => {
                let _ = name;
                Ok(())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => {
                // Names of other schemas are others.
                let lock = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' ' || $1, 0))";
                sql(lock).bind(name).execute(self, "waiting for a lock").await.map(drop)
            }
        }
    }

    /// Makes what was done last.
    ///
    /// # Errors
    /// A failure of the database; then it may be done or not.
    pub async fn commit(self, during: &'static str) -> Result<(), BackendError> {
        let committed = match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction) => transaction.commit().await,
        };
        committed.map_err(failed(during))
    }
}

impl From<SqlitePool> for Database {
    fn from(pool: SqlitePool) -> Self {
        Self::Sqlite(pool)
    }
}

#[cfg(feature = "postgres")]
impl From<PgPool> for Database {
    fn from(pool: PgPool) -> Self {
        Self::Postgres(pool)
    }
}

impl<'c> From<&'c Database> for On<'c> {
    fn from(database: &'c Database) -> Self {
        Self::Database(database)
    }
}

impl<'c> From<&'c mut Transaction> for On<'c> {
    fn from(transaction: &'c mut Transaction) -> Self {
        Self::Transaction(transaction)
    }
}
