//! Orders for credits, in either database.

use async_trait::async_trait;
use rad_core::error::BackendError;
use rad_core::id::{AccountId, OrderId};
use rad_core::money::Money;
use rad_core::payment::{Order, OrderStatus, OrderStore, PaymentError};
use rad_sql::{Database, Row, sql, word};

/// An [`OrderStore`] in a SQLite file or a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct SqlOrders {
    database: Database,
}

impl SqlOrders {
    /// The orders in a database that [`migrate`](crate::migrate) prepared.
    pub fn new(database: impl Into<Database>) -> Self {
        Self { database: database.into() }
    }
}

#[async_trait]
impl OrderStore for SqlOrders {
    async fn create(&self, order: &Order) -> Result<(), PaymentError> {
        let stored = sql(
            "INSERT INTO orders (id, account, credits, price, currency, provider, reference, status, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
        )
        .bind(order.id)
        .bind(order.account)
        .bind(order.credits)
        .bind(order.price.amount())
        .bind(order.price.currency().as_str())
        .bind(&order.provider)
        .bind(order.provider_reference.as_deref())
        .bind(word(order.status)?)
        .bind(order.created_at)
        .execute(&self.database, "storing an order")
        .await?;
        if stored == 1 || self.order(order.id).await? == *order {
            return Ok(());
        }
        Err(BackendError::permanent("storing an order", "its id is in use").into())
    }

    async fn order(&self, id: OrderId) -> Result<Order, PaymentError> {
        let find = sql("SELECT * FROM orders WHERE id = $1").bind(id);
        let row = find.optional(&self.database, "reading an order").await?;
        Ok(order(&row.ok_or(PaymentError::NoOrder)?)?)
    }

    async fn set_reference(&self, id: OrderId, reference: &str) -> Result<(), PaymentError> {
        let update = sql("UPDATE orders SET reference = $1 WHERE id = $2").bind(reference).bind(id);
        let kept = update.execute(&self.database, "keeping a payment's reference").await?;
        if kept == 0 { Err(PaymentError::NoOrder) } else { Ok(()) }
    }

    async fn close(&self, id: OrderId, status: OrderStatus) -> Result<OrderStatus, PaymentError> {
        // The arrows of `OrderStatus::may_become`.
        sql("UPDATE orders SET status = $1 WHERE id = $2 AND ((status = 'created' AND $1 = 'failed')
             OR (status IN ('created', 'failed') AND $1 IN ('paid', 'mismatch')))")
        .bind(word(status)?)
        .bind(id)
        .execute(&self.database, "closing an order")
        .await?;
        Ok(self.order(id).await?.status)
    }

    async fn any_paid(&self) -> Result<bool, PaymentError> {
        let paid = sql("SELECT 1 FROM orders WHERE status = 'paid' LIMIT 1");
        Ok(paid.finds(&self.database, "looking for paid orders").await?)
    }

    async fn orders_of(&self, account: AccountId, limit: u32) -> Result<Vec<Order>, PaymentError> {
        let list = sql("SELECT * FROM orders WHERE account = $1 ORDER BY created_at DESC, id DESC LIMIT $2");
        let rows = list.bind(account).bind(limit).rows(&self.database, "listing orders").await?;
        Ok(rows.iter().map(order).collect::<Result<_, _>>()?)
    }
}

fn order(row: &Row) -> Result<Order, BackendError> {
    Ok(Order {
        id: row.get("id")?,
        account: row.get("account")?,
        credits: row.get("credits")?,
        price: price(row, "price")?,
        provider: row.get("provider")?,
        provider_reference: row.get("reference")?,
        status: row.word("status")?,
        created_at: row.get("created_at")?,
    })
}

/// An amount of money whose currency is in the column `currency`.
pub(crate) fn price(row: &Row, name: &'static str) -> Result<Money, BackendError> {
    Ok(Money::of(row.get(name)?, row.parse("currency")?))
}
