//! What can happen in a simulated account, each as the body of an entry that fits its state.

use chrono::{DateTime, Utc};

use super::account::AccountWalk;
use super::market::{DAY, TermsCache, moment, signed};
use super::purchase;
use crate::id::{AccountId, DeploymentId};
use crate::money::{Amount, Credits};
use crate::revenue::{
    Adjustment, Balance, Body, Bucket, BurnOrder, Capture, Expiry, Freeze, Hold, LotSource, ProjectDebit,
    Reason, Refund, Release, Reversal, ReversalCause, Unfreeze,
};

/// Modules that one account deploys.
const FAVOURITES: usize = 6;
/// An hour in microseconds.
const HOUR: i64 = DAY / 24;

impl AccountWalk<'_> {
    /// Holds the fee of a module, or buys what is missing for it.
    pub(super) fn deploy(&mut self, at: DateTime<Utc>, balance: Balance) -> Body {
        let number = self.favourite.wrapping_add(self.dice.place(FAVOURITES));
        let (place, module) = self.market.module(number);
        let (amount, burn, id) =
            (self.dice.pick([1, 1, 1, 2, 3]) * module.price.micros(), module.burn, module.id);
        let amount = Credits::from_micros(amount);
        let usable = match burn {
            BurnOrder::PurchasedOnly => balance.purchased,
            _ => balance.spendable(),
        };
        if balance.debt.is_positive() || usable < amount {
            return purchase::bought(&mut self.dice, at);
        }
        self.chosen = place;
        // A run that never reports back: its hold lapses.
        let lapses = self.dice.chance(30).then(|| moment(at.timestamp_micros() + 2 * HOUR));
        let deployment = DeploymentId::from_number(self.dice.any());
        Body::Hold(Hold { amount, burn, expires: lapses, deployment: Some(deployment), module: Some(id) })
    }

    /// Ends the oldest run: most succeed, and some of those need less than was held.
    pub(super) fn settle(&mut self, at: DateTime<Utc>, terms: &mut TermsCache) -> Body {
        let Some(running) = self.holds.first().copied() else { return purchase::bought(&mut self.dice, at) };
        let release = Body::Release(Release { hold: running.hold });
        if self.dice.chance(130) {
            return release;
        }
        let Some(terms) = terms.of(self.market, running.module, self.agent, at) else { return release };
        let thousandths = if self.dice.chance(250) { signed(self.dice.between(1, 999)) } else { 1_000 };
        let amount = Credits::from_micros(running.amount.micros() / 1_000 * thousandths);
        Body::Capture(Capture { hold: running.hold, amount, deployment: running.deployment, terms })
    }

    /// What comes without buying: the period of a subscription, a partner's allowance, something for a referral, a gift.
    pub(super) fn period_or_gift(&mut self, at: DateTime<Utc>) -> Body {
        let dice = &mut self.dice;
        if self.is_partner && dice.chance(600) {
            return purchase::given(dice, LotSource::PartnerAllowance, 50, at);
        }
        if self.is_subscriber && dice.chance(800) {
            return purchase::period(dice, at);
        }
        let (source, credits) = dice.pick([(LotSource::Referral, 10), (LotSource::AdminAward, 25)]);
        purchase::given(dice, source, credits, at)
    }

    /// The running cost of a project, a fraction of a credit or a few; what is missing becomes debt.
    pub(super) fn project_cost(&mut self) -> Body {
        let amount = Credits::from_micros(signed(self.dice.between(1_000, 9_000_000)));
        let deployment = DeploymentId::from_number(self.dice.any());
        Body::ProjectDebit(ProjectDebit { amount, project: self.dice.bytes(), deployment: Some(deployment) })
    }

    /// Returns a recent charge, in part or in full, with the one who decides it.
    pub(super) fn refund(&mut self, at: DateTime<Utc>) -> (Body, Option<AccountId>) {
        let Some((charge, left)) = self.charges.take(&mut self.dice) else {
            return (purchase::bought(&mut self.dice, at), None);
        };
        let whole = self.dice.chance(500);
        let part = left.micros() / 1_000 * signed(self.dice.between(1, 999));
        let amount = if whole || part == 0 { left } else { Credits::from_micros(part) };
        if let Some(rest) = left.checked_sub(amount).filter(|rest| rest.is_positive()) {
            self.charges.push((charge, rest));
        }
        let Ok(reason) = Reason::new("the run failed after it was charged") else {
            return (purchase::bought(&mut self.dice, at), None);
        };
        (Body::Refund(Refund { charge, amount, reason }), Some(self.market.admin()))
    }

    /// A correction, up or down.
    pub(super) fn adjustment(&mut self, at: DateTime<Utc>, awarded: Credits) -> Body {
        let down = awarded.micros().min(2_500_000);
        let amount = if down > 0 && self.dice.chance(400) { -down } else { 5_000_000 };
        let bucket = if amount > 0 && self.dice.chance(300) { Bucket::Purchased } else { Bucket::Awarded };
        match Reason::new("correction after a review") {
            Ok(reason) => {
                Body::Adjustment(Adjustment { bucket, amount: Credits::from_micros(amount), reason })
            }
            Err(_) => purchase::bought(&mut self.dice, at),
        }
    }

    /// A payer disputes a payment: its unspent credits are frozen.
    pub(super) fn dispute(&mut self, at: DateTime<Utc>) -> Body {
        match self.paid_lots.take(&mut self.dice) {
            Some(lot) if self.disputed.is_none() => Body::Freeze(Freeze { lot }),
            _ => purchase::bought(&mut self.dice, at),
        }
    }

    /// A dispute is won by the platform, or by the payer.
    pub(super) fn end_dispute(&mut self, lot: u64) -> Body {
        if self.dice.chance(550) {
            return Body::Unfreeze(Unfreeze { lot });
        }
        let amount = self.reversible(lot);
        Body::Reversal(Reversal { lot, amount, cause: ReversalCause::DisputeLost })
    }

    /// A payment is paid back, in full or in part.
    pub(super) fn payment_refund(&mut self, at: DateTime<Utc>) -> Body {
        let Some(lot) = self.paid_lots.take(&mut self.dice) else {
            return purchase::bought(&mut self.dice, at);
        };
        let part = self.dice.pick([1, 2, 3]);
        let refunded = self.state.lot(lot).map_or(0, |lot| lot.cost.micros() / part);
        let amount =
            self.state.lot(lot).map_or(Credits::ZERO, |lot| lot.to_reverse(Amount::from_micros(refunded)));
        Body::Reversal(Reversal { lot, amount, cause: ReversalCause::PaymentRefund })
    }

    /// Makes an expiry visible, where one is past.
    pub(super) fn expiry(&mut self, at: DateTime<Utc>, balance: Balance) -> Body {
        match self.expiring.take_first(|(_, expires)| *expires <= at) {
            Some((lot, _)) => Body::Expiry(Expiry { lot }),
            None => self.deploy(at, balance),
        }
    }

    fn reversible(&self, lot: u64) -> Credits {
        let lot = self.state.lot(lot);
        lot.and_then(|lot| lot.credits.checked_sub(lot.reversed)).unwrap_or_default()
    }
}
