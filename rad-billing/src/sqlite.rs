//! The SQLite database file: how it is opened, brought to the schema of this release, and how its errors are told.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rad_core::error::BackendError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row, Sqlite, Transaction};

/// The most connections to a file: one writes at a time, the others read beside it.
const CONNECTIONS: u32 = 8;

/// How long one writer waits for another.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long opening waits before it tries again.
const PAUSE: Duration = Duration::from_millis(20);

/// Opens a database file, makes it if it is missing, and runs [`migrate`].
///
/// A new file can be read by its owner alone, for it has password hashes in it.
/// A commit is on the disk when it returns (`synchronous = FULL`); readers and the writer do not wait for each other
/// (write-ahead log); a writer waits up to 10 s for another one.
///
/// # Errors
/// If the file cannot be opened or is no database, or as [`migrate`].
pub async fn open(path: &Path) -> Result<SqlitePool, BackendError> {
    create(path).map_err(|error| BackendError::unavailable("making the database file", error))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE);
    let pool = connect(options).await.map_err(failed("opening the database"))?;
    migrate(&pool).await?;
    Ok(pool)
}

/// Brings a database to the schema of this release.
///
/// Which steps were taken is kept in the table `billing_migrations`, so that other crates can keep theirs in the same
/// file. The pool should open its connections as [`open`] does.
///
/// # Errors
/// If a step fails, or the database was written by a newer release.
pub async fn migrate(pool: &SqlitePool) -> Result<(), BackendError> {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.dangerous_set_table_name("billing_migrations");
    // One transaction around all steps: processes that start together take turns, and a failed step leaves nothing.
    let mut transaction = begin(pool).await?;
    // `run` cannot borrow a connection inside a future that moves between threads; this is what it calls.
    migrator
        .run_direct(None, &mut *transaction, false)
        .await
        .map_err(|error| BackendError::permanent("bringing the schema up to date", error))?;
    transaction.commit().await.map_err(failed("bringing the schema up to date"))
}

/// A transaction that no other writer can get in between: what it read is so until it commits.
pub(crate) async fn begin(pool: &SqlitePool) -> Result<Transaction<'static, Sqlite>, BackendError> {
    pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed("beginning a transaction"))
}

/// Makes the file if it is missing; SQLite gives the files beside it the same permissions.
fn create(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Connects. Giving a new file its write-ahead log takes a lock that SQLite does not wait for by itself.
async fn connect(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let mut waited = Duration::ZERO;
    loop {
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS);
        match pool.connect_with(options.clone()).await {
            Err(error) if primary_code(&error) == Some(5) && waited < PATIENCE => {
                tokio::time::sleep(PAUSE).await;
                waited += PAUSE;
            }
            result => return result,
        }
    }
}

/// Says what an error of the database means: whether trying again can help, and whether the file is sound.
pub(crate) fn failed(during: &'static str) -> impl FnOnce(sqlx::Error) -> BackendError {
    move |error| match &error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Io(_) => BackendError::unavailable(during, error),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound => {
            BackendError::corrupt(during, error)
        }
        _ => match primary_code(&error) {
            // BUSY, LOCKED, IOERR, FULL, CANTOPEN
            Some(5 | 6 | 10 | 13 | 14) => BackendError::unavailable(during, error),
            // CORRUPT, NOTADB
            Some(11 | 26) => BackendError::corrupt(during, error),
            _ => BackendError::permanent(during, error),
        },
    }
}

/// SQLite's primary result code: the low byte of the extended one (sqlite.org/rescode.html).
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// Whether an error says that a unique column has the value already.
pub(crate) fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
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

/// The value of a column that can be empty.
pub(crate) fn optional<'r, Stored, T>(
    row: &'r SqliteRow,
    name: &'static str,
    read: impl FnOnce(Stored) -> Option<T>,
) -> Result<Option<T>, BackendError>
where
    Stored: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite> + 'r,
{
    match row.try_get::<Option<Stored>, _>(name).map_err(failed("reading a row"))? {
        None => Ok(None),
        Some(stored) => read(stored).map(Some).ok_or_else(|| {
            BackendError::corrupt("reading a row", format!("column {name} has no valid value"))
        }),
    }
}

/// The time in microseconds since 1970 UTC.
pub(crate) fn time(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}

/// Sixteen or thirty-two bytes, as ids and digests are stored.
pub(crate) fn bytes<const N: usize>(stored: &[u8]) -> Option<[u8; N]> {
    stored.try_into().ok()
}
