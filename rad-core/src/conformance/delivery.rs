//! The contract of [`DeliveryLog`].

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{must, side_by_side};
use crate::delivery::DeliveryLog;
use crate::source::Digest;

/// A delivery is new once, under any of its keys, until it lapses or is forgotten.
///
/// # Panics
/// If the contract is broken.
pub async fn takes_deliveries_once(log: &dyn DeliveryLog) {
    let now: DateTime<Utc> = Utc::now();
    let (day, key) = (TimeDelta::days(1), || Digest::of(Uuid::new_v4().as_bytes()));
    let take = async |keys: &[Digest], at| must("a delivery is taken", log.take(keys, at, at + day).await);
    let (id, body, other) = (key(), key(), key());
    assert!(take(&[id, body], now).await, "the first time it is new");
    assert!(!take(&[id, body], now).await, "the second time it is not");
    assert!(!take(&[other, body], now).await, "nor under another id");
    assert!(!take(&[other, key()], now).await, "which is remembered, too");
    assert!(take(&[key(), key()], now).await, "another delivery is new");
    must("a delivery is forgotten", log.forget(&[id, body]).await);
    assert!(take(&[id, body], now).await, "one that was forgotten is new again");
    assert!(
        !take(&[id, body], now + day - TimeDelta::seconds(1)).await,
        "it is remembered as long as was said"
    );
    let later = now + day + TimeDelta::seconds(1);
    assert!(take(&[id, body], later).await, "and no longer");
}

/// Of several that take one delivery at once, one is told that it is new.
///
/// # Panics
/// If the contract is broken.
pub async fn one_of_many_takes_a_delivery(log: &dyn DeliveryLog) {
    let (now, keys) =
        (Utc::now(), [Digest::of(Uuid::new_v4().as_bytes()), Digest::of(Uuid::new_v4().as_bytes())]);
    let taken = side_by_side((0..8).map(|_| log.take(&keys, now, now + TimeDelta::days(1)))).await;
    let new = taken.into_iter().filter(|taken| matches!(taken, Ok(true))).count();
    assert_eq!(new, 1, "one of those who take it at once is told that it is new");
}
