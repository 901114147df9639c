//! The PostgreSQL database, with the tables of this crate.

use rad_core::error::BackendError;
use rad_sql::Database;
pub use rad_sql::postgres::name;
use secrecy::SecretString;
use sqlx::postgres::PgPool;

use crate::database::SCHEMA;

/// Connects to a database as [`rad_sql::postgres::open`] does, and runs [`migrate`].
///
/// # Errors
/// If the address is none, the server cannot be reached or refuses, or as [`migrate`].
pub async fn open(url: &SecretString) -> Result<PgPool, BackendError> {
    let pool = rad_sql::postgres::open(url).await?;
    migrate(&pool).await?;
    Ok(pool)
}

/// Connects for reading alone: the server refuses every change, and the schema is not brought up to date.
///
/// # Errors
/// If the address is none, the server cannot be reached or refuses, or the schema is not that of this release.
pub async fn open_read_only(url: &SecretString) -> Result<PgPool, BackendError> {
    let pool = rad_sql::postgres::open_read_only(url).await?;
    SCHEMA.check(&Database::from(pool.clone())).await?;
    Ok(pool)
}

/// Brings a database to the schema of this release, as [`crate::migrate`] does.
///
/// # Errors
/// If a step fails, or the database was written by a newer release.
pub async fn migrate(pool: &PgPool) -> Result<(), BackendError> {
    SCHEMA.migrate(&pool.clone().into()).await
}
