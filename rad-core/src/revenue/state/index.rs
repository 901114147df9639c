//! Burn order and deadlines, kept beside the lots so that a hold looks at no more lots than it takes from.
//!
//! A cache: it says nothing that the lots and holds do not.

use super::super::exact::Exact;
use super::super::{Bucket, Lot, Violation};
use super::lot_lost;
use super::moment::Moment;
use crate::money::Credits;

#[derive(Debug, Clone, Default)]
pub(super) struct BurnIndex {
    deadlines: Deadlines,
    awarded: Queue,
    purchased: Queue,
}

/// Lots of a bucket in burn order. Some may have nothing to give.
#[derive(Debug, Clone, Default)]
struct Queue {
    lots: Vec<Waiting>,
    /// Those before it were let go of.
    first: usize,
}

/// A lot that waits for its turn: soonest expiry first, then oldest, which has the lowest index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiting {
    pub(super) expires: Moment,
    pub(super) index: usize,
}

/// When something happens without an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// The soonest expiry of a lot that gives.
    expiry: Moment,
    /// The soonest lapse of a hold.
    lapse: Moment,
    /// The sooner of the two.
    due: Moment,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { expiry: Moment::NEVER, lapse: Moment::NEVER, due: Moment::NEVER }
    }
}

impl BurnIndex {
    /// Forgets everything but its memory.
    pub(super) fn clear(&mut self) {
        self.deadlines = Deadlines::default();
        self.awarded.clear();
        self.purchased.clear();
    }

    /// The lots of a bucket in burn order. Some may have nothing to give.
    #[inline]
    pub(super) fn of(&self, bucket: Bucket) -> &[Waiting] {
        match bucket {
            Bucket::Awarded => self.awarded.waiting(),
            Bucket::Purchased => self.purchased.waiting(),
        }
    }

    /// Takes `amount` from the lots of a bucket, in burn order, as far as they have it: `take` is told of each lot that gives,
    /// and how many credits. Says whether one has nothing left to give.
    #[inline(always)]
    pub(super) fn draw(
        &self,
        lots: &mut [Lot],
        (bucket, amount): (Bucket, Credits),
        at: Moment,
        mut take: impl FnMut(usize, &mut Lot, Credits) -> Result<(), Violation>,
    ) -> Result<bool, Violation> {
        let (mut left, mut is_drained) = (amount, false);
        if !amount.is_positive() {
            return Ok(false);
        }
        for waiting in self.of(bucket) {
            let lot = lots.get_mut(waiting.index).ok_or_else(lot_lost)?;
            if !lot.open.is_positive() || waiting.expires <= at {
                continue;
            }
            let credits = lot.open.min(left);
            left = left.minus(credits)?;
            take(waiting.index, lot, credits)?;
            is_drained |= !lot.open.is_positive();
            if !left.is_positive() {
                break;
            }
        }
        Ok(is_drained)
    }

    /// Puts the lot with an index in its place in the order; it may be there already.
    #[inline]
    pub(super) fn insert(&mut self, index: usize, lot: &Lot) {
        let waiting = Waiting { expires: Moment::end(lot.expires), index };
        // A lot that stands in its place may still be one whose expiry was forgotten while it had nothing to give.
        self.deadlines.expiry = self.deadlines.expiry.min(waiting.expires);
        self.deadlines.due = self.deadlines.due.min(waiting.expires);
        match lot.bucket {
            Bucket::Awarded => self.awarded.insert(waiting),
            Bucket::Purchased => self.purchased.insert(waiting),
        }
    }

    /// Notes when a hold lapses.
    pub(super) fn note_lapse(&mut self, expires: Moment) {
        self.deadlines.lapse = self.deadlines.lapse.min(expires);
        self.deadlines.due = self.deadlines.due.min(expires);
    }

    /// Forgets when holds lapse.
    pub(super) fn clear_lapses(&mut self) {
        self.deadlines.lapse = Moment::NEVER;
        self.deadlines.due = self.deadlines.expiry;
    }

    /// No usable credits run out before this time.
    #[inline]
    pub(super) const fn next_expiry(&self) -> Moment {
        self.deadlines.expiry
    }

    /// Whether anything may have run out or lapsed by `at`.
    #[inline]
    pub(super) fn is_due(&self, at: Moment) -> bool {
        self.deadlines.due <= at
    }

    /// The deadlines, to be set again if what changed them is taken back.
    pub(super) const fn deadlines(&self) -> Deadlines {
        self.deadlines
    }

    pub(super) const fn set_deadlines(&mut self, deadlines: Deadlines) {
        self.deadlines = deadlines;
    }

    /// Forgets lots from an index on.
    pub(super) fn forget_from(&mut self, index: usize) {
        for queue in [&mut self.awarded, &mut self.purchased] {
            let first = std::mem::take(&mut queue.first);
            queue.lots.drain(..first.min(queue.lots.len()));
            queue.lots.retain(|waiting| waiting.index < index);
        }
    }

    /// Whether a hold may have lapsed by `at`.
    pub(super) fn lapses_by(&self, at: Moment) -> bool {
        self.deadlines.lapse <= at
    }

    /// Looks up the next expiry after `at`.
    pub(super) fn set_next_expiry(&mut self, at: Moment) {
        let next = |queue: &Queue| {
            let later = queue.waiting().iter().find(|waiting| waiting.expires > at);
            later.map_or(Moment::NEVER, |waiting| waiting.expires)
        };
        self.deadlines.expiry = next(&self.awarded).min(next(&self.purchased));
        self.deadlines.due = self.deadlines.expiry.min(self.deadlines.lapse);
    }

    /// Lets go of lots at the front that have nothing to give; whoever gives them something back puts them in again.
    #[inline]
    pub(super) fn drop_empty(&mut self, lots: &[Lot]) {
        self.awarded.drop_empty(lots);
        self.purchased.drop_empty(lots);
    }
}

impl Queue {
    fn clear(&mut self) {
        self.lots.clear();
        self.first = 0;
    }

    #[inline]
    fn waiting(&self) -> &[Waiting] {
        self.lots.get(self.first..).unwrap_or_default()
    }

    #[inline]
    fn insert(&mut self, waiting: Waiting) {
        if self.waiting().last().is_none_or(|last| *last < waiting) {
            if self.first == self.lots.len() {
                self.clear();
            }
            self.lots.push(waiting);
        } else if self.waiting().first() != Some(&waiting) {
            self.insert_before_last(waiting);
        }
    }

    fn insert_before_last(&mut self, waiting: Waiting) {
        let Err(place) = self.waiting().binary_search(&waiting) else { return };
        let before = self.first.checked_sub(1).filter(|_| place == 0);
        if let Some((first, free)) = before.and_then(|first| Some((first, self.lots.get_mut(first)?))) {
            *free = waiting;
            self.first = first;
        } else {
            self.lots.insert(self.first.saturating_add(place), waiting);
        }
    }

    #[inline]
    fn drop_empty(&mut self, lots: &[Lot]) {
        while let Some(waiting) = self.lots.get(self.first)
            && lots.get(waiting.index).is_none_or(|lot| !lot.gives())
        {
            self.first = self.first.saturating_add(1);
        }
    }
}
