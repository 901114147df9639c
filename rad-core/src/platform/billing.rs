//! Credits: balances, transactions, buying, and the grants that come with an account.

use std::sync::Arc;

use rust_decimal::{Decimal, RoundingStrategy};

use super::{Actor, Parts, PlatformError};
use crate::access::Role;
use crate::directory::{Account, AccountQuery, NewAccount, Welcome};
use crate::error::BackendError;
use crate::id::{AccountId, OrderId};
use crate::ledger::{EntryQuery, LedgerExt, Post, Posted};
use crate::money::{Amount, Credits, Money};
use crate::notify::Notice;
use crate::page::Page;
use crate::payment::{
    Checkout, Order, OrderStatus, PaymentError, PaymentEvent, PaymentProvider, PaymentState, Webhook,
};
use crate::revenue::{Balance, Body, Bucket, EntryKey, Grant, LotSource};
use crate::settings::Settings;

/// What an account has.
#[derive(Debug, Clone)]
pub struct Balances {
    /// The balance, by bucket.
    pub balance: Balance,
    /// Whether deployments cost credits at all.
    pub enabled: bool,
}

/// What the page for buying credits shows.
#[derive(Debug, Clone)]
pub struct BuyOptions {
    /// How many credits one unit of the currency buys, and the currency.
    pub settings: Settings,
    /// The ways to pay; none while buying is off.
    pub providers: Vec<ProviderChoice>,
}

/// A way to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderChoice {
    /// The provider's name.
    pub name: &'static str,
    /// Whether no real money moves.
    pub sandbox: bool,
}

/// The most credits one order buys.
const MOST_CREDITS: i64 = 10_000_000;

/// The most characters of an account's name.
const LONGEST_NAME: usize = 200;

impl Actor {
    /// What the account has.
    ///
    /// # Errors
    /// A failure of a backend.
    pub async fn balances(&self) -> Result<Balances, PlatformError> {
        let enabled = self.settings().await?.enable_credits;
        let balance = self.parts.ledger.balance(self.id(), self.parts.clock.now()).await?;
        Ok(Balances { balance, enabled })
    }

    /// A page of the account's own entries, whatever account `query` names.
    ///
    /// # Errors
    /// [`Invalid`](PlatformError::Invalid) for a page that no other page led to.
    pub async fn transactions(&self, query: EntryQuery) -> Result<Page<Posted>, PlatformError> {
        let query = EntryQuery { account: self.id(), ..query };
        Ok(self.parts.ledger.entries(&query).await?)
    }

    /// The ways to buy credits.
    ///
    /// # Errors
    /// A failure of a backend.
    pub async fn buy_options(&self) -> Result<BuyOptions, PlatformError> {
        let settings = self.settings().await?;
        let providers = self.parts.providers.iter().filter(|_| sells(&settings));
        let providers = providers
            .map(|provider| ProviderChoice { name: provider.name(), sandbox: provider.is_sandbox() })
            .collect();
        Ok(BuyOptions { settings, providers })
    }

    /// Orders credits. The order is stored, then the provider is asked for its page; `return_url` makes the address the
    /// payer comes back to from the order.
    ///
    /// # Errors
    /// [`Invalid`](PlatformError::Invalid) outside 0.01 to 10 000 000 credits or while buying is off,
    /// [`Payment`](PlatformError::Payment) for a provider that is not set up.
    pub async fn buy(
        &self,
        credits: Credits,
        provider: &str,
        return_url: impl FnOnce(OrderId) -> String + Send,
    ) -> Result<(Order, Checkout), PlatformError> {
        let settings = self.settings().await?;
        if !sells(&settings) {
            let reason = "buying credits is switched off on this platform".to_owned();
            return Err(PlatformError::Invalid { field: "credits", reason });
        }
        let provider = self::provider(&self.parts, provider)?;
        let order = Order {
            id: OrderId::new(),
            account: self.id(),
            credits,
            price: price(credits, &settings)?,
            provider: provider.name().to_owned(),
            provider_reference: None,
            status: OrderStatus::Created,
            created_at: self.parts.clock.now(),
        };
        self.parts.orders.create(&order).await?;
        let checkout = provider.start(&order, &return_url(order.id)).await?;
        self.parts.orders.set_reference(order.id, &checkout.reference).await?;
        Ok((order, checkout))
    }

