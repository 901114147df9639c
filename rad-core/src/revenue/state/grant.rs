//! Credits that arrive, the debt they repay, and corrections.

use std::sync::Arc;

use super::super::exact::Exact;
use super::super::{
    Adjustment, Body, Bucket, DebtOf, Entry, Grant, LineKind, Lot, LotSource, Move, Observer, Part, Place,
    Shares, Violation,
};
use super::capture::{Sum, earning};
use super::moment::{Moment, Step};
use super::spend::{attribute, part_of};
use super::{AccountState, Reserved, lot_lost, positive};
use crate::id::AccountId;
use crate::money::{Amount, Credits};

impl AccountState {
    pub(super) fn grant(
        &mut self,
        step: Step<'_>,
        grant: &Grant,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        let (entry, source) = (step.entry, grant.source);
        positive("credits", grant.credits)?;
        match source.bucket() {
            Some(bucket) if bucket != grant.bucket => {
                return Err(Violation::WrongBucket { source_kind: source, bucket: grant.bucket });
            }
            Some(_) => {}
            None => return Err(Violation::NotAGrant),
        }
        if grant.cost < Amount::ZERO || (grant.cost.is_positive() && !source.can_cost()) {
            return Err(Violation::WrongCost { source_kind: source, cost: grant.cost });
        }
        if let Some(expires) = grant.expires
            && Moment::of(expires)? <= step.at
        {
            return Err(Violation::AlreadyExpired { expires });
        }
        if source == LotSource::AdminAward && entry.actor == Some(self.account) {
            return Err(Violation::OwnBalance { account: self.account });
        }
        let index = self.open_lot(entry.seq, grant, effect)?;
        if self.repays(&entry.body) {
            self.repay(entry, index, effect)?;
        }
        Ok(())
    }

    /// Whether an entry repays debt, which takes more than one step.
    pub(super) fn repays(&self, body: &Body) -> bool {
        !self.debts.is_empty() && matches!(body, Body::Grant(grant) if grant.cost.is_positive())
    }

    pub(super) fn adjust(
        &mut self,
        step: Step<'_>,
        adjustment: &Adjustment,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        self.by_another(step.entry.actor)?;
        if adjustment.amount.is_positive() {
            return self.open_lot(step.entry.seq, &adjustment.grant(), effect).map(|_| ());
        }
        let needed = adjustment.amount.negated()?;
        positive("the amount of an adjustment, up or down,", needed)?;
        let available = self.usable(adjustment.bucket, step.at)?;
        if available < needed {
            return Err(match adjustment.bucket {
                Bucket::Awarded => Violation::InsufficientAwarded { needed, available },
                Bucket::Purchased => Violation::InsufficientPurchased { needed, available },
            });
        }
        let (bucket, from, to) = (adjustment.bucket, Place::Open, Place::Removed);
        self.index.draw(&mut self.lots, (bucket, needed), step.at, |_, lot, credits| {
            lot.shift(from, to, credits)?;
            effect.moved(Move { lot: lot.id, bucket, from, to, credits });
            Ok(())
        })?;
        self.balance.shift(bucket, from, to, needed)
    }

    /// Refuses what owners do to their own balance.
    pub(super) fn by_another(&self, actor: Option<AccountId>) -> Result<(), Violation> {
        match actor {
            None => Err(Violation::NoActor),
            Some(actor) if actor == self.account => Err(Violation::OwnBalance { account: actor }),
            Some(_) => Ok(()),
        }
    }

    fn open_lot(&mut self, id: u64, grant: &Grant, effect: &mut impl Observer) -> Result<usize, Violation> {
        let paid = self.paid.plus(grant.cost)?;
        self.count_volume(grant.credits)?;
        self.paid = paid;
        let index = self.lots.len();
        let lot = Lot {
            id,
            source: grant.source,
            bucket: grant.bucket,
            credits: grant.credits,
            cost: grant.cost,
            expires: grant.expires,
            is_frozen: false,
            open: Credits::ZERO,
            frozen: Credits::ZERO,
            held: Credits::ZERO,
            expired: Credits::ZERO,
            removed: Credits::ZERO,
            reversed: Credits::ZERO,
            unspent_cost: grant.cost,
            reversed_cost: Amount::ZERO,
            earned: Amount::ZERO,
            booked: 0,
        };
        self.index.insert(index, &lot);
        self.lots.push(lot);
        self.shift(index, Place::Outside, Place::Open, grant.credits, effect)?;
        Ok(index)
    }

