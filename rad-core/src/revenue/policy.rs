//! The policies that decide an attribution: small values, recorded with what they decided.

use serde::{Deserialize, Serialize};

use super::Bucket;
use crate::money::CreditsPerUnit;

/// Which credits pay first. Inside a bucket the lots that expire soonest do, then the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BurnOrder {
    /// Awarded credits, then purchased ones: the rule of the platform.
    #[default]
    AwardedFirst,
    /// Purchased credits only: for modules that take no awarded ones.
    PurchasedOnly,
    /// Purchased credits, then awarded ones: for asking what would have been.
    PurchasedFirst,
}

impl BurnOrder {
    /// Every burn order.
    pub const ALL: [Self; 3] = [Self::AwardedFirst, Self::PurchasedOnly, Self::PurchasedFirst];

    /// The order's name, lower case with underscores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwardedFirst => "awarded_first",
            Self::PurchasedOnly => "purchased_only",
            Self::PurchasedFirst => "purchased_first",
        }
    }

    /// The order of a module's fee: `purchased_only` where the module takes no awarded credits.
    pub const fn of_module(purchased_only: bool) -> Self {
        if purchased_only { Self::PurchasedOnly } else { Self::AwardedFirst }
    }

    /// The bucket that pays first, and the one that pays the rest where one does.
    pub(super) const fn buckets(self) -> (Bucket, Option<Bucket>) {
        match self {
            Self::AwardedFirst => (Bucket::Awarded, Some(Bucket::Purchased)),
            Self::PurchasedOnly => (Bucket::Purchased, None),
            Self::PurchasedFirst => (Bucket::Purchased, Some(Bucket::Awarded)),
        }
    }
}

/// What purchased credits yield when they are spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RevenueBasis {
    /// What was paid for them.
    #[default]
    LotCost,
    /// Their worth at this price, where anything was paid for them.
    CreditsPerUnit(CreditsPerUnit),
}

/// How revenue becomes minor units, and how those are shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rounding {
    /// A lot's revenue by cumulative floor over the lot; a line's shares by largest remainder, ties to the partner, then
    /// the agent, then the platform.
    #[default]
    FloorThenLargestRemainder,
}

impl Rounding {
    /// The rule's name, lower case with underscores, as statements record it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FloorThenLargestRemainder => "floor_then_largest_remainder",
        }
    }
}

/// What decided an attribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Policies {
    /// The version of the share rules in force at the charge.
    pub rule_version: u32,
    /// Which credits paid first.
    pub burn: BurnOrder,
    /// What purchased credits yielded.
    pub basis: RevenueBasis,
    /// What the credits of allowances yielded: nothing, or their worth at this price.
    pub allowance_earns: Option<CreditsPerUnit>,
    /// How it was rounded.
    pub rounding: Rounding,
}
