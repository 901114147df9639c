//! Reserving credits, and returning what was reserved.

use std::ops::Range;

use chrono::{DateTime, Utc};

use super::super::exact::Exact;
use super::super::{DebtOf, Entry, Hold, Observer, Place, Release, Violation};
use super::spend::{Pick, Walk};
use super::{AccountState, HoldHead, LOT_LOST, Reserved, check_time};
use crate::money::Credits;

impl AccountState {
    pub(super) fn hold(
        &mut self,
        entry: &Entry,
        hold: &Hold,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        if let Some(expires) = hold.expires {
            check_time(expires)?;
            if expires <= entry.at {
                return Err(Violation::HoldInThePast { expires });
            }
        }
        self.check_hold(hold.amount, hold.burn, entry.at)?;
        let mut walk = Walk::new(hold.burn.buckets(), hold.amount);
        while let Some(Pick { index, lot, credits, .. }) = self.next_pick(&mut walk, entry.at) {
            self.shift(index, Place::Open, Place::Held, credits, effect)?;
            self.reserved.push(Reserved { hold: entry.seq, lot, index, credits });
        }
        self.index.drop_empty(&self.lots);
        if let Some(expires) = hold.expires {
            self.index.note_lapse(expires);
        }
        self.holds.push(HoldHead {
            id: entry.seq,
            amount: hold.amount,
            burn: hold.burn,
            expires: hold.expires,
            deployment: hold.deployment,
            module: hold.module,
        });
        Ok(())
    }

    pub(super) fn release(
        &mut self,
        entry: &Entry,
        release: Release,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        let place = self.hold_place(release.hold)?;
        self.return_reserved(release.hold, entry.at, effect)?;
        self.close_hold(place);
        Ok(())
    }

    /// Releases the holds that have lapsed by `at`.
    pub(super) fn lapse(&mut self, at: DateTime<Utc>, effect: &mut impl Observer) -> Result<(), Violation> {
        let lapsed = self.holds.iter().filter(|hold| hold.expires.is_some_and(|expires| expires <= at));
        let lapsed: Vec<u64> = lapsed.map(|hold| hold.id).collect();
        for hold in lapsed {
            self.return_reserved(hold, at, effect)?;
            self.holds.retain(|open| open.id != hold);
            effect.lapsed(hold);
        }
        self.note_lapses();
        Ok(())
    }

    /// The place of an open hold.
    pub(super) fn hold_place(&self, hold: u64) -> Result<usize, Violation> {
        let settled = || match hold {
            1.. if hold <= self.seq => Violation::HoldSettled { hold },
            _ => Violation::UnknownHold { hold },
        };
        match self.holds.last() {
            Some(last) if last.id == hold => Ok(self.holds.len().saturating_sub(1)),
            _ => self.holds.binary_search_by_key(&hold, |open| open.id).map_err(|_| settled()),
        }
    }

    pub(super) fn close_hold(&mut self, place: usize) {
        let hold = self.holds.remove(place);
        if hold.expires.is_some() {
            self.note_lapses();
        }
    }

    /// Returns everything a hold still reserves, last part first, and forgives what is owed under it.
    pub(super) fn return_reserved(
        &mut self,
        hold: u64,
        at: DateTime<Utc>,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        let reserved = self.reserved_by(hold);
        for place in reserved.clone().rev() {
            let part = self.reserved.get(place).ok_or(LOT_LOST)?;
            let (index, credits) = (part.index, part.credits);
            if credits.is_positive() {
                self.give_back(index, Place::Held, credits, at, effect)?;
            }
        }
        self.forget_reserved(reserved);
        self.forgive(DebtOf::Hold(hold), None, effect)
    }

    /// Lets go of the parts reserved by a hold, none of which reserves anything any more.
    #[inline]
    pub(super) fn forget_reserved(&mut self, reserved: Range<usize>) {
        if reserved.end == self.reserved.len() {
            self.reserved.truncate(reserved.start);
        } else {
            self.reserved.drain(reserved);
        }
    }

    /// Forgives debt, the latest first: up to `limit`, or all.
    pub(super) fn forgive(
        &mut self,
        of: DebtOf,
        limit: Option<Credits>,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        if self.debts.is_empty() {
            return Ok(());
        }
        let mut left = limit.unwrap_or(self.balance.debt);
        for place in (0..self.debts.len()).rev() {
            let Some(debt) = self.debts.get_mut(place).filter(|debt| debt.of == of) else { continue };
            let credits = debt.credits.min(left);
            debt.credits = debt.credits.minus(credits)?;
            left = left.minus(credits)?;
            if credits.is_positive() {
                self.change_debt(of, credits.negated()?, effect)?;
            }
        }
        self.debts.retain(|debt| debt.credits.is_positive());
        Ok(())
    }

    fn note_lapses(&mut self) {
        self.index.clear_lapses();
        for expires in self.holds.iter().filter_map(|hold| hold.expires) {
            self.index.note_lapse(expires);
        }
    }
}
