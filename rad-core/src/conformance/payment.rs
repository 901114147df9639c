//! The contracts of [`OrderStore`] and [`PaymentProvider`].

use chrono::{DateTime, TimeDelta, Utc};

use super::{must, must_fail, side_by_side};
use crate::id::{AccountId, OrderId};
use crate::money::{Amount, Credits, Currency, Money};
use crate::payment::{
    Order, OrderStatus, OrderStore, PaymentError, PaymentEvent, PaymentProvider, PaymentRecord, PaymentState,
    Webhook,
};

/// What is read after a write returned is what was written; what is not there is `NoOrder`.
///
/// # Panics
/// If the contract is broken.
pub async fn stores_orders(store: &dyn OrderStore) {
    let mut order = an_order();
    must("an order is stored", store.create(&order).await);
    let found = must("an order is found", store.order(order.id).await);
    assert_eq!(found, order, "what is read is what was stored, to the microsecond");
    must("storing the same order again changes nothing", store.create(&order).await);
    let other = Order { credits: Credits::from_micros(1), ..order.clone() };
    must_fail("another order under an id in use", store.create(&other).await);

    must("a reference is kept", store.set_reference(order.id, "pay_1").await);
    order.provider_reference = Some("pay_1".into());
    let found = must("an order is found", store.order(order.id).await);
    assert_eq!(found, order, "the provider's reference is kept, and nothing else changes");

    let nobody = OrderId::new();
    let refusals = [
        must_fail("an unknown order", store.order(nobody).await),
        must_fail("a reference for an unknown order", store.set_reference(nobody, "x").await),
        must_fail("closing an unknown order", store.close(nobody, OrderStatus::Paid).await),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, PaymentError::NoOrder), "what is not there is NoOrder: {refusal:?}");
    }
}

/// A payment is recorded once, also after an attempt that failed; of racing changes one wins and all see the result.
///
/// # Panics
/// If the contract is broken.
pub async fn closes_orders_once(store: &dyn OrderStore) {
    let order = an_order();
    must("an order is stored", store.create(&order).await);
    let status = must("an order stays open", store.close(order.id, OrderStatus::Created).await);
    assert_eq!(status, OrderStatus::Created, "moving an order to where it is changes nothing");
    for _ in 0..2 {
        let status = must("an attempt fails", store.close(order.id, OrderStatus::Failed).await);
        assert_eq!(status, OrderStatus::Failed);
    }
    let status = must("a failed order stays failed", store.close(order.id, OrderStatus::Created).await);
    assert_eq!(status, OrderStatus::Failed, "no order is opened again");
    let statuses = [OrderStatus::Paid, OrderStatus::Mismatch, OrderStatus::Paid];
    let racing = statuses.map(|status| store.close(order.id, status));
    let seen: Vec<OrderStatus> =
        side_by_side(racing).await.into_iter().map(|result| must("an order is closed", result)).collect();
    let stored = must("an order is found", store.order(order.id).await);
    assert!(stored.status.is_final(), "an order that failed can be paid yet: {:?}", stored.status);
    assert!(seen.iter().all(|status| *status == stored.status), "all racers see the one result: {seen:?}");
    for late in [OrderStatus::Created, OrderStatus::Failed, OrderStatus::Paid, OrderStatus::Mismatch] {
        let status = must("closing again is no error", store.close(order.id, late).await);
        assert_eq!(status, stored.status, "a final status never changes");
    }
}

/// The latest orders of an account come first, and only its own.
///
/// # Panics
/// If the contract is broken.
pub async fn lists_orders(store: &dyn OrderStore) {
    let account = AccountId::new();
    let mut wanted = Vec::new();
    for step in 0..4 {
        let created_at = time() + TimeDelta::microseconds(step);
        let order = Order { account, created_at, ..an_order() };
        must("an order is stored", store.create(&order).await);
        must("an order of somebody else is stored", store.create(&an_order()).await);
        wanted.insert(0, order);
    }
    let found = must("orders are listed", store.orders_of(account, 10).await);
    assert_eq!(found, wanted, "an account's orders are listed, newest first");
    let found = must("orders are listed", store.orders_of(account, 2).await);
    assert_eq!(found, wanted[..2], "the list is cut at its limit");
}

/// Whether any order was ever paid. Needs a fresh store.
///
/// # Panics
/// If the contract is broken.
pub async fn knows_the_first_purchase(fresh: &dyn OrderStore) {
    let (lost, paid) = (an_order(), an_order());
    for order in [&lost, &paid] {
        must("an order is stored", fresh.create(order).await);
    }
    must("an order is closed", fresh.close(lost.id, OrderStatus::Failed).await);
    assert!(!must("paid orders are looked for", fresh.any_paid().await), "a failed order is no purchase");
    must("an order is closed", fresh.close(paid.id, OrderStatus::Paid).await);
    assert!(must("paid orders are looked for", fresh.any_paid().await), "a paid order is a purchase");
}

