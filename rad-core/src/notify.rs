//! Telling people what happened to them.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::BackendError;
use crate::id::{AccountId, DeploymentId, OrderId};
use crate::money::Credits;
use crate::source::CommitId;
use crate::watch::PlannedStep;

/// How many modules one notice names.
pub const MOST_TOLD: usize = 20;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notice {
    /// A deployment reached success.
    DeploymentSucceeded {
        /// The deployment.
        deployment: DeploymentId,
    },
    /// A run of a deployment ended otherwise.
    DeploymentFailed {
        /// The deployment.
        deployment: DeploymentId,
    },
    /// A deployment that waited for other modules could not begin once they were there.
    DeploymentRefused {
        /// The deployment.
        deployment: DeploymentId,
        /// Why, in a sentence.
        reason: String,
    },
    /// A run of a deployment waits: its plan destroys or replaces what nobody confirmed.
    ConfirmationAsked {
        /// The deployment.
        deployment: DeploymentId,
    },
    /// A deployment was destroyed.
    DeploymentDeleted {
        /// The deployment.
        deployment: DeploymentId,
    },
    /// A purchase was credited.
    CreditsPurchased {
        /// The order.
        order: OrderId,
        /// The credits.
        credits: Credits,
    },
    /// Credits were awarded.
    CreditsAwarded {
        /// The credits.
        credits: Credits,
    },
    /// Published modules changed in the repository, and stay as they were: auto-update is on, and what is there now cannot be
    /// published.
    ModulesKept {
        /// The repository.
        repository: String,
        /// The commit that they were looked at.
        commit: CommitId,
        /// How many they are.
        modules: u64,
        /// The first of them, at most [`MOST_TOLD`], with the reasons.
        steps: Vec<PlannedStep>,
    },
    /// A payment does not agree with its order; finance must look.
    PaymentMismatch {
        /// The order.
        order: OrderId,
    },
}

/// A notice as it is kept for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptNotice {
    /// Its place among all notices: later ones have higher numbers.
    pub number: u64,
    /// When the account was told.
    pub at: DateTime<Utc>,
    /// What happened.
    pub notice: Notice,
    /// Whether the person marked it as seen.
    pub seen: bool,
}

/// Takes notices for accounts.
///
/// # Contract
/// Returning means the notice is kept or delivered; the same `key` twice tells the person once.
#[async_trait]
pub trait Notifier: Send + Sync + fmt::Debug {
    /// Tells `account` about `notice`.
    async fn notify(
        &self,
        account: AccountId,
        key: &str,
        notice: &Notice,
        at: DateTime<Utc>,
    ) -> Result<(), BackendError>;

    /// The latest notices of an account, newest first, at most `limit`.
    async fn notices(&self, account: AccountId, limit: u32) -> Result<Vec<KeptNotice>, BackendError>;

    /// How many notices of an account are not marked as seen.
    async fn unseen(&self, account: AccountId) -> Result<u64, BackendError>;

    /// Marks an account's notices as seen, up to and including the one with the number `last`.
    async fn mark_seen(&self, account: AccountId, last: u64) -> Result<(), BackendError>;
}
