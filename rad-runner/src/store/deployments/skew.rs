//! How far the clock of the database is from the platform's. Leases are kept by the database's, so that processes whose clocks
//! differ agree on which have lapsed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use rad_core::clock::{Clock, SystemClock};
use rad_core::error::BackendError;
use rad_sql::Database;
#[cfg(feature = "postgres")]
use rad_sql::sql;

/// How long a measurement counts.
const LASTS: Duration = Duration::from_secs(30);

/// Less than this may be the way to the database and back, and does not matter.
const SMALL: TimeDelta = TimeDelta::milliseconds(250);

/// From here on somebody should set the clocks right.
const LARGE: TimeDelta = TimeDelta::seconds(2);

/// Measures how far the clocks are apart, now and then.
#[derive(Debug, Clone)]
pub(super) struct Skew {
    /// The clock that callers have their times from.
    own: Arc<dyn Clock>,
    known: Arc<Mutex<Option<(Instant, TimeDelta)>>>,
}

impl Default for Skew {
    fn default() -> Self {
        Self::from(Arc::new(SystemClock) as Arc<dyn Clock>)
    }
}

impl From<Arc<dyn Clock>> for Skew {
    fn from(own: Arc<dyn Clock>) -> Self {
        Self { own, known: Arc::default() }
    }
}

impl Skew {
    /// A caller's time by the clock of the database; that of a SQLite file is the machine's own.
    pub(super) async fn by_database(
        &self,
        database: &Database,
        time: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, BackendError> {
        Ok(time + self.measured(database).await?)
    }

    async fn measured(&self, database: &Database) -> Result<TimeDelta, BackendError> {
        if let Some((at, skew)) = *self.known.lock().unwrap_or_else(PoisonError::into_inner)
            && at.elapsed() < LASTS
        {
            return Ok(skew);
        }
        let before = self.own.now();
        let Some(theirs) = clock_of(database).await? else { return Ok(TimeDelta::zero()) };
        let skew = theirs - (before + (self.own.now() - before) / 2);
        if skew.abs() >= LARGE {
            let seconds = skew.num_milliseconds() as f64 / 1000.0;
            tracing::warn!(
                seconds,
                "the database's clock is ahead of this machine's by so much: set the clocks by NTP"
            );
        }
        let skew = if skew.abs() < SMALL { TimeDelta::zero() } else { skew };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), skew));
        Ok(skew)
    }
}

/// What time it is for a database that has a clock of its own.
async fn clock_of(database: &Database) -> Result<Option<DateTime<Utc>>, BackendError> {
    match database {
        #[cfg(feature = "postgres")]
        Database::Postgres(_) => {
            let row =
                sql("SELECT clock_timestamp() AS now").one(database, "reading the database's clock").await?;
            Ok(Some(row.get("now")?))
        }
        _ => Ok(None),
    }
}
