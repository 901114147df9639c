//! Statements are sums of revenue lines, and nothing else: nothing is rounded here, so every grouping adds up to the same
//! total.

use std::collections::BTreeMap;

use chrono::Datelike;

use super::exact::Exact;
use super::{RevenueLine, Violation};
use crate::id::{AccountId, ModuleId};
use crate::money::Credits;

/// What a [`Summary`] groups by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Grouping {
    /// The partner who published the module.
    Partner,
    /// The agent who referred the payer.
    Agent,
    /// The module.
    Module,
    /// The payer.
    Account,
    /// The calendar month of booking, in UTC.
    Month,
}

/// One group of a [`Summary`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Group {
    /// The modules of a partner; `None`: the platform's own.
    Partner(Option<AccountId>),
    /// The payers an agent referred; `None`: referred by nobody.
    Agent(Option<AccountId>),
    /// A module.
    Module(ModuleId),
    /// A payer.
    Account(AccountId),
    /// A calendar month in UTC: year and month, 1 to 12.
    Month(i32, u32),
}

/// Sums over revenue lines; money in minor units of the platform's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Totals {
    /// How many lines.
    pub lines: u64,
    /// Credits charged, less those taken back.
    pub credits: Credits,
    /// The awarded ones of them.
    pub awarded: Credits,
    /// The purchased ones of them.
    pub purchased: Credits,
    /// True revenue.
    pub gross: i64,
    /// The partners' shares.
    pub partner: i64,
    /// The agents' shares.
    pub agent: i64,
    /// What the platform keeps.
    pub platform: i64,
}

/// Revenue by partner, agent, module, payer or month.
///
/// ```
/// use rad_core::revenue::{Grouping, Summary};
///
/// let mut summary = Summary::new(Grouping::Partner);
/// # let lines: [rad_core::revenue::RevenueLine; 0] = [];
/// for line in &lines {
///     summary.add(line)?;
/// }
/// assert_eq!(summary.total().gross, summary.groups().map(|(_, totals)| totals.gross).sum::<i64>());
/// # Ok::<(), rad_core::revenue::Violation>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    grouping: Grouping,
    groups: BTreeMap<Group, Totals>,
    total: Totals,
}

impl Summary {
    /// A summary of no lines.
    pub const fn new(grouping: Grouping) -> Self {
        let total = Totals {
            lines: 0,
            credits: Credits::ZERO,
            awarded: Credits::ZERO,
            purchased: Credits::ZERO,
            gross: 0,
            partner: 0,
            agent: 0,
            platform: 0,
        };
        Self { grouping, groups: BTreeMap::new(), total }
    }

    /// Adds a line to its group and to the total.
    ///
    /// # Errors
    /// [`Violation::Overflow`] if a sum does not fit; the summary is as before.
    pub fn add(&mut self, line: &RevenueLine) -> Result<(), Violation> {
        let group = self.group_of(line);
        let total = self.total.plus(line)?;
        let totals = self.groups.get(&group).copied().unwrap_or_default().plus(line)?;
        self.groups.insert(group, totals);
        self.total = total;
        Ok(())
    }

    /// The groups that have lines, in order.
    pub fn groups(&self) -> impl Iterator<Item = (Group, Totals)> {
        self.groups.iter().map(|(group, totals)| (*group, *totals))
    }

    /// The sums over all lines.
    pub const fn total(&self) -> Totals {
        self.total
    }

    fn group_of(&self, line: &RevenueLine) -> Group {
        match self.grouping {
            Grouping::Partner => Group::Partner(line.publisher),
            Grouping::Agent => Group::Agent(line.agent_account),
            Grouping::Module => Group::Module(line.module),
            Grouping::Account => Group::Account(line.account),
            Grouping::Month => Group::Month(line.at.year(), line.at.month()),
        }
    }
}

impl Totals {
    pub(super) fn plus(self, line: &RevenueLine) -> Result<Self, Violation> {
        Ok(Self {
            lines: self.lines.saturating_add(1),
            credits: self.credits.plus(line.credits)?,
            awarded: self.awarded.plus(line.awarded)?,
            purchased: self.purchased.plus(line.purchased)?,
            gross: self.gross.plus(line.gross)?,
            partner: self.partner.plus(line.partner)?,
            agent: self.agent.plus(line.agent)?,
            platform: self.platform.plus(line.platform)?,
        })
    }
}
