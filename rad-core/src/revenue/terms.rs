//! Who earns how much of a charge, and by which rule.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{BurnOrder, Policies, RevenueBasis, Rounding, Violation};
use crate::id::{AccountId, ModuleId};
use crate::money::{CreditsPerUnit, Currency, Rate};
use crate::source::CommitId;

/// The account whose entries are the history of the share rules: 16 zero bytes.
pub const PLATFORM_ACCOUNT: AccountId = AccountId::from_bytes([0; 16]);

/// What a charge is bound to for ever: the module, who earns, and the rates in force when it was captured. Charges at the same
/// terms share one value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChargeTerms {
    /// The module.
    pub module: ModuleId,
    /// The commit of the module that was deployed.
    pub commit: CommitId,
    /// The partner who published the module; `None` for the platform's own.
    pub publisher: Option<AccountId>,
    /// The agent who referred the account that pays.
    pub agent: Option<AccountId>,
    /// The publisher's share.
    pub partner_share: Rate,
    /// The agent's share.
    pub agent_share: Rate,
    /// The version of the share rules that said so.
    pub rule_version: u32,
    /// What purchased credits yield.
    pub basis: RevenueBasis,
    /// What the credits of allowances yield: nothing, or their worth at this price.
    pub allowance_earns: Option<CreditsPerUnit>,
    /// How the revenue is rounded.
    pub rounding: Rounding,
    /// The platform's currency.
    pub currency: Currency,
}

impl ChargeTerms {
    /// Checks the terms of a charge to `account`.
    ///
    /// # Errors
    /// [`Violation::SelfReferral`], [`Violation::SharesExceedGross`].
    pub fn check(&self, account: AccountId) -> Result<(), Violation> {
        if self.agent == Some(account) {
            return Err(Violation::SelfReferral { account });
        }
        check_shares(self.partner_share, self.agent_share)
    }

    /// What decides the attribution of a charge at these terms.
    pub(super) const fn policies(&self, burn: BurnOrder) -> Policies {
        Policies {
            rule_version: self.rule_version,
            burn,
            basis: self.basis,
            allowance_earns: self.allowance_earns,
            rounding: self.rounding,
        }
    }

    /// The shares in basis points that are really paid: none without somebody to pay them to.
    pub(super) fn points(&self) -> (u16, u16) {
        let partner = self.publisher.map_or(0, |_| self.partner_share.basis_points());
        let agent = self.agent.map_or(0, |_| self.agent_share.basis_points());
        (partner, agent)
    }
}

/// The rules that decide splits from a moment on; kept as entries of [`PLATFORM_ACCOUNT`], so that an export of the
/// ledger explains itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ShareRules {
    /// Counts the rules: 1, 2, 3 … as the entries of the platform account, of which each has one. Recorded in every charge
    /// they decide.
    pub version: u32,
    /// Since when they are in force; never before the entry that puts them there.
    pub effective: DateTime<Utc>,
    /// The platform's currency.
    pub currency: Currency,
    /// Every partner's share without one of its own.
    pub partner_share: Rate,
    /// Every agent's share.
    pub agent_share: Rate,
    /// Partners with a share of their own, in the order of their ids.
    pub overrides: Vec<PartnerRate>,
    /// What purchased credits yield.
    pub basis: RevenueBasis,
    /// What the credits of allowances yield.
    pub allowance_earns: Option<CreditsPerUnit>,
    /// How revenue is rounded.
    pub rounding: Rounding,
}

/// A partner's own share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PartnerRate {
    /// The partner.
    pub partner: AccountId,
    /// The share.
    pub share: Rate,
}

impl ShareRules {
    /// The share of a partner under these rules.
    pub fn share_of(&self, partner: AccountId) -> Rate {
        let own = self.overrides.iter().find(|rate| rate.partner == partner);
        own.map_or(self.partner_share, |rate| rate.share)
    }

    /// What these rules bind a charge to.
    pub fn terms(
        &self,
        module: ModuleId,
        commit: CommitId,
        publisher: Option<AccountId>,
        agent: Option<AccountId>,
    ) -> ChargeTerms {
        ChargeTerms {
            module,
            commit,
            publisher,
            agent,
            partner_share: publisher.map_or(self.partner_share, |partner| self.share_of(partner)),
            agent_share: self.agent_share,
            rule_version: self.version,
            basis: self.basis,
            allowance_earns: self.allowance_earns,
            rounding: self.rounding,
            currency: self.currency,
        }
    }

    /// Whether they decide every charge as `other` do: all but version and time is the same.
    pub fn decides_as(&self, other: &Self) -> bool {
        let same_place = Self { version: other.version, effective: other.effective, ..self.clone() };
        same_place == *other
    }

    /// Checks that no charge can owe more than it yields, and that each partner stands once, in order.
    ///
    /// # Errors
    /// [`Violation::SharesExceedGross`], [`Violation::UnorderedOverrides`].
    pub fn check(&self) -> Result<(), Violation> {
        let shares = std::iter::once(self.partner_share).chain(self.overrides.iter().map(|rate| rate.share));
        for share in shares {
            check_shares(share, self.agent_share)?;
        }
        if self.overrides.is_sorted_by(|one, next| one.partner < next.partner) {
            Ok(())
        } else {
            Err(Violation::UnorderedOverrides)
        }
    }

    /// Checks them as what the entry with this number and time puts in force. The platform account has no other entries,
    /// so that its numbers count versions; and rates change from now on, never backwards.
    pub(super) fn check_entry(&self, seq: u64, at: DateTime<Utc>) -> Result<(), Violation> {
        if u64::from(self.version) != seq {
            return Err(Violation::RuleVersion { expected: seq, actual: self.version });
        }
        if self.effective < at {
            return Err(Violation::RulesBackdated { at, effective: self.effective });
        }
        self.check()
    }
}

fn check_shares(partner: Rate, agent: Rate) -> Result<(), Violation> {
    let sum = partner.basis_points().saturating_add(agent.basis_points());
    if sum > Rate::FULL.basis_points() {
        return Err(Violation::SharesExceedGross { partner, agent });
    }
    Ok(())
}
