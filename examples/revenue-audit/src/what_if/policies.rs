//! Other policies, put into entries in place of the recorded ones.

use std::collections::HashMap;
use std::sync::Arc;

use rad_core::money::{CreditsPerUnit, Rate};
use rad_core::revenue::{Body, BurnOrder, Capture, ChargeTerms, Hold, RevenueBasis, ShareRules};
use serde::Serialize;

/// The policies to ask about; what is `None` stays as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Policies {
    /// Every partner's share, in percent.
    pub partner_share: Option<Rate>,
    /// Every agent's share, in percent.
    pub agent_share: Option<Rate>,
    /// Which credits pay first. Fees that only purchased credits may pay stay so.
    pub burn_order: Option<BurnOrder>,
    /// What purchased credits yield.
    pub basis: Option<RevenueBasis>,
    /// The price at which the credits of allowances yield.
    pub allowance_earns: Option<CreditsPerUnit>,
    /// Whether all charges are split by the rules in force last; the policies above come after that.
    pub current_rates: bool,
}

/// Rewrites entries.
#[derive(Debug)]
pub(super) struct Rewriting {
    policies: Policies,
    current: Option<Arc<ShareRules>>,
    /// Charges share terms, so the new ones are made once for each.
    terms: HashMap<ChargeTerms, Arc<ChargeTerms>>,
}

impl Rewriting {
    pub(super) fn new(policies: Policies) -> Self {
        Self { policies, current: None, terms: HashMap::new() }
    }

    /// Notes rules of the platform's account; the last ones are the current ones.
    pub(super) fn note(&mut self, rules: &Arc<ShareRules>) {
        if self.policies.current_rates {
            self.current = Some(Arc::clone(rules));
        }
    }

    pub(super) fn current_version(&self) -> Option<u32> {
        self.current.as_ref().map(|rules| rules.version)
    }

    /// What the entry would have said; `None` if the same.
    pub(super) fn rewrite(&mut self, body: &Body) -> Option<Body> {
        match body {
            Body::Hold(hold) if hold.burn != BurnOrder::PurchasedOnly => {
                let burn = self.policies.burn_order.filter(|burn| *burn != hold.burn)?;
                Some(Body::Hold(Hold { burn, ..*hold }))
            }
            Body::Capture(capture) => {
                let terms = self.terms_for(&capture.terms);
                Some(Body::Capture(Capture { terms, ..capture.clone() }))
            }
            _ => None,
        }
    }

    fn terms_for(&mut self, recorded: &Arc<ChargeTerms>) -> Arc<ChargeTerms> {
        if let Some(known) = self.terms.get(&**recorded) {
            return Arc::clone(known);
        }
        let mut terms = ChargeTerms::clone(recorded);
        if let Some(rules) = &self.current {
            let current = rules.terms(terms.module, terms.commit, terms.publisher, terms.agent);
            terms = ChargeTerms { currency: terms.currency, ..current };
        }
        terms.partner_share = self.policies.partner_share.unwrap_or(terms.partner_share);
        terms.agent_share = self.policies.agent_share.unwrap_or(terms.agent_share);
        terms.basis = self.policies.basis.unwrap_or(terms.basis);
        terms.allowance_earns = self.policies.allowance_earns.or(terms.allowance_earns);
        let terms = Arc::new(terms);
        self.terms.insert(ChargeTerms::clone(recorded), Arc::clone(&terms));
        terms
    }
}
