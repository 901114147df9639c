//! The SQLite database file: how it is opened, brought to the schema of this release, and how its errors are told.

use std::path::Path;
use std::time::Duration;

use rad_core::error::BackendError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row as _, Sqlite, Transaction};

/// The most connections to a file: one writes at a time, the others read beside it.
const CONNECTIONS: u32 = 8;

/// Opens a database file, makes it if it is missing, and runs [`migrate`].
///
/// A commit is on the disk when it returns (`synchronous = FULL`); readers and the writer do not wait for each other
/// (write-ahead log); a writer waits up to 10 s for another one. A pool that another crate opened on the same terms serves
/// as well, after [`migrate`].
///
/// # Errors
/// If the file cannot be opened or is no database, or as [`migrate`].
pub async fn open(path: &Path) -> Result<SqlitePool, BackendError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10));
    let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS);
    let pool = pool.connect_with(options).await.map_err(failed("opening the database"))?;
    migrate(&pool).await?;
    Ok(pool)
}

/// Brings a database to the schema of this release.
///
/// Which steps were taken is kept in the table `catalog_migrations`, so that other crates can keep theirs in the same file.
///
/// # Errors
/// If a step fails, or the database was written by a newer release.
pub async fn migrate(pool: &SqlitePool) -> Result<(), BackendError> {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.dangerous_set_table_name("catalog_migrations");
    migrator.run(pool).await.map_err(|error| BackendError::permanent("bringing the schema up to date", error))
}

/// A transaction that no other writer can get in between: what it read is so until it commits.
pub(crate) async fn begin(pool: &SqlitePool) -> Result<Transaction<'static, Sqlite>, BackendError> {
    pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed("beginning a transaction"))
}

/// Says what an error of the database means: whether trying again can help, and whether the file is sound.
pub(crate) fn failed(during: &'static str) -> impl Fn(sqlx::Error) -> BackendError {
    move |error| match &error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Io(_) => BackendError::unavailable(during, error),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound => {
            BackendError::corrupt(during, error)
        }
        sqlx::Error::Database(database) => {
            // The low byte is the primary result code (sqlite.org/rescode.html).
            match database.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff) {
                // BUSY, LOCKED, IOERR, FULL, CANTOPEN
                Some(5 | 6 | 10 | 13 | 14) => BackendError::unavailable(during, error),
                // CORRUPT, NOTADB
                Some(11 | 26) => BackendError::corrupt(during, error),
                _ => BackendError::permanent(during, error),
            }
        }
        _ => BackendError::permanent(during, error),
    }
}

/// The value of a column in the form the domain knows it.
pub(crate) fn column<'r, Stored, T>(
    row: &'r SqliteRow,
    name: &'static str,
    read: impl FnOnce(Stored) -> Option<T>,
) -> Result<T, BackendError>
where
    Stored: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    let stored: Stored = row.try_get(name).map_err(failed("reading a row"))?;
    read(stored)
        .ok_or_else(|| BackendError::corrupt("reading a row", format!("column {name} has no valid value")))
}
