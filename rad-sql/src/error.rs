//! What errors of the databases mean: whether trying again can help, and whether what is stored is sound.

use rad_core::error::BackendError;

/// What an error of a database means.
enum Meaning {
    /// A passing fault.
    Unavailable,
    /// What is stored contradicts itself.
    Corrupt,
    /// A fault that would be met again.
    Permanent,
}

/// Says what an error of a database means, met while doing `during` (a short phrase such as "reading the head").
pub fn failed(during: &'static str) -> impl FnOnce(sqlx::Error) -> BackendError {
    move |error| match meaning(&error) {
        Meaning::Unavailable => BackendError::unavailable(during, error),
        Meaning::Corrupt => BackendError::corrupt(during, error),
        Meaning::Permanent => BackendError::permanent(during, error),
    }
}

/// Whether an error says that a unique column has the value already.
pub fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
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

/// The meaning of a result code of SQLite.
fn sqlite_meaning(code: &str) -> Meaning {
    match primary_code(code) {
        // BUSY, LOCKED, IOERR, FULL, CANTOPEN
        Some(5 | 6 | 10 | 13 | 14) => Meaning::Unavailable,
        // CORRUPT, NOTADB
        Some(11 | 26) => Meaning::Corrupt,
        _ => Meaning::Permanent,
    }
}

/// SQLite's primary result code: the low byte of the extended one (sqlite.org/rescode.html).
pub(crate) fn primary_code(code: &str) -> Option<u32> {
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

/// The meaning of an SQLSTATE (PostgreSQL, appendix A).
#[cfg(feature = "postgres")]
fn postgres_meaning(code: &str) -> Meaning {
    match code {
        // A lock, a statement or a transaction took too long.
        "55P03" | "57014" | "25P03" => Meaning::Unavailable,
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
