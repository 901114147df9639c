//! Burn-down: which lots give, and what that costs and yields.

use super::super::exact::{Exact, share_of};
use super::super::{
    Bucket, BurnOrder, ChargeTerms, DebtOf, Lot, LotSource, Move, Observer, Part, Place, ProjectDebit,
    RevenueBasis, Shares, Violation,
};
use super::moment::{Moment, Step};
use super::{AccountState, ChargeHead, Debt, lot_lost, positive};
use crate::money::{Amount, Credits, CreditsPerUnit};

/// What each bucket pays of an amount, first one first, and what neither can.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) takes: [(Bucket, Credits); 2],
    pub(super) missing: Credits,
}

impl AccountState {
    /// How a hold of `amount` would be paid, if it can be.
    #[inline(always)]
    pub(super) fn plan_hold(&self, amount: Credits, burn: BurnOrder, at: Moment) -> Result<Plan, Violation> {
        positive("amount", amount)?;
        if self.balance.debt.is_positive() {
            return Err(Violation::InDebt { debt: self.balance.debt });
        }
        let plan = self.plan(amount, burn, at)?;
        if !plan.missing.is_positive() {
            return Ok(plan);
        }
        let available = amount.minus(plan.missing)?;
        Err(match burn {
            BurnOrder::PurchasedOnly => Violation::InsufficientPurchased { needed: amount, available },
            BurnOrder::AwardedFirst | BurnOrder::PurchasedFirst => {
                Violation::InsufficientTotal { needed: amount, available }
            }
        })
    }

    /// How `amount` would be paid.
    #[inline(always)]
    pub(super) fn plan(&self, amount: Credits, burn: BurnOrder, at: Moment) -> Result<Plan, Violation> {
        let (first, then) = burn.buckets();
        let from_first = self.usable(first, at)?.min(amount);
        let rest = amount.minus(from_first)?;
        let then_pays = match then {
            Some(then) => (then, self.usable(then, at)?.min(rest)),
            None => (first, Credits::ZERO),
        };
        Ok(Plan { takes: [(first, from_first), then_pays], missing: rest.minus(then_pays.1)? })
    }

    /// Credits of a bucket that can be used at `at`.
    #[inline(always)]
    pub(super) fn usable(&self, bucket: Bucket, at: Moment) -> Result<Credits, Violation> {
        if at < self.index.next_expiry() {
            return Ok(match bucket {
                Bucket::Awarded => self.balance.awarded,
                Bucket::Purchased => self.balance.purchased,
            });
        }
        let waiting = self.index.of(bucket).iter().filter(|waiting| waiting.expires > at);
        let open = waiting.filter_map(|waiting| self.lots.get(waiting.index)).map(|lot| lot.open);
        Credits::checked_sum(open).ok_or(Violation::Overflow { what: "a sum" })
    }

    /// Takes what can be used for a project's cost; the rest becomes debt. It stands as a charge that earns nothing.
    pub(super) fn debit(
        &mut self,
        step: Step<'_>,
        debit: ProjectDebit,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        positive("amount", debit.amount)?;
        self.count_volume(debit.amount)?;
        let id = step.entry.seq;
        let Plan { takes, missing } = self.plan(debit.amount, BurnOrder::AwardedFirst, step.at)?;
        let Self { index, lots, spent, .. } = self;
        for (bucket, amount) in takes {
            index.draw(lots, (bucket, amount), step.at, |_, lot, credits| {
                let part = part_of(lot, id, id, credits, None)?;
                spent.push(part);
                attribute(lot, &part, Place::Open, effect)
            })?;
            self.balance.shift(bucket, Place::Open, Place::Spent, amount)?;
        }
        self.charges.push(ChargeHead {
            id,
            deployment: debit.deployment,
            burn: BurnOrder::AwardedFirst,
            terms: None,
            credits: debit.amount,
            refunded: Credits::ZERO,
            shares: Shares::default(),
        });
        if missing.is_positive() {
            let of = DebtOf::Charge(id);
            self.debts.push(Debt { entry: id, of, credits: missing });
            self.change_debt(of, missing, effect)?;
        }
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
        let lot = self.lots.get_mut(index).ok_or_else(lot_lost)?;
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

/// Takes a part of a charge from its lot. The caller keeps the part, and the balance.
#[inline(always)]
pub(super) fn attribute(
    lot: &mut Lot,
    part: &Part,
    from: Place,
    effect: &mut impl Observer,
) -> Result<(), Violation> {
    lot.spend(from, part)?;
    let (to, credits) = (Place::Spent, part.credits);
    if credits.is_positive() {
        effect.moved(Move { lot: part.lot, bucket: part.bucket, from, to, credits });
    }
    effect.attributed(part);
    Ok(())
}

/// What `credits` of a lot are as a part of a charge: their cost, their revenue, and the whole minor units by which they
/// bring the lot's revenue up to its floor. Parts that were refunded may have left more booked than the floor: then none.
#[inline(always)]
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
        let floor = terms.currency.floor_to_minor(earned);
        part.gross_minor = if floor > lot.booked { floor.minus(lot.booked)? } else { 0 };
    }
    Ok(part)
}

#[inline(always)]
fn gross_of(lot: &Lot, credits: Credits, cost: Amount, terms: &ChargeTerms) -> Result<Amount, Violation> {
    let price = match (lot.bucket, lot.is_paid(), terms.basis) {
        (Bucket::Awarded, ..) => None,
        (Bucket::Purchased, true, RevenueBasis::LotCost) => return Ok(cost),
        (Bucket::Purchased, true, RevenueBasis::CreditsPerUnit(price)) => Some(price),
        (Bucket::Purchased, false, _) => {
            terms.allowance_earns.filter(|_| lot.source == LotSource::PartnerAllowance)
        }
    };
    price.map_or(Ok(Amount::ZERO), |price| worth_of(price, credits))
}

#[cold]
fn worth_of(price: CreditsPerUnit, credits: Credits) -> Result<Amount, Violation> {
    price.worth_of(credits).ok_or(Violation::Overflow { what: "the worth of credits" })
}
