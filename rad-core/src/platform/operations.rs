//! What the platform's own processes do beside carrying runs: take webhooks of payments, make accounts, post share rules.

use std::sync::Arc;

use super::{Parts, PlatformError, billing, sharing};
use crate::access::{Role, Roles};
use crate::directory::{Account, AccountQuery, NewAccount};
use crate::payment::Webhook;

/// The platform acting for itself, not for a person. Never hand it to a request handler that serves people.
#[derive(Debug, Clone)]
pub struct Operations {
    pub(super) parts: Arc<Parts>,
}

impl Operations {
    pub(super) fn new(parts: Arc<Parts>) -> Self {
        Self { parts }
    }

    /// Puts the share rules that the settings say into the ledger, unless they are there: at a start, for a database without
    /// rules and after a process that stopped between saving settings and this.
    ///
    /// # Errors
    /// A failure of a backend.
    pub async fn post_share_rules(&self) -> Result<(), PlatformError> {
        sharing::post_rules(&self.parts).await.map(drop)
    }

    /// Takes a webhook of a payment provider: checks its signature, reads the provider's own record, credits the order
    /// exactly once.
    ///
    /// # Errors
    /// [`Payment`](PlatformError::Payment) for a provider that is not set up, a bad signature or a body that cannot be
    /// read; a failure of a backend, after which the provider may send it again.
    pub async fn payment_webhook(&self, provider: &str, webhook: Webhook<'_>) -> Result<(), PlatformError> {
        billing::take_webhook(&self.parts, provider, webhook).await
    }

    /// The header in which a payment provider signs its webhooks.
    ///
    /// # Errors
    /// [`Payment`](PlatformError::Payment) for a provider that is not set up.
    pub fn signature_header(&self, provider: &str) -> Result<&'static str, PlatformError> {
        Ok(billing::provider(&self.parts, provider)?.signature_header())
    }

    /// Makes an account for somebody who signs up, with the role of a user, and grants the credits of signing up.
    ///
    /// # Errors
    /// What is wrong with the e-mail.
    pub async fn register(&self, mut new: NewAccount) -> Result<Account, PlatformError> {
        new.roles = Roles::from([Role::User]);
        billing::open_account(&self.parts, new).await
    }

    /// Makes the first admin of a platform that has none.
    ///
    /// # Errors
    /// [`Invalid`](PlatformError::Invalid) where there is an admin already.
    pub async fn found(&self, mut new: NewAccount) -> Result<Account, PlatformError> {
        let query = AccountQuery { role: Some(Role::Admin), limit: 1, ..AccountQuery::default() };
        if !self.parts.directory.accounts(&query).await?.items.is_empty() {
            let reason = "the platform has an admin already, who makes further accounts".to_owned();
            return Err(PlatformError::Invalid { field: "admin", reason });
        }
        new.roles = Roles::from([Role::Admin, Role::User]);
        billing::open_account(&self.parts, new).await
    }
}
