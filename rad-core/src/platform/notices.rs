//! What people were told.

use super::{Actor, PlatformError};
use crate::notify::KeptNotice;

/// The most notices that are listed.
const MOST_NOTICES: u32 = 100;

impl Actor {
    /// The latest notices of the account, newest first, at most 100.
    ///
    /// # Errors
    /// A failure of the backend.
    pub async fn notices(&self) -> Result<Vec<KeptNotice>, PlatformError> {
        Ok(self.parts.notifier.notices(self.id(), MOST_NOTICES).await?)
    }

    /// How many notices of the account are not marked as seen.
    ///
    /// # Errors
    /// A failure of the backend.
    pub async fn unseen_notices(&self) -> Result<u64, PlatformError> {
        Ok(self.parts.notifier.unseen(self.id()).await?)
    }

    /// Marks the account's notices as seen, up to and including the one with the number `last`.
    ///
    /// # Errors
    /// A failure of the backend.
    pub async fn mark_notices_seen(&self, last: u64) -> Result<(), PlatformError> {
        Ok(self.parts.notifier.mark_seen(self.id(), last).await?)
    }
}
