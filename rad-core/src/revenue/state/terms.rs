//! The terms of charges, each kept once.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::super::ChargeTerms;
use super::ChargeHead;

/// The terms that charges were made at. A charge names them by their place here, so that captures at the same terms count
/// no references.
#[derive(Debug, Clone, Default)]
pub(super) struct TermsTable {
    terms: Vec<Arc<ChargeTerms>>,
    /// Where terms at some address stand, by the hash of the address: hints, of which half or more are unused.
    hints: Vec<u32>,
}

/// How many of the latest terms are looked at, where no hint helps, before they are kept once more: a repeated value is only
/// memory.
const LOOKBACK: usize = 8;
/// How many terms are kept from account to account.
const MOST_KEPT: usize = 1 << 15;
const NO_HINT: u32 = u32::MAX;

impl TermsTable {
    /// The place of these terms, which are kept if they are not known.
    #[inline(always)]
    pub(super) fn place(&mut self, terms: &Arc<ChargeTerms>) -> usize {
        let hint = self.hints.get(self.slot(terms)).and_then(|hint| usize::try_from(*hint).ok());
        match hint {
            Some(place) if self.is_at(place, terms) => place,
            _ => self.keep(terms),
        }
    }

    /// The terms of a charge; none for a project debit.
    #[inline]
    pub(super) fn of(&self, charge: &ChargeHead) -> Option<&Arc<ChargeTerms>> {
        self.terms.get(charge.terms?)
    }

    /// Begins another account, where the same terms are likely to come again.
    pub(super) fn reset(&mut self) {
        if self.terms.len() > MOST_KEPT {
            self.terms.clear();
        }
    }

    fn keep(&mut self, terms: &Arc<ChargeTerms>) -> usize {
        let next = self.terms.len();
        let mut latest = (0..next).rev().take(LOOKBACK);
        if let Some(place) = latest.find(|place| self.is_at(*place, terms)) {
            self.hint(place);
            return place;
        }
        self.terms.push(Arc::clone(terms));
        if next < self.hints.len() / 2 {
            self.hint(next);
        } else {
            self.hints.clear();
            self.hints.resize(next.saturating_add(1).saturating_mul(2).next_power_of_two(), NO_HINT);
            (0..=next).for_each(|place| self.hint(place));
        }
        next
    }

    fn hint(&mut self, place: usize) {
        let slot = self.terms.get(place).map(|terms| self.slot(terms));
        if let Some(hint) = slot.and_then(|slot| self.hints.get_mut(slot)) {
            *hint = u32::try_from(place).unwrap_or(NO_HINT);
        }
    }

    #[inline]
    fn is_at(&self, place: usize, terms: &Arc<ChargeTerms>) -> bool {
        self.terms.get(place).is_some_and(|known| Arc::ptr_eq(known, terms))
    }

    #[inline]
    fn slot(&self, terms: &Arc<ChargeTerms>) -> usize {
        let hash = FxBuildHasher.hash_one(Arc::as_ptr(terms).addr());
        usize::try_from(hash).unwrap_or(0) & self.hints.len().wrapping_sub(1)
    }
}
