//! Statements: for one payee and one period, the revenue lines concerned and what they add up to.
//!
//! A [`Drawing`] takes entries with their effects, as a replay yields them, and gives a [`Statement`]. Nothing is rounded
//! here: a statement only adds lines. So the statements of all partners, of all agents and of the platform add up to the
//! gross revenue, for every line and every period, and the statement of a period is the difference of two cumulative ones.
//! `FORMAT.md` says what each column means.

mod drawing;
mod period;
mod row;
mod subject;

use std::collections::BTreeSet;

use super::{Rounding, Totals};
use crate::money::Currency;

pub use drawing::Drawing;
pub use period::{Period, PeriodError};
pub use row::{COLUMNS, Row};
pub use subject::Subject;

/// What somebody earned in a period, line by line. Money is in minor units of the currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it is about.
    pub subject: Subject,
    /// The period it covers.
    pub period: Period,
    /// The currency of all lines; `None` where there never was one.
    pub currency: Option<Currency>,
    /// What was earned before the period, since the beginning.
    pub opening: i64,
    /// What was earned up to the end of the period, since the beginning: the opening balance and the rows' shares.
    pub closing: i64,
    /// The sums over the rows.
    pub totals: Totals,
    /// The versions of the share rules that decided the rows.
    pub rule_versions: BTreeSet<u32>,
    /// How the rows were rounded.
    pub roundings: BTreeSet<Rounding>,
    /// The rows, by time of booking, then by account and entry.
    pub rows: Vec<Row>,
}

impl Statement {
    /// The statement's id: the same for the same subject and period, whoever draws it and whatever it says.
    pub fn id(&self) -> String {
        self.subject.statement_id(self.period)
    }

    /// The subject's share of all rows, in minor units.
    pub const fn share(&self) -> i64 {
        self.subject.share_of(&self.totals)
    }

    /// The rows as CSV (RFC 4180): a line of [`COLUMNS`], then one line for each row. No cell holds text that a person
    /// wrote, so none needs quotes, and none that is not a number begins with a sign that spreadsheets take for a formula.
    ///
    /// ```
    /// use rad_core::revenue::statement::{Drawing, Subject};
    ///
    /// let statement = Drawing::new(Subject::Platform, "2026-10".parse()?).finish()?;
    /// assert!(statement.csv().starts_with("statement_id,period_start,period_end,entry_id,"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn csv(&self) -> String {
        let mut csv = COLUMNS.join(",");
        csv.push_str("\r\n");
        for row in &self.rows {
            csv.push_str(&self.cells(row).join(","));
            csv.push_str("\r\n");
        }
        csv
    }

    /// A row of this statement as text, in the order of [`COLUMNS`].
    pub fn cells(&self, row: &Row) -> [String; COLUMNS.len()] {
        row.cells(self.subject, self.period)
    }
}
