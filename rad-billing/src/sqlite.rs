//! The SQLite database file: how it is opened, brought to the schema of this release, and how its errors are told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rad_core::error::BackendError;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Connection as _, Row, Sqlite, Transaction};

use crate::database::{MIGRATIONS, check_schema, failed, not_migrated, own_record};

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
/// file. The pool should have [`pool_options`] and open its connections as [`open`] does.
///
/// # Errors
/// If a step fails, or the database was written by a newer release.
pub async fn migrate(pool: &SqlitePool) -> Result<(), BackendError> {
    let migrator = migrator();
    // Who only comes to a database that is up to date does not wait for those who write.
    if is_current(pool, &migrator).await.map_err(failed("checking the schema"))? {
        return Ok(());
    }
    // One transaction around all steps: processes that start together take turns, and a failed step leaves nothing.
    let mut transaction = begin(pool).await?;
    // `run` cannot borrow a connection inside a future that moves between threads; this is what it calls.
    migrator.run_direct(None, &mut *transaction, false).await.map_err(not_migrated(&migrator))?;
    transaction.commit().await.map_err(failed("bringing the schema up to date"))
}

/// The options of the pools that [`open`] makes, for a pool of your own: it gives up a connection that takes itself for one in
/// a transaction.
///
/// After some failures, a full disk's among them, SQLite has rolled back by itself, and the connection does not know: it would
/// begin nothing any more, and what it reads would stay as it is at the next look.
pub fn pool_options() -> SqlitePoolOptions {
    let is_usable = |connection: &SqliteConnection| !connection.is_in_transaction();
    SqlitePoolOptions::new()
        .max_connections(CONNECTIONS)
        .before_acquire(move |connection, _| Box::pin(std::future::ready(Ok(is_usable(connection)))))
}

/// Opens a database file for reading alone: it is neither made nor brought up to date.
///
/// Readers and writers share locks in files beside it. Where these cannot be made, as on a read-only medium, the file is
/// taken as one that nobody changes.
///
/// # Errors
/// If there is no such file or it is no database, or its schema is not that of this release.
pub async fn open_read_only(path: &Path) -> Result<SqlitePool, BackendError> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(PATIENCE);
    let opened = match pool_and_steps(options.clone()).await {
        // What a writer left beside the file would not be seen: then the first error stands.
        Err(error) if lacks_locks(&error) && !beside(path, "-wal").exists() => {
            pool_and_steps(options.immutable(true)).await
        }
        opened => opened,
    };
    let (pool, ran) = opened.map_err(failed("opening the database"))?;
    check_schema(&migrator(), &ran)?;
    Ok(pool)
}

/// Whether exactly the steps of this release ran.
async fn is_current(pool: &SqlitePool, migrator: &Migrator) -> Result<bool, sqlx::Error> {
    if !has_steps(pool).await? {
        return Ok(false);
    }
    let ran: Vec<(i64, Vec<u8>, bool)> =
        sqlx::query_as("SELECT version, checksum, success FROM billing_migrations ORDER BY version")
            .fetch_all(pool)
            .await?;
    let known = migrator.iter().map(|step| (step.version, step.checksum.to_vec(), true));
    Ok(ran.into_iter().eq(known))
}

async fn has_steps(pool: &SqlitePool) -> Result<bool, sqlx::Error> {
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = ?")
        .bind(MIGRATIONS)
        .fetch_one(pool)
        .await?;
    Ok(tables > 0)
}

/// Connects, and lists the steps that brought the schema to where it is.
async fn pool_and_steps(options: SqliteConnectOptions) -> Result<(SqlitePool, Vec<i64>), sqlx::Error> {
    let pool = connect(options).await?;
    let steps = "SELECT version FROM billing_migrations WHERE success";
    let ran =
        if has_steps(&pool).await? { sqlx::query_scalar(steps).fetch_all(&pool).await? } else { Vec::new() };
    Ok((pool, ran))
}

/// The file of SQLite's own beside a database file.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn migrator() -> Migrator {
    own_record(sqlx::migrate!("./migrations/sqlite"))
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
        match pool_options().connect_with(options.clone()).await {
            Err(error) if is_busy(&error) && waited < PATIENCE => {
                tokio::time::sleep(PAUSE).await;
                waited += PAUSE;
            }
            result => return result,
        }
    }
}

/// Whether an error says that another writer has the file.
fn is_busy(error: &sqlx::Error) -> bool {
    // BUSY
    primary_code(error) == Some(5)
}

/// Whether an error says that the files with the locks cannot be made.
fn lacks_locks(error: &sqlx::Error) -> bool {
    // READONLY, CANTOPEN
    matches!(primary_code(error), Some(8 | 14))
}

/// SQLite's primary result code: the low byte of the extended one (sqlite.org/rescode.html).
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
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
