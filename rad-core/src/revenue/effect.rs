//! What an entry did: which credits moved, who earned what, what is owed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Balance, Bucket, BurnOrder, ChargeTerms, Entry, Policies, Shares};
use crate::id::{AccountId, DeploymentId, ModuleId};
use crate::money::{Amount, Credits, Currency};

/// What an entry did. It follows from the entries up to this one and from nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Effect {
    /// Credits that moved, lot by lot, in the order they did.
    pub moves: Vec<Move>,
    /// The attribution: which lots paid for which charge; negative where that was taken back.
    pub parts: Vec<Part>,
    /// What was earned, one line for each charge concerned; negative where it was booked back.
    pub lines: Vec<RevenueLine>,
    /// Debt that arose (positive) or went (negative).
    pub debts: Vec<DebtChange>,
    /// Holds that had lapsed by the time of the entry, and were released.
    pub lapsed: Vec<u64>,
    /// The balance right after the entry.
    pub balance_after: Balance,
}

impl Effect {
    /// Empties it for another entry, and keeps its memory.
    pub fn clear(&mut self) {
        self.moves.clear();
        self.parts.clear();
        self.lines.clear();
        self.debts.clear();
        self.lapsed.clear();
        self.balance_after = Balance::default();
    }
}

/// Credits of a lot that changed their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Move {
    /// The lot.
    pub lot: u64,
    /// Its kind.
    pub bucket: Bucket,
    /// Where they were.
    pub from: Place,
    /// Where they are now.
    pub to: Place,
    /// How many: more than none.
    pub credits: Credits,
}

/// Where a credit can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Not in the account: where granted credits come from.
    Outside,
    /// In its lot, to be used.
    Open,
    /// In its lot, not to be used while a dispute lasts.
    Frozen,
    /// Reserved by a hold.
    Held,
    /// Spent on a charge or a project's cost.
    Spent,
    /// Void.
    Expired,
    /// Taken away by an adjustment.
    Removed,
    /// Taken back with its payment.
    Reversed,
}

/// What one lot paid of one charge. In an [`Effect`] it is what was added or, negative, taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Part {
    /// The charge: the number of the entry that captured or debited.
    pub charge: u64,
    /// The entry that attributed it: the charge itself, or the grant that repaid it.
    pub entry: u64,
    /// The lot.
    pub lot: u64,
    /// Its kind.
    pub bucket: Bucket,
    /// How many credits.
    pub credits: Credits,
    /// What was paid for them.
    pub cost: Amount,
    /// The revenue they are: their cost, or their worth where the basis is another.
    pub gross: Amount,
    /// The revenue in whole minor units: what of the lot's revenue this part brought over a whole unit.
    pub gross_minor: i64,
}

/// Why there is a revenue line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LineKind {
    /// A charge was captured.
    Charge,
    /// A charge was refunded, in part or in full.
    Refund,
    /// The payment behind spent credits was taken back.
    Reversal,
    /// A later payment repaid what was taken back.
    Repayment,
}

impl LineKind {
    /// The kind's name, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::Reversal => "reversal",
            Self::Repayment => "repayment",
        }
    }
}

/// What one entry earned on one charge, in minor units of the platform's currency: `partner + agent + platform = gross`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RevenueLine {
    /// Who paid.
    pub account: AccountId,
    /// The entry that booked it.
    pub entry: u64,
    /// The charge it belongs to.
    pub charge: u64,
    /// The line it takes back or restores: the charge's own; `None` for that one itself.
    pub original: Option<u64>,
    /// Why.
    pub kind: LineKind,
    /// When it was booked: the time of the entry.
    pub at: DateTime<Utc>,
    /// The module.
    pub module: ModuleId,
    /// The deployment.
    pub deployment: DeploymentId,
    /// The partner who earns.
    pub publisher: Option<AccountId>,
    /// The agent who earns.
    pub agent_account: Option<AccountId>,
    /// What decided the attribution of the charge.
    pub policies: Policies,
    /// All credits of the line.
    pub credits: Credits,
    /// The awarded ones of them.
    pub awarded: Credits,
    /// The purchased ones of them.
    pub purchased: Credits,
    /// The platform's currency.
    pub currency: Currency,
    /// True revenue.
    pub gross: i64,
    /// The partner's share.
    pub partner: i64,
    /// The agent's share.
    pub agent: i64,
    /// What the platform keeps.
    pub platform: i64,
}

/// Revenue as it is booked: what a [`RevenueLine`] says, before it is written out.
#[derive(Debug, Clone, Copy)]
pub struct Earning<'a> {
    /// The entry that books it.
    pub entry: &'a Entry,
    /// The charge it belongs to.
    pub charge: u64,
    /// Why.
    pub kind: LineKind,
    /// The deployment.
    pub deployment: DeploymentId,
    /// Which credits paid first.
    pub burn: BurnOrder,
    /// What the charge is bound to: module, who earns, rates, currency.
    pub terms: &'a ChargeTerms,
    /// All credits of the line; negative where they are taken back, as the others.
    pub credits: Credits,
    /// The awarded ones of them.
    pub awarded: Credits,
    /// The purchased ones of them.
    pub purchased: Credits,
    /// What is earned, and by whom.
    pub shares: Shares,
}

impl Earning<'_> {
    /// The line, written out.
    pub fn line(&self) -> RevenueLine {
        RevenueLine {
            account: self.entry.account,
            entry: self.entry.seq,
            charge: self.charge,
            original: (self.kind != LineKind::Charge).then_some(self.charge),
            kind: self.kind,
            at: self.entry.at,
            module: self.terms.module,
            deployment: self.deployment,
            publisher: self.terms.publisher,
            agent_account: self.terms.agent,
            policies: self.terms.policies(self.burn),
            credits: self.credits,
            awarded: self.awarded,
            purchased: self.purchased,
            currency: self.terms.currency,
            gross: self.shares.gross,
            partner: self.shares.partner,
            agent: self.shares.agent,
            platform: self.shares.platform,
        }
    }
}

/// What a debt is owed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DebtOf {
    /// A charge or a project debit, by the number of its entry.
    Charge(u64),
    /// A hold that is still open, by the number of its entry.
    Hold(u64),
}

/// Debt that arose or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DebtChange {
    /// What it is owed for.
    pub of: DebtOf,
    /// How many credits: positive if it arose, negative if it was repaid or forgiven.
    pub credits: Credits,
}
