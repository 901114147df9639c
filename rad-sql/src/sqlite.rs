//! The SQLite database file: how it is made and opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rad_core::error::BackendError;
use sqlx::Connection as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use crate::error::{failed, primary_code};

/// The most connections to a file: one writes at a time, the others read beside it.
const CONNECTIONS: u32 = 8;

/// How long one writer waits for another.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long opening waits before it tries again.
const PAUSE: Duration = Duration::from_millis(20);

/// Opens a database file; makes it if it is missing.
///
/// A new file can be read by its owner alone, for it has password hashes in it.
/// A commit is on the disk when it returns (`synchronous = FULL`); readers and the writer do not wait for each other
/// (write-ahead log); a writer waits up to 10 s for another one.
///
/// # Errors
/// If the file cannot be opened or is no database.
pub async fn open(path: &Path) -> Result<SqlitePool, BackendError> {
    create(path).map_err(|error| BackendError::unavailable("making the database file", error))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE);
    connect(options).await.map_err(failed("opening the database"))
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

/// Opens a database file for reading alone: it is not made.
///
/// Readers and writers share locks in files beside it. Where these cannot be made, as on a read-only medium, the file is
/// taken as one that nobody changes.
///
/// # Errors
/// If there is no such file or it is no database.
pub async fn open_read_only(path: &Path) -> Result<SqlitePool, BackendError> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(PATIENCE);
    let opened = match look(options.clone()).await {
        // What a writer left beside the file would not be seen: then the first error stands.
        Err(error) if lacks_locks(&error) && !beside(path, "-wal").exists() => {
            look(options.immutable(true)).await
        }
        opened => opened,
    };
    opened.map_err(failed("opening the database"))
}

/// Connects, and takes a first look: only then the locks are needed.
async fn look(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let pool = connect(options).await?;
    sqlx::query("SELECT count(*) FROM sqlite_schema").fetch_one(&pool).await?;
    Ok(pool)
}

/// The file of SQLite's own beside a database file.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
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
    code(error) == Some(5)
}

/// Whether an error says that the files with the locks cannot be made.
fn lacks_locks(error: &sqlx::Error) -> bool {
    // READONLY, CANTOPEN
    matches!(code(error), Some(8 | 14))
}

/// The primary result code of an error of the database.
fn code(error: &sqlx::Error) -> Option<u32> {
    primary_code(&error.as_database_error()?.code()?)
}
