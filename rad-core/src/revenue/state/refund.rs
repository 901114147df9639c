//! Refunds: what is owed for a charge is forgiven, then its parts return to their lots, last one first.

use super::super::exact::Exact;
use super::super::{DebtOf, Entry, LineKind, Observer, Place, Refund, Violation};
use super::capture::{Sum, earning};
use super::moment::Step;
use super::spend::PART_LOST;
use super::{AccountState, lot_lost, positive};

impl AccountState {
    pub(super) fn refund(
        &mut self,
        step: Step<'_>,
        refund: &Refund,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        positive("amount", refund.amount)?;
        self.by_another(step.entry.actor)?;
        let unknown = Violation::UnknownCharge { charge: refund.charge };
        let at = self.charge_index(refund.charge).ok_or(unknown)?;
        let head = self.charges.get(at).ok_or(PART_LOST)?;
        let refundable = head.credits.minus(head.refunded)?;
        if refund.amount > refundable {
            return Err(Violation::ExceedsCharge { charge: head.id, refundable, amount: refund.amount });
        }
        let of = DebtOf::Charge(refund.charge);
        let before = self.balance.debt;
        self.forgive(of, Some(refund.amount), effect)?;
        let mut left = refund.amount.minus(before.minus(self.balance.debt)?)?;
        let mut sum = Sum::default();
        let mut first = self.spent.len();
        for place in (0..self.spent.len()).rev() {
            if !left.is_positive() {
                break;
            }
            let part = self.spent.get(place).copied().filter(|part| part.charge == refund.charge);
            let Some(part) = part else { continue };
            let credits = part.credits.min(left);
            left = left.minus(credits)?;
            first = place;
            let index = self.lot_index(part.lot).ok_or_else(lot_lost)?;
            let taken = self.take_back(place, index, credits, effect)?;
            sum.add(&taken)?;
            let lot = self.lots.get_mut(index).ok_or_else(lot_lost)?;
            lot.unspent_cost = lot.unspent_cost.plus(taken.cost)?;
            self.give_back(index, Place::Spent, credits, step.at, effect)?;
        }
        if left.is_positive() {
            return Err(PART_LOST);
        }
        self.drop_empty_parts(first);
        self.book_back(step.entry, at, LineKind::Refund, sum, effect)?;
        let head = self.charges.get_mut(at).ok_or(PART_LOST)?;
        head.refunded = head.refunded.plus(refund.amount)?;
        Ok(())
    }

    /// Books revenue back on the charge at a place; nothing where no credits came back or nobody earned.
    pub(super) fn book_back(
        &mut self,
        entry: &Entry,
        at: usize,
        kind: LineKind,
        sum: Sum,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        let head = self.charges.get_mut(at).ok_or(PART_LOST)?;
        let Some(terms) = self.terms.of(head) else { return Ok(()) };
        if sum.awarded.is_positive() || sum.purchased.is_positive() {
            let shares = head.shares.mirror(sum.gross_minor)?;
            if let Some(earning) = earning(entry, head, terms, kind, sum, shares)? {
                effect.earned(&earning);
            }
            head.shares = head.shares.minus(shares)?;
        }
        Ok(())
    }
}
