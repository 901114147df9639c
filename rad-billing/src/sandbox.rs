//! Payments without money: a provider for demonstrations and tests, with real orders, records and signed webhooks.

use std::fmt::Write as _;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use rad_core::error::BackendError;
use rad_core::id::OrderId;
use rad_core::payment::{
    Checkout, Order, PaymentError, PaymentEvent, PaymentProvider, PaymentRecord, PaymentState, Webhook,
};
use rad_core::source::Digest;
use rad_sql::{Database, Row, sql, word};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::orders::price;

/// How many seconds a webhook's time may be off.
const TOLERANCE: u64 = 300;

/// The shortest secret, in bytes: that of the hash.
const SHORTEST_SECRET: usize = 32;

/// A [`PaymentProvider`] that moves no money and says so.
///
/// It works as a real one does: a page where the payer decides (the portal serves it at `{base}/sandbox/pay/{reference}`),
/// a record of its own, and webhooks signed with HMAC-SHA256 over their time and raw body:
/// `Sandbox-Signature: t=1770000000,v1=<64 hexadecimal digits>`.
#[derive(Debug)]
pub struct SandboxPayments {
    database: Database,
    secret: SecretString,
    base_url: String,
}

/// A payment as the sandbox's page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxPayment {
    /// The sandbox's record of it.
    pub record: PaymentRecord,
    /// Where the payer goes back to.
    pub return_url: String,
}

/// A webhook for the page to deliver to the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxWebhook {
    /// The value of the header `Sandbox-Signature`.
    pub signature: String,
    /// The raw body.
    pub body: String,
}

/// Why there is no sandbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxRefused {
    /// Real money and play money must not stand side by side.
    #[error(
        "sandbox payments are refused while the payment provider {provider:?} is configured: remove one of the two"
    )]
    RealProvider {
        /// The real provider.
        provider: String,
    },
    /// A secret that could be guessed.
    #[error("the secret of sandbox payments needs at least {SHORTEST_SECRET} bytes")]
    WeakSecret,
}

/// The body of a webhook.
#[derive(Serialize, Deserialize)]
struct Message {
    event: String,
    reference: String,
    order: OrderId,
}

impl SandboxPayments {
    /// The sandbox in a database that [`migrate`](crate::migrate) prepared.
    ///
    /// `base_url` is the portal's own public address; `real_providers` names the providers that are configured beside it.
    ///
    /// # Errors
    /// [`SandboxRefused::RealProvider`] if there is any, [`SandboxRefused::WeakSecret`].
    pub fn new(
        database: impl Into<Database>,
        secret: SecretString,
        base_url: &str,
        real_providers: &[&str],
    ) -> Result<Self, SandboxRefused> {
        if let Some(provider) = real_providers.first() {
            return Err(SandboxRefused::RealProvider { provider: (*provider).to_owned() });
        }
        if secret.expose_secret().len() < SHORTEST_SECRET {
            return Err(SandboxRefused::WeakSecret);
        }
        Ok(Self { database: database.into(), secret, base_url: base_url.trim_end_matches('/').to_owned() })
    }

    /// A payment, for the page where the payer decides.
    ///
    /// # Errors
    /// [`PaymentError::NoOrder`] if there is none with this reference.
    pub async fn payment(&self, reference: &str) -> Result<SandboxPayment, PaymentError> {
        let find = sql("SELECT * FROM sandbox_payments WHERE reference = $1").bind(reference);
        let row = find.optional(&self.database, "reading a sandbox payment").await?;
        let row = row.ok_or(PaymentError::NoOrder)?;
        Ok(SandboxPayment { record: record(&row)?, return_url: row.get("return_url")? })
    }

    /// The payer pays. The first decision stands; the webhook is the one that tells of it.
    ///
    /// # Errors
    /// [`PaymentError::NoOrder`] if there is no payment with this reference.
    pub async fn pay(&self, reference: &str, now: DateTime<Utc>) -> Result<SandboxWebhook, PaymentError> {
        self.decide(reference, PaymentState::Paid, now).await
    }

