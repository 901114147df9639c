//! Orders for credits on SQLite.

use async_trait::async_trait;
use rad_core::error::BackendError;
use rad_core::id::{AccountId, OrderId};
use rad_core::money::{Amount, Credits, Currency, Money};
use rad_core::payment::{Order, OrderStatus, OrderStore, PaymentError};
use sqlx::sqlite::{SqlitePool, SqliteRow};

use crate::database::{bytes, failed, time};
use crate::sqlite::{column, optional};

/// An [`OrderStore`] in a SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteOrders {
    pool: SqlitePool,
}

impl SqliteOrders {
    /// The orders in a database that [`open`](crate::sqlite::open) opened.
    pub fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl OrderStore for SqliteOrders {
    async fn create(&self, order: &Order) -> Result<(), PaymentError> {
        let done = sqlx::query(
            "INSERT INTO orders (id, account, credits, price, currency, provider, reference, status, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        )
        .bind(order.id.as_bytes().as_slice())
        .bind(order.account.as_bytes().as_slice())
        .bind(order.credits.micros())
        .bind(order.price.amount().micros())
        .bind(order.price.currency().as_str())
        .bind(&order.provider)
        .bind(&order.provider_reference)
        .bind(status_text(order.status))
        .bind(order.created_at.timestamp_micros())
        .execute(&self.pool)
        .await
        .map_err(failed("storing an order"))?;
        if done.rows_affected() == 1 || self.order(order.id).await? == *order {
            return Ok(());
        }
        Err(BackendError::permanent("storing an order", "its id is in use").into())
    }

    async fn order(&self, id: OrderId) -> Result<Order, PaymentError> {
        let row = sqlx::query("SELECT * FROM orders WHERE id = ?")
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("reading an order"))?;
        Ok(order(&row.ok_or(PaymentError::NoOrder)?)?)
    }

    async fn set_reference(&self, id: OrderId, reference: &str) -> Result<(), PaymentError> {
        let done = sqlx::query("UPDATE orders SET reference = ? WHERE id = ?")
            .bind(reference)
            .bind(id.as_bytes().as_slice())
            .execute(&self.pool)
            .await
            .map_err(failed("keeping a payment's reference"))?;
        if done.rows_affected() == 0 { Err(PaymentError::NoOrder) } else { Ok(()) }
    }

    async fn close(&self, id: OrderId, status: OrderStatus) -> Result<OrderStatus, PaymentError> {
        // The arrows of `OrderStatus::may_become`.
        let update = "UPDATE orders SET status = ?1 WHERE id = ?2 AND ((status = 'created' AND ?1 = 'failed') \
                      OR (status IN ('created', 'failed') AND ?1 IN ('paid', 'mismatch')))";
        sqlx::query(update)
            .bind(status_text(status))
            .bind(id.as_bytes().as_slice())
            .execute(&self.pool)
            .await
            .map_err(failed("closing an order"))?;
        Ok(self.order(id).await?.status)
    }

    async fn any_paid(&self) -> Result<bool, PaymentError> {
        let paid = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM orders WHERE status = 'paid')");
        Ok(paid.fetch_one(&self.pool).await.map_err(failed("looking for paid orders"))?)
    }

    async fn orders_of(&self, account: AccountId, limit: u32) -> Result<Vec<Order>, PaymentError> {
        let rows =
            sqlx::query("SELECT * FROM orders WHERE account = ? ORDER BY created_at DESC, id DESC LIMIT ?")
                .bind(account.as_bytes().as_slice())
                .bind(limit)
                .fetch_all(&self.pool)
                .await
                .map_err(failed("listing orders"))?;
        Ok(rows.iter().map(order).collect::<Result<_, _>>()?)
    }
}

fn order(row: &SqliteRow) -> Result<Order, BackendError> {
    Ok(Order {
        id: column(row, "id", |stored: &[u8]| bytes(stored).map(OrderId::from_bytes))?,
        account: column(row, "account", |stored: &[u8]| bytes(stored).map(AccountId::from_bytes))?,
        credits: column(row, "credits", |micros| Some(Credits::from_micros(micros)))?,
        price: price(row, "price")?,
        provider: column(row, "provider", Some)?,
        provider_reference: optional(row, "reference", Some)?,
        status: column(row, "status", status)?,
        created_at: column(row, "created_at", time)?,
    })
}

/// An amount of money whose currency is in the column `currency`.
pub(crate) fn price(row: &SqliteRow, name: &'static str) -> Result<Money, BackendError> {
    let amount = column(row, name, |micros| Some(Amount::from_micros(micros)))?;
    let currency = column(row, "currency", |text: &str| text.parse::<Currency>().ok())?;
    Ok(Money::of(amount, currency))
}

const fn status_text(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Created => "created",
        OrderStatus::Paid => "paid",
        OrderStatus::Failed => "failed",
        OrderStatus::Mismatch => "mismatch",
    }
}

fn status(text: &str) -> Option<OrderStatus> {
    let all = [OrderStatus::Created, OrderStatus::Paid, OrderStatus::Failed, OrderStatus::Mismatch];
    all.into_iter().find(|status| status_text(*status) == text)
}
