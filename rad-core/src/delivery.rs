//! Deliveries of webhooks that were taken: none is acted on twice, whichever process takes it and whenever it starts anew.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::BackendError;
use crate::source::Digest;

/// Remembers deliveries.
///
/// # Contract
/// - Of several that take one delivery at the same time, one is told that it is new.
/// - At most [`MOST_DELIVERIES`] keys are remembered; those that lapse first are forgotten first.
#[async_trait]
pub trait DeliveryLog: Send + Sync + fmt::Debug {
    /// Takes a delivery that is known by any of `keys`, and remembers all of them until `until`. Whether it is new: none of them
    /// was remembered at `now`.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn take(
        &self,
        keys: &[Digest],
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool, BackendError>;

    /// Forgets keys, so that a delivery that could not be acted on is new when it comes again.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn forget(&self, keys: &[Digest]) -> Result<(), BackendError>;
}

/// The most keys that are remembered.
pub const MOST_DELIVERIES: usize = 100_000;
