//! Orders in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::error::BackendError;
use crate::id::{AccountId, OrderId};
use crate::payment::{Order, OrderStatus, OrderStore, PaymentError};

/// An [`OrderStore`] that lasts as long as the process.
#[derive(Debug, Default)]
pub struct MemoryOrders {
    orders: Mutex<BTreeMap<OrderId, Order>>,
}

impl MemoryOrders {
    fn orders(&self) -> MutexGuard<'_, BTreeMap<OrderId, Order>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl OrderStore for MemoryOrders {
    async fn create(&self, order: &Order) -> Result<(), PaymentError> {
        let mut orders = self.orders();
        match orders.get(&order.id) {
            None => {
                orders.insert(order.id, order.clone());
                Ok(())
            }
            Some(stored) if stored == order => Ok(()),
            Some(_) => Err(BackendError::permanent("storing an order", "its id is in use").into()),
        }
    }

    async fn order(&self, id: OrderId) -> Result<Order, PaymentError> {
        self.orders().get(&id).cloned().ok_or(PaymentError::NoOrder)
    }

    async fn set_reference(&self, id: OrderId, reference: &str) -> Result<(), PaymentError> {
        let mut orders = self.orders();
        let order = orders.get_mut(&id).ok_or(PaymentError::NoOrder)?;
        order.provider_reference = Some(reference.to_owned());
        Ok(())
    }

    async fn close(&self, id: OrderId, status: OrderStatus) -> Result<OrderStatus, PaymentError> {
        let mut orders = self.orders();
        let order = orders.get_mut(&id).ok_or(PaymentError::NoOrder)?;
        if order.status.may_become(status) {
            order.status = status;
        }
        Ok(order.status)
    }

    async fn any_paid(&self) -> Result<bool, PaymentError> {
        Ok(self.orders().values().any(|order| order.status == OrderStatus::Paid))
    }

    async fn orders_of(&self, account: AccountId, limit: u32) -> Result<Vec<Order>, PaymentError> {
        let orders = self.orders();
        let mut found: Vec<&Order> = orders.values().filter(|order| order.account == account).collect();
        found.sort_by_key(|order| std::cmp::Reverse((order.created_at, order.id)));
        Ok(found.into_iter().take(limit as usize).cloned().collect())
    }
}
