//! A clock that stands still until it is told to move.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::clock::Clock;

/// A clock for tests and replays: it shows the time it was set to.
///
/// ```
/// use rad_core::clock::Clock;
/// use rad_core::memory::ManualClock;
///
/// let clock = ManualClock::new("2026-01-31T12:00:00Z".parse().unwrap());
/// clock.advance(chrono::TimeDelta::hours(36));
/// assert_eq!(clock.now().to_rfc3339(), "2026-02-02T00:00:00+00:00");
/// ```
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<DateTime<Utc>>,
}

impl ManualClock {
    /// A clock that shows `now`, truncated to microseconds.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self { now: Mutex::new(now.trunc_subsecs(6)) }
    }

    /// Sets the clock, forwards or backwards.
    pub fn set(&self, now: DateTime<Utc>) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now.trunc_subsecs(6);
    }

    /// Moves the clock by `by`; it stops at the end of what a date can say.
    pub fn advance(&self, by: TimeDelta) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let moved = now.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC);
        *now = moved.trunc_subsecs(6);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
