//! What the parts of this crate share: the schema, how stored values are read, and what errors mean.

use chrono::{DateTime, Utc};
use rad_core::error::BackendError;
use rad_sql::{Database, Schema};
pub(crate) use rad_sql::{failed, is_taken};

/// The tables of this crate.
pub(crate) const SCHEMA: Schema = Schema::new(
    "billing_migrations",
    || sqlx::migrate!("./migrations/sqlite"),
    || sqlx::migrate!("./migrations/postgres"),
);

/// Brings a database to the schema of this release.
///
/// Which steps were taken is kept in the table `billing_migrations`, so that other crates can keep theirs in the same
/// database. Processes that start together take turns. In PostgreSQL the tables are in the first schema of the connections'
/// `search_path`.
///
/// # Errors
/// If a step fails, or the database was written by a newer release.
pub async fn migrate(database: &Database) -> Result<(), BackendError> {
    SCHEMA.migrate(database).await
}

/// The time in microseconds since 1970 UTC.
pub(crate) fn time(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}

/// Sixteen or thirty-two bytes, as ids and digests are stored.
pub(crate) fn bytes<const N: usize>(stored: &[u8]) -> Option<[u8; N]> {
    stored.try_into().ok()
}

/// Whether an error says that another writer was in between.
pub(crate) fn is_conflict(error: &BackendError) -> bool {
    let error = std::error::Error::source(error).and_then(|source| source.downcast_ref::<sqlx::Error>());
    let error = error.and_then(|error| error.as_database_error());
    // In PostgreSQL a serialization failure, a deadlock, a number or key that somebody else took; in SQLite the latter, by
    // the trigger that sees it first, and a head that is not where its book began.
    let codes = ["40001", "40P01", "23505", "1811", "2067", "1299"];
    error.and_then(|error| error.code()).is_some_and(|code| codes.contains(&code.as_ref()))
}
