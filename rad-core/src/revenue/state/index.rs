//! Burn order and deadlines, kept beside the lots so that a hold looks at no more lots than it takes from.
//!
//! A cache: it says nothing that the lots and holds do not.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::super::{Bucket, Lot};

#[derive(Debug, Clone, Default)]
pub(super) struct BurnIndex {
    deadlines: Deadlines,
    awarded: VecDeque<usize>,
    purchased: VecDeque<usize>,
}

/// When something happens without an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// The soonest expiry of a lot that gives.
    expiry: DateTime<Utc>,
    /// The soonest lapse of a hold.
    lapse: DateTime<Utc>,
    /// The sooner of the two.
    due: DateTime<Utc>,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { expiry: NEVER, lapse: NEVER, due: NEVER }
    }
}

impl BurnIndex {
    /// Forgets everything but its memory.
    pub(super) fn clear(&mut self) {
        self.deadlines = Deadlines::default();
        self.awarded.clear();
        self.purchased.clear();
    }

    /// Places of lots in burn order: soonest expiry first, then oldest. Some may have nothing to give.
    pub(super) fn of(&self, bucket: Bucket) -> &VecDeque<usize> {
        match bucket {
            Bucket::Awarded => &self.awarded,
            Bucket::Purchased => &self.purchased,
        }
    }

    /// Puts a lot in its place in the order; it may be there already.
    pub(super) fn insert(&mut self, index: usize, lots: &[Lot]) {
        let Some(lot) = lots.get(index) else { return };
        let key = burn_key(lot);
        // A lot that stands in its place may still be one whose expiry was forgotten while it had nothing to give.
        self.deadlines.expiry = self.deadlines.expiry.min(key.0);
        self.deadlines.due = self.deadlines.due.min(key.0);
        let queue = match lot.bucket {
            Bucket::Awarded => &mut self.awarded,
            Bucket::Purchased => &mut self.purchased,
        };
        if queue.front() == Some(&index) {
            return;
        }
        let key_at = |place: &usize| lots.get(*place).map(burn_key);
        if queue.back().is_none_or(|back| key_at(back) < Some(key)) {
            queue.push_back(index);
        } else if let Err(place) = queue.binary_search_by(|other| key_at(other).cmp(&Some(key))) {
            queue.insert(place, index);
        }
    }

    /// Notes when a hold lapses.
    pub(super) fn note_lapse(&mut self, expires: DateTime<Utc>) {
        self.deadlines.lapse = self.deadlines.lapse.min(expires);
        self.deadlines.due = self.deadlines.due.min(expires);
    }

    /// Forgets when holds lapse.
    pub(super) fn clear_lapses(&mut self) {
        self.deadlines.lapse = NEVER;
        self.deadlines.due = self.deadlines.expiry;
    }

    /// No usable credits run out before this time.
    #[inline]
    pub(super) const fn next_expiry(&self) -> DateTime<Utc> {
        self.deadlines.expiry
    }

    /// Whether anything may have run out or lapsed by `at`.
    #[inline]
    pub(super) fn is_due(&self, at: DateTime<Utc>) -> bool {
        self.deadlines.due <= at
    }

    /// The deadlines, to be set again if what changed them is taken back.
    pub(super) const fn deadlines(&self) -> Deadlines {
        self.deadlines
    }

    pub(super) const fn set_deadlines(&mut self, deadlines: Deadlines) {
        self.deadlines = deadlines;
    }

    /// Forgets lots from a place on.
    pub(super) fn forget_from(&mut self, place: usize) {
        self.awarded.retain(|lot| *lot < place);
        self.purchased.retain(|lot| *lot < place);
    }

    /// Whether a hold may have lapsed by `at`.
    pub(super) fn lapses_by(&self, at: DateTime<Utc>) -> bool {
        self.deadlines.lapse <= at
    }

    /// Places of the lots that have run out by `at`.
    pub(super) fn expired_by(&self, at: DateTime<Utc>, lots: &[Lot]) -> Vec<usize> {
        let expired = |place: &&usize| lots.get(**place).is_some_and(|lot| lot.is_expired(at));
        let of = |queue: &VecDeque<usize>| queue.iter().take_while(expired).copied().collect::<Vec<_>>();
        [of(&self.awarded), of(&self.purchased)].concat()
    }

    /// Looks up the next expiry after `at`.
    pub(super) fn set_next_expiry(&mut self, at: DateTime<Utc>, lots: &[Lot]) {
        let later =
            |place: &usize| lots.get(*place).map(|lot| burn_key(lot).0).filter(|expires| *expires > at);
        let next = |queue: &VecDeque<usize>| queue.iter().find_map(later).unwrap_or(NEVER);
        self.deadlines.expiry = next(&self.awarded).min(next(&self.purchased));
        self.deadlines.due = self.deadlines.expiry.min(self.deadlines.lapse);
    }

    /// Lets go of lots at the front that have nothing to give; whoever gives them something back puts them in again.
    #[inline]
    pub(super) fn drop_empty(&mut self, lots: &[Lot]) {
        for queue in [&mut self.awarded, &mut self.purchased] {
            while queue.front().is_some_and(|place| lots.get(*place).is_none_or(|lot| !lot.gives())) {
                queue.pop_front();
            }
        }
    }
}

const NEVER: DateTime<Utc> = DateTime::<Utc>::MAX_UTC;

fn burn_key(lot: &Lot) -> (DateTime<Utc>, u64) {
    (lot.expires.unwrap_or(NEVER), lot.id)
}
