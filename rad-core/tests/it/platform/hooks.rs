//! Secrets of webhooks: each publisher's own, shown once, replaced without a gap.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use chrono::TimeDelta;
use rad_core::access::Publisher;
use rad_core::clock::Clock as _;
use rad_core::credential::{CredentialKind, CredentialStore};
use rad_core::error::BackendError;
use rad_core::memory::MemoryCredentials;
use rad_core::platform::PlatformError;
use secrecy::{ExposeSecret as _, SecretString};

use super::market::Market;

/// Credentials during whose reading others get on, and which can be out of order.
#[derive(Debug, Default)]
pub(super) struct SlowCredentials {
    kept: MemoryCredentials,
    fails: AtomicBool,
}

impl SlowCredentials {
    pub(super) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }
}

#[async_trait]
impl CredentialStore for SlowCredentials {
    async fn credential(
        &self,
        publisher: Publisher,
        kind: CredentialKind,
    ) -> Result<Option<SecretString>, BackendError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(BackendError::unavailable("reading a credential", "out of order"));
        }
        let read = self.kept.credential(publisher, kind).await;
        tokio::task::yield_now().await;
        read
    }

    async fn set_credential(
        &self,
        publisher: Publisher,
        kind: CredentialKind,
        credential: Option<&SecretString>,
    ) -> Result<(), BackendError> {
        self.kept.set_credential(publisher, kind, credential).await
    }

    async fn replace_credential(
        &self,
        publisher: Publisher,
        kind: CredentialKind,
        before: Option<&SecretString>,
        credential: &SecretString,
    ) -> Result<bool, BackendError> {
        self.kept.replace_credential(publisher, kind, before, credential).await
    }
}

async fn taken(market: &Market, publisher: Publisher) -> Vec<String> {
    let secrets = market.platform.operations().webhook_secrets(publisher).await.unwrap();
    secrets.iter().map(|secret| secret.expose_secret().to_owned()).collect()
}

#[tokio::test]
async fn the_secret_before_is_taken_for_a_day_and_no_longer() {
    let market = Market::open().await;
    let (partner, publisher) = (market.actor(market.partner).await, Publisher::Partner(market.partner));
    assert!(taken(&market, publisher).await.is_empty() && partner.webhook_secret().await.unwrap().is_none());
    let first = partner.renew_webhook_secret().await.unwrap();
    assert_eq!(first.expose_secret().len(), 64);
    assert_eq!(taken(&market, publisher).await, [first.expose_secret()]);
    assert!(taken(&market, Publisher::Platform).await.is_empty(), "each publisher has one of its own");

    market.clock.advance(TimeDelta::hours(1));
    let second = partner.renew_webhook_secret().await.unwrap();
    assert_eq!(taken(&market, publisher).await, [second.expose_secret(), first.expose_secret()]);
    let shown = partner.webhook_secret().await.unwrap().unwrap();
    assert_eq!(shown.since, market.clock.now());
    assert_eq!(shown.former_until, Some(market.clock.now() + TimeDelta::hours(24)));
    market.clock.advance(TimeDelta::hours(24));
    assert_eq!(taken(&market, publisher).await, [second.expose_secret()]);
    assert_eq!(partner.webhook_secret().await.unwrap().unwrap().former_until, None);

    let third = partner.renew_webhook_secret().await.unwrap();
    let fourth = partner.renew_webhook_secret().await.unwrap();
    assert_eq!(taken(&market, publisher).await, [fourth.expose_secret(), third.expose_secret()]);
    partner.forget_webhook_secret().await.unwrap();
    assert!(taken(&market, publisher).await.is_empty());

    let user = market.actor(market.user).await;
    assert!(matches!(user.renew_webhook_secret().await, Err(PlatformError::Forbidden { .. })));
    assert!(!format!("{market:?}", market = market.platform).contains(fourth.expose_secret()));
}

#[tokio::test]
async fn of_two_who_renew_a_secret_at_once_one_does_and_the_one_before_stays() {
    let market = Market::open().await;
    let (partner, publisher) = (market.actor(market.partner).await, Publisher::Partner(market.partner));
    let mut before = None;
    for _ in 0..3 {
        let (one, two) = tokio::join!(partner.renew_webhook_secret(), partner.renew_webhook_secret());
        let (made, refused) = match (one, two) {
            (Ok(made), Err(refused)) | (Err(refused), Ok(made)) => (made.expose_secret().to_owned(), refused),
            both => panic!("{both:?}"),
        };
        assert!(matches!(refused, PlatformError::Meanwhile { .. }), "{refused:?}");
        let expected: Vec<String> = [made.clone()].into_iter().chain(before).collect();
        assert_eq!(taken(&market, publisher).await, expected, "nobody was given one that is not taken");
        before = Some(made);
    }
}
