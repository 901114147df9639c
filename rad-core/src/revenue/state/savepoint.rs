//! Taking back the steps of an entry that is refused after some of them.

use super::super::{Balance, Bucket, Debt, DebtOf, Lot};
use super::index::Deadlines;
use super::moment::Moment;
use super::{AccountState, ChargeHead, HoldHead, Reserved};
use crate::money::{Amount, Credits};

/// What lapsing holds, voiding lots and repaying debt can change: what is open, never the account's past, so that it costs
/// the same however long the history is.
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

impl AccountState {
    /// Remembers what an entry at `at` can change before it is sure to be taken.
    pub(super) fn savepoint(&self, at: Moment) -> Savepoint {
        let mut places: Vec<usize> = self.reserved.iter().map(|part| part.index).collect();
        for bucket in [Bucket::Awarded, Bucket::Purchased] {
            let run_out = self.index.of(bucket).iter().take_while(|waiting| waiting.expires <= at);
            places.extend(run_out.map(|waiting| waiting.index));
        }
        let owing = self.debts.iter().filter_map(|debt| match debt.of {
            DebtOf::Charge(charge) => self.charge_index(charge),
            DebtOf::Hold(_) => None,
        });
        let copy_of = |place: usize| self.lots.get(place).map(|lot| (place, lot.clone()));
        Savepoint {
            volume: self.volume,
            paid: self.paid,
            balance: self.balance,
            lot_count: self.lots.len(),
            lots: places.into_iter().filter_map(copy_of).collect(),
            holds: self.holds.clone(),
            reserved: self.reserved.clone(),
            charges: owing.filter_map(|place| Some((place, *self.charges.get(place)?))).collect(),
            spent_count: self.spent.len(),
            debts: self.debts.clone(),
            deadlines: self.index.deadlines(),
        }
    }

    /// Goes back to it. Lots may stand in the burn order that have nothing to give again, which changes nothing.
    pub(super) fn go_back(&mut self, to: Savepoint) {
        (self.volume, self.paid, self.balance) = (to.volume, to.paid, to.balance);
        self.index.forget_from(to.lot_count);
        self.lots.truncate(to.lot_count);
        for (place, lot) in to.lots {
            if let Some(changed) = self.lots.get_mut(place) {
                *changed = lot;
            }
        }
        (self.holds, self.reserved, self.debts) = (to.holds, to.reserved, to.debts);
        for (place, charge) in to.charges {
            if let Some(changed) = self.charges.get_mut(place) {
                *changed = charge;
            }
        }
        self.spent.truncate(to.spent_count);
        self.index.set_deadlines(to.deadlines);
    }
}
