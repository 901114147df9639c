//! Reserving credits, and returning what was reserved.

use chrono::{DateTime, Utc};

use super::super::exact::Exact;
use super::super::{DebtOf, Effect, Entry, Hold, Place, Release, Violation};
use super::{AccountState, HoldHead, LOT_LOST, Reserved, check_time};
use crate::money::Credits;

impl AccountState {
    pub(super) fn hold(&mut self, entry: &Entry, hold: &Hold, effect: &mut Effect) -> Result<(), Violation> {
        if let Some(expires) = hold.expires {
            check_time(expires)?;
            if expires <= entry.at {
                return Err(Violation::HoldInThePast { expires });
            }
        }
        let mut picks = std::mem::take(&mut self.index.picks);
        self.pick_for_hold(hold.amount, hold.burn, entry.at, &mut picks)?;
        for pick in &picks {
            self.shift(pick.index, Place::Open, Place::Held, pick.credits, effect)?;
            let lot = self.lots.get(pick.index).ok_or(LOT_LOST)?.id;
            self.reserved.push(Reserved { hold: entry.seq, lot, credits: pick.credits });
        }
        picks.clear();
        self.index.picks = picks;
        self.index.note_lapse(hold.expires);
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
        effect: &mut Effect,
    ) -> Result<(), Violation> {
        let place = self.hold_place(release.hold)?;
        self.return_reserved(release.hold, entry.at, effect)?;
        self.close_hold(place);
        Ok(())
    }

    /// Releases the holds that have lapsed by `at`.
    pub(super) fn lapse(&mut self, at: DateTime<Utc>, effect: &mut Effect) -> Result<(), Violation> {
        let lapsed = self.holds.iter().filter(|hold| hold.expires.is_some_and(|expires| expires <= at));
        let lapsed: Vec<u64> = lapsed.map(|hold| hold.id).collect();
        for hold in lapsed {
            self.return_reserved(hold, at, effect)?;
            self.holds.retain(|open| open.id != hold);
            effect.lapsed.push(hold);
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
        self.holds.binary_search_by_key(&hold, |open| open.id).map_err(|_| settled())
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
        effect: &mut Effect,
    ) -> Result<(), Violation> {
        for place in (0..self.reserved.len()).rev() {
            let part = self.reserved.get(place).copied().filter(|part| part.hold == hold);
            let Some(part) = part.filter(|part| part.credits.is_positive()) else { continue };
            let index = self.lot_index(part.lot).ok_or(LOT_LOST)?;
            self.give_back(index, Place::Held, part.credits, at, effect)?;
        }
        self.reserved.retain(|part| part.hold != hold);
        self.forgive(DebtOf::Hold(hold), None, effect)
    }

    /// Forgives debt, the latest first: up to `limit`, or all.
    pub(super) fn forgive(
        &mut self,
        of: DebtOf,
        limit: Option<Credits>,
        effect: &mut Effect,
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
            self.index.note_lapse(hold.expires);
        }
    }
}
