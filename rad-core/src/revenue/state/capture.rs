//! Capturing: reserved credits become a charge, and a charge becomes revenue.

use std::ops::Range;

use super::super::exact::Exact;
use super::super::{
    Bucket, Capture, ChargeTerms, DebtOf, Entry, LineKind, Observer, Part, Place, RevenueLine, Shares,
    Violation,
};
use super::spend::part_of;
use super::{AccountState, ChargeHead, LOT_LOST, Reserved, positive};
use crate::money::Credits;

impl AccountState {
    pub(super) fn capture(
        &mut self,
        entry: &Entry,
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
        let head = self.holds.get(place).ok_or(LOT_LOST)?;
        let (held, burn) = (head.amount, head.burn);
        if capture.amount > held {
            return Err(Violation::ExceedsHold { hold: capture.hold, held, amount: capture.amount });
        }
        // Everything that can fail comes before anything changes: parts and shares are computed first.
        let reserved = self.reserved_by(capture.hold);
        let first = self.spent.len();
        let priced = self.price(entry.seq, capture, reserved.clone());
        let split = priced.and_then(|(sum, owed)| Ok((sum, owed, Shares::split(sum.gross_minor, terms)?)));
        let (sum, owed, shares) = split.inspect_err(|_| self.spent.truncate(first))?;

        self.currency = Some(terms.currency);
        self.spend_reserved(first, reserved.clone(), effect)?;
        if owed.is_positive() {
            self.keep_owed(capture.hold, entry.seq, owed)?;
        }
        if owed.is_positive() || capture.amount < held {
            self.return_reserved(capture.hold, entry.at, effect)?;
        } else {
            self.forget_reserved(reserved);
        }
        self.close_hold(place);
        let charge = ChargeHead {
            id: entry.seq,
            deployment: Some(capture.deployment),
            burn,
            terms: Some(self.terms.place(&capture.terms)),
            credits: capture.amount,
            refunded: Credits::ZERO,
            shares,
        };
        if let Some(line) = line(entry, &charge, Some(terms), LineKind::Charge, sum, shares)? {
            effect.earned(&line);
        }
        self.charges.push(charge);
        Ok(())
    }

    /// Where the parts reserved by a hold stand.
    pub(super) fn reserved_by(&self, hold: u64) -> Range<usize> {
        // Nearly always the last ones, and few.
        let end =
            self.reserved.iter().rposition(|part| part.hold <= hold).map_or(0, |last| last.saturating_add(1));
        let own = self.reserved.iter().take(end).rposition(|part| part.hold < hold);
        own.map_or(0, |before| before.saturating_add(1))..end
    }

    /// Puts the parts of a charge with the others, in burn order. Gives their sums and what is left over: credits that were
    /// reversed under the hold, which the charge goes on owing.
    #[inline]
    fn price(
        &mut self,
        seq: u64,
        capture: &Capture,
        reserved: Range<usize>,
    ) -> Result<(Sum, Credits), Violation> {
        let mut sum = Sum::default();
        let mut left = capture.amount;
        for reserved in self.reserved.get(reserved).unwrap_or_default() {
            if !left.is_positive() {
                break;
            }
            let credits = reserved.credits.min(left);
            let lot = self.lots.get(reserved.index).ok_or(LOT_LOST)?;
            let part = part_of(lot, seq, seq, credits, Some(&capture.terms))?;
            sum.add(&part)?;
            self.spent.push(part);
            left = left.minus(credits)?;
        }
        Ok((sum, left))
    }

    /// Spends the reserved parts that the parts of the charge, which begin at `first`, take.
    #[inline]
    fn spend_reserved(
        &mut self,
        first: usize,
        reserved: Range<usize>,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        for (place, reserved) in (first..self.spent.len()).zip(reserved) {
            let part = *self.spent.get(place).ok_or(LOT_LOST)?;
            let Reserved { index, credits, .. } = self.reserved.get_mut(reserved).ok_or(LOT_LOST)?;
            *credits = credits.minus(part.credits)?;
            let index = *index;
            self.book(index, &part, Place::Held, effect)?;
        }
        Ok(())
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
    #[inline]
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
#[inline]
pub(super) fn line(
    entry: &Entry,
    charge: &ChargeHead,
    terms: Option<&ChargeTerms>,
    kind: LineKind,
    sum: Sum,
    shares: Shares,
) -> Result<Option<RevenueLine>, Violation> {
    let (Some(terms), Some(deployment)) = (terms, charge.deployment) else { return Ok(None) };
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