    /// The payer declines. The first decision stands; the webhook is the one that tells of it.
    ///
    /// # Errors
    /// [`PaymentError::NoOrder`] if there is no payment with this reference.
    pub async fn decline(&self, reference: &str, now: DateTime<Utc>) -> Result<SandboxWebhook, PaymentError> {
        self.decide(reference, PaymentState::Failed, now).await
    }

    async fn decide(
        &self,
        reference: &str,
        state: PaymentState,
        now: DateTime<Utc>,
    ) -> Result<SandboxWebhook, PaymentError> {
        sql("UPDATE sandbox_payments SET state = $1 WHERE reference = $2 AND state = 'pending'")
            .bind(word(state)?)
            .bind(reference)
            .execute(&self.database, "deciding a sandbox payment")
            .await?;
        let record = self.payment(reference).await?.record;
        let message = Message {
            event: format!("payment.{}", word(record.state)?),
            reference: reference.to_owned(),
            order: record.order,
        };
        let body = serde_json::to_string(&message)
            .map_err(|error| BackendError::permanent("writing a webhook", error))?;
        let time = now.timestamp();
        let code = Digest::from_bytes(self.code(time, body.as_bytes())?.finalize().into_bytes().into());
        Ok(SandboxWebhook { signature: format!("t={time},v1={code}"), body })
    }

    /// The authentication code over a webhook's time and body.
    fn code(&self, time: i64, body: &[u8]) -> Result<Hmac<Sha256>, PaymentError> {
        let mut code = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes())
            .map_err(|_| PaymentError::Signature { reason: "the secret cannot be a key" })?;
        let mut prefix = String::new();
        let _ = write!(prefix, "{time}.");
        code.update(prefix.as_bytes());
        code.update(body);
        Ok(code)
    }
}

#[async_trait]
impl PaymentProvider for SandboxPayments {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn signature_header(&self) -> &'static str {
        "Sandbox-Signature"
    }

    fn is_sandbox(&self) -> bool {
        true
    }

    async fn start(&self, order: &Order, return_url: &str) -> Result<Checkout, PaymentError> {
        let reference = format!("sandbox-{}", order.id);
        sql("INSERT INTO sandbox_payments (reference, order_id, amount, currency, return_url, state)
             VALUES ($1, $2, $3, $4, $5, 'pending') ON CONFLICT DO NOTHING")
        .bind(&reference)
        .bind(order.id)
        .bind(order.price.amount())
        .bind(order.price.currency().as_str())
        .bind(return_url)
        .execute(&self.database, "starting a sandbox payment")
        .await?;
        Ok(Checkout { url: format!("{}/sandbox/pay/{reference}", self.base_url), reference })
    }

    fn verify(&self, webhook: Webhook<'_>, now: DateTime<Utc>) -> Result<PaymentEvent, PaymentError> {
        let wrong = |reason| PaymentError::Signature { reason };
        let (time, claimed) =
            parse_signature(webhook.signature).ok_or(wrong("it does not have the form t=…,v1=…"))?;
        if now.timestamp().abs_diff(time) > TOLERANCE {
            return Err(wrong("its time is more than 300 s off"));
        }
        self.code(time, webhook.body)?
            .verify_slice(claimed.as_bytes())
            .map_err(|_| wrong("it does not match the body"))?;
        let message: Message = serde_json::from_slice(webhook.body)
            .map_err(|error| PaymentError::Malformed { reason: error.to_string() })?;
        Ok(match message.event.as_str() {
            "payment.paid" | "payment.failed" => PaymentEvent::Changed { order: message.order },
            _ => PaymentEvent::Ignored,
        })
    }

    async fn record(&self, reference: &str) -> Result<PaymentRecord, PaymentError> {
        Ok(self.payment(reference).await?.record)
    }
}

/// The time and the code of a signature header.
fn parse_signature(header: &str) -> Option<(i64, Digest)> {
    let (time, code) = header.strip_prefix("t=")?.split_once(",v1=")?;
    let digits = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    Some((time.parse().ok().filter(|_| digits)?, code.parse().ok()?))
}

fn record(row: &Row) -> Result<PaymentRecord, BackendError> {
    Ok(PaymentRecord {
        order: row.get("order_id")?,
        state: row.word("state")?,
        amount: price(row, "amount")?,
    })
}
