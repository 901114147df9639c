//! The contract of [`Notifier`].

use chrono::{DateTime, TimeDelta, Utc};

use super::must;
use crate::id::{AccountId, DeploymentId};
use crate::money::Credits;
use crate::notify::{KeptNotice, Notice, Notifier};

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
    let told: Vec<_> = told.into_iter().map(|kept| (kept.at, kept.notice)).collect();
    assert_eq!(told, [(time(2), awarded.clone()), (time(0), failed)], "once per key, newest first");
    let told = must("notices are listed", notifier.notices(account, 1).await);
    assert_eq!(told.len(), 1, "at most as many as asked for");
    let told = must("notices are listed", notifier.notices(other, 10).await);
    let [KeptNotice { at, notice, seen: false, .. }] = &told[..] else {
        panic!("each account has its own: {told:?}")
    };
    assert_eq!((*at, notice), (time(3), &awarded));
}

/// Notices are new until they are marked as seen, each account's its own; telling one again does not make it new.
///
/// # Panics
/// If the contract is broken.
pub async fn marks_as_seen(notifier: &dyn Notifier) {
    let (account, other) = (AccountId::new(), AccountId::new());
    let notice = Notice::CreditsAwarded { credits: Credits::from_micros(1) };
    for (who, key) in [(account, "1"), (other, "1"), (account, "2"), (account, "3")] {
        must("a notice is taken", notifier.notify(who, key, &notice, time(0)).await);
    }
    let told = must("notices are listed", notifier.notices(account, 10).await);
    assert!(told.iter().is_sorted_by(|newer, older| newer.number > older.number), "numbers rise: {told:?}");
    must("notices are marked", notifier.mark_seen(account, told[1].number).await);
    must("a notice is told again", notifier.notify(account, "1", &notice, time(1)).await);
    let seen: Vec<bool> = must("notices are listed", notifier.notices(account, 10).await)
        .iter()
        .map(|kept| kept.seen)
        .collect();
    assert_eq!(seen, [false, true, true], "up to the one that was named");
    assert_eq!(must("new ones are counted", notifier.unseen(account).await), 1);
    assert_eq!(must("new ones are counted", notifier.unseen(other).await), 1, "those of others stay new");
    must("notices are marked", notifier.mark_seen(account, u64::MAX).await);
    assert_eq!(must("new ones are counted", notifier.unseen(account).await), 0);
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_780_000_000 + seconds)
}
