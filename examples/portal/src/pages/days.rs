//! Ranges of days in the addresses of pages.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use rad_core::platform::PlatformError;

/// Since when, and before when.
pub(super) type Times = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// The times from the first of two days up to the end of the second, both in UTC; without bound where nothing is written.
pub(super) fn range(from: &str, to: &str) -> Result<Times, PlatformError> {
    let next_day = |date: NaiveDate| date.checked_add_days(Days::new(1)).unwrap_or(date);
    Ok((day("from", from)?.map(midnight), day("to", to)?.map(next_day).map(midnight)))
}

/// The refusal of a field.
pub(super) fn invalid(field: &'static str, reason: String) -> PlatformError {
    PlatformError::Invalid { field, reason }
}

fn day(field: &'static str, text: &str) -> Result<Option<NaiveDate>, PlatformError> {
    if text.is_empty() {
        return Ok(None);
    }
    let shown = || text.chars().take(20).collect::<String>();
    let parsed = text.parse().map(Some);
    parsed.map_err(|_| invalid(field, format!("{:?} is not a date such as 2026-01-31", shown())))
}

fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn a_range_of_days_includes_both_and_bad_ones_are_named() {
        let (from, to) = range("2026-01-31", "2026-02-28").unwrap();
        assert_eq!(from.unwrap().to_rfc3339(), "2026-01-31T00:00:00+00:00");
        assert_eq!(to.unwrap().to_rfc3339(), "2026-03-01T00:00:00+00:00");
        assert_eq!(range("", "").unwrap(), (None, None));
        assert!(range("x", "").unwrap_err().to_string().starts_with("from:"));
        assert!(range("", "2026-02-30").unwrap_err().to_string().starts_with("to:"));
    }
}
