//! Lots: credits that arrived together, what was paid for them, and where each of them is now.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::exact::{Exact, share_of, too_little};
use super::{Part, Place, Violation};
use crate::money::{Amount, Credits};

/// The two kinds of credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// Given: spent first, never revenue.
    Awarded,
    /// Bought, or counted as if bought: may pay for every module.
    Purchased,
}

/// Why credits arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LotSource {
    /// Given for signing up.
    Signup,
    /// Given for referring somebody.
    Referral,
    /// Given by an admin or by finance.
    AdminAward,
    /// Bought.
    Purchase,
    /// A paid period of a subscription.
    Subscription,
    /// The monthly allowance of a partner: purchased credits that nobody paid.
    PartnerAllowance,
    /// A correction.
    Adjustment,
}

impl LotSource {
    /// The bucket its lots are in; a correction can be in either.
    pub const fn bucket(self) -> Option<Bucket> {
        match self {
            Self::Signup | Self::Referral | Self::AdminAward => Some(Bucket::Awarded),
            Self::Purchase | Self::Subscription | Self::PartnerAllowance => Some(Bucket::Purchased),
            Self::Adjustment => None,
        }
    }

    /// The source, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::Referral => "referral",
            Self::AdminAward => "admin award",
            Self::Purchase => "purchase",
            Self::Subscription => "subscription",
            Self::PartnerAllowance => "partner allowance",
            Self::Adjustment => "adjustment",
        }
    }

    /// Whether money can stand behind its lots.
    pub const fn can_cost(self) -> bool {
        matches!(self, Self::Purchase | Self::Subscription)
    }
}

/// Credits that arrived together. Every one of them is in one place: open, frozen, held, expired, removed, reversed or
/// spent.
///
/// What the lot cost is known in total only. Taking `n` of its `r` unspent credits takes `⌊c·n/r⌋` of its unspent cost
/// `c`, so that a lot spent to the end yields exactly what was paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// The number of the entry that opened it.
    pub id: u64,
    /// Why its credits arrived.
    pub source: LotSource,
    /// Their kind.
    pub bucket: Bucket,
    /// How many arrived.
    pub credits: Credits,
    /// What was paid for all of them, in the platform's currency.
    pub cost: Amount,
    /// When unspent credits become void.
    pub expires: Option<DateTime<Utc>>,
    /// Whether a dispute keeps its unspent credits from being used.
    pub is_frozen: bool,
    /// Credits that can be used.
    pub open: Credits,
    /// Unspent credits that a dispute keeps from being used.
    pub frozen: Credits,
    /// Credits reserved by holds.
    pub held: Credits,
    /// Credits that became void.
    pub expired: Credits,
    /// Credits taken away by adjustments.
    pub removed: Credits,
    /// Credits whose payment was taken back.
    pub reversed: Credits,
    /// What was paid for the credits that are neither spent nor reversed.
    pub unspent_cost: Amount,
    /// What was paid for the reversed credits.
    pub reversed_cost: Amount,
    /// Revenue recognised on the lot: the cost of its spent credits, or their worth where the basis is another.
    pub earned: Amount,
    /// The same in whole minor units, as booked in revenue lines.
    pub booked: i64,
}

impl Lot {
    /// Credits that are neither spent nor reversed, void ones included.
    #[inline]
    pub fn unspent(&self) -> Credits {
        // Parts of `credits`, which fits: the sum cannot fail.
        let places = [self.frozen, self.held, self.expired, self.removed];
        let sum = places.iter().fold(self.open.micros(), |sum, place| sum.wrapping_add(place.micros()));
        Credits::from_micros(sum)
    }

    /// Spent credits that were not taken back.
    pub fn spent(&self) -> Credits {
        let elsewhere = self.unspent().checked_add(self.reversed);
        elsewhere.and_then(|elsewhere| self.credits.checked_sub(elsewhere)).unwrap_or(Credits::ZERO)
    }

    /// What was paid for the spent credits.
    pub fn spent_cost(&self) -> Amount {
        let elsewhere = self.unspent_cost.checked_add(self.reversed_cost);
        elsewhere.and_then(|elsewhere| self.cost.checked_sub(elsewhere)).unwrap_or(Amount::ZERO)
    }

    /// Whether money stands behind it.
    pub const fn is_paid(&self) -> bool {
        self.cost.is_positive()
    }

