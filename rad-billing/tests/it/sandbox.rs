//! The sandbox behaves as a payment provider does, and stays away from real ones.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rad_billing::SandboxPayments;
use rad_billing::sandbox::SandboxRefused;
use rad_core::conformance::payment::{self, Payer, SignedWebhook};
use rad_core::payment::PaymentProvider;
use secrecy::SecretString;

use crate::{database, one_of_each};

struct Somebody<'a>(&'a SandboxPayments);

#[async_trait]
impl Payer for Somebody<'_> {
    async fn decide(&self, reference: &str, pay: bool, now: DateTime<Utc>) -> SignedWebhook {
        let sent = if pay { self.0.pay(reference, now).await } else { self.0.decline(reference, now).await };
        match sent {
            Ok(sent) => SignedWebhook { signature: sent.signature, body: sent.body.into_bytes() },
            Err(error) => panic!("the payer can decide: {error}"),
        }
    }
}

fn secret() -> SecretString {
    SecretString::from("0123456789abcdef0123456789abcdef")
}

#[tokio::test]
async fn sandbox_keeps_the_contract() {
    for test in one_of_each().await {
        let database = test.database.clone();
        let sandbox = SandboxPayments::new(database, secret(), "https://portal.example.com/", &[]).unwrap();
        assert!(sandbox.is_sandbox());
        payment::records_payments(&sandbox, &Somebody(&sandbox)).await;
        payment::checks_signatures(&sandbox, &Somebody(&sandbox)).await;
    }
}

#[tokio::test]
async fn a_sandbox_is_refused_beside_a_real_provider_or_without_a_good_secret() {
    let database = database().await.unwrap();
    let refusal =
        SandboxPayments::new(database.pool.clone(), secret(), "https://portal.example.com", &["stripe"]);
    let wanted = SandboxRefused::RealProvider { provider: "stripe".into() };
    assert_eq!(refusal.unwrap_err(), wanted);
    let weak = SecretString::from("short");
    let refusal = SandboxPayments::new(database.pool, weak, "https://portal.example.com", &[]);
    assert_eq!(refusal.unwrap_err(), SandboxRefused::WeakSecret);
}

#[tokio::test]
async fn the_secret_is_never_printed() {
    let database = database().await.unwrap();
    let sandbox = SandboxPayments::new(database.pool, secret(), "https://portal.example.com", &[]).unwrap();
    assert!(!format!("{sandbox:?}").contains("0123456789abcdef"));
}
