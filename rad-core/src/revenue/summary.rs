//! Statements are sums of revenue lines, and nothing else: nothing is rounded here, so every grouping adds up to the same
//! total.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::exact::Exact;
use super::{Earning, RevenueLine, Violation};
use crate::id::{AccountId, ModuleId};
use crate::money::Credits;

/// What revenue is grouped by.
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
    /// The day of booking, in UTC.
    Day,
}

/// One group of revenue lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// A day in UTC.
    Day(NaiveDate),
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partner(Some(partner)) => write!(f, "partner {partner}"),
            Self::Partner(None) => f.write_str("no partner"),
            Self::Agent(Some(agent)) => write!(f, "agent {agent}"),
            Self::Agent(None) => f.write_str("no agent"),
            Self::Module(module) => write!(f, "module {module}"),
            Self::Account(account) => write!(f, "account {account}"),
            Self::Month(year, month) => write!(f, "{year:04}-{month:02}"),
            Self::Day(day) => day.fmt(f),
        }
    }
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

/// What a [`Summary`] adds up: a [`RevenueLine`], or an [`Earning`] while it is booked.
pub trait Booked {
    /// Its group.
    fn group(&self, by: Grouping) -> Group;

    /// Its figures, as sums over one line.
    fn figures(&self) -> Totals;
}

/// Revenue by partner, agent, module, payer, month or day.
///
/// ```
/// use rad_core::revenue::{Grouping, Summary};
///
/// let mut summary = Summary::new(Grouping::Partner);
/// # let lines: [rad_core::revenue::RevenueLine; 0] = [];
/// for line in &lines {
///     summary.add(line)?;
/// }
/// assert_eq!(summary.total()?.gross, summary.groups().map(|(_, totals)| totals.gross).sum::<i64>());
/// # Ok::<(), rad_core::revenue::Violation>(())
/// ```
#[derive(Debug, Clone)]
pub struct Summary {
    grouping: Grouping,
    /// Where each group stands among the sums.
    places: FxHashMap<Group, usize>,
    /// The same for groups met before, by some bits of their ids: hints, which make looking up the exception.
    hints: Vec<usize>,
    sums: Vec<Sum>,
}

/// The sums of a group.
#[derive(Debug, Clone, Copy)]
struct Sum {
    key: Key,
    group: Group,
    totals: Totals,
}

/// What tells a group from others of its grouping, in a form that compares at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    bits: u128,
    is_some: bool,
}

/// How many hints there are: a power of two, enough for most markets' modules.
const HINTS: usize = 1 << 10;

impl Summary {
    /// A summary of no lines.
    pub fn new(grouping: Grouping) -> Self {
        Self { grouping, places: FxHashMap::default(), hints: vec![0; HINTS], sums: Vec::new() }
    }

    /// Adds a line to its group.
    ///
    /// # Errors
    /// [`Violation::Overflow`] if a sum does not fit; the sums are as before.
    #[inline(always)]
    pub fn add(&mut self, line: &impl Booked) -> Result<(), Violation> {
        let place = self.place(line.group(self.grouping));
        // There is one: the place is of a group that was met before, or has just been made.
        self.sums.get_mut(place).map_or(Ok(()), |sum| sum.totals.add(&line.figures()))
    }

    /// The groups that have lines, in order.
    pub fn groups(&self) -> impl Iterator<Item = (Group, Totals)> {
        let mut groups: Vec<_> = self.sums.iter().map(|sum| (sum.group, sum.totals)).collect();
        groups.retain(|(_, totals)| totals.lines > 0);
        groups.sort_by_key(|(group, _)| *group);
        groups.into_iter()
    }

    /// The sums over all lines.
    ///
    /// # Errors
    /// [`Violation::Overflow`] if a sum does not fit, though those of every group do.
    pub fn total(&self) -> Result<Totals, Violation> {
        let mut total = Totals::default();
        // In order, so that what was added when makes no difference.
        self.groups().try_for_each(|(_, totals)| total.add(&totals))?;
        Ok(total)
    }

    /// Where the sum of a group stands.
    #[inline(always)]
    fn place(&mut self, group: Group) -> usize {
        let key = group.key();
        let slot = key.slot();
        let hint = self.hints.get(slot).copied().unwrap_or(0);
        if self.sums.get(hint).is_some_and(|sum| sum.key == key) {
            return hint;
        }
        self.look_up(group, key, slot)
    }

