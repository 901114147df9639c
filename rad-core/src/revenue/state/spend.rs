//! Burn-down: which lots give, and what that costs and yields.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::super::exact::{Exact, share_of};
use super::super::{
    Bucket, BurnOrder, ChargeTerms, Entry, Lot, LotSource, Part, Place, ProjectDebit, RevenueBasis, Shares,
};
use super::super::{DebtOf, Effect, Violation};
use super::{AccountState, ChargeHead, Debt, LOT_LOST, positive};
use crate::money::{Amount, Credits};

/// Credits to be taken from the lot at a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pick {
    pub(super) index: usize,
    pub(super) credits: Credits,
}

impl AccountState {
    /// Finds what a hold takes.
    pub(super) fn pick_for_hold(
        &self,
        amount: Credits,
        burn: BurnOrder,
        at: DateTime<Utc>,
        picks: &mut Vec<Pick>,
    ) -> Result<(), Violation> {
        positive("amount", amount)?;
        if self.balance.debt.is_positive() {
            return Err(Violation::InDebt { debt: self.balance.debt });
        }
        let mut missing = amount;
        for bucket in burn.buckets() {
            missing = self.pick(*bucket, missing, at, picks)?;
        }
        if !missing.is_positive() {
            return Ok(());
        }
        let available = amount.minus(missing)?;
        Err(match burn {
            BurnOrder::PurchasedOnly => Violation::InsufficientPurchased { needed: amount, available },
            BurnOrder::AwardedFirst | BurnOrder::PurchasedFirst => {
                Violation::InsufficientTotal { needed: amount, available }
            }
        })
    }

    /// Picks usable credits of a bucket in burn order, and says how many are missing.
    pub(super) fn pick(
        &self,
        bucket: Bucket,
        amount: Credits,
        at: DateTime<Utc>,
        picks: &mut Vec<Pick>,
    ) -> Result<Credits, Violation> {
        let mut missing = amount;
        let queue: &VecDeque<usize> = self.index.of(bucket);
        for &index in queue {
            if !missing.is_positive() {
                break;
            }
            let lot = self.lots.get(index).ok_or(LOT_LOST)?;
            if lot.open.is_positive() && !lot.is_expired(at) {
                let credits = lot.open.min(missing);
                picks.push(Pick { index, credits });
                missing = missing.minus(credits)?;
            }
        }
        Ok(missing)
    }

    /// Takes what can be used for a project's cost; the rest becomes debt. It stands as a charge that earns nothing.
    pub(super) fn debit(
        &mut self,
        entry: &Entry,
        debit: ProjectDebit,
        effect: &mut Effect,
    ) -> Result<(), Violation> {
        positive("amount", debit.amount)?;
        self.count_volume(debit.amount)?;
        let mut picks = std::mem::take(&mut self.index.picks);
        let missing = self.pick(Bucket::Awarded, debit.amount, entry.at, &mut picks)?;
        let missing = self.pick(Bucket::Purchased, missing, entry.at, &mut picks)?;
        for pick in &picks {
            let lot = self.lots.get(pick.index).ok_or(LOT_LOST)?;
            let part = part_of(lot, entry.seq, entry.seq, pick.credits, None)?;
            self.attribute(pick.index, part, Place::Open, effect)?;
        }
        picks.clear();
        self.index.picks = picks;
        self.charges.push(ChargeHead {
            id: entry.seq,
            deployment: debit.deployment,
            burn: BurnOrder::AwardedFirst,
            terms: None,
            credits: debit.amount,
            refunded: Credits::ZERO,
            shares: Shares::default(),
        });
        if missing.is_positive() {
            let of = DebtOf::Charge(entry.seq);
            self.debts.push(Debt { entry: entry.seq, of, credits: missing });
            self.change_debt(of, missing, effect)?;
        }
        Ok(())
    }

    /// Spends credits of a lot as a part of a charge.
    pub(super) fn attribute(
        &mut self,
        index: usize,
        part: Part,
        from: Place,
        effect: &mut Effect,
    ) -> Result<(), Violation> {
        self.shift(index, from, Place::Spent, part.credits, effect)?;
        let lot = self.lots.get_mut(index).ok_or(LOT_LOST)?;
        lot.unspent_cost = lot.unspent_cost.minus(part.cost)?;
        lot.earned = lot.earned.plus(part.gross)?;
        lot.booked = lot.booked.plus(part.gross_minor)?;
        self.spent.push(part);
        effect.parts.push(part);
        Ok(())
    }

    /// Takes `credits` off the part at a place, books their revenue back on the lot, and gives what was taken, negative
    /// as effects show it. The caller says where the credits and their cost go.
    pub(super) fn take_back(
        &mut self,
        place: usize,
        index: usize,
        credits: Credits,
        effect: &mut Effect,
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
        effect.parts.push(Part {
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
        let floor = earned.checked_div(terms.currency.micros_per_minor());
        let floor = floor.ok_or(Violation::Overflow { what: "revenue" })?;
        part.gross_minor = floor.saturating_sub(lot.booked).max(0);
    }
    Ok(part)
}

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
