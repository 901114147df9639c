//! Reserving credits, and returning what was reserved.

use std::ops::Range;

use super::super::exact::Exact;
use super::super::{DebtOf, Hold, Move, Observer, Place, Release, Violation};
use super::moment::{Moment, Step};
use super::{AccountState, HoldHead, Reserved, lot_lost};
use crate::money::Credits;

impl AccountState {
    #[inline(always)]
    pub(super) fn hold(
        &mut self,
        step: Step<'_>,
        hold: &Hold,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        let lapses = match hold.expires {
            None => Moment::NEVER,
            Some(expires) => {
                let lapses = Moment::of(expires)?;
                if lapses <= step.at {
                    return Err(Violation::HoldInThePast { expires });
                }
                lapses
            }
        };
        let plan = self.plan_hold(hold.amount, hold.burn, step.at)?;
        let id = step.entry.seq;
        let (mut is_drained, from, to) = (false, Place::Open, Place::Held);
        let Self { index, lots, reserved, .. } = self;
        for (bucket, amount) in plan.takes {
            is_drained |= index.draw(lots, (bucket, amount), step.at, |index, lot, credits| {
                lot.shift(from, to, credits)?;
                reserved.push(Reserved { hold: id, lot: lot.id, index, credits });
                effect.moved(Move { lot: lot.id, bucket, from, to, credits });
                Ok(())
            })?;
            self.balance.shift(bucket, from, to, amount)?;
        }
        if is_drained {
            self.index.drop_empty(&self.lots);
        }
        if hold.expires.is_some() {
            self.index.note_lapse(lapses);
        }
        self.holds.push(HoldHead { id, hold: *hold });
        Ok(())
    }

    #[inline]
    pub(super) fn release(
        &mut self,
        step: Step<'_>,
        release: Release,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        let place = self.hold_place(release.hold)?;
        self.return_reserved(place, step.at, effect)?;
        self.close_hold(place);
        Ok(())
    }

    /// Releases the holds that have lapsed by `at`.
    pub(super) fn lapse(&mut self, at: Moment, effect: &mut impl Observer) -> Result<(), Violation> {
        let mut place = 0;
        while let Some(head) = self.holds.get(place).copied() {
            if Moment::end(head.hold.expires) <= at {
                self.return_reserved(place, at, effect)?;
                self.holds.remove(place);
                effect.lapsed(head.id);
            } else {
                place = place.saturating_add(1);
            }
        }
        self.note_lapses();
        Ok(())
    }

    /// The place of an open hold.
    #[inline(always)]
    pub(super) fn hold_place(&self, hold: u64) -> Result<usize, Violation> {
        // Nearly always the oldest of few.
        let place = self.holds.iter().take(4).position(|open| open.id == hold);
        place.map_or_else(|| self.search_hold(hold), Ok)
    }

    fn search_hold(&self, hold: u64) -> Result<usize, Violation> {
        let settled = |_| match hold {
            1.. if hold <= self.seq => Violation::HoldSettled { hold },
            _ => Violation::UnknownHold { hold },
        };
        self.holds.binary_search_by_key(&hold, |open| open.id).map_err(settled)
    }

    #[inline(always)]
    pub(super) fn close_hold(&mut self, place: usize) {
        let last = self.holds.len().checked_sub(1) == Some(place);
        let closed = if last { self.holds.pop() } else { Some(self.holds.remove(place)) };
        if closed.is_some_and(|head| head.hold.expires.is_some()) {
            self.note_lapses();
        }
    }

    /// Where the parts reserved by the hold at a place stand.
    #[inline(always)]
    pub(super) fn reserved_by(&self, place: usize) -> Range<usize> {
        // Every part is an open hold's, so that one hold alone has all of them.
        if self.holds.len() == 1 {
            return 0..self.reserved.len();
        }
        let hold = self.holds.get(place).map_or(0, |head| head.id);
        let start = self.reserved.partition_point(|part| part.hold < hold);
        let own = self.reserved.iter().skip(start).take_while(|part| part.hold == hold).count();
        start..start.saturating_add(own)
    }

    /// Returns everything the hold at a place still reserves, last part first, and forgives what is owed under it.
    #[inline]
    pub(super) fn return_reserved(
        &mut self,
        place: usize,
        at: Moment,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        let reserved = self.reserved_by(place);
        for place in reserved.clone().rev() {
            let part = *self.reserved.get(place).ok_or_else(lot_lost)?;
            if part.credits.is_positive() {
                self.give_back(part.index, Place::Held, part.credits, at, effect)?;
            }
        }
        self.forget_reserved(reserved);
        if self.debts.is_empty() {
            return Ok(());
        }
        let hold = self.holds.get(place).ok_or_else(lot_lost)?.id;
        self.forgive(DebtOf::Hold(hold), None, effect)
    }

    /// Lets go of the parts reserved by a hold, none of which reserves anything any more.
    #[inline(always)]
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
        for hold in &self.holds {
            self.index.note_lapse(Moment::end(hold.hold.expires));
        }
    }
}