    /// How many credits are still to be reversed once `refunded` of its cost was paid back in all: credits in proportion,
    /// rounded down, less those reversed already.
    pub fn to_reverse(&self, refunded: Amount) -> Credits {
        let refunded = refunded.clamp(Amount::ZERO, self.cost);
        let due = share_of(self.credits.micros(), refunded.micros(), self.cost.micros());
        let due = if self.is_paid() { due.unwrap_or(0) } else { 0 };
        Credits::from_micros(due.saturating_sub(self.reversed.micros()).max(0))
    }

    /// Whether nothing of it can be used any more, as far as is known now: a refund can open it again.
    pub const fn is_closed(&self) -> bool {
        self.open.micros() == 0 && self.frozen.micros() == 0 && self.held.micros() == 0
    }

    /// Whether it has credits that can be used or frozen: those that expire when the lot does.
    pub(super) const fn gives(&self) -> bool {
        self.open.micros() != 0 || self.frozen.micros() != 0
    }

    /// Whether its unspent credits are void at `at`.
    pub fn is_expired(&self, at: DateTime<Utc>) -> bool {
        self.expires.is_some_and(|expires| expires <= at)
    }

    /// The cost that goes with the next `credits` of the unspent ones.
    #[inline(always)]
    pub(super) fn cost_of(&self, credits: Credits) -> Result<Amount, Violation> {
        let micros = share_of(self.unspent_cost.micros(), credits.micros(), self.unspent().micros())?;
        Ok(Amount::from_micros(micros))
    }

    /// Moves credits; spent ones are what is left over, so they are not counted here.
    #[inline(always)]
    pub(super) fn shift(&mut self, from: Place, to: Place, credits: Credits) -> Result<(), Violation> {
        if let Some(place) = self.place_mut(from) {
            *place = place.minus(credits)?;
        }
        if let Some(place) = self.place_mut(to) {
            *place = place.plus(credits)?;
        }
        Ok(())
    }

    /// Spends credits that are in a place, as a part of a charge.
    #[inline(always)]
    pub(super) fn spend(&mut self, from: Place, part: &Part) -> Result<(), Violation> {
        // Nothing here is negative, so that whatever goes wrong shows in a sign.
        let there = self.at(from).unwrap_or(Credits::ZERO);
        let left = there.micros().wrapping_sub(part.credits.micros());
        let unspent_cost = self.unspent_cost.micros().wrapping_sub(part.cost.micros());
        let earned = self.earned.micros().wrapping_add(part.gross.micros());
        let booked = self.booked.wrapping_add(part.gross_minor);
        if (left | unspent_cost | earned | booked) < 0 {
            return Err(too_little());
        }
        if let Some(place) = self.place_mut(from) {
            *place = Credits::from_micros(left);
        }
        self.unspent_cost = Amount::from_micros(unspent_cost);
        (self.earned, self.booked) = (Amount::from_micros(earned), booked);
        Ok(())
    }

    /// Whether the places fit into the lot and nothing is negative.
    pub(super) fn is_sound(&self) -> bool {
        let places = [self.open, self.frozen, self.held, self.expired, self.removed, self.reversed];
        let costs = [self.unspent_cost, self.reversed_cost];
        let fits = Credits::checked_sum(places).is_some_and(|sum| sum <= self.credits)
            && Amount::checked_sum(costs).is_some_and(|sum| sum <= self.cost);
        fits && self.credits.is_positive()
            && places.iter().all(|place| *place >= Credits::ZERO)
            && costs.iter().all(|cost| *cost >= Amount::ZERO)
            && self.earned >= Amount::ZERO
            && self.booked >= 0
    }

    /// Unspent credits in a place; `None` for places that are not counted.
    #[inline(always)]
    pub(super) const fn at(&self, place: Place) -> Option<Credits> {
        match place {
            Place::Outside | Place::Spent => None,
            Place::Open => Some(self.open),
            Place::Frozen => Some(self.frozen),
            Place::Held => Some(self.held),
            Place::Expired => Some(self.expired),
            Place::Removed => Some(self.removed),
            Place::Reversed => Some(self.reversed),
        }
    }

    #[inline(always)]
    fn place_mut(&mut self, place: Place) -> Option<&mut Credits> {
        match place {
            Place::Outside | Place::Spent => None,
            Place::Open => Some(&mut self.open),
            Place::Frozen => Some(&mut self.frozen),
            Place::Held => Some(&mut self.held),
            Place::Expired => Some(&mut self.expired),
            Place::Removed => Some(&mut self.removed),
            Place::Reversed => Some(&mut self.reversed),
        }
    }
}
