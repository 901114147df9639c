//! The period of a statement.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, Utc};

/// From a moment until just before another, in UTC. Parsed from a month (`2026-10`), or made of two days or moments.
///
/// ```
/// use rad_core::revenue::statement::Period;
///
/// let october: Period = "2026-10".parse()?;
/// assert!(october.contains("2026-10-31T23:59:59.999999Z".parse()?));
/// assert!(!october.contains("2026-11-01T00:00:00Z".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

impl Period {
    /// From `start` until just before `end`.
    ///
    /// # Errors
    /// [`PeriodError`] if that is no time at all.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Result<Self, PeriodError> {
        if start < end { Ok(Self { start, end }) } else { Err(PeriodError(format!("{start} to {end}"))) }
    }

    /// From the beginning of a day to the end of another.
    ///
    /// # Errors
    /// [`PeriodError`] if the second comes before the first, or at the end of the calendar.
    pub fn of_days(first: NaiveDate, last: NaiveDate) -> Result<Self, PeriodError> {
        let wrong = || PeriodError(format!("{first} to {last}"));
        let end = last.checked_add_days(Days::new(1)).ok_or_else(wrong)?;
        Self::new(midnight(first), midnight(end)).map_err(|_| wrong())
    }

    /// Its first moment.
    pub const fn start(self) -> DateTime<Utc> {
        self.start
    }

    /// The first moment after it.
    pub const fn end(self) -> DateTime<Utc> {
        self.end
    }

    /// Whether a moment is in it.
    pub fn contains(self, at: DateTime<Utc>) -> bool {
        self.start <= at && at < self.end
    }
}

impl fmt::Display for Period {
    /// A calendar month as `2026-10`, anything else as two times with a solidus between (ISO 8601).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let month = format!("{:04}-{:02}", self.start.year(), self.start.month());
        if month.parse() == Ok(*self) {
            f.pad(&month)
        } else {
            write!(f, "{}/{}", self.start.to_rfc3339(), self.end.to_rfc3339())
        }
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    /// A month: four digits, `-`, two digits.
    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let wrong = || PeriodError(text.chars().take(64).collect());
        let digits = text.bytes().enumerate().all(|(place, byte)| match place {
            4 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        if text.len() != 7 || !digits {
            return Err(wrong());
        }
        let (year, month) = text.split_once('-').ok_or_else(wrong)?;
        let (year, month) = (year.parse().map_err(|_| wrong())?, month.parse().map_err(|_| wrong())?);
        let first = NaiveDate::from_ymd_opt(year, month, 1).ok_or_else(wrong)?;
        let next = first.checked_add_months(Months::new(1)).ok_or_else(wrong)?;
        Self::new(midnight(first), midnight(next))
    }
}

/// What is not a period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a period: write a month such as 2026-10, or a start and a later end")]
pub struct PeriodError(String);

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_end_where_the_next_begins() {
        for (text, days) in [("2026-10", 31), ("2027-02", 28), ("2028-02", 29), ("2026-12", 31)] {
            let month: Period = text.parse().unwrap();
            assert_eq!(
                ((month.end() - month.start()).num_days(), month.to_string()),
                (days, text.to_owned())
            );
        }
        for bad in ["2026-13", "2026-00", "2026-1", "26-10", "2026/10", "", "2026-10-01", "+026-10"] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
        let day: NaiveDate = "2026-10-05".parse().unwrap();
        let one = Period::of_days(day, day).unwrap();
        assert_eq!(one.to_string(), "2026-10-05T00:00:00+00:00/2026-10-06T00:00:00+00:00");
        assert!(Period::of_days(day, day.pred_opt().unwrap()).is_err());
        assert!(Period::of_days(day, NaiveDate::MAX).is_err());
    }
}
