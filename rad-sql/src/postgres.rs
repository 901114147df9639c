//! The PostgreSQL database: how it is reached, and what processes tell each other over it.

use std::str::FromStr;
use std::time::Duration;

use rad_core::error::BackendError;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};

use crate::error::failed;

/// The most connections of one process.
const CONNECTIONS: u32 = 8;

/// How long a caller waits for a connection, and a statement for a lock.
const PATIENCE: Duration = Duration::from_secs(10);

/// After what time the server ends a transaction of a process that stands still: others wait for what it has locked, and the
/// leases of a worker that was stopped must be taken from it.
const IDLE: &str = "5s";

/// Connects to a database.
///
/// `url` is `postgres://user:password@host:port/database`, with what PostgreSQL takes after a `?` (`sslmode`,
/// `options[search_path]`, …). An encrypted connection needs the feature `postgres-tls`. What a commit means is the
/// server's setting: acknowledged writes outlive a crash while `fsync` and `synchronous_commit` are on, as they are by
/// default.
///
/// # Errors
/// If the address is none, the server cannot be reached or refuses.
pub async fn open(url: &SecretString) -> Result<PgPool, BackendError> {
    connect(options(url)?).await
}

/// Connects for reading alone: the server refuses every change.
///
/// # Errors
/// As [`open`].
pub async fn open_read_only(url: &SecretString) -> Result<PgPool, BackendError> {
    connect(options(url)?.options([("default_transaction_read_only", "on")])).await
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

/// Hears what is told on a channel (`NOTIFY`), over a connection of its own.
#[derive(Debug)]
pub struct Listener(PgListener);

/// What a [`Listener`] hears.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// Somebody told this.
    Told(String),
    /// The connection was lost and is there again; what was told meanwhile was not heard.
    Missed,
}

impl Listener {
    /// Listens to a channel from now on.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn on(pool: &PgPool, channel: &str) -> Result<Self, BackendError> {
        let during = "listening for news";
        let mut listener = PgListener::connect_with(pool).await.map_err(failed(during))?;
        listener.listen(channel).await.map_err(failed(during))?;
        Ok(Self(listener))
    }

    /// Waits for what is told next.
    ///
    /// # Errors
    /// A failure of the database; the next call connects again, and then something may have been missed.
    pub async fn next(&mut self) -> Result<Heard, BackendError> {
        match self.0.try_recv().await.map_err(failed("listening for news"))? {
            Some(notification) => Ok(Heard::Told(notification.payload().to_owned())),
            None => Ok(Heard::Missed),
        }
    }
}

fn options(url: &SecretString) -> Result<PgConnectOptions, BackendError> {
    let options = PgConnectOptions::from_str(url.expose_secret());
    let options = options.map_err(failed("reading the address of the database"))?;
    let patience = format!("{}ms", PATIENCE.as_millis());
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("rad"),
    };
    Ok(options.options([("lock_timeout", patience.as_str()), ("idle_in_transaction_session_timeout", IDLE)]))
}

/// Connects once, for a pool would keep on trying for as long as callers wait.
async fn connect(options: PgConnectOptions) -> Result<PgPool, BackendError> {
    let during = "connecting to the database";
    let probe = options.connect().await.map_err(failed(during))?;
    probe.close().await.map_err(failed(during))?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
    pool.connect_with(options).await.map_err(failed(during))
}
