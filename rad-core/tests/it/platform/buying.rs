//! Buying credits: once for each payment, and only for what was paid.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rad_core::id::OrderId;
use rad_core::money::{Currency, Money};
use rad_core::notify::Notice;
use rad_core::payment::{
    Checkout, Order, OrderStatus, PaymentError, PaymentEvent, PaymentProvider, PaymentRecord, PaymentState,
    Webhook,
};
use rad_core::platform::PlatformError;

use super::market::{Market, credits};

/// A provider whose records the test writes.
#[derive(Debug, Default)]
pub(super) struct CashDesk {
    records: Mutex<HashMap<String, PaymentRecord>>,
}

impl CashDesk {
    fn set(&self, order: &Order, state: PaymentState, amount: Money) {
        let record = PaymentRecord { order: order.id, state, amount };
        self.records.lock().unwrap().insert(order.id.to_string(), record);
    }

    fn forget(&self, order: &Order) {
        self.records.lock().unwrap().remove(&order.id.to_string());
    }

    pub(super) fn pay(&self, order: &Order) {
        self.set(order, PaymentState::Paid, order.price);
    }
}

#[async_trait]
impl PaymentProvider for CashDesk {
    fn name(&self) -> &'static str {
        "desk"
    }

    fn signature_header(&self) -> &'static str {
        "Desk-Signature"
    }

    fn is_sandbox(&self) -> bool {
        true
    }

    async fn start(&self, order: &Order, return_url: &str) -> Result<Checkout, PaymentError> {
        self.set(order, PaymentState::Pending, order.price);
        Ok(Checkout { url: return_url.to_owned(), reference: order.id.to_string() })
    }

    fn verify(&self, webhook: Webhook<'_>, _now: DateTime<Utc>) -> Result<PaymentEvent, PaymentError> {
        if webhook.signature != "genuine" {
            return Err(PaymentError::Signature { reason: "it is not genuine" });
        }
        let order = String::from_utf8_lossy(webhook.body).parse().unwrap();
        Ok(PaymentEvent::Changed { order })
    }

    async fn record(&self, reference: &str) -> Result<PaymentRecord, PaymentError> {
        self.records.lock().unwrap().get(reference).cloned().ok_or(PaymentError::NoOrder)
    }
}

async fn order(market: &Market, amount: &str) -> Order {
    let user = market.actor(market.user).await;
    let back = |order: OrderId| format!("/credits/orders/{order}");
    user.buy(credits(amount), "desk", back).await.unwrap().0
}

async fn deliver(market: &Market, order: &Order, signature: &str) -> Result<(), PlatformError> {
    let body = order.id.to_string();
    let webhook = Webhook { signature, body: body.as_bytes() };
    market.platform.operations().payment_webhook("desk", webhook).await
}

#[tokio::test]
async fn a_payment_is_credited_once_however_often_it_is_delivered() {
    let market = Market::open().await;
    let order = order(&market, "100").await;
    assert_eq!(order.price, "10.00 USD".parse().unwrap());
    deliver(&market, &order, "genuine").await.unwrap();
    assert_eq!(market.credits(market.user).await.1, "0", "nothing before it is paid");
    market.desk.pay(&order);
    for _ in 0..3 {
        deliver(&market, &order, "genuine").await.unwrap();
        let seen = market.actor(market.user).await.order(order.id).await.unwrap();
        assert_eq!(seen.status, OrderStatus::Paid);
    }
    assert_eq!(market.credits(market.user).await.1, "100");
}

#[tokio::test]
async fn a_payer_who_is_back_before_the_webhook_is_credited() {
    let market = Market::open().await;
    let order = order(&market, "12.5").await;
    market.desk.pay(&order);
    let seen = market.actor(market.user).await.order(order.id).await.unwrap();
    assert_eq!(seen.status, OrderStatus::Paid);
    assert_eq!(market.credits(market.user).await.1, "12.5");
}