    /// An order of the account, after asking the provider about it if it is not closed: the payer may be back before the
    /// webhook.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound) for orders of others.
    pub async fn order(&self, id: OrderId) -> Result<Order, PlatformError> {
        let order = self.parts.orders.order(id).await?;
        if order.account != self.id() {
            return Err(PlatformError::NotFound { what: "order" });
        }
        if order.status == OrderStatus::Created && order.provider_reference.is_some() {
            // The order is shown all the same: its webhook or the next look at it will close it.
            if let Err(error) = close_order(&self.parts, &order).await {
                tracing::warn!(order = %order.id, %error, "an order's payment could not be looked at");
            }
        }
        Ok(self.parts.orders.order(id).await?)
    }

    /// The latest orders of the account, newest first.
    ///
    /// # Errors
    /// A failure of a backend.
    pub async fn orders(&self) -> Result<Vec<Order>, PlatformError> {
        Ok(self.parts.orders.orders_of(self.id(), 20).await?)
    }
}

/// What `credits` cost: rounded up to the currency's minor unit.
///
/// # Errors
/// [`PlatformError::Invalid`] outside what one order can buy.
pub(super) fn price(credits: Credits, settings: &Settings) -> Result<Money, PlatformError> {
    let invalid = || PlatformError::Invalid {
        field: "credits",
        reason: format!("an order buys 0.01 to {MOST_CREDITS} credits, not {credits}"),
    };
    let wanted = credits.to_decimal();
    if wanted < Decimal::new(1, 2) || wanted > Decimal::from(MOST_CREDITS) {
        return Err(invalid());
    }
    let digits = u32::from(settings.currency.minor_digits());
    let price = wanted
        .checked_div(settings.credits_per_unit.to_decimal())
        .ok_or_else(invalid)?
        .round_dp_with_strategy(digits, RoundingStrategy::ToPositiveInfinity);
    Money::new(price, settings.currency).map_err(|_| invalid())
}

pub(super) fn provider(parts: &Parts, name: &str) -> Result<Arc<dyn PaymentProvider>, PlatformError> {
    let found = parts.providers.iter().find(|provider| provider.name() == name);
    let missing = || PaymentError::NoProvider { name: name.chars().take(40).collect() };
    Ok(Arc::clone(found.ok_or_else(missing)?))
}

pub(super) async fn take_webhook(
    parts: &Parts,
    name: &str,
    webhook: Webhook<'_>,
) -> Result<(), PlatformError> {
    match provider(parts, name)?.verify(webhook, parts.clock.now())? {
        PaymentEvent::Ignored => Ok(()),
        PaymentEvent::Changed { order } => {
            let order = parts.orders.order(order).await?;
            close_order(parts, &order).await
        }
    }
}

