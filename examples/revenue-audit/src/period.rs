//! A span of time, as arguments give it.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;

/// From a moment on, up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, clap::Args)]
pub struct Period {
    /// Count only what happened at or after this time: a day (2026-10-01, its beginning in UTC) or an RFC 3339 time.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub from: Option<DateTime<Utc>>,
    /// Count only what happened before this time.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub to: Option<DateTime<Utc>>,
}

impl Period {
    /// Whether a moment is in it.
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.from.is_none_or(|from| at >= from) && !self.is_over(at)
    }

    /// Whether a moment is after it.
    pub fn is_over(&self, at: DateTime<Utc>) -> bool {
        self.to.is_some_and(|to| at >= to)
    }

    /// The last moment in it; `None` where it has no end.
    pub fn last(&self) -> Option<DateTime<Utc>> {
        self.to.and_then(|to| to.checked_sub_signed(TimeDelta::microseconds(1)))
    }
}

/// Reads a day, which is its beginning in UTC, or a time.
///
/// # Errors
/// What is wanted instead.
pub fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    time.map_err(|_| "give a day such as 2026-10-01 or a time such as 2026-10-01T08:00:00Z".to_owned())
}
