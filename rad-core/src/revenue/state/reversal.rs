//! Payments taken back or in dispute, and lots that run out.

use super::super::exact::Exact;
use super::super::{DebtOf, Expiry, Freeze, LineKind, Lot, Observer, Place, Reversal, Unfreeze, Violation};
use super::capture::Sum;
use super::moment::Step;
use super::spend::PART_LOST;
use super::{AccountState, Debt, lot_lost, positive};
use crate::money::Credits;

impl AccountState {
    pub(super) fn freeze(&mut self, freeze: Freeze, effect: &mut impl Observer) -> Result<(), Violation> {
        let (index, lot) = self.known_lot(freeze.lot)?;
        if lot.is_frozen {
            return Err(Violation::AlreadyFrozen { lot: freeze.lot });
        }
        let open = lot.open;
        self.shift(index, Place::Open, Place::Frozen, open, effect)?;
        self.lots.get_mut(index).ok_or_else(lot_lost)?.is_frozen = true;
        Ok(())
    }

    pub(super) fn unfreeze(
        &mut self,
        step: Step<'_>,
        unfreeze: Unfreeze,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        let (index, lot) = self.known_lot(unfreeze.lot)?;
        if !lot.is_frozen {
            return Err(Violation::NotFrozen { lot: unfreeze.lot });
        }
        let frozen = lot.frozen;
        self.lots.get_mut(index).ok_or_else(lot_lost)?.is_frozen = false;
        self.give_back(index, Place::Frozen, frozen, step.at, effect)
    }

    /// What has run out is void anyway, see [`sweep`](Self::sweep); this only insists that it has.
    pub(super) fn expire(&self, step: Step<'_>, expiry: Expiry) -> Result<(), Violation> {
        let (_, lot) = self.known_lot(expiry.lot)?;
        if lot.is_expired(step.entry.at) { Ok(()) } else { Err(Violation::NotExpired { lot: expiry.lot }) }
    }

    /// Takes back credits of a paid lot: unspent ones, then reserved ones, then spent ones, each last attribution first.
    /// Reserved and spent ones become debt.
    pub(super) fn reverse(
        &mut self,
        step: Step<'_>,
        reversal: Reversal,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        positive("amount", reversal.amount)?;
        let (index, lot) = self.known_lot(reversal.lot)?;
        if !lot.is_paid() {
            return Err(Violation::NotPaid { lot: reversal.lot });
        }
        let reversible = lot.credits.minus(lot.reversed)?;
        if reversal.amount > reversible {
            return Err(Violation::ExceedsLot { lot: reversal.lot, reversible, amount: reversal.amount });
        }
        let parts = self.spent.iter().filter(|part| part.lot == reversal.lot).map(|part| part.credits);
        if Credits::checked_sum(parts) != Some(lot.spent()) {
            return Err(PART_LOST);
        }
        let mut left = reversal.amount;
        for place in [Place::Open, Place::Frozen, Place::Expired, Place::Removed] {
            let credits = self.lots.get(index).and_then(|lot| lot.at(place)).ok_or_else(lot_lost)?.min(left);
            self.reverse_unspent(index, place, credits, effect)?;
            left = left.minus(credits)?;
        }
        left = self.reverse_reserved(step, index, reversal.lot, left, effect)?;
        left = self.reverse_spent(step, index, reversal.lot, left, effect)?;
        if left.is_positive() { Err(PART_LOST) } else { Ok(()) }
    }

    fn reverse_unspent(
        &mut self,
        index: usize,
        place: Place,
        credits: Credits,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        let lot = self.lots.get_mut(index).ok_or_else(lot_lost)?;
        let cost = lot.cost_of(credits)?;
        lot.unspent_cost = lot.unspent_cost.minus(cost)?;
        lot.reversed_cost = lot.reversed_cost.plus(cost)?;
        self.shift(index, place, Place::Reversed, credits, effect)
    }

    fn reverse_reserved(
        &mut self,
        step: Step<'_>,
        index: usize,
        lot: u64,
        mut left: Credits,
        effect: &mut impl Observer,
    ) -> Result<Credits, Violation> {
        for place in (0..self.reserved.len()).rev() {
            let part = self.reserved.get_mut(place).filter(|part| part.lot == lot && left.is_positive());
            let Some(part) = part else { continue };
            let credits = part.credits.min(left);
            part.credits = part.credits.minus(credits)?;
            let of = DebtOf::Hold(part.hold);
            left = left.minus(credits)?;
            self.reverse_unspent(index, Place::Held, credits, effect)?;
            self.owe(step, of, credits, effect)?;
        }
        self.reserved.retain(|part| part.credits.is_positive());
        Ok(left)
    }

    fn reverse_spent(
        &mut self,
        step: Step<'_>,
        index: usize,
        lot: u64,
        mut left: Credits,
        effect: &mut impl Observer,
    ) -> Result<Credits, Violation> {
        let mut first = self.spent.len();
        for place in (0..self.spent.len()).rev() {
            if !left.is_positive() {
                break;
            }
            let part = self.spent.get(place).copied().filter(|part| part.lot == lot);
            let Some(part) = part else { continue };
            first = place;
            let credits = part.credits.min(left);
            left = left.minus(credits)?;
            let taken = self.take_back(place, index, credits, effect)?;
            let reversed = self.lots.get_mut(index).ok_or_else(lot_lost)?;
            reversed.reversed_cost = reversed.reversed_cost.plus(taken.cost)?;
            self.shift(index, Place::Spent, Place::Reversed, credits, effect)?;
            let mut sum = Sum::default();
            sum.add(&taken)?;
            let at = self.charge_index(part.charge).ok_or(PART_LOST)?;
            self.book_back(step.entry, at, LineKind::Reversal, sum, effect)?;
            self.owe(step, DebtOf::Charge(part.charge), credits, effect)?;
        }
        self.drop_empty_parts(first);
        Ok(left)
    }

    fn owe(
        &mut self,
        step: Step<'_>,
        of: DebtOf,
        credits: Credits,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        if credits.is_positive() {
            self.debts.push(Debt { entry: step.entry.seq, of, credits });
            self.change_debt(of, credits, effect)?;
        }
        Ok(())
    }

    fn known_lot(&self, lot: u64) -> Result<(usize, &Lot), Violation> {
        let index = self.lot_index(lot).ok_or(Violation::UnknownLot { lot })?;
        Ok((index, self.lots.get(index).ok_or_else(lot_lost)?))
    }
}
