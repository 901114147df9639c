//! Burn-down: which lots give, and what that costs and yields.

use chrono::{DateTime, Utc};

use super::super::exact::{Exact, share_of};
use super::super::{
    Bucket, BurnOrder, ChargeTerms, Entry, Lot, LotSource, Part, Place, ProjectDebit, RevenueBasis, Shares,
};
use super::super::{DebtOf, Observer, Violation};
use super::{AccountState, ChargeHead, Debt, LOT_LOST, positive};
use crate::money::{Amount, Credits};

/// Credits to be taken from the lot at a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pick {
    pub(super) index: usize,
    pub(super) lot: u64,
    pub(super) bucket: Bucket,
    pub(super) credits: Credits,
}

/// How far a walk through the lots of a burn order has come.
#[derive(Debug)]
pub(super) struct Walk {
    buckets: &'static [Bucket],
    next: usize,
    pub(super) missing: Credits,
}

impl Walk {
    /// A walk that is to find `amount`.
    pub(super) const fn new(buckets: &'static [Bucket], amount: Credits) -> Self {
        Self { buckets, next: 0, missing: amount }
    }
}

impl AccountState {
    /// Whether a hold of `amount` can be.
    #[inline]
    pub(super) fn check_hold(
        &self,
        amount: Credits,
        burn: BurnOrder,
        at: DateTime<Utc>,
    ) -> Result<(), Violation> {
        positive("amount", amount)?;
        if self.balance.debt.is_positive() {
            return Err(Violation::InDebt { debt: self.balance.debt });
        }
        let mut available = Credits::ZERO;
        for bucket in burn.buckets() {
            available = available.plus(self.usable(*bucket, at)?)?;
        }
        if amount <= available {
            return Ok(());
        }
        Err(match burn {
            BurnOrder::PurchasedOnly => Violation::InsufficientPurchased { needed: amount, available },
            BurnOrder::AwardedFirst | BurnOrder::PurchasedFirst => {
                Violation::InsufficientTotal { needed: amount, available }
            }
        })
    }

    /// Credits of a bucket that can be used at `at`.
    #[inline]
    pub(super) fn usable(&self, bucket: Bucket, at: DateTime<Utc>) -> Result<Credits, Violation> {
        if at < self.index.next_expiry() {
            return Ok(match bucket {
                Bucket::Awarded => self.balance.awarded,
                Bucket::Purchased => self.balance.purchased,
            });
        }
        let open = self.index.of(bucket).iter().filter_map(|index| self.lots.get(*index));
        let open = open.filter(|lot| !lot.is_expired(at)).map(|lot| lot.open);
        Credits::checked_sum(open).ok_or(Violation::Overflow { what: "a sum" })
    }

    /// What the next lot of a walk gives; none when nothing is missing or nobody gives any more.
    #[inline]
    pub(super) fn next_pick(&self, walk: &mut Walk, at: DateTime<Utc>) -> Option<Pick> {
        while walk.missing.is_positive() {
            let (&bucket, later) = walk.buckets.split_first()?;
            let Some(&index) = self.index.of(bucket).get(walk.next) else {
                (walk.buckets, walk.next) = (later, 0);
                continue;
            };
            walk.next = walk.next.saturating_add(1);
            let Some(lot) = self.lots.get(index) else { continue };
            if lot.open.is_positive() && !lot.is_expired(at) {
                let credits = lot.open.min(walk.missing);
                walk.missing = walk.missing.checked_sub(credits)?;
                return Some(Pick { index, lot: lot.id, bucket, credits });
            }
        }
        None
    }

    /// Takes what can be used for a project's cost; the rest becomes debt. It stands as a charge that earns nothing.
    pub(super) fn debit(
        &mut self,
        entry: &Entry,
        debit: ProjectDebit,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        positive("amount", debit.amount)?;
        self.count_volume(debit.amount)?;
        let mut walk = Walk::new(BurnOrder::AwardedFirst.buckets(), debit.amount);
        while let Some(pick) = self.next_pick(&mut walk, entry.at) {
            let lot = self.lots.get(pick.index).ok_or(LOT_LOST)?;
            let part = part_of(lot, entry.seq, entry.seq, pick.credits, None)?;
            self.attribute(pick.index, part, Place::Open, effect)?;
        }
        self.charges.push(ChargeHead {
            id: entry.seq,
            deployment: debit.deployment,
            burn: BurnOrder::AwardedFirst,
            terms: None,
            credits: debit.amount,
            refunded: Credits::ZERO,
            shares: Shares::default(),
        });
        if walk.missing.is_positive() {
            let of = DebtOf::Charge(entry.seq);
            self.debts.push(Debt { entry: entry.seq, of, credits: walk.missing });
            self.change_debt(of, walk.missing, effect)?;
        }
        Ok(())
    }