#[tokio::test]
async fn another_amount_or_currency_credits_nothing() {
    for amount in ["9.99 USD", "10.00 EUR"] {
        let market = Market::open().await;
        let order = order(&market, "100").await;
        market.desk.set(&order, PaymentState::Paid, amount.parse().unwrap());
        deliver(&market, &order, "genuine").await.unwrap();
        let seen = market.actor(market.user).await.order(order.id).await.unwrap();
        assert_eq!(seen.status, OrderStatus::Mismatch, "{amount}");
        assert_eq!(market.credits(market.user).await.1, "0", "{amount}");
        let raised = [Notice::PaymentMismatch { order: order.id }];
        assert_eq!(market.notices(market.finance).await, raised, "finance is told, once");
    }
}

#[tokio::test]
async fn what_is_paid_after_a_failed_attempt_is_credited_once() {
    let market = Market::open().await;
    let order = order(&market, "100").await;
    market.desk.set(&order, PaymentState::Failed, order.price);
    deliver(&market, &order, "genuine").await.unwrap();
    let user = market.actor(market.user).await;
    assert_eq!(user.order(order.id).await.unwrap().status, OrderStatus::Failed);
    market.desk.pay(&order);
    for _ in 0..2 {
        deliver(&market, &order, "genuine").await.unwrap();
        assert_eq!(user.order(order.id).await.unwrap().status, OrderStatus::Paid);
        assert_eq!(market.credits(market.user).await.1, "100");
    }
}

#[tokio::test]
async fn a_payment_in_a_currency_of_the_past_is_raised_to_finance() {
    let market = Market::open().await;
    let order = order(&market, "100").await;
    market.change_settings(|settings| settings.currency = Currency::EUR).await;
    market.desk.pay(&order);
    deliver(&market, &order, "genuine").await.unwrap();
    let seen = market.actor(market.user).await.order(order.id).await.unwrap();
    assert_eq!(seen.status, OrderStatus::Mismatch, "10.00 USD are not 10.00 EUR of revenue");
    assert_eq!(market.credits(market.user).await.1, "0");
}

#[tokio::test]
async fn an_order_is_shown_while_its_provider_cannot_be_asked() {
    let market = Market::open().await;
    let order = order(&market, "100").await;
    market.desk.forget(&order);
    let seen = market.actor(market.user).await.order(order.id).await.unwrap();
    assert_eq!(seen.status, OrderStatus::Created);
    assert!(deliver(&market, &order, "genuine").await.is_err(), "the provider sends it again");
}

#[tokio::test]
async fn a_forged_webhook_changes_nothing() {
    let market = Market::open().await;
    let order = order(&market, "100").await;
    market.desk.pay(&order);
    let refusal = deliver(&market, &order, "forged").await.unwrap_err();
    assert!(matches!(refusal, PlatformError::Payment(PaymentError::Signature { .. })), "{refusal}");
    assert_eq!(market.credits(market.user).await.1, "0");
}

#[tokio::test]
async fn orders_have_bounds_round_up_and_are_ones_own() {
    let market = Market::open().await;
    let user = market.actor(market.user).await;
    for amount in ["0", "-5", "0.009", "10000001"] {
        let refused = user.buy(credits(amount), "desk", |_| String::new()).await.unwrap_err();
        assert!(matches!(refused, PlatformError::Invalid { field: "credits", .. }), "{amount}: {refused}");
    }
    let order = order(&market, "0.01").await;
    assert_eq!(order.price, Money::from_minor(1, Currency::USD).unwrap(), "0.001 rounds up to a cent");
    let other = market.actor(market.partner).await.order(order.id).await.unwrap_err();
    assert!(matches!(other, PlatformError::NotFound { .. }));
}

#[tokio::test]
async fn the_price_is_fixed_once_credits_were_sold() {
    let market = Market::open().await;
    let order = order(&market, "100").await;
    market.desk.pay(&order);
    deliver(&market, &order, "genuine").await.unwrap();
    let admin = market.actor(market.admin).await;
    let mut now = admin.platform_settings().await.unwrap();
    now.settings.credits_per_unit = "11".parse().unwrap();
    let refused = admin.change_settings(now.version, &now.settings).await.unwrap_err();
    assert!(matches!(refused, PlatformError::Invalid { field: "credits_per_unit", .. }), "{refused}");
}