/// Reads the provider's record of an order and does what follows from it, once.
async fn close_order(parts: &Parts, order: &Order) -> Result<(), PlatformError> {
    if order.status.is_final() {
        return Ok(());
    }
    let Some(reference) = &order.provider_reference else {
        return Err(BackendError::unavailable("closing an order", "its payment is not known yet").into());
    };
    let record = provider(parts, &order.provider)?.record(reference).await?;
    let currency = parts.settings.current().await?.settings.currency;
    let as_ordered =
        record.order == order.id && record.amount == order.price && order.price.currency() == currency;
    let status = match record.state {
        PaymentState::Pending => return Ok(()),
        PaymentState::Failed => OrderStatus::Failed,
        PaymentState::Paid if as_ordered => OrderStatus::Paid,
        PaymentState::Paid => OrderStatus::Mismatch,
    };
    let key = format!("order:{}", order.id);
    let at = parts.clock.now();
    match status {
        OrderStatus::Paid => {
            parts.ledger.post(purchase(order, at)).await?;
            let notice = Notice::CreditsPurchased { order: order.id, credits: order.credits };
            parts.notifier.notify(order.account, &key, &notice, at).await?;
        }
        OrderStatus::Mismatch => {
            tracing::error!(order = %order.id, paid = %record.amount, ordered = %order.price, "payment mismatch");
            let notice = Notice::PaymentMismatch { order: order.id };
            for account in finance(parts).await?.into_iter().chain([order.account]) {
                parts.notifier.notify(account, &key, &notice, at).await?;
            }
        }
        OrderStatus::Created | OrderStatus::Failed => {}
    }
    parts.orders.close(order.id, status).await?;
    Ok(())
}

/// Who looks after payments: everybody with the role, the admins where nobody has it.
async fn finance(parts: &Parts) -> Result<Vec<AccountId>, PlatformError> {
    for role in [Role::Finance, Role::Admin] {
        let found = with_role(parts, role).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// Everybody with a role, as far as one page of accounts goes.
pub(super) async fn with_role(parts: &Parts, role: Role) -> Result<Vec<AccountId>, PlatformError> {
    let query = AccountQuery { role: Some(role), limit: AccountQuery::MOST, ..AccountQuery::default() };
    let found = parts.directory.accounts(&query).await?.items;
    Ok(found.into_iter().map(|account| account.id).collect())
}

/// The grant of a paid order; its key is the order, so that it is granted once whatever is delivered twice.
fn purchase(order: &Order, at: chrono::DateTime<chrono::Utc>) -> Post {
    let body = Body::Grant(Grant {
        source: LotSource::Purchase,
        bucket: Bucket::Purchased,
        credits: order.credits,
        cost: order.price.amount(),
        paid: None,
        expires: None,
        reference: Some(*order.id.as_bytes()),
    });
    let key = EntryKey::derive("order", &[order.id.as_bytes()]);
    Post { account: order.account, key, at, actor: None, body }
}

/// Makes an account and grants what signing up brings: at the latest, the next sweep does.
pub(super) async fn open_account(parts: &Parts, new: NewAccount) -> Result<Account, PlatformError> {
    let letters = new.name.chars().count();
    if letters > LONGEST_NAME || new.name.chars().any(char::is_control) {
        let reason = format!("a name has one line of at most {LONGEST_NAME} characters");
        return Err(PlatformError::Invalid { field: "name", reason });
    }
    let settings = parts.settings.current().await?.settings;
    let credits = if settings.enable_credits { settings.signup_credits } else { Credits::ZERO };
    let account = parts.directory.create(new, credits, parts.clock.now()).await?;
    let owed = Welcome { account: account.id, credits, since: account.created_at };
    if credits > Credits::ZERO
        && let Err(error) = welcome(parts, &owed).await
    {
        tracing::warn!(account = %account.id, %error, "an account waits for its first credits, a sweep will grant them");
    }
    Ok(account)
}

/// Grants what an account was promised; its key is the account, so that it is granted once however often this is tried.
pub(super) async fn welcome(parts: &Parts, owed: &Welcome) -> Result<(), PlatformError> {
    let body = Body::Grant(Grant {
        source: LotSource::Signup,
        bucket: Bucket::Awarded,
        credits: owed.credits,
        cost: Amount::ZERO,
        paid: None,
        expires: None,
        reference: None,
    });
    let key = EntryKey::derive("signup", &[owed.account.as_bytes()]);
    parts.ledger.post(Post { account: owed.account, key, at: owed.since, actor: None, body }).await?;
    Ok(parts.directory.welcomed(owed.account).await?)
}

fn sells(settings: &Settings) -> bool {
    settings.enable_credits && settings.enable_purchases
}