/// The header and body of a provider's webhook.
#[derive(Debug, Clone)]
pub struct SignedWebhook {
    /// The value of the signature header.
    pub signature: String,
    /// The raw body.
    pub body: Vec<u8>,
}

/// What the suite needs a provider's test environment to do: play the payer.
#[async_trait::async_trait]
pub trait Payer: Send + Sync {
    /// Completes the payment, or fails it, and gives the webhook that the provider sends at `now`.
    async fn decide(&self, reference: &str, pay: bool, now: DateTime<Utc>) -> SignedWebhook;
}

/// Starting the payment of an order twice gives the same payment, and the provider's record follows the payer.
///
/// # Panics
/// If the contract is broken.
pub async fn records_payments(provider: &dyn PaymentProvider, payer: &dyn Payer) {
    for (pay, state) in [(true, PaymentState::Paid), (false, PaymentState::Failed)] {
        let order = Order { provider: provider.name().into(), ..an_order() };
        let back = "https://portal.example.com/orders";
        let first = must("a payment starts", provider.start(&order, back).await);
        let again = must("a payment starts again", provider.start(&order, back).await);
        assert_eq!(first, again, "starting again gives the same payment");
        let record = must("a payment has a record", provider.record(&first.reference).await);
        let wanted = PaymentRecord { order: order.id, state: PaymentState::Pending, amount: order.price };
        assert_eq!(record, wanted, "a payment is pending until the payer decides");

        let webhook = payer.decide(&first.reference, pay, time()).await;
        let webhook = Webhook { signature: &webhook.signature, body: &webhook.body };
        let event = must("a genuine webhook is read", provider.verify(webhook, time()));
        assert_eq!(event, PaymentEvent::Changed { order: order.id }, "the webhook names the order");
        let record = must("a payment has a record", provider.record(&first.reference).await);
        assert_eq!(record, PaymentRecord { state, ..wanted }, "the record says what the payer did");
    }
    let refusal = must_fail("the record of no payment", provider.record("no-such-payment").await);
    assert!(matches!(refusal, PaymentError::NoOrder), "an unknown payment is NoOrder: {refusal:?}");
}

/// A webhook counts only with a signature over exactly its bytes, within 300 s.
///
/// # Panics
/// If the contract is broken.
pub async fn checks_signatures(provider: &dyn PaymentProvider, payer: &dyn Payer) {
    let order = Order { provider: provider.name().into(), ..an_order() };
    let started = provider.start(&order, "https://portal.example.com/orders").await;
    let reference = must("a payment starts", started).reference;
    let sent = payer.decide(&reference, true, time()).await;
    let check = |signature: &str, body: &[u8], now| provider.verify(Webhook { signature, body }, now);

    for offset in [-300, 0, 300] {
        let now = time() + TimeDelta::seconds(offset);
        must("a webhook counts for 300 s", check(&sent.signature, &sent.body, now));
    }
    for offset in [-301, 301, 86_400] {
        let late = check(&sent.signature, &sent.body, time() + TimeDelta::seconds(offset));
        refused("a webhook out of its time", late);
    }
    for place in [0, sent.body.len() / 2, sent.body.len() - 1] {
        let mut body = sent.body.clone();
        body[place] ^= 1;
        refused("a body with a flipped bit", check(&sent.signature, &body, time()));
    }
    refused(
        "a body with something appended",
        check(&sent.signature, &[&sent.body, &b" "[..]].concat(), time()),
    );
    refused("an empty body", check(&sent.signature, b"", time()));
    for place in 0..sent.signature.len() {
        let mut signature = sent.signature.clone().into_bytes();
        signature[place] = if signature[place] == b'0' { b'1' } else { b'0' };
        let signature = String::from_utf8(signature).unwrap_or_default();
        if signature.to_lowercase() != sent.signature.to_lowercase() {
            refused("a changed signature", check(&signature, &sent.body, time()));
        }
    }
    for wrong in ["", "v1", "t=,v1=", "t=1,v1=zz", "v1=00,t=99999999999999999999", "\u{1f980}"] {
        refused("a signature that cannot be read", check(wrong, &sent.body, time()));
    }
}

#[track_caller]
fn refused(what: &str, result: Result<PaymentEvent, PaymentError>) {
    let refusal = must_fail(what, result);
    assert!(matches!(refusal, PaymentError::Signature { .. }), "{what} is refused for it: {refusal:?}");
}

/// An order of an account of its own: 100 credits for 10.00 USD.
fn an_order() -> Order {
    Order {
        id: OrderId::new(),
        account: AccountId::new(),
        credits: Credits::from_micros(100_000_000),
        price: Money::of(Amount::from_micros(10_000_000), Currency::USD),
        provider: "example".into(),
        provider_reference: None,
        status: OrderStatus::Created,
        created_at: time(),
    }
}

fn time() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_770_000_000_123_456).unwrap_or_default()
}
