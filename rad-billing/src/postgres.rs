//! The PostgreSQL database: how it is reached, and brought to the schema of this release.

use std::str::FromStr;
use std::time::Duration;

use rad_core::error::BackendError;
use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};

use crate::database::{check_schema, failed, not_migrated, own_record};

/// The most connections of one process.
const CONNECTIONS: u32 = 8;

/// How long a caller waits for a connection, and a statement for a lock.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects to a database and runs [`migrate`].
///
/// `url` is `postgres://user:password@host:port/database`, with what PostgreSQL takes after a `?` (`sslmode`,
/// `options[search_path]`, …). An encrypted connection needs the feature `postgres-tls`. What a commit means is the
/// server's setting: acknowledged posts outlive a crash while `fsync` and `synchronous_commit` are on, as they are by
/// default.
///
/// # Errors
/// If the address is none, the server cannot be reached or refuses, or as [`migrate`].
pub async fn open(url: &SecretString) -> Result<PgPool, BackendError> {
    let pool = connect(options(url)?).await?;
    migrate(&pool).await?;
    Ok(pool)
}

/// Connects for reading alone: the server refuses every change, and the schema is not brought up to date.
///
/// # Errors
/// If the address is none, the server cannot be reached or refuses, or the schema is not that of this release.
pub async fn open_read_only(url: &SecretString) -> Result<PgPool, BackendError> {
    let pool = connect(options(url)?.options([("default_transaction_read_only", "on")])).await?;
    let known: bool = sqlx::query_scalar("SELECT to_regclass('billing_migrations') IS NOT NULL")
        .fetch_one(&pool)
        .await
        .map_err(failed("checking the schema"))?;
    let mut ran = Vec::new();
    if known {
        ran = sqlx::query_scalar("SELECT version FROM billing_migrations WHERE success")
            .fetch_all(&pool)
            .await
            .map_err(failed("checking the schema"))?;
    }
    check_schema(&migrator(), &ran)?;
    Ok(pool)
}

/// Brings a database to the schema of this release.
///
/// Its tables are in the first schema of the connections' `search_path`. Which steps were taken is kept in the table
/// `billing_migrations`, so that other crates can keep theirs beside it. Processes that start together take turns.
///
/// # Errors
/// If a step fails, or the database was written by a newer release.
pub async fn migrate(pool: &PgPool) -> Result<(), BackendError> {
    let during = "bringing the schema up to date";
    let mut migrator = migrator();
    // The lock below covers all steps and ends with their transaction.
    migrator.set_locking(false);
    let mut transaction = pool.begin().await.map_err(failed(during))?;
    for sql in [
        // Whoever waits here waits for somebody who does the same work.
        "SET LOCAL lock_timeout = '10min'",
        "SELECT pg_advisory_xact_lock(hashtextextended('rad-billing ' || current_schema(), 0))",
    ] {
        sqlx::query(sql).execute(&mut *transaction).await.map_err(failed(during))?;
    }
    // `run` cannot borrow a connection inside a future that moves between threads; this is what it calls.
    migrator.run_direct(None, &mut *transaction, false).await.map_err(not_migrated(&migrator))?;
    transaction.commit().await.map_err(failed(during))
}

/// Which database an address names, without the password: `postgres://user@host:port/database`.
///
/// # Errors
/// If the address is none.
pub fn name(url: &SecretString) -> Result<String, BackendError> {
    let options = options(url)?;
    let (user, host, port) = (options.get_username(), options.get_host(), options.get_port());
    Ok(format!("postgres://{user}@{host}:{port}/{}", options.get_database().unwrap_or(user)))
}

fn migrator() -> Migrator {
    own_record(sqlx::migrate!("./migrations/postgres"))
}

fn options(url: &SecretString) -> Result<PgConnectOptions, BackendError> {
    let options = PgConnectOptions::from_str(url.expose_secret());
    let options = options.map_err(failed("reading the address of the database"))?;
    let patience = format!("{}ms", PATIENCE.as_millis());
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("rad-billing"),
    };
    Ok(options.options([
        ("lock_timeout", patience.as_str()),
        // A process that stops half-way must not keep others from posting.
        ("idle_in_transaction_session_timeout", "60s"),
    ]))
}

/// Connects once, for a pool would keep on trying for as long as callers wait.
async fn connect(options: PgConnectOptions) -> Result<PgPool, BackendError> {
    let during = "connecting to the database";
    let probe = options.connect().await.map_err(failed(during))?;
    probe.close().await.map_err(failed(during))?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
    pool.connect_with(options).await.map_err(failed(during))
}
