//! Where the time comes from, so that tests and replays can bring their own.

use std::fmt;

use chrono::{DateTime, SubsecRound, Utc};

/// A source of the current time, in UTC with microsecond resolution.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The current time, truncated to microseconds: what every store can keep unchanged.
    fn now(&self) -> DateTime<Utc>;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}
