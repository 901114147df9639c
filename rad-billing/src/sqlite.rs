//! The SQLite database file, with the tables of this crate.

use std::path::Path;

use rad_core::error::BackendError;
use rad_sql::Database;
pub use rad_sql::sqlite::pool_options;
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, Transaction};

use crate::database::{SCHEMA, failed};

/// Opens a database file as [`rad_sql::sqlite::open`] does, and runs [`migrate`].
///
/// # Errors
/// If the file cannot be opened or is no database, or as [`migrate`].
pub async fn open(path: &Path) -> Result<SqlitePool, BackendError> {
    let pool = rad_sql::sqlite::open(path).await?;
    migrate(&pool).await?;
    Ok(pool)
}

/// Brings a database to the schema of this release, as [`crate::migrate`] does.
///
/// The pool should have [`pool_options`] and open its connections as [`open`] does.
///
/// # Errors
/// If a step fails, or the database was written by a newer release.
pub async fn migrate(pool: &SqlitePool) -> Result<(), BackendError> {
    SCHEMA.migrate(&pool.clone().into()).await
}

/// Opens a database file for reading alone, as [`rad_sql::sqlite::open_read_only`] does; it is not brought up to date.
///
/// # Errors
/// If there is no such file or it is no database, or its schema is not that of this release.
pub async fn open_read_only(path: &Path) -> Result<SqlitePool, BackendError> {
    let pool = rad_sql::sqlite::open_read_only(path).await?;
    SCHEMA.check(&Database::from(pool.clone())).await?;
    Ok(pool)
}

/// A transaction that no other writer can get in between: what it read is so until it commits.
pub(crate) async fn begin(pool: &SqlitePool) -> Result<Transaction<'static, Sqlite>, BackendError> {
    pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed("beginning a transaction"))
}
