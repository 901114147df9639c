//! Sums as they were beside sums as they would have been.

use std::collections::BTreeMap;

use rad_core::money::Currency;
use serde::Serialize;

use crate::revenue::{Revenue, Sums};

/// The difference in one currency, in its minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The currency.
    pub currency: Currency,
    /// All revenue.
    pub gross: Change,
    /// What partners earn together.
    pub partners: Change,
    /// What agents earn together.
    pub agents: Change,
    /// What the platform keeps.
    pub platform: Change,
    /// The share of each partner.
    pub by_partner: BTreeMap<String, Change>,
    /// The share of each agent.
    pub by_agent: BTreeMap<String, Change>,
}

/// A sum under both rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Change {
    /// As it was.
    pub was_minor: i64,
    /// As it would have been.
    pub would_be_minor: i64,
    /// What it would have been more or, negative, less.
    pub difference_minor: i64,
}

impl Change {
    const fn new(was_minor: i64, would_be_minor: i64) -> Self {
        // Both are sums over the same entries, which fit; a difference beyond that is cut off and not wrapped.
        Self { was_minor, would_be_minor, difference_minor: would_be_minor.saturating_sub(was_minor) }
    }
}

/// Compares revenue by partner and by agent.
pub(super) fn compare(was: [Vec<Revenue>; 2], would_be: [Vec<Revenue>; 2]) -> Vec<Comparison> {
    let [was_partners, was_agents] = was;
    let [partners, agents] = would_be;
    // Rules change nobody's currency: what has lines in one replay and none in the other has them with zero there.
    let currencies = was_partners.iter().chain(&partners).map(|revenue| revenue.currency);
    let mut currencies: Vec<Currency> = currencies.collect();
    currencies.sort_unstable();
    currencies.dedup();
    let comparison = |currency| {
        let total = |pick: fn(&Sums) -> i64| {
            Change::new(total_of(&was_partners, currency, pick), total_of(&partners, currency, pick))
        };
        Comparison {
            currency,
            gross: total(|sums| sums.gross_minor),
            partners: total(|sums| sums.partner_minor),
            agents: total(|sums| sums.agent_minor),
            platform: total(|sums| sums.platform_minor),
            by_partner: by_group(&was_partners, &partners, currency, |sums| sums.partner_minor),
            by_agent: by_group(&was_agents, &agents, currency, |sums| sums.agent_minor),
        }
    };
    currencies.into_iter().map(comparison).collect()
}

fn total_of(revenue: &[Revenue], currency: Currency, pick: fn(&Sums) -> i64) -> i64 {
    revenue.iter().find(|revenue| revenue.currency == currency).map_or(0, |revenue| pick(&revenue.total))
}

/// The change of everybody who has an id: charges of nobody's modules earn no partner anything.
fn by_group(
    was: &[Revenue],
    would_be: &[Revenue],
    currency: Currency,
    pick: fn(&Sums) -> i64,
) -> BTreeMap<String, Change> {
    let mut both: BTreeMap<String, [i64; 2]> = BTreeMap::new();
    for (place, side) in [was, would_be].into_iter().enumerate() {
        let groups =
            side.iter().filter(|revenue| revenue.currency == currency).flat_map(|revenue| &revenue.groups);
        for group in groups {
            if let Some(id) = &group.group {
                let sums = both.entry(id.clone()).or_default();
                if let Some(sum) = sums.get_mut(place) {
                    *sum = pick(&group.sums);
                }
            }
        }
    }
    both.into_iter().map(|(id, [was, would_be])| (id, Change::new(was, would_be))).collect()
}