    #[cold]
    fn look_up(&mut self, group: Group, key: Key, slot: usize) -> usize {
        let next = self.sums.len();
        let place = *self.places.entry(group).or_insert(next);
        if place == next {
            self.sums.push(Sum { key, group, totals: Totals::default() });
        }
        if let Some(hint) = self.hints.get_mut(slot) {
            *hint = place;
        }
        place
    }
}

impl PartialEq for Summary {
    /// Whether they say the same, in whatever order it was added.
    fn eq(&self, other: &Self) -> bool {
        self.grouping == other.grouping && self.groups().eq(other.groups())
    }
}

impl Eq for Summary {}

impl Booked for RevenueLine {
    fn group(&self, by: Grouping) -> Group {
        group(by, self.publisher, self.agent_account, self.module, self.account, self.at)
    }

    fn figures(&self) -> Totals {
        Totals {
            lines: 1,
            credits: self.credits,
            awarded: self.awarded,
            purchased: self.purchased,
            gross: self.gross,
            partner: self.partner,
            agent: self.agent,
            platform: self.platform,
        }
    }
}

impl Booked for Earning<'_> {
    #[inline(always)]
    fn group(&self, by: Grouping) -> Group {
        let terms = self.terms;
        group(by, terms.publisher, terms.agent, terms.module, self.entry.account, self.entry.at)
    }

    #[inline(always)]
    fn figures(&self) -> Totals {
        let shares = self.shares;
        Totals {
            lines: 1,
            credits: self.credits,
            awarded: self.awarded,
            purchased: self.purchased,
            gross: shares.gross,
            partner: shares.partner,
            agent: shares.agent,
            platform: shares.platform,
        }
    }
}

#[inline(always)]
fn group(
    by: Grouping,
    publisher: Option<AccountId>,
    agent: Option<AccountId>,
    module: ModuleId,
    account: AccountId,
    at: DateTime<Utc>,
) -> Group {
    match by {
        Grouping::Partner => Group::Partner(publisher),
        Grouping::Agent => Group::Agent(agent),
        Grouping::Module => Group::Module(module),
        Grouping::Account => Group::Account(account),
        Grouping::Month => Group::Month(at.year(), at.month()),
        Grouping::Day => Group::Day(at.date_naive()),
    }
}

impl Group {
    #[inline(always)]
    const fn key(&self) -> Key {
        let (bits, is_some) = match self {
            Self::Module(module) => (u128::from_ne_bytes(*module.as_bytes()), true),
            Self::Account(id) | Self::Partner(Some(id)) | Self::Agent(Some(id)) => {
                (u128::from_ne_bytes(*id.as_bytes()), true)
            }
            Self::Partner(None) | Self::Agent(None) => (0, false),
            Self::Month(year, month) => (((year.unsigned_abs() as u128) << 4) | *month as u128, *year >= 0),
            Self::Day(day) => {
                let days = day.to_epoch_days();
                (days.unsigned_abs() as u128, days >= 0)
            }
        };
        Key { bits, is_some }
    }
}

impl Key {
    /// Where its hint stands.
    #[inline(always)]
    fn slot(self) -> usize {
        // Bytes of an id near either end are random.
        let mixed = (self.bits ^ (self.bits >> 100)) & 0xffff;
        usize::try_from(mixed).unwrap_or(0) & HINTS.wrapping_sub(1)
    }
}

impl Totals {
    /// Adds other figures; if one of the sums does not fit, all are as before.
    #[inline(always)]
    pub(super) fn add(&mut self, other: &Self) -> Result<(), Violation> {
        *self = Self {
            lines: self.lines.saturating_add(other.lines),
            credits: self.credits.plus(other.credits)?,
            awarded: self.awarded.plus(other.awarded)?,
            purchased: self.purchased.plus(other.purchased)?,
            gross: self.gross.plus(other.gross)?,
            partner: self.partner.plus(other.partner)?,
            agent: self.agent.plus(other.agent)?,
            platform: self.platform.plus(other.platform)?,
        };
        Ok(())
    }
}
