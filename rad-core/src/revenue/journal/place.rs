//! Where the cost of a lot's unspent credits is booked.

use chrono::{DateTime, Utc};

use crate::money::{Amount, Credits};
use crate::revenue::exact::{Exact, share_of};
use crate::revenue::{AccountState, DebtOf, Lot, Violation};

/// What of a lot's cost is booked where, apart from what its spent credits had cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LotBooks {
    /// For credits that can still be spent: open, frozen and reserved ones.
    pub(super) deferred: Amount,
    /// For void ones.
    pub(super) breakage: Amount,
    /// For removed ones.
    pub(super) removed: Amount,
    /// Paid back.
    pub(super) returned: Amount,
}

impl LotBooks {
    /// What of a lot's cost belongs where at `at`, given the state after the last entry before. The engine knows the
    /// unspent cost in total: void credits, and void and removed ones together, have their share of it, rounded down.
    pub(super) fn of(lot: &Lot, state: &AccountState, at: DateTime<Utc>) -> Result<Self, Violation> {
        let (cost, unspent) = (lot.unspent_cost.micros(), lot.unspent().micros());
        let void = void(lot, state, at)?;
        let gone = void.plus(lot.removed)?;
        let breakage = share_of(cost, void.micros(), unspent)?;
        let gone = share_of(cost, gone.micros(), unspent)?;
        Ok(Self {
            deferred: Amount::from_micros(cost.minus(gone)?),
            breakage: Amount::from_micros(breakage),
            removed: Amount::from_micros(gone.minus(breakage)?),
            returned: lot.reversed_cost,
        })
    }
}

/// Credits of a lot that are void at `at`: reserved ones only if their hold has lapsed.
fn void(lot: &Lot, state: &AccountState, at: DateTime<Utc>) -> Result<Credits, Violation> {
    if !lot.is_expired(at) {
        return Ok(lot.expired);
    }
    let mut void = lot.expired.plus(lot.open)?.plus(lot.frozen)?;
    if lot.held.is_positive() {
        let lapsed = state.holds().filter(|hold| hold.expires.is_some_and(|expires| expires <= at));
        for (id, credits) in lapsed.flat_map(|hold| hold.parts) {
            void = if id == lot.id { void.plus(credits)? } else { void };
        }
    }
    Ok(void)
}

/// What is owed at `at`, given the state after the last entry before: holds that have lapsed owe nothing.
pub(super) fn owed(state: &AccountState, at: DateTime<Utc>) -> Result<Credits, Violation> {
    let mut owed = Credits::ZERO;
    if state.debts().is_empty() {
        return Ok(owed);
    }
    let lapsed = state.holds().filter(|hold| hold.expires.is_some_and(|expires| expires <= at));
    let lapsed: Vec<DebtOf> = lapsed.map(|hold| DebtOf::Hold(hold.id)).collect();
    for debt in state.debts().iter().filter(|debt| !lapsed.contains(&debt.of)) {
        owed = owed.plus(debt.credits)?;
    }
    Ok(owed)
}
