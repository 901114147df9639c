//! Sums over revenue lines: of all that a query names, by groups, and as they are kept for every day.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::error::BackendError;
use crate::revenue::{Group, Grouping, RevenueLine};

/// Sums over revenue lines, in minor units of the platform currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RevenueTotals {
    /// How many lines.
    pub lines: u64,
    /// True revenue.
    pub gross: i64,
    /// The partners' share of it.
    pub partner: i64,
    /// The agents' share of it.
    pub agent: i64,
    /// What the platform keeps.
    pub platform: i64,
}

impl RevenueTotals {
    /// The totals of one line.
    pub const fn of(line: &RevenueLine) -> Self {
        let RevenueLine { gross, partner, agent, platform, .. } = *line;
        Self { lines: 1, gross, partner, agent, platform }
    }

    /// The totals of lines.
    ///
    /// # Errors
    /// [`Permanent`](crate::error::FailureKind::Permanent) if a sum is too large.
    pub fn sum<'a>(lines: impl IntoIterator<Item = &'a RevenueLine>) -> Result<Self, BackendError> {
        let sum = lines.into_iter().try_fold(Self::default(), |sum, line| sum.plus(Self::of(line)));
        sum.ok_or_else(too_large)
    }

    /// The totals of both; `None` if a sum is too large.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            lines: self.lines.checked_add(other.lines)?,
            gross: self.gross.checked_add(other.gross)?,
            partner: self.partner.checked_add(other.partner)?,
            agent: self.agent.checked_add(other.agent)?,
            platform: self.platform.checked_add(other.platform)?,
        })
    }
}

impl fmt::Display for RevenueTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lines, gross, partner, agent, platform } = self;
        write!(f, "{lines} lines, gross {gross}, partner {partner}, agent {agent}, platform {platform}")
    }
}

/// Groups of revenue with their sums.
pub type RevenueGroups = Vec<(Group, RevenueTotals)>;

/// Adds up what belongs to one group, and puts the groups in the order of [`Ledger::revenue_by`]: days and months from the
/// latest on, others from the largest gross revenue on.
///
/// # Errors
/// [`Permanent`](crate::error::FailureKind::Permanent) if a sum is too large.
///
/// [`Ledger::revenue_by`]: super::Ledger::revenue_by
pub fn arrange_groups(
    by: Grouping,
    parts: impl IntoIterator<Item = (Group, RevenueTotals)>,
    limit: usize,
) -> Result<RevenueGroups, BackendError> {
    let mut sums: BTreeMap<Group, RevenueTotals> = BTreeMap::new();
    for (group, totals) in parts.into_iter().filter(|(_, totals)| totals.lines > 0) {
        let sum = sums.entry(group).or_default();
        *sum = sum.plus(totals).ok_or_else(too_large)?;
    }
    let mut groups: RevenueGroups = sums.into_iter().collect();
    match by {
        Grouping::Day | Grouping::Month => groups.reverse(),
        _ => groups.sort_by_key(|(_, totals)| Reverse(totals.gross)),
    }
    groups.truncate(limit);
    Ok(groups)
}

fn too_large() -> BackendError {
    BackendError::permanent("adding up revenue", "a sum is too large")
}

/// Sums kept for a day that are not the sums of its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalsFinding {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// What the sums are over: the lines of all these; of none, all lines of the day.
    pub of: Vec<Group>,
    /// The sums that are kept.
    pub kept: RevenueTotals,
    /// The sums of the lines.
    pub lines: RevenueTotals,
}

impl fmt::Display for TotalsFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the revenue of {}", self.day)?;
        for (index, group) in self.of.iter().enumerate() {
            write!(f, "{}{group}", if index == 0 { " of " } else { ", " })?;
        }
        write!(f, " is kept as {}; its lines are {}", self.kept, self.lines)
    }
}
