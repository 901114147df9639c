//! What the database engines share: how their errors are told, their schemas checked, and stored values read.

use chrono::{DateTime, Utc};
use rad_core::error::BackendError;
use sqlx::migrate::{MigrateError, Migrator};

/// The table that says which migrations ran; other crates keep theirs in tables of their own.
pub(crate) const MIGRATIONS: &str = "billing_migrations";

/// What an error of a database means.
enum Meaning {
    /// A passing fault.
    Unavailable,
    /// What is stored contradicts itself.
    Corrupt,
    /// A fault that would be met again.
    Permanent,
}

/// Says what an error of a database means: whether trying again can help, and whether what is stored is sound.
pub(crate) fn failed(during: &'static str) -> impl FnOnce(sqlx::Error) -> BackendError {
    move |error| match meaning(&error) {
        Meaning::Unavailable => BackendError::unavailable(during, error),
        Meaning::Corrupt => BackendError::corrupt(during, error),
        Meaning::Permanent => BackendError::permanent(during, error),
    }
}

fn meaning(error: &sqlx::Error) -> Meaning {
    match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_)
        | sqlx::Error::Io(_) => Meaning::Unavailable,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound => {
            Meaning::Corrupt
        }
        sqlx::Error::Database(error) => match error.code() {
            #[cfg(feature = "postgres")]
            Some(code) if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() => {
                postgres_meaning(&code)
            }
            Some(code) => sqlite_meaning(&code),
            None => Meaning::Permanent,
        },
        _ => Meaning::Permanent,
    }
}

/// The meaning of SQLite's primary result code, the low byte of the extended one (sqlite.org/rescode.html).
fn sqlite_meaning(code: &str) -> Meaning {
    match code.parse::<u32>().map(|code| code & 0xff) {
        // BUSY, LOCKED, IOERR, FULL, CANTOPEN
        Ok(5 | 6 | 10 | 13 | 14) => Meaning::Unavailable,
        // CORRUPT, NOTADB
        Ok(11 | 26) => Meaning::Corrupt,
        _ => Meaning::Permanent,
    }
}

/// The meaning of an SQLSTATE (PostgreSQL, appendix A).
#[cfg(feature = "postgres")]
fn postgres_meaning(code: &str) -> Meaning {
    match code {
        // A lock or a statement took too long.
        "55P03" | "57014" => Meaning::Unavailable,
        // Data or an index is damaged.
        "XX001" | "XX002" => Meaning::Corrupt,
        _ => match code.get(..2) {
            // The connection, serialization failures and deadlocks, disk and memory and connections, the server going down
            // or coming up, the system below it.
            Some("08" | "40" | "53" | "57" | "58") => Meaning::Unavailable,
            _ => Meaning::Permanent,
        },
    }
}

/// Whether an error says that a unique column has the value already.
pub(crate) fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// Says why a schema could not be brought up to date.
pub(crate) fn not_migrated(migrator: &Migrator) -> impl FnOnce(MigrateError) -> BackendError {
    let known = newest(migrator);
    move |error| {
        let during = "bringing the schema up to date";
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => failed(during)(error),
            MigrateError::VersionMissing(version) => BackendError::permanent(during, too_new(version, known)),
            error => BackendError::permanent(during, error),
        }
    }
}

/// Checks that a database has the schema of this release, by the migrations that ran on it.
///
/// # Errors
/// [`Permanent`](rad_core::error::FailureKind::Permanent), with what to do, if it is older or newer.
pub(crate) fn check_schema(migrator: &Migrator, ran: &[i64]) -> Result<(), BackendError> {
    let during = "checking the schema";
    let (known, newest_run) = (newest(migrator), ran.iter().max().copied().unwrap_or_default());
    if newest_run > known {
        return Err(BackendError::permanent(during, too_new(newest_run, known)));
    }
    match migrator.iter().find(|step| !ran.contains(&step.version)) {
        Some(missing) => Err(BackendError::permanent(
            during,
            format!(
                "its schema is older than this release: step {} is missing; open it for writing once to bring it \
                 up to date",
                missing.version
            ),
        )),
        None => Ok(()),
    }
}

fn newest(migrator: &Migrator) -> i64 {
    migrator.iter().map(|step| step.version).max().unwrap_or_default()
}

fn too_new(found: i64, known: i64) -> String {
    format!(
        "a newer release wrote the database: it has step {found} of the schema, this release knows steps up to {known}; \
         use the newer release"
    )
}

/// A migrator that keeps its record apart from those of other crates.
pub(crate) fn own_record(mut migrator: Migrator) -> Migrator {
    migrator.dangerous_set_table_name(MIGRATIONS);
    migrator
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
