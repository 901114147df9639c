//! The SQLite database file: how it is opened and brought to this release's schema, and what its rows and errors mean.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rad_core::error::BackendError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Decode, Row, Sqlite, Transaction, Type};
use tokio::time::sleep;

/// The most connections to a file: one writes at a time, the others read beside it.
const CONNECTIONS: u32 = 8;

/// How long a writer waits for another one.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long opening waits before it tries again.
const PAUSE: Duration = Duration::from_millis(20);

/// SQLite's code for a file that another connection has locked (sqlite.org/rescode.html).
const BUSY: u32 = 5;

/// Opens a database file, makes it (for its owner only) if it is missing, and runs [`migrate`].
///
/// A commit is on the disk when it returns (`synchronous = FULL`); readers and the writer do not wait for each other
/// (write-ahead log); a writer waits up to 10 s for another one.
///
/// # Errors
/// If the file cannot be opened or is no database, or as [`migrate`].
pub async fn open(path: &Path) -> Result<SqlitePool, BackendError> {
    let made = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    made.map_err(|error| BackendError::unavailable("making the database file", error))?;
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
/// Which steps were taken is kept in the table `runner_migrations`, so that other crates can keep theirs in the same
/// file. The pool should open its connections as [`open`] does.
///
/// # Errors
/// If a step fails, or the database was written by a newer release.
pub async fn migrate(pool: &SqlitePool) -> Result<(), BackendError> {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.dangerous_set_table_name("runner_migrations");
    // One transaction around all steps: processes that start together take turns, and a failed step leaves nothing.
    let mut transaction = begin(pool).await?;
    // `run` cannot borrow a connection inside a future that moves between threads; this is what it calls.
    migrator
        .run_direct(None, &mut *transaction, false)
        .await
        .map_err(|error| BackendError::permanent("bringing the schema up to date", error))?;
    commit(transaction).await
}

/// A transaction that no other writer can get in between: what it read is so until it commits.
pub(super) async fn begin(pool: &SqlitePool) -> Result<Transaction<'static, Sqlite>, BackendError> {
    pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed("beginning a transaction"))
}

pub(super) async fn commit(transaction: Transaction<'static, Sqlite>) -> Result<(), BackendError> {
    transaction.commit().await.map_err(failed("committing"))
}

/// Says what an error of the database means: whether trying again can help, and whether the file is sound.
pub(super) fn failed(during: &'static str) -> impl FnOnce(sqlx::Error) -> BackendError {
    move |error| match &error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Io(_) => BackendError::unavailable(during, error),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => BackendError::corrupt(during, error),
        _ => match code(&error) {
            // BUSY, LOCKED, IOERR, FULL, CANTOPEN
            Some(BUSY | 6 | 10 | 13 | 14) => BackendError::unavailable(during, error),
            // CORRUPT, NOTADB
            Some(11 | 26) => BackendError::corrupt(during, error),
            _ => BackendError::permanent(during, error),
        },
    }
}

/// Connects. Giving a new file its write-ahead log takes a lock for which SQLite does not wait by itself.
async fn connect(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let began = Instant::now();
    loop {
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS);
        match pool.connect_with(options.clone()).await {
            Err(error) if code(&error) == Some(BUSY) && began.elapsed() < PATIENCE => sleep(PAUSE).await,
            connected => return connected,
        }
    }
}

/// SQLite's primary result code: the low byte of the extended one.
fn code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse::<u32>().ok().map(|code| code & 0xff)
}

/// The value of a column.
pub(super) fn column<'r, T>(row: &'r SqliteRow, name: &'static str) -> Result<T, BackendError>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get(name).map_err(failed("reading a row"))
}

/// The value of a column that holds a word of a closed set, such as a status.
pub(super) fn word<T: DeserializeOwned>(row: &SqliteRow, name: &'static str) -> Result<T, BackendError> {
    read_word(column(row, name)?)
}

/// The value of a column that may hold a word.
pub(super) fn optional_word<T: DeserializeOwned>(
    row: &SqliteRow,
    name: &'static str,
) -> Result<Option<T>, BackendError> {
    column::<Option<String>>(row, name)?.map(read_word).transpose()
}

/// The value of a column that holds sixteen bytes.
pub(super) fn id(row: &SqliteRow, name: &'static str) -> Result<[u8; 16], BackendError> {
    column::<&[u8]>(row, name)?.try_into().map_err(|_| corrupt("an id has not 16 bytes"))
}

/// The value of a column that holds a time.
pub(super) fn time(row: &SqliteRow, name: &'static str) -> Result<DateTime<Utc>, BackendError> {
    moment(column(row, name)?)
}

/// The value of a column that may hold a time.
pub(super) fn optional_time(
    row: &SqliteRow,
    name: &'static str,
) -> Result<Option<DateTime<Utc>>, BackendError> {
    column::<Option<i64>>(row, name)?.map(moment).transpose()
}

/// The value of a column that holds JSON.
pub(super) fn json<T: DeserializeOwned>(row: &SqliteRow, name: &'static str) -> Result<T, BackendError> {
    serde_json::from_str(column(row, name)?).map_err(corrupt)
}

/// A value as JSON text.
pub(super) fn json_text(value: &impl Serialize) -> Result<String, BackendError> {
    serde_json::to_string(value).map_err(|error| BackendError::permanent("writing JSON", error))
}

/// A word of a closed set as it is stored.
pub(super) fn word_of(value: impl Serialize) -> Result<String, BackendError> {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => Ok(word),
        _ => Err(BackendError::permanent("writing a row", "it is not a word")),
    }
}

/// Content of the database that cannot be right.
pub(super) fn corrupt(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BackendError {
    BackendError::corrupt("reading a row", reason)
}

fn read_word<T: DeserializeOwned>(word: String) -> Result<T, BackendError> {
    serde_json::from_value(Value::String(word)).map_err(corrupt)
}

fn moment(micros: i64) -> Result<DateTime<Utc>, BackendError> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| corrupt("a time is out of range"))
}
