//! What an entry can do.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::text::{hex16, hex16_option};
use super::{Bucket, BurnOrder, ChargeTerms, EntryKind, LotSource, Reason, ShareRules};
use crate::id::{DeploymentId, ModuleId};
use crate::money::{Amount, Credits, Money};

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Body {
    /// Opens a lot; a paid one first repays debt.
    Grant(Grant),
    /// Reserves credits for a run.
    Hold(Hold),
    /// Spends reserved credits: the charge.
    Capture(Capture),
    /// Returns reserved credits.
    Release(Release),
    /// Returns charged credits.
    Refund(Refund),
    /// Keeps a lot's unspent credits from being used.
    Freeze(Freeze),
    /// Ends a freeze.
    Unfreeze(Unfreeze),
    /// Takes back credits whose payment was taken back.
    Reversal(Reversal),
    /// Makes visible that a lot's unspent credits are void.
    Expiry(Expiry),
    /// Takes credits for the running cost of a cloud project.
    ProjectDebit(ProjectDebit),
    /// Corrects a balance.
    Adjustment(Adjustment),
    /// Puts share rules in force; only in the platform's own account.
    ShareRules(Arc<ShareRules>),
}

/// Opens a lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Why the credits arrive.
    pub source: LotSource,
    /// Their kind.
    pub bucket: Bucket,
    /// How many: more than none.
    pub credits: Credits,
    /// What was paid for all of them in the platform's currency, net of tax; zero for what is given.
    pub cost: Amount,
    /// The payment itself, where it was in another currency or is worth keeping.
    pub paid: Option<Box<Paid>>,
    /// When what is left becomes void; never without it.
    pub expires: Option<DateTime<Utc>>,
    /// The order, invoice or award behind it: an opaque id.
    #[serde(with = "hex16_option", default)]
    pub reference: Option<[u8; 16]>,
}

/// A payment in its own currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// What was paid.
    pub money: Money,
    /// Units of the platform's currency for one unit of the payment's.
    pub rate: Decimal,
}

/// Reserves credits of particular lots, in burn order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// How many: more than none.
    pub amount: Credits,
    /// Which credits pay first.
    pub burn: BurnOrder,
    /// When the hold lapses by itself; never without it.
    pub expires: Option<DateTime<Utc>>,
    /// The deployment it is for.
    pub deployment: Option<DeploymentId>,
    /// The module it is for.
    pub module: Option<ModuleId>,
}

/// Spends reserved credits; what is left of the hold is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// The number of the entry that holds them.
    pub hold: u64,
    /// How many: more than none, at most what is held.
    pub amount: Credits,
    /// The deployment it is for.
    pub deployment: DeploymentId,
    /// Who earns how much of it; shared between captures at the same terms.
    pub terms: Arc<ChargeTerms>,
}

/// Returns all credits of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The number of the entry that holds them.
    pub hold: u64,
}

/// Returns credits of a charge, or of a project debit, to the lots they came from, with the cost they took; revenue is booked back. Only by
/// somebody other than the owner of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The number of the entry that charged them.
    pub charge: u64,
    /// How many: more than none, at most what is not yet refunded.
    pub amount: Credits,
    /// Why.
    pub reason: Reason,
}

/// Keeps a lot's unspent credits from being used until a dispute ends. Credits on hold already stay there: a run that has
/// begun can be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// The number of the entry that opened it.
    pub lot: u64,
}

/// Ends a freeze.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfreeze {
    /// The number of the entry that opened it.
    pub lot: u64,
}

/// Takes back credits of a paid lot: unspent ones first; for spent ones revenue is booked back and they become debt. For a
/// payment that was refunded in part, [`Lot::to_reverse`](super::Lot::to_reverse) says how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversal {
    /// The number of the entry that opened the lot.
    pub lot: u64,
    /// How many: more than none, at most what is not yet reversed.
    pub amount: Credits,
    /// What happened to the payment.
    pub cause: ReversalCause,
}

/// What happened to a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReversalCause {
    /// It was refunded to the payer.
    PaymentRefund,
    /// The payer disputed it and won.
    DisputeLost,
}

impl ReversalCause {
    /// What happened, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::PaymentRefund => "payment refund",
            Self::DisputeLost => "dispute lost",
        }
    }
}

/// Makes visible that a lot is past its expiry. Void it is from that moment on, with or without this entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// The number of the entry that opened it.
    pub lot: u64,
}

/// Takes credits for the running cost of a cloud project: what can be used at once, the rest as debt. It earns nobody
/// anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectDebit {
    /// How many: more than none.
    pub amount: Credits,
    /// The project: an opaque id.
    #[serde(with = "hex16")]
    pub project: [u8; 16],
    /// The deployment that made it, where it is known.
    pub deployment: Option<DeploymentId>,
}

/// Corrects a balance; only by somebody other than the owner of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjustment {
    /// Which credits.
    pub bucket: Bucket,
    /// Above zero: a lot that cost nothing. Below zero: so many usable credits of the bucket are removed.
    pub amount: Credits,
    /// Why.
    pub reason: Reason,
}

impl Adjustment {
    /// The lot that an adjustment above zero opens: it cost nothing and never expires.
    pub const fn grant(&self) -> Grant {
        Grant {
            source: LotSource::Adjustment,
            bucket: self.bucket,
            credits: self.amount,
            cost: Amount::ZERO,
            paid: None,
            expires: None,
            reference: None,
        }
    }
}

impl Body {
    /// The kind's name, as in JSON.
    pub const fn kind(&self) -> &'static str {
        EntryKind::of(self).as_str()
    }

    /// What a person would look for the entry by, in lower case: the reason somebody gave, where credits came from and under
    /// which order, invoice or award, what happened to a payment, which project was paid for. `None` for entries that say
    /// nothing of the kind.
    pub fn note(&self) -> Option<String> {
        let id = |bytes: [u8; 16]| Uuid::from_bytes(bytes).to_string();
        let note = match self {
            Self::Grant(Grant { source, reference: None, .. }) => source.words().to_owned(),
            Self::Grant(Grant { source, reference: Some(reference), .. }) => {
                format!("{} {}", source.words(), id(*reference))
            }
            Self::Refund(refund) => refund.reason.as_str().to_lowercase(),
            Self::Adjustment(adjustment) => adjustment.reason.as_str().to_lowercase(),
            Self::Reversal(reversal) => reversal.cause.words().to_owned(),
            Self::ProjectDebit(debit) => id(debit.project),
            _ => return None,
        };
        Some(note)
    }

    /// The deployment it names itself.
    pub fn deployment(&self) -> Option<DeploymentId> {
        match self {
            Self::Hold(hold) => hold.deployment,
            Self::Capture(capture) => Some(capture.deployment),
            Self::ProjectDebit(debit) => debit.deployment,
            _ => None,
        }
    }
}