    /// Spends credits of a lot as a part of a charge.
    pub(super) fn attribute(
        &mut self,
        index: usize,
        part: Part,
        from: Place,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        self.book(index, &part, from, effect)?;
        self.spent.push(part);
        Ok(())
    }

    /// Takes a part of a charge from its lot.
    #[inline]
    pub(super) fn book(
        &mut self,
        index: usize,
        part: &Part,
        from: Place,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        self.shift(index, from, Place::Spent, part.credits, effect)?;
        let lot = self.lots.get_mut(index).ok_or(LOT_LOST)?;
        lot.unspent_cost = lot.unspent_cost.minus(part.cost)?;
        lot.earned = lot.earned.plus(part.gross)?;
        lot.booked = lot.booked.plus(part.gross_minor)?;
        effect.attributed(part);
        Ok(())
    }

    /// Lets go of parts, from a place on, that stand for nothing any more.
    pub(super) fn drop_empty_parts(&mut self, first: usize) {
        self.spent.extract_if(first.., |part| !part.credits.is_positive()).for_each(drop);
    }

    /// Takes `credits` off the part at a place, books their revenue back on the lot, and gives what was taken, negative
    /// as effects show it. The caller says where the credits and their cost go.
    pub(super) fn take_back(
        &mut self,
        place: usize,
        index: usize,
        credits: Credits,
        effect: &mut impl Observer,
    ) -> Result<Part, Violation> {
        let part = self.spent.get_mut(place).ok_or(PART_LOST)?;
        let (whole, some) = (part.credits.micros(), credits.micros());
        let cost = Amount::from_micros(share_of(part.cost.micros(), some, whole)?);
        let gross = Amount::from_micros(share_of(part.gross.micros(), some, whole)?);
        let gross_minor = share_of(part.gross_minor, some, whole)?;
        part.credits = part.credits.minus(credits)?;
        part.cost = part.cost.minus(cost)?;
        part.gross = part.gross.minus(gross)?;
        part.gross_minor = part.gross_minor.minus(gross_minor)?;
        let taken = Part { credits, cost, gross, gross_minor, ..*part };
        let lot = self.lots.get_mut(index).ok_or(LOT_LOST)?;
        lot.earned = lot.earned.minus(gross)?;
        lot.booked = lot.booked.minus(gross_minor)?;
        effect.attributed(&Part {
            credits: credits.negated()?,
            cost: cost.negated()?,
            gross: gross.negated()?,
            gross_minor: gross_minor.negated()?,
            ..taken
        });
        Ok(taken)
    }
}

pub(super) const PART_LOST: Violation = Violation::Inconsistent { what: "a part of a charge is missing" };

/// What `credits` of a lot are as a part of a charge: their cost, their revenue, and the whole minor units by which they
/// bring the lot's revenue up to its floor. Parts that were refunded may have left more booked than the floor: then none.
#[inline]
pub(super) fn part_of(
    lot: &Lot,
    charge: u64,
    entry: u64,
    credits: Credits,
    terms: Option<&ChargeTerms>,
) -> Result<Part, Violation> {
    let cost = lot.cost_of(credits)?;
    let mut part = Part {
        charge,
        entry,
        lot: lot.id,
        bucket: lot.bucket,
        credits,
        cost,
        gross: Amount::ZERO,
        gross_minor: 0,
    };
    let Some(terms) = terms else { return Ok(part) };
    part.gross = gross_of(lot, credits, cost, terms)?;
    if part.gross.is_positive() {
        let earned = lot.earned.plus(part.gross)?.micros();
        part.gross_minor = terms.currency.floor_to_minor(earned).saturating_sub(lot.booked).max(0);
    }
    Ok(part)
}

#[inline]
fn gross_of(lot: &Lot, credits: Credits, cost: Amount, terms: &ChargeTerms) -> Result<Amount, Violation> {
    let price = match (lot.bucket, lot.is_paid(), terms.basis) {
        (Bucket::Awarded, ..) => None,
        (Bucket::Purchased, true, RevenueBasis::LotCost) => return Ok(cost),
        (Bucket::Purchased, true, RevenueBasis::CreditsPerUnit(price)) => Some(price),
        (Bucket::Purchased, false, _) => {
            terms.allowance_earns.filter(|_| lot.source == LotSource::PartnerAllowance)
        }
    };
    price.map_or(Ok(Amount::ZERO), |price| {
        price.worth_of(credits).ok_or(Violation::Overflow { what: "the worth of credits" })
    })
}
