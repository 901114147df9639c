//! Transactions summed up by day or month and kind, for ledgers too large to write entry by entry.

use std::collections::BTreeMap;

use chrono::{Datelike, Months, NaiveDate};
use rad_core::revenue::journal::{Balances, Transaction};

/// What becomes one transaction of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// An entry, with its account, number and hash. In the order of the export: not sorted by date.
    #[default]
    Entry,
    /// All of a kind on a day in UTC. Sorted by date.
    Day,
    /// All of a kind in a month in UTC, on its last day. Sorted by date.
    Month,
}

/// Sums by day and kind.
#[derive(Debug, Clone, Default)]
pub struct Sums(BTreeMap<(NaiveDate, &'static str), (u64, Balances)>);

impl Sums {
    /// Adds a transaction to those of its kind on a day.
    pub fn add(&mut self, on: NaiveDate, transaction: &Transaction) {
        let (count, balances) = self.0.entry((on, transaction.cause.kind())).or_default();
        *count = count.saturating_add(1);
        balances.add(transaction);
    }

    /// Day, kind, how many transactions and their sums, in the order of days.
    pub fn iter(&self) -> impl Iterator<Item = (NaiveDate, &'static str, u64, &Balances)> {
        self.0.iter().map(|((on, kind), (count, balances))| (*on, *kind, *count, balances))
    }
}

impl Group {
    /// The day that something of `on` is booked on, in a journal that ends with `end`.
    pub fn day_of(self, on: NaiveDate, end: Option<NaiveDate>) -> NaiveDate {
        let last = match self {
            Self::Entry | Self::Day => on,
            Self::Month => {
                let next = on.with_day(1).and_then(|first| first.checked_add_months(Months::new(1)));
                next.and_then(|next| next.pred_opt()).unwrap_or(on)
            }
        };
        end.map_or(last, |end| last.min(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_booked_on_its_last_day_and_never_after_the_end() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(Group::Month.day_of(day("2028-02-03"), None), day("2028-02-29"));
        assert_eq!(Group::Month.day_of(day("2026-12-31"), None), day("2026-12-31"));
        assert_eq!(Group::Month.day_of(day("2028-02-03"), Some(day("2028-02-10"))), day("2028-02-10"));
        assert_eq!(Group::Day.day_of(day("2028-02-03"), None), day("2028-02-03"));
    }
}
