//! Burn order and deadlines, kept beside the lots so that a hold looks at no more lots than it takes from.
//!
//! A cache: it says nothing that the lots and holds do not, and compares equal to every other.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::super::{Bucket, Lot};

#[derive(Debug, Clone)]
pub(super) struct BurnIndex {
    next_expiry: DateTime<Utc>,
    next_lapse: DateTime<Utc>,
    /// The sooner of the two.
    next_due: DateTime<Utc>,
    awarded: VecDeque<usize>,
    purchased: VecDeque<usize>,
}

impl BurnIndex {
    /// Forgets everything but its memory.
    pub(super) fn clear(&mut self) {
        self.next_expiry = NEVER;
        self.next_lapse = NEVER;
        self.awarded.clear();
        self.purchased.clear();
        self.next_due = NEVER;
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
        let queue = match lot.bucket {
            Bucket::Awarded => &mut self.awarded,
            Bucket::Purchased => &mut self.purchased,
        };
        let key_at = |place: &usize| lots.get(*place).map(burn_key);
        if queue.back().is_none_or(|back| key_at(back) < Some(key)) {
            queue.push_back(index);
        } else if let Err(place) = queue.binary_search_by(|other| key_at(other).cmp(&Some(key))) {
            queue.insert(place, index);
        }
        self.next_expiry = self.next_expiry.min(key.0);
        self.next_due = self.next_due.min(key.0);
    }

    /// Notes when a hold lapses.
    pub(super) fn note_lapse(&mut self, expires: DateTime<Utc>) {
        self.next_lapse = self.next_lapse.min(expires);
        self.next_due = self.next_due.min(expires);
    }

    /// Forgets when holds lapse.
    pub(super) fn clear_lapses(&mut self) {
        self.next_lapse = NEVER;
        self.next_due = self.next_expiry;
    }

    /// No usable credits run out before this time.
    #[inline]
    pub(super) const fn next_expiry(&self) -> DateTime<Utc> {
        self.next_expiry
    }

    /// Whether anything may have run out or lapsed by `at`.
    #[inline]
    pub(super) fn is_due(&self, at: DateTime<Utc>) -> bool {
        self.next_due <= at
    }

    /// Whether a hold may have lapsed by `at`.
    pub(super) fn lapses_by(&self, at: DateTime<Utc>) -> bool {
        self.next_lapse <= at
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
        self.next_expiry = next(&self.awarded).min(next(&self.purchased));
        self.next_due = self.next_expiry.min(self.next_lapse);
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

impl Default for BurnIndex {
    fn default() -> Self {
        Self {
            next_expiry: NEVER,
            next_lapse: NEVER,
            next_due: NEVER,
            awarded: VecDeque::new(),
            purchased: VecDeque::new(),
        }
    }
}

impl PartialEq for BurnIndex {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for BurnIndex {}

const NEVER: DateTime<Utc> = DateTime::<Utc>::MAX_UTC;

fn burn_key(lot: &Lot) -> (DateTime<Utc>, u64) {
    (lot.expires.unwrap_or(NEVER), lot.id)
}
