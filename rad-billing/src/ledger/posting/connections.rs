//! Connections that only posting uses.
//!
//! A pool asks the server for a sign of life before and after every use of a connection, three trips for one; and a
//! connection on which something failed must not be used again, for nobody can tell what it still has open.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rad_core::error::BackendError;
use sqlx::{Connection, Database, Pool};

use crate::database::failed;

/// For how long a connection is taken to be alive without being asked.
const FRESH: Duration = Duration::from_secs(30);

/// The most connections that are kept.
const SPARE: usize = 8;

/// Connections to the database of a pool.
pub(in super::super) struct Connections<D: Database> {
    /// Its options say how to connect, and how long to wait for that.
    pool: Pool<D>,
    /// What is different from these.
    adapt: fn(Options<D>) -> Options<D>,
    spare: Mutex<Vec<Spare<D>>>,
}

/// A connection that nobody else uses. Dropped, it is closed, and the database takes back what was not committed.
pub(in super::super) struct Lease<D: Database> {
    pub(in super::super) connection: D::Connection,
    connections: Arc<Connections<D>>,
}

/// How to connect.
type Options<D> = <<D as Database>::Connection as Connection>::Options;

struct Spare<D: Database> {
    connection: D::Connection,
    used: Instant,
}

impl<D: Database> Connections<D> {
    pub(in super::super) fn new(pool: Pool<D>, adapt: fn(Options<D>) -> Options<D>) -> Self {
        Self { pool, adapt, spare: Mutex::default() }
    }

    /// Where everything else that uses the database has its connections from.
    pub(in super::super) const fn pool(&self) -> &Pool<D> {
        &self.pool
    }

    /// Takes a connection, one that was kept if there is one that is alive.
    pub(in super::super) async fn take(self: &Arc<Self>) -> Result<Lease<D>, BackendError> {
        Ok(Lease { connection: self.connection().await?, connections: Arc::clone(self) })
    }

    /// Closes those that are kept, and returns when they are closed.
    pub(in super::super) async fn close(&self) {
        while let Some(Spare { connection, .. }) = self.pop() {
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "a connection was closed by the other side");
            }
        }
    }

    async fn connection(&self) -> Result<D::Connection, BackendError> {
        while let Some(Spare { mut connection, used }) = self.pop() {
            if used.elapsed() < FRESH || connection.ping().await.is_ok() {
                return Ok(connection);
            }
        }
        let options = (self.adapt)(self.pool.connect_options().as_ref().clone());
        let connecting = D::Connection::connect_with(&options);
        match tokio::time::timeout(self.pool.options().get_acquire_timeout(), connecting).await {
            Ok(connected) => connected.map_err(failed("connecting to the database")),
            Err(error) => Err(BackendError::unavailable("connecting to the database", error)),
        }
    }

    /// The connection that was used last.
    fn pop(&self) -> Option<Spare<D>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

impl<D: Database> Lease<D> {
    /// Keeps the connection for the next use: it has nothing open, and nothing failed on it.
    pub(in super::super) fn give_back(self) {
        let Self { connection, connections } = self;
        let mut spare = connections.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE && !connections.pool.is_closed() {
            spare.push(Spare { connection, used: Instant::now() });
        }
    }
}

impl<D: Database> fmt::Debug for Connections<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}
