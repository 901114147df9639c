//! One charge, explained: each credit back to its lot and its payment, the rule that split the revenue, and what became of
//! it since.

mod gather;
mod missing;
mod rules;
mod text;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rad_core::id::{AccountId, DeploymentId};
use rad_core::money::{Amount, Credits};
use rad_core::revenue::{
    Bucket, BurnOrder, ChargeTerms, EntryId, LineKind, LotSource, Paid, RevenueLine, Shares,
};
use rad_core::source::Digest;
use serde::Serialize;

pub use gather::explain;

/// Everything about one charge. Shares are in minor units of the currency, costs in units of it.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// Where the entries are.
    pub source: String,
    /// The entry that charged.
    pub charge: Posted,
    /// What it is: a module's fee, or the cost of a project, which earns nothing.
    pub kind: &'static str,
    /// How many credits were charged.
    pub credits: Credits,
    /// The deployment it is for.
    pub deployment: Option<DeploymentId>,
    /// The hold it captured.
    pub hold: Option<Held>,
    /// The module, who earns, and the rates; `None` for a project's cost.
    pub terms: Option<Arc<ChargeTerms>>,
    /// The entry that put those rates in force, where the source has it.
    pub rules: Option<Rules>,
    /// The lots that paid.
    pub parts: Vec<PaidBy>,
    /// What it earned when it was captured.
    pub earned: Shares,
    /// What happened to it since, in order.
    pub since: Vec<Event>,
    /// What is left of it.
    pub now: Now,
}

/// An entry in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Posted {
    /// The entry.
    pub entry: EntryId,
    /// Its hash, which covers all entries of the account before it.
    pub hash: Digest,
    /// When it was posted.
    pub at: DateTime<Utc>,
    /// Who caused it, where a person did.
    pub actor: Option<AccountId>,
}

/// The hold that a charge captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The entry that held.
    #[serde(flatten)]
    pub posted: Posted,
    /// How many credits.
    pub credits: Credits,
    /// Which credits were to pay first.
    pub burn: BurnOrder,
}

/// The rules that a charge was split by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rules {
    /// The entry of the platform's account.
    #[serde(flatten)]
    pub posted: Posted,
    /// Their version.
    pub version: u32,
    /// Since when they are in force.
    pub effective: DateTime<Utc>,
    /// How the terms of the charge are not those in force at its time; `None` if they are.
    pub problem: Option<String>,
}

/// Credits of one lot in a charge; negative where they were taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PaidBy {
    /// How many.
    pub credits: Credits,
    /// Their kind.
    pub bucket: Bucket,
    /// What was paid for them.
    pub cost: Amount,
    /// The revenue they are.
    pub gross: Amount,
    /// The revenue in whole minor units.
    pub gross_minor: i64,
    /// The lot.
    pub lot: LotFacts,
}

/// Where the credits of a lot came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LotFacts {
    /// The entry that opened it.
    #[serde(flatten)]
    pub posted: Posted,
    /// Why they arrived.
    pub source: LotSource,
    /// How many.
    pub credits: Credits,
    /// What was paid for all of them, in the platform's currency.
    pub cost: Amount,
    /// What one credit cost, as a fraction: `1/10`.
    pub unit_cost: String,
    /// The payment, where it is recorded: amount, currency, rate.
    pub paid: Option<Paid>,
    /// The order, invoice or award: an opaque id.
    pub reference: Option<String>,
    /// When what was left became void.
    pub expires: Option<DateTime<Utc>>,
}

/// Something that happened to a charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// The entry.
    #[serde(flatten)]
    pub posted: Posted,
    /// Its kind: a refund, a reversal, or the grant that repaid.
    pub kind: &'static str,
    /// The reason or the cause, where it has one.
    pub why: Option<String>,
    /// Credits attributed, or negative, taken back.
    pub parts: Vec<PaidBy>,
    /// What was earned, or negative, booked back.
    pub lines: Vec<Line>,
    /// Credits that the charge owes since, or negative, owes no more.
    pub owed: Credits,
}

/// What an event earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Why.
    pub kind: LineKind,
    /// All credits.
    pub credits: Credits,
    /// Everybody's shares.
    #[serde(flatten)]
    pub shares: Shares,
}

/// What is left of a charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Now {
    /// The last entry of the account.
    pub after: Posted,
    /// Credits refunded.
    pub refunded: Credits,
    /// Credits owed, as the payment behind them was taken back.
    pub owed: Credits,
    /// The parts that stand.
    pub parts: Vec<PaidBy>,
    /// Who has what of its revenue.
    pub shares: Shares,
}

impl From<&RevenueLine> for Line {
    fn from(line: &RevenueLine) -> Self {
        let (gross, partner, agent, platform) = (line.gross, line.partner, line.agent, line.platform);
        Self { kind: line.kind, credits: line.credits, shares: Shares { gross, partner, agent, platform } }
    }
}