    /// Repays debt from a lot, the oldest first. On charges the revenue is booked again, at this lot's cost and the
    /// charge's own rates; under open holds the credits are reserved.
    fn repay(&mut self, entry: &Entry, index: usize, effect: &mut impl Observer) -> Result<(), Violation> {
        let first = self.spent.len();
        for place in 0..self.debts.len() {
            let open = self.lots.get(index).ok_or_else(lot_lost)?.open;
            let Some(debt) = self.debts.get_mut(place).filter(|_| open.is_positive()) else { break };
            let credits = debt.credits.min(open);
            debt.credits = debt.credits.minus(credits)?;
            let of = debt.of;
            match of {
                DebtOf::Charge(charge) => self.repay_charge(entry, charge, index, credits, effect)?,
                DebtOf::Hold(hold) => self.reserve(hold, index, credits, effect)?,
            }
            self.change_debt(of, credits.negated()?, effect)?;
        }
        self.debts.retain(|debt| debt.credits.is_positive());
        // All of them are of this entry, the last one.
        self.spent.get_mut(first..).unwrap_or_default().sort_by_key(|part| part.charge);
        self.reserved.sort_by_key(|part| part.hold);
        Ok(())
    }

    fn repay_charge(
        &mut self,
        entry: &Entry,
        charge: u64,
        index: usize,
        credits: Credits,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        let lost = Violation::Inconsistent { what: "the charge that owes credits is missing" };
        let at = self.charge_index(charge).ok_or(lost.clone())?;
        let terms = self.charges.get(at).and_then(|head| self.terms.of(head)).map(Arc::clone);
        let lot = self.lots.get_mut(index).ok_or_else(lot_lost)?;
        let part = part_of(lot, charge, entry.seq, credits, terms.as_deref())?;
        attribute(lot, &part, Place::Open, effect)?;
        self.balance.shift(part.bucket, Place::Open, Place::Spent, credits)?;
        self.spent.push(part);
        self.merge_last_part(part)?;
        if let Some(terms) = terms {
            let mut sum = Sum::default();
            sum.add(&part)?;
            let shares = Shares::split(sum.gross_minor, &terms)?;
            let head = self.charges.get_mut(at).ok_or(lost)?;
            head.shares = head.shares.plus(shares)?;
            if let Some(earning) = earning(entry, head, &terms, LineKind::Repayment, sum, shares)? {
                effect.earned(&earning);
            }
        }
        Ok(())
    }

    /// Of one charge, one entry has one part of each lot: two debts of a charge repaid together become one.
    fn merge_last_part(&mut self, part: Part) -> Result<(), Violation> {
        let same =
            |other: &Part| (other.charge, other.entry, other.lot) == (part.charge, part.entry, part.lot);
        if self.spent.iter().rev().take_while(|other| other.entry == part.entry).filter(|p| same(p)).count()
            < 2
        {
            return Ok(());
        }
        self.spent.pop();
        let first = self.spent.iter_mut().rev().find(|other| same(other));
        let first = first.ok_or(Violation::Inconsistent { what: "a repaid part is missing" })?;
        first.credits = first.credits.plus(part.credits)?;
        first.cost = first.cost.plus(part.cost)?;
        first.gross = first.gross.plus(part.gross)?;
        first.gross_minor = first.gross_minor.plus(part.gross_minor)?;
        Ok(())
    }

    fn reserve(
        &mut self,
        hold: u64,
        index: usize,
        credits: Credits,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        self.shift(index, Place::Open, Place::Held, credits, effect)?;
        let lot = self.lots.get(index).ok_or_else(lot_lost)?.id;
        match self.reserved.iter_mut().find(|part| part.hold == hold && part.lot == lot) {
            Some(part) => part.credits = part.credits.plus(credits)?,
            None => self.reserved.push(Reserved { hold, lot, index, credits }),
        }
        Ok(())
    }
}
