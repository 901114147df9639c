//! Webhooks about repositories: the secrets they are signed with, made here, shown once, replaced without a gap; and which of
//! them were taken.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Actor, Operations, Parts, PlatformError};
use crate::access::Publisher;
use crate::credential::CredentialKind;
use crate::error::BackendError;
use crate::source::Digest;

/// How long the secret before is taken, so that nothing is lost until the new one is entered where it is needed.
const STILL_TAKEN: TimeDelta = TimeDelta::hours(24);

/// How long deliveries are known again.
const REMEMBERED: TimeDelta = TimeDelta::days(30);

/// A publisher's secret for webhooks, as far as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSecret {
    /// When it was made.
    pub since: DateTime<Utc>,
    /// Until when the one before is taken too, while it is.
    pub former_until: Option<DateTime<Utc>>,
}

/// What is kept, as one credential.
#[derive(Serialize, Deserialize)]
struct Kept {
    secret: String,
    since: DateTime<Utc>,
    former: Option<Former>,
}

#[derive(Serialize, Deserialize)]
struct Former {
    secret: String,
    until: DateTime<Utc>,
}

impl Actor {
    /// Makes a secret for webhooks about the publisher's repository, and gives it this once. The one before, if there is one,
    /// is taken for 24 hours more; no earlier one is.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish; [`Meanwhile`](PlatformError::Meanwhile) if somebody else made one at the same
    /// moment, which then counts.
    pub async fn renew_webhook_secret(&self) -> Result<SecretString, PlatformError> {
        let (publisher, store) = (self.publishes_as()?, self.credentials()?);
        let now = self.parts.clock.now();
        let before = store.credential(publisher, CredentialKind::Webhook).await?;
        let former = before.as_ref().map(read).transpose()?;
        let former = former.map(|kept| Former { secret: kept.secret, until: now + STILL_TAKEN });
        // 244 random bits.
        let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let kept = Kept { secret: secret.clone(), since: now, former };
        let kept = serde_json::to_string(&kept);
        let kept = kept.map_err(|error| BackendError::permanent("writing a webhook's secret", error))?;
        let (kind, kept) = (CredentialKind::Webhook, kept.into());
        if store.replace_credential(publisher, kind, before.as_ref(), &kept).await? {
            Ok(secret.into())
        } else {
            Err(PlatformError::Meanwhile { what: "secret for webhooks" })
        }
    }

    /// Takes no webhooks about the publisher's repository any more, until a secret is made anew.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish.
    pub async fn forget_webhook_secret(&self) -> Result<(), PlatformError> {
        let publisher = self.publishes_as()?;
        Ok(self.credentials()?.set_credential(publisher, CredentialKind::Webhook, None).await?)
    }

    /// Whether there is a secret, and since when.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish.
    pub async fn webhook_secret(&self) -> Result<Option<WebhookSecret>, PlatformError> {
        let now = self.parts.clock.now();
        let kept = self.parts.webhook_secret(self.publishes_as()?).await?;
        Ok(kept.map(|Kept { since, former, .. }| WebhookSecret {
            since,
            former_until: former.map(|former| former.until).filter(|until| now < *until),
        }))
    }
}

impl Operations {
    /// The secrets that a webhook about a publisher's repository may be signed with now; none until one is made.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn webhook_secrets(&self, publisher: Publisher) -> Result<Vec<SecretString>, PlatformError> {
        let now = self.parts.clock.now();
        let Some(kept) = self.parts.webhook_secret(publisher).await? else { return Ok(Vec::new()) };
        let former = kept.former.filter(|former| now < former.until).map(|former| former.secret);
        Ok([kept.secret].into_iter().chain(former).map(SecretString::from).collect())
    }

    /// Takes a delivery of a webhook that is known by any of `keys`; whether it is new. It is remembered for 30 days.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn take_delivery(&self, keys: &[Digest]) -> Result<bool, PlatformError> {
        let now = self.parts.clock.now();
        Ok(self.parts.deliveries.take(keys, now, now + REMEMBERED).await?)
    }

    /// Has a delivery that could not be acted on taken for new when it comes again.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn forget_delivery(&self, keys: &[Digest]) -> Result<(), PlatformError> {
        Ok(self.parts.deliveries.forget(keys).await?)
    }
}

impl Parts {
    async fn webhook_secret(&self, publisher: Publisher) -> Result<Option<Kept>, PlatformError> {
        let kept = self.credential(publisher, CredentialKind::Webhook).await?;
        Ok(kept.as_ref().map(read).transpose()?)
    }
}

fn read(kept: &SecretString) -> Result<Kept, BackendError> {
    let unreadable = |_| BackendError::corrupt("reading a webhook's secret", "it is not what was kept");
    serde_json::from_str(kept.expose_secret()).map_err(unreadable)
}
