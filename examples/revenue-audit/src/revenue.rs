//! Sums of revenue lines in one currency, and of each partner, agent, module, account or month.

use std::collections::BTreeMap;

use clap::ValueEnum;
use rad_core::money::{Credits, Currency};
use rad_core::revenue::{Group, Grouping, RevenueLine, Summary, Totals};
use serde::Serialize;

use crate::failure::{InputError, InputFault};

/// What revenue is listed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Partners who publish modules.
    Partner,
    /// Agents who refer accounts.
    Agent,
    /// Modules.
    Module,
    /// Accounts that pay.
    Account,
    /// Calendar months in UTC.
    Month,
}

impl By {
    /// Its name in the singular.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Partner => "partner",
            Self::Agent => "agent",
            Self::Module => "module",
            Self::Account => "account",
            Self::Month => "month",
        }
    }

    const fn grouping(self) -> Grouping {
        match self {
            Self::Partner => Grouping::Partner,
            Self::Agent => Grouping::Agent,
            Self::Module => Grouping::Module,
            Self::Account => Grouping::Account,
            Self::Month => Grouping::Month,
        }
    }
}

/// Revenue lines, summed as they come.
#[derive(Debug, Clone)]
pub struct RevenueSums {
    by: Option<By>,
    summaries: BTreeMap<Currency, Summary>,
}

impl RevenueSums {
    /// No lines yet.
    pub const fn new(by: Option<By>) -> Self {
        Self { by, summaries: BTreeMap::new() }
    }

    /// Adds a line of `source`.
    ///
    /// # Errors
    /// [`InputFault::TooLarge`] if a sum does not fit.
    pub fn add(&mut self, line: &RevenueLine, source: &str) -> Result<(), InputError> {
        let grouping = self.by.map_or(Grouping::Month, By::grouping);
        let summary = self.summaries.entry(line.currency).or_insert_with(|| Summary::new(grouping));
        summary.add(line).map_err(|_| too_large(source))
    }

    /// The sums in each currency over the lines of `source`.
    ///
    /// # Errors
    /// As [`add`](Self::add), for the sum over all groups.
    pub fn finish(self, source: &str) -> Result<Vec<Revenue>, InputError> {
        let Self { by, summaries } = self;
        let revenue = |(currency, summary): (Currency, Summary)| {
            let total = summary.total().map_err(|_| too_large(source))?.into();
            let groups = summary.groups().filter(|_| by.is_some());
            let groups = groups.map(|(group, totals)| GroupSums { group: name(group), sums: totals.into() });
            Ok(Revenue { currency, by, total, groups: groups.collect() })
        };
        summaries.into_iter().map(revenue).collect()
    }
}

fn too_large(source: &str) -> InputError {
    InputError::new(source, InputFault::TooLarge { what: "the revenue of all entries" })
}

/// Revenue in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revenue {
    /// The currency, in whose minor units the sums are.
    pub currency: Currency,
    /// What `groups` are.
    pub by: Option<By>,
    /// All of it.
    pub total: Sums,
    /// The same by groups, where that was asked for.
    pub groups: Vec<GroupSums>,
}

/// The revenue of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupSums {
    /// An id, or a month such as `2026-10`; `None`: the platform's own modules, payers whom nobody referred.
    pub group: Option<String>,
    /// Its revenue.
    #[serde(flatten)]
    pub sums: Sums,
}

/// Sums of revenue lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// How many lines.
    pub lines: u64,
    /// Credits charged, less those taken back.
    pub credits: Credits,
    /// The awarded ones of them.
    pub awarded: Credits,
    /// The purchased ones of them.
    pub purchased: Credits,
    /// True revenue.
    pub gross_minor: i64,
    /// The partners' shares.
    pub partner_minor: i64,
    /// The agents' shares.
    pub agent_minor: i64,
    /// What the platform keeps.
    pub platform_minor: i64,
}

impl From<Totals> for Sums {
    fn from(totals: Totals) -> Self {
        Self {
            lines: totals.lines,
            credits: totals.credits,
            awarded: totals.awarded,
            purchased: totals.purchased,
            gross_minor: totals.gross,
            partner_minor: totals.partner,
            agent_minor: totals.agent,
            platform_minor: totals.platform,
        }
    }
}

fn name(group: Group) -> Option<String> {
    match group {
        Group::Partner(account) | Group::Agent(account) => account.map(|account| account.to_string()),
        Group::Module(module) => Some(module.to_string()),
        Group::Account(account) => Some(account.to_string()),
        Group::Month(year, month) => Some(format!("{year:04}-{month:02}")),
        _ => None,
    }
}
