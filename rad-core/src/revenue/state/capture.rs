//! Capturing: reserved credits become a charge, and a charge becomes revenue.

use std::sync::Arc;

use super::super::exact::Exact;
use super::super::{
    Bucket, Capture, DebtOf, Effect, Entry, LineKind, Part, Place, RevenueLine, Shares, Violation,
};
use super::spend::part_of;
use super::{AccountState, ChargeHead, LOT_LOST, positive};
use crate::money::Credits;

impl AccountState {
    pub(super) fn capture(
        &mut self,
        entry: &Entry,
        capture: &Capture,
        effect: &mut Effect,
    ) -> Result<(), Violation> {
        let terms = &capture.terms;
        positive("amount", capture.amount)?;
        terms.check(self.account)?;
        if let Some(expected) = self.currency.filter(|currency| *currency != terms.currency) {
            return Err(Violation::CurrencyChanged { expected, actual: terms.currency });
        }
        let place = self.hold_place(capture.hold)?;
        let head = self.holds.get(place).ok_or(LOT_LOST)?;
        let (held, burn) = (head.amount, head.burn);
        if capture.amount > held {
            return Err(Violation::ExceedsHold { hold: capture.hold, held, amount: capture.amount });
        }
        // Everything that can fail comes before anything changes: parts and shares are computed first.
        let mut parts = std::mem::take(&mut self.index.parts);
        let owed = self.parts_of_capture(entry.seq, capture, &mut parts)?;
        let mut sum = Sum::default();
        parts.iter().try_for_each(|part| sum.add(part))?;
        let shares = Shares::split(sum.gross_minor, terms)?;

        self.currency = Some(terms.currency);
        for part in &parts {
            self.spend_reserved(capture.hold, part, effect)?;
        }
        parts.clear();
        self.index.parts = parts;
        if owed.is_positive() {
            self.keep_owed(capture.hold, entry.seq, owed)?;
        }
        self.return_reserved(capture.hold, entry.at, effect)?;
        self.close_hold(place);
        let charge = ChargeHead {
            id: entry.seq,
            deployment: Some(capture.deployment),
            burn,
            terms: Some(Arc::clone(terms)),
            credits: capture.amount,
            refunded: Credits::ZERO,
            shares,
        };
        effect.lines.extend(line(entry, &charge, LineKind::Charge, sum, shares)?);
        self.charges.push(charge);
        Ok(())
    }

    /// The parts of a charge, in burn order; gives what is left over: credits that were reversed under the hold, which the
    /// charge goes on owing.
    fn parts_of_capture(
        &self,
        seq: u64,
        capture: &Capture,
        parts: &mut Vec<Part>,
    ) -> Result<Credits, Violation> {
        let mut left = capture.amount;
        for reserved in self.reserved.iter().filter(|part| part.hold == capture.hold) {
            let credits = reserved.credits.min(left);
            if credits.is_positive() {
                let index = self.lot_index(reserved.lot).ok_or(LOT_LOST)?;
                let lot = self.lots.get(index).ok_or(LOT_LOST)?;
                parts.push(part_of(lot, seq, seq, credits, Some(&capture.terms))?);
                left = left.minus(credits)?;
            }
        }
        Ok(left)
    }

    fn spend_reserved(&mut self, hold: u64, part: &Part, effect: &mut Effect) -> Result<(), Violation> {
        let reserved = self.reserved.iter_mut().find(|r| r.hold == hold && r.lot == part.lot);
        let reserved = reserved.ok_or(LOT_LOST)?;
        reserved.credits = reserved.credits.minus(part.credits)?;
        let index = self.lot_index(part.lot).ok_or(LOT_LOST)?;
        self.attribute(index, *part, Place::Held, effect)
    }

    /// Lets the charge owe what the hold owed, the oldest first, up to `owed`; the rest stays with the hold.
    fn keep_owed(&mut self, hold: u64, charge: u64, owed: Credits) -> Result<(), Violation> {
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
    pub(super) fn add(&mut self, part: &Part) -> Result<(), Violation> {
        let sum = match part.bucket {
            Bucket::Awarded => &mut self.awarded,
            Bucket::Purchased => &mut self.purchased,
        };
        *sum = sum.plus(part.credits)?;
        self.gross_minor = self.gross_minor.plus(part.gross_minor)?;
        Ok(())
    }

    fn negated(self) -> Result<Self, Violation> {
        Ok(Self {
            awarded: self.awarded.negated()?,
            purchased: self.purchased.negated()?,
            gross_minor: self.gross_minor.negated()?,
        })
    }
}

/// The revenue line of a charge, or one that takes back or restores some of it; the sums are positive either way. None for
/// what earns nothing: a project debit.
pub(super) fn line(
    entry: &Entry,
    charge: &ChargeHead,
    kind: LineKind,
    sum: Sum,
    shares: Shares,
) -> Result<Option<RevenueLine>, Violation> {
    let (Some(terms), Some(deployment)) = (charge.terms.as_deref(), charge.deployment) else {
        return Ok(None);
    };
    let (sum, shares) = match kind {
        LineKind::Charge | LineKind::Repayment => (sum, shares),
        LineKind::Refund | LineKind::Reversal => (sum.negated()?, shares.negated()?),
    };
    Ok(Some(RevenueLine {
        account: entry.account,
        entry: entry.seq,
        charge: charge.id,
        original: (kind != LineKind::Charge).then_some(charge.id),
        kind,
        at: entry.at,
        module: terms.module,
        deployment,
        publisher: terms.publisher,
        agent_account: terms.agent,
        policies: terms.policies(charge.burn),
        credits: sum.awarded.plus(sum.purchased)?,
        awarded: sum.awarded,
        purchased: sum.purchased,
        currency: terms.currency,
        gross: shares.gross,
        partner: shares.partner,
        agent: shares.agent,
        platform: shares.platform,
    }))
}
