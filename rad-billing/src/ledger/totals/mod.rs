//! Sums of revenue that need not look at every line.
//!
//! A post appends what its lines add to the sums of their day (`ledger_revenue_deltas`), in its own transaction and without
//! touching a row that another post may touch. Now and then the deltas are folded into sums (`ledger_revenue_days`): of every
//! day, by partner, agent and module and all combinations of them, so that whatever a query names, its sum is one row a day.
//! What is asked for is sums of whole days, deltas that are not folded yet, and lines where a range begins or ends within a
//! day, all read in one statement. `checking` compares them with the lines.

mod checking;
mod folding;
mod reading;

use std::collections::BTreeMap;

use rad_core::id::{AccountId, ModuleId};
use rad_core::ledger::RevenueTotals;
use rad_core::revenue::RevenueLine;

pub(super) use self::checking::{CheckRow, select_wrong_days};
pub(super) use self::folding::{Fold, Folding, insert_sums};
pub(super) use self::reading::{SumsRow, days_grouped, grouped, select_groups, select_sums};

/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;

/// The bits of a scope, which says what a sum is by.
const PARTNER: i64 = 1;
const AGENT: i64 = 2;
const MODULE: i64 = 4;

/// A row of `ledger_revenue_deltas`. An empty id is nobody's.
#[derive(Debug)]
pub(super) struct DeltaRow {
    /// Whole days since 1970 in UTC.
    pub(super) day: i64,
    pub(super) partner: Vec<u8>,
    pub(super) agent: Vec<u8>,
    pub(super) module: Vec<u8>,
    pub(super) lines: i64,
    pub(super) gross: i64,
    pub(super) partner_share: i64,
    pub(super) agent_share: i64,
}

/// What the lines of a group of posts add to the sums of days: lines of the same kind together.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    sums: BTreeMap<Kind, RevenueTotals>,
    /// Sums that one more line would have made too large: two rows of a kind say the same as one.
    full: Vec<(Kind, RevenueTotals)>,
}

/// What lines have in common that are added up: day, partner, agent, module.
type Kind = (i64, Option<AccountId>, Option<AccountId>, ModuleId);

impl Deltas {
    pub(super) fn add(&mut self, line: &RevenueLine) {
        let day = line.at.timestamp_micros().div_euclid(DAY);
        let kind = (day, line.publisher, line.agent_account, line.module);
        let new = RevenueTotals::of(line);
        let sum = self.sums.entry(kind).or_default();
        match sum.plus(new) {
            Some(larger) => *sum = larger,
            None => self.full.push((kind, std::mem::replace(sum, new))),
        }
    }

    pub(super) fn into_rows(self) -> Vec<DeltaRow> {
        self.sums.into_iter().chain(self.full).map(DeltaRow::from).collect()
    }
}

impl From<(Kind, RevenueTotals)> for DeltaRow {
    fn from(((day, partner, agent, module), sum): (Kind, RevenueTotals)) -> Self {
        let id = |id: Option<AccountId>| id.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
        Self {
            day,
            partner: id(partner),
            agent: id(agent),
            module: module.as_bytes().to_vec(),
            // As many as a group has: far fewer than the type can count.
            lines: i64::try_from(sum.lines).unwrap_or(i64::MAX),
            gross: sum.gross,
            partner_share: sum.partner,
            agent_share: sum.agent,
        }
    }
}

/// The totals of sums as they are stored: what is neither the partner's nor the agent's share is the platform's.
fn totals(lines: i64, gross: i64, partner: i64, agent: i64) -> RevenueTotals {
    let platform = gross.saturating_sub(partner).saturating_sub(agent);
    RevenueTotals { lines: lines.unsigned_abs(), gross, partner, agent, platform }
}
