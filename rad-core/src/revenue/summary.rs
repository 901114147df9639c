//! Statements are sums of revenue lines, and nothing else: nothing is rounded here, so every grouping adds up to the same
//! total.

use chrono::Datelike;
use rustc_hash::FxHashMap;

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
#[derive(Debug, Clone)]
pub struct Summary {
    grouping: Grouping,
    /// Where each group stands among the sums.
    places: FxHashMap<Group, usize>,
    sums: Vec<(Group, Totals)>,
    total: Totals,
}

impl Summary {
    /// A summary of no lines.
    pub fn new(grouping: Grouping) -> Self {
        Self { grouping, places: FxHashMap::default(), sums: Vec::new(), total: Totals::default() }
    }

    /// Adds a line to its group and to the total.
    ///
    /// # Errors
    /// [`Violation::Overflow`] if a sum does not fit; the sums are as before.
    pub fn add(&mut self, line: &RevenueLine) -> Result<(), Violation> {
        let group = self.group_of(line);
        let total = self.total.plus(line)?;
        let next = self.sums.len();
        let place = *self.places.entry(group).or_insert(next);
        if place == next {
            self.sums.push((group, Totals::default()));
        }
        if let Some((_, sum)) = self.sums.get_mut(place) {
            *sum = sum.plus(line)?;
        }
        self.total = total;
        Ok(())
    }

    /// The groups that have lines, in order.
    pub fn groups(&self) -> impl Iterator<Item = (Group, Totals)> {
        let mut groups = self.sums.clone();
        groups.retain(|(_, totals)| totals.lines > 0);
        groups.sort_by_key(|(group, _)| *group);
        groups.into_iter()
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

impl PartialEq for Summary {
    /// Whether they say the same, in whatever order it was added.
    fn eq(&self, other: &Self) -> bool {
        self.grouping == other.grouping && self.total == other.total && self.groups().eq(other.groups())
    }
}

impl Eq for Summary {}

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
