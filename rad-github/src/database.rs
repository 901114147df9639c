//! The tables of this crate.

use rad_core::error::BackendError;
use rad_sql::{Database, Schema};

const SCHEMA: Schema = Schema::new(
    "catalog_migrations",
    || sqlx::migrate!("./migrations/sqlite"),
    || sqlx::migrate!("./migrations/postgres"),
);

/// Brings a database to the schema of this release.
///
/// Which steps were taken is kept in the table `catalog_migrations`, so that other crates can keep theirs in the same
/// database. Processes that start together take turns. In PostgreSQL the tables are in the first schema of the connections'
/// `search_path`.
///
/// # Errors
/// If a step fails, or the database was written by a newer release.
pub async fn migrate(database: &Database) -> Result<(), BackendError> {
    SCHEMA.migrate(database).await
}
