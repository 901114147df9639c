//! The contract of [`Notifier`].

use chrono::{DateTime, TimeDelta, Utc};

use super::must;
use crate::id::{AccountId, DeploymentId};
use crate::money::Credits;
use crate::notify::{Notice, Notifier};

/// Notices are kept per account, newest first, and the same key tells the person once.
///
/// # Panics
/// If the contract is broken.
pub async fn tells_once(notifier: &dyn Notifier) {
    let (account, other) = (AccountId::new(), AccountId::new());
    let failed = Notice::DeploymentFailed { deployment: DeploymentId::new() };
    let awarded = Notice::CreditsAwarded { credits: Credits::from_micros(5_000_000) };
    for (who, key, notice, at) in [
        (account, "run:1", &failed, 0),
        (account, "run:1", &failed, 1),
        (account, "award:1", &awarded, 2),
        (other, "run:1", &awarded, 3),
    ] {
        must("a notice is taken", notifier.notify(who, key, notice, time(at)).await);
    }
    let told = must("notices are listed", notifier.notices(account, 10).await);
    assert_eq!(told, [(time(2), awarded.clone()), (time(0), failed)], "once per key, newest first");
    let told = must("notices are listed", notifier.notices(account, 1).await);
    assert_eq!(told.len(), 1, "at most as many as asked for");
    let told = must("notices are listed", notifier.notices(other, 10).await);
    assert_eq!(told, [(time(3), awarded)], "each account has its own");
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_780_000_000 + seconds)
}
