//! Capturing: reserved credits become a charge, and a charge becomes revenue.

use std::ops::Range;

use super::super::exact::Exact;
use super::super::{
    Bucket, Capture, ChargeTerms, DebtOf, Earning, Entry, Hold, LineKind, Observer, Part, Place, Shares,
    Violation,
};
use super::moment::Step;
use super::spend::{attribute, part_of};
use super::{AccountState, ChargeHead, lot_lost, positive};
use crate::money::Credits;

impl AccountState {
    #[inline(always)]
    pub(super) fn capture(
        &mut self,
        step: Step<'_>,
        capture: &Capture,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        let terms = &*capture.terms;
        positive("amount", capture.amount)?;
        terms.check(self.account)?;
        if let Some(expected) = self.currency.filter(|currency| *currency != terms.currency) {
            return Err(Violation::CurrencyChanged { expected, actual: terms.currency });
        }
        let place = self.hold_place(capture.hold)?;
        let Hold { amount: held, burn, .. } = self.holds.get(place).ok_or_else(lot_lost)?.hold;
        if capture.amount > held {
            return Err(Violation::ExceedsHold { hold: capture.hold, held, amount: capture.amount });
        }
        let (id, reserved, first) = (step.entry.seq, self.reserved_by(place), self.spent.len());
        let spent = self.spend_reserved(id, capture, reserved.clone(), effect);
        let split = spent
            .and_then(|(sum, owed)| Ok((sum, owed, sum.credits()?, Shares::split(sum.gross_minor, terms)?)));
        let (sum, owed, credits, shares) = match split {
            Ok(split) => split,
            Err(refusal) => {
                self.unspend(first, reserved)?;
                return Err(refusal);
            }
        };

        self.balance.shift(Bucket::Awarded, Place::Held, Place::Spent, sum.awarded)?;
        self.balance.shift(Bucket::Purchased, Place::Held, Place::Spent, sum.purchased)?;
        self.currency = Some(terms.currency);
        if owed.is_positive() || capture.amount < held {
            self.keep_owed(capture.hold, id, owed)?;
            self.return_reserved(place, step.at, effect)?;
        } else {
            self.forget_reserved(reserved);
        }
        self.close_hold(place);
        self.charges.push(ChargeHead {
            id,
            deployment: Some(capture.deployment),
            burn,
            terms: Some(self.terms.place(&capture.terms)),
            credits: capture.amount,
            refunded: Credits::ZERO,
            shares,
        });
        effect.earned(&Earning {
            entry: step.entry,
            charge: id,
            kind: LineKind::Charge,
            deployment: capture.deployment,
            burn,
            terms,
            credits,
            awarded: sum.awarded,
            purchased: sum.purchased,
            shares,
        });
        Ok(())
    }

    /// Spends reserved parts, in burn order. Gives their sums and what is left over: credits that were reversed under the
    /// hold, which the charge goes on owing.
    #[inline(always)]
    fn spend_reserved(
        &mut self,
        charge: u64,
        capture: &Capture,
        reserved: Range<usize>,
        effect: &mut impl Observer,
    ) -> Result<(Sum, Credits), Violation> {
        let mut sum = Sum::default();
        let mut left = capture.amount;
        let Self { lots, reserved: held, spent, .. } = self;
        for held in held.get_mut(reserved).unwrap_or_default() {
            if !left.is_positive() {
                break;
            }
            let credits = held.credits.min(left);
            let lot = lots.get_mut(held.index).ok_or_else(lot_lost)?;
            let part = part_of(lot, charge, charge, credits, Some(&capture.terms))?;
            sum.add(&part)?;
            left = left.minus(credits)?;
            held.credits = held.credits.minus(credits)?;
            attribute(lot, &part, Place::Held, effect)?;
            spent.push(part);
        }
        Ok((sum, left))
    }

    /// Takes back the parts of a charge that cannot be, which begin at `first`.
    #[cold]
    fn unspend(&mut self, first: usize, reserved: Range<usize>) -> Result<(), Violation> {
        let spent = self.spent.get(first..).unwrap_or_default();
        for (part, reserved) in spent.iter().zip(self.reserved.get_mut(reserved).unwrap_or_default()) {
            let lot = self.lots.get_mut(reserved.index).ok_or_else(lot_lost)?;
            lot.held = lot.held.plus(part.credits)?;
            lot.unspent_cost = lot.unspent_cost.plus(part.cost)?;
            lot.earned = lot.earned.minus(part.gross)?;
            lot.booked = lot.booked.minus(part.gross_minor)?;
            reserved.credits = reserved.credits.plus(part.credits)?;
        }
        self.spent.truncate(first);
        Ok(())
    }

    /// Lets the charge owe what the hold owed, the oldest first, up to `owed`; the rest stays with the hold.
    fn keep_owed(&mut self, hold: u64, charge: u64, owed: Credits) -> Result<(), Violation> {
        if !owed.is_positive() {
            return Ok(());
        }
        let mut left = owed;
        let mut rest = None;
        for (place, debt) in self.debts.iter_mut().enumerate() {
            if debt.of != DebtOf::Hold(hold) || !left.is_positive() {
                continue;
            }
            let credits = debt.credits.min(left);
            left = left.minus(credits)?;
            let over = debt.credits.minus(credits)?;
            if over.is_positive() {
                rest = Some((place, super::Debt { credits: over, ..*debt }));
            }
            debt.of = DebtOf::Charge(charge);
            debt.credits = credits;
        }
        if let Some((place, debt)) = rest {
            self.debts.insert(place.saturating_add(1), debt);
        }
        if left.is_positive() {
            return Err(Violation::Inconsistent {
                what: "a hold has neither reserved nor owed what it holds",
            });
        }
        Ok(())
    }
}

/// Sums over parts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) awarded: Credits,
    pub(super) purchased: Credits,
    pub(super) gross_minor: i64,
}

impl Sum {
    #[inline(always)]
    pub(super) fn add(&mut self, part: &Part) -> Result<(), Violation> {
        let sum = match part.bucket {
            Bucket::Awarded => &mut self.awarded,
            Bucket::Purchased => &mut self.purchased,
        };
        *sum = sum.plus(part.credits)?;
        self.gross_minor = self.gross_minor.plus(part.gross_minor)?;
        Ok(())
    }

    /// Credits of both kinds.
    #[inline(always)]
    fn credits(self) -> Result<Credits, Violation> {
        self.awarded.plus(self.purchased)
    }

    fn negated(self) -> Result<Self, Violation> {
        Ok(Self {
            awarded: self.awarded.negated()?,
            purchased: self.purchased.negated()?,
            gross_minor: self.gross_minor.negated()?,
        })
    }
}

/// What is booked to take back or restore some of a charge; the sums are positive either way. None for what earns nothing:
/// a project debit.
pub(super) fn earning<'a>(
    entry: &'a Entry,
    charge: &ChargeHead,
    terms: &'a ChargeTerms,
    kind: LineKind,
    sum: Sum,
    shares: Shares,
) -> Result<Option<Earning<'a>>, Violation> {
    let Some(deployment) = charge.deployment else { return Ok(None) };
    let (sum, shares) = match kind {
        LineKind::Charge | LineKind::Repayment => (sum, shares),
        LineKind::Refund | LineKind::Reversal => (sum.negated()?, shares.negated()?),
    };
    let Sum { awarded, purchased, .. } = sum;
    let (charge, burn, credits) = (charge.id, charge.burn, sum.credits()?);
    Ok(Some(Earning { entry, charge, kind, deployment, burn, terms, credits, awarded, purchased, shares }))
}
