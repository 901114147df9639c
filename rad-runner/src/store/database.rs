//! The tables of this crate.

use rad_core::error::BackendError;
use rad_sql::{Database, Schema};

const SCHEMA: Schema = Schema::new(
    "runner_migrations",
    || sqlx::migrate!("./migrations/sqlite"),
    || sqlx::migrate!("./migrations/postgres"),
);

/// Brings a database to the schema of this release.
///
/// Which steps were taken is kept in the table `runner_migrations`, so that other crates can keep theirs in the same
/// database. Processes that start together take turns. In PostgreSQL the tables are in the first schema of the connections'
/// `search_path`.
///
/// # Errors
/// If a step fails, or the database was written by a newer release.
pub async fn migrate(database: &Database) -> Result<(), BackendError> {
    SCHEMA.migrate(database).await
}

/// Content of the database that cannot be right.
pub(super) fn corrupt(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BackendError {
    BackendError::corrupt("reading a row", reason)
}
