//! Times as the engine compares them: one number each.

use chrono::{DateTime, Datelike, Timelike, Utc};

use super::super::{Entry, Violation};

/// A time in whole microseconds. Its number orders as times do and says nothing else: years, days of the year and seconds
/// stand in it as the calendar has them, which takes a third of the steps that counting microseconds takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl Moment {
    /// After every time.
    pub(super) const NEVER: Self = Self(i64::MAX);
    /// Before every time.
    pub(super) const BEGINNING: Self = Self(i64::MIN);

    /// The moment of a time that is a whole number of microseconds.
    ///
    /// # Errors
    /// [`Violation::TimePrecision`].
    #[inline(always)]
    pub(super) fn of(at: DateTime<Utc>) -> Result<Self, Violation> {
        let nanos = at.timestamp_subsec_nanos();
        let micros = nanos / 1_000;
        if nanos >= 1_000_000_000 || micros.wrapping_mul(1_000) != nanos {
            return Err(Violation::TimePrecision { at });
        }
        Ok(Self::at(at, micros))
    }

    /// The last whole microsecond at or before a time: what has run out by then has run out by the time.
    pub(super) fn up_to(at: DateTime<Utc>) -> Self {
        Self::at(at, (at.timestamp_subsec_nanos() / 1_000).min(999_999))
    }

    /// When something that may never end ends.
    pub(super) fn end(expires: Option<DateTime<Utc>>) -> Self {
        expires.map_or(Self::NEVER, Self::up_to)
    }

    #[inline(always)]
    fn at(at: DateTime<Utc>, micros: u32) -> Self {
        let at = at.naive_utc();
        let date = at.date();
        // At most 367 days of seconds: 25 bits. Years of the calendar have 19, microseconds 20: together 64.
        let seconds = date.ordinal().wrapping_mul(86_400).wrapping_add(at.time().num_seconds_from_midnight());
        Self((i64::from(date.year()) << 45) | (i64::from(seconds) << 20) | i64::from(micros))
    }
}

/// An entry that is being applied, and its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) entry: &'a Entry,
    pub(super) at: Moment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_order_as_times_do() {
        let text = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let times = [
            DateTime::<Utc>::MIN_UTC,
            text("-0001-12-31T23:59:59.999999Z"),
            text("0000-01-01T00:00:00Z"),
            text("1969-12-31T23:59:59.999999Z"),
            DateTime::UNIX_EPOCH,
            text("2024-12-30T23:59:59Z"),
            text("2024-12-31T23:59:59.999999Z"),
            text("2025-01-01T00:00:00Z"),
            text("2025-01-01T00:00:00.000001Z"),
            text("2025-01-01T00:00:01Z"),
            text("2025-01-02T00:00:00Z"),
            DateTime::<Utc>::MAX_UTC,
        ];
        let moments: Vec<_> = times.into_iter().map(Moment::up_to).collect();
        assert!(moments.is_sorted_by(|one, next| one < next), "{moments:?}");
        assert!(moments.iter().all(|moment| (Moment::BEGINNING..Moment::NEVER).contains(moment)));
        assert_eq!(Moment::of(DateTime::UNIX_EPOCH).unwrap(), Moment::up_to(DateTime::UNIX_EPOCH));
        assert!(Moment::of(DateTime::<Utc>::MAX_UTC).is_err());
    }
}
