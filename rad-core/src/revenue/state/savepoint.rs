//! Taking back the steps of an entry that is refused after some of them.

use super::super::{Balance, Bucket, Debt, DebtOf, Lot};
use super::index::Deadlines;
use super::moment::Moment;
use super::{AccountState, ChargeHead, HoldHead, Reserved};
use crate::money::{Amount, Credits};

/// What lapsing holds, voiding lots and repaying debt can change: what is open, never the account's past, so that it costs
/// the same however long the history is.
#[derive(Debug, Default)]
pub(super) struct Savepoint {
    volume: Credits,
    paid: Amount,
    balance: Balance,
    lot_count: usize,
    lots: Vec<(usize, Lot)>,
    holds: Vec<HoldHead>,
    reserved: Vec<Reserved>,
    charges: Vec<(usize, ChargeHead)>,
    spent_count: usize,
    debts: Vec<Debt>,
    deadlines: Deadlines,
}

/// A savepoint that is no longer needed, kept for its memory: it says nothing about the account.
#[derive(Debug, Default)]
pub(super) struct Spare(Option<Box<Savepoint>>);

impl Spare {
    pub(super) fn put(&mut self, savepoint: Box<Savepoint>) {
        self.0 = Some(savepoint);
    }
}

impl Clone for Spare {
    /// None: a copy takes no memory for what it may never need.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl AccountState {
    /// Remembers what an entry at `at` can change before it is sure to be taken.
    pub(super) fn savepoint(&mut self, at: Moment) -> Box<Savepoint> {
        let mut point = self.spare.0.take().unwrap_or_default();
        (point.volume, point.paid, point.balance) = (self.volume, self.paid, self.balance);
        (point.lot_count, point.spent_count) = (self.lots.len(), self.spent.len());
        point.deadlines = self.index.deadlines();
        point.holds.clone_from(&self.holds);
        point.reserved.clone_from(&self.reserved);
        point.debts.clone_from(&self.debts);
        point.lots.clear();
        let mut keep = |place: usize| point.lots.extend(self.lots.get(place).map(|lot| (place, lot.clone())));
        self.reserved.iter().for_each(|part| keep(part.index));
        for bucket in [Bucket::Awarded, Bucket::Purchased] {
            let run_out = self.index.of(bucket).iter().take_while(|waiting| waiting.expires <= at);
            run_out.for_each(|waiting| keep(waiting.index));
        }
        point.charges.clear();
        for debt in &self.debts {
            if let DebtOf::Charge(charge) = debt.of
                && let Some(place) = self.charge_index(charge)
            {
                point.charges.extend(self.charges.get(place).map(|head| (place, *head)));
            }
        }
        point
    }

    /// Goes back to it. Lots may stand in the burn order that have nothing to give again, which changes nothing.
    #[cold]
    pub(super) fn go_back(&mut self, to: &Savepoint) {
        (self.volume, self.paid, self.balance) = (to.volume, to.paid, to.balance);
        self.index.forget_from(to.lot_count);
        self.lots.truncate(to.lot_count);
        for (place, lot) in &to.lots {
            if let Some(changed) = self.lots.get_mut(*place) {
                changed.clone_from(lot);
            }
        }
        self.holds.clone_from(&to.holds);
        self.reserved.clone_from(&to.reserved);
        self.debts.clone_from(&to.debts);
        for (place, charge) in &to.charges {
            if let Some(changed) = self.charges.get_mut(*place) {
                *changed = *charge;
            }
        }
        self.spent.truncate(to.spent_count);
        self.index.set_deadlines(to.deadlines);
    }
}
