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
use std::collections::btree_map::Entry;

use rad_core::ledger::RevenueTotals;
use rad_core::revenue::RevenueLine;

pub(super) use self::checking::{CheckRow, select_wrong_days};
pub(super) use self::folding::{Fold, Folding, SPREAD};
pub(super) use self::reading::{SumsRow, days_grouped, grouped, select_groups, select_sums};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// A row of `ledger_revenue_deltas`. An empty id is nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    rows: Vec<DeltaRow>,
    /// Where the row of each kind is.
    places: BTreeMap<Kind, usize>,
}

/// What lines have in common that are added up: day, partner, agent, module.
type Kind = (i64, Vec<u8>, Vec<u8>, Vec<u8>);

impl Deltas {
    pub(super) fn add(&mut self, line: &RevenueLine) {
        let id =
            |id: Option<_>| id.map_or_else(Vec::new, |id: rad_core::id::AccountId| id.as_bytes().to_vec());
        let row = DeltaRow {
            day: line.at.timestamp_micros().div_euclid(DAY),
            partner: id(line.publisher),
            agent: id(line.agent_account),
            module: line.module.as_bytes().to_vec(),
            lines: 1,
            gross: line.gross,
            partner_share: line.partner,
            agent_share: line.agent,
        };
        let kind = (row.day, row.partner.clone(), row.agent.clone(), row.module.clone());
        match self.places.entry(kind) {
            Entry::Occupied(mut place) => {
                let sum = self.rows.get_mut(*place.get());
                if !sum.is_some_and(|sum| sum.add(&row)) {
                    // Two rows say the same as one that would not fit.
                    place.insert(self.rows.len());
                    self.rows.push(row);
                }
            }
            Entry::Vacant(place) => {
                place.insert(self.rows.len());
                self.rows.push(row);
            }
        }
    }

    pub(super) fn into_rows(self) -> Vec<DeltaRow> {
        self.rows
    }
}

impl DeltaRow {
    /// Adds a row of the same kind; leaves everything as it was if a sum is too large.
    fn add(&mut self, other: &Self) -> bool {
        let sums = || {
            Some((
                self.lines.checked_add(other.lines)?,
                self.gross.checked_add(other.gross)?,
                self.partner_share.checked_add(other.partner_share)?,
                self.agent_share.checked_add(other.agent_share)?,
            ))
        };
        let Some(sums) = sums() else { return false };
        (self.lines, self.gross, self.partner_share, self.agent_share) = sums;
        true
    }
}

/// The totals of sums as they are stored: what is neither the partner's nor the agent's share is the platform's.
fn totals(lines: i64, gross: i64, partner: i64, agent: i64) -> RevenueTotals {
    let platform = gross.saturating_sub(partner).saturating_sub(agent);
    RevenueTotals { lines: lines.unsigned_abs(), gross, partner, agent, platform }
}
