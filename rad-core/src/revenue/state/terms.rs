//! The terms of an account's charges, each kept once.

use std::sync::Arc;

use super::super::ChargeTerms;
use super::ChargeHead;

/// The terms that charges of the account were made at. A charge names them by their place here, so that captures at the
/// same terms, of which most accounts have few, count no references.
#[derive(Debug, Clone, Default)]
pub(super) struct TermsTable(Vec<Arc<ChargeTerms>>);

/// How many of the latest terms are looked at before they are kept once more: a repeated value is only memory.
const LOOKBACK: usize = 16;

impl TermsTable {
    /// The place of these terms, which are kept if they are not among the latest.
    pub(super) fn place(&mut self, terms: &Arc<ChargeTerms>) -> usize {
        let mut latest = self.0.iter().enumerate().rev().take(LOOKBACK);
        if let Some((place, _)) = latest.find(|(_, known)| Arc::ptr_eq(known, terms)) {
            return place;
        }
        self.0.push(Arc::clone(terms));
        self.0.len().saturating_sub(1)
    }

    /// The terms of a charge; none for a project debit.
    pub(super) fn of(&self, charge: &ChargeHead) -> Option<&Arc<ChargeTerms>> {
        self.0.get(charge.terms?)
    }

    /// Forgets everything but its memory.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
