//! Buying credits: orders, and the providers that take the money.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::BackendError;
use crate::id::{AccountId, OrderId};
use crate::money::{Credits, Money};

/// How far an order has come; see [`OrderStatus::may_become`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Stored; the payer is or was with the provider.
    Created,
    /// Paid and credited.
    Paid,
    /// The payment failed, was cancelled or expired. Providers let payers try once more, so that it may be paid yet.
    Failed,
    /// What was paid is not what was ordered; nothing was credited.
    Mismatch,
}

impl OrderStatus {
    /// Whether an order that stands so may come to stand as `next`: whatever was paid is recorded once, also after an
    /// attempt that failed.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Created, Self::Failed) | (Self::Created | Self::Failed, Self::Paid | Self::Mismatch)
        )
    }

    /// Whether it stays so.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Paid | Self::Mismatch)
    }
}

/// An order for credits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The order's id, handed to the provider as its reference.
    pub id: OrderId,
    /// Who buys.
    pub account: AccountId,
    /// What is bought.
    pub credits: Credits,
    /// What it costs.
    pub price: Money,
    /// The name of the provider.
    pub provider: String,
    /// The provider's own name for the payment, once known.
    pub provider_reference: Option<String>,
    /// How far it has come.
    pub status: OrderStatus,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Stores orders.
///
/// # Contract
/// - An order is stored before the provider hears of it.
/// - A status moves along [`OrderStatus::may_become`] only; of two racing changes to a final status one wins and both see
///   the result.
#[async_trait]
pub trait OrderStore: Send + Sync + fmt::Debug {
    /// Stores a new order; storing the same order again changes nothing.
    ///
    /// # Errors
    /// A failure of the backend, also for another order under an id in use.
    async fn create(&self, order: &Order) -> Result<(), PaymentError>;

    /// The order with this id.
    ///
    /// # Errors
    /// [`NoOrder`](PaymentError::NoOrder).
    async fn order(&self, id: OrderId) -> Result<Order, PaymentError>;

    /// Keeps the provider's name for the payment.
    ///
    /// # Errors
    /// [`NoOrder`](PaymentError::NoOrder).
    async fn set_reference(&self, id: OrderId, reference: &str) -> Result<(), PaymentError>;

    /// Moves an order to a status it [may become](OrderStatus::may_become), and gives the status it has now.
    ///
    /// # Errors
    /// [`NoOrder`](PaymentError::NoOrder).
    async fn close(&self, id: OrderId, status: OrderStatus) -> Result<OrderStatus, PaymentError>;

    /// Whether any order was ever paid.
    async fn any_paid(&self) -> Result<bool, PaymentError>;

    /// The latest orders of an account, newest first, at most `limit`.
    async fn orders_of(&self, account: AccountId, limit: u32) -> Result<Vec<Order>, PaymentError>;
}

/// Where the payer goes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The provider's page.
    pub url: String,
    /// The provider's own name for the payment.
    pub reference: String,
}

/// What a webhook claims, its signature checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PaymentEvent {
    /// The order's payment is complete, or failed: look at the provider's record.
    Changed {
        /// The order.
        order: OrderId,
    },
    /// Genuine, and of no concern here.
    Ignored,
}

/// A provider's own record of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRecord {
    /// The order it pays.
    pub order: OrderId,
    /// How it stands.
    pub state: PaymentState,
    /// What was charged.
    pub amount: Money,
}

/// How a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// Not decided yet.
    Pending,
    /// The money is there.
    Paid,
    /// It failed, was cancelled or expired.
    Failed,
}

/// A webhook request as it came in.
#[derive(Debug, Clone, Copy)]
pub struct Webhook<'a> {
    /// The header that carries the signature, see [`PaymentProvider::signature_header`].
    pub signature: &'a str,
    /// The raw body: signatures are over these bytes.
    pub body: &'a [u8],
}

/// Takes money for orders.
///
/// # Contract
/// - [`start`](Self::start) called again for the same order gives the same payment.
/// - [`verify`](Self::verify) checks the signature over the raw body in constant time before it reads the body, and
///   refuses signatures older or newer than 300 s.
/// - An event is a hint: credits are granted on what [`record`](Self::record) says.
#[async_trait]
pub trait PaymentProvider: Send + Sync + fmt::Debug {
    /// The provider's name in orders and addresses: lower-case letters.
    fn name(&self) -> &'static str;

    /// The HTTP header that carries a webhook's signature.
    fn signature_header(&self) -> &'static str;

    /// Whether no real money moves; such a provider is labelled wherever it is shown.
    fn is_sandbox(&self) -> bool;

    /// Begins the payment of an order; the payer comes back to `return_url`.
    async fn start(&self, order: &Order, return_url: &str) -> Result<Checkout, PaymentError>;

    /// Checks a webhook and says what it claims.
    ///
    /// # Errors
    /// [`Signature`](PaymentError::Signature), [`Malformed`](PaymentError::Malformed).
    fn verify(&self, webhook: Webhook<'_>, now: DateTime<Utc>) -> Result<PaymentEvent, PaymentError>;

    /// The provider's own record of a payment.
    ///
    /// # Errors
    /// [`NoOrder`](PaymentError::NoOrder) if the provider knows no such payment.
    async fn record(&self, reference: &str) -> Result<PaymentRecord, PaymentError>;
}

/// Why a payment step was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PaymentError {
    /// No such order or payment.
    #[error("no such order")]
    NoOrder,
    /// The signature is missing, wrong, or out of its time.
    #[error("the webhook's signature is not valid: {reason}")]
    Signature {
        /// What is wrong, without the expected value.
        reason: &'static str,
    },
    /// The body is genuine and cannot be read.
    #[error("the webhook's body cannot be read: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// No provider of this name is set up.
    #[error("no payment provider named {name:?} is set up")]
    NoProvider {
        /// The name.
        name: String,
    },
    /// What the provider or store stands on failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}
