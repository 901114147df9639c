//! The contract of [`SettingsStore`].

use chrono::{DateTime, TimeDelta, Utc};

use super::{must, must_fail, side_by_side};
use crate::id::AccountId;
use crate::money::{Credits, Rate};
use crate::settings::{Settings, SettingsError, SettingsStore, VersionedSettings};

/// A store that nobody has written to has the defaults in force. Needs a fresh store.
///
/// # Panics
/// If the contract is broken.
pub async fn begins_with_the_defaults(fresh: &dyn SettingsStore) {
    let current = must("settings can be read from a fresh store", fresh.current().await);
    assert_eq!(current, VersionedSettings::default(), "a fresh store has the defaults, as version 0");
    let history = must("the history of a fresh store can be read", fresh.history(10).await);
    assert_eq!(history, [], "the defaults were never put in force by anybody");
}

/// Versions are gapless and never change once stored.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_every_version(store: &dyn SettingsStore) {
    let (by, at) = (AccountId::new(), time());
    let before = must("settings can be read", store.current().await);
    let mut stored = Vec::new();
    for step in 1..=3 {
        let settings = Settings { signup_credits: credits(i64::from(step)), ..Settings::default() };
        let expected = before.version + step - 1;
        let at = at + TimeDelta::microseconds(step.into());
        let saved = must("settings are saved", store.save(expected, &settings, by, at).await);
        let wanted = VersionedSettings { version: expected + 1, settings, by: Some(by), since: Some(at) };
        assert_eq!(saved, wanted, "saving puts the settings in force as version `expected + 1`");
        let current = must("settings can be read", store.current().await);
        assert_eq!(current, wanted, "what was saved last is in force, to the microsecond");
        stored.insert(0, wanted);
    }
    let history = must("the history can be read", store.history(3).await);
    assert_eq!(history, stored, "the history has every version unchanged, newest first");
    let history = must("the history can be read", store.history(1).await);
    assert_eq!(history.len(), 1, "the history is cut at its limit");
}

/// A change on top of a version that is no longer in force, or out of bounds, is refused and changes nothing.
///
/// # Panics
/// If the contract is broken.
pub async fn refuses_stale_and_invalid_changes(store: &dyn SettingsStore) {
    let by = AccountId::new();
    let before = must("settings can be read", store.current().await);
    let settings = Settings { own_modules_free: true, ..Settings::default() };
    let ahead = before.version + 1;
    let refusal = must_fail("a version not yet in force", store.save(ahead, &settings, by, time()).await);
    assert!(
        matches!(refusal, SettingsError::Stale { expected, actual }
            if expected == ahead && actual == before.version),
        "a stale change is refused with both versions, not {refusal:?}",
    );
    let shares = Rate::from_basis_points(6_000).unwrap_or(Rate::FULL);
    let greedy =
        Settings { partner_revenue_share: shares, agent_revenue_share: shares, ..Settings::default() };
    let refusal = must_fail("shares over 100 %", store.save(before.version, &greedy, by, time()).await);
    assert!(matches!(refusal, SettingsError::Invalid { .. }), "bounds are checked, not {refusal:?}");
    let after = must("settings can be read", store.current().await);
    assert_eq!(after, before, "a refused change leaves no trace");
}

/// Of racing changes one wins.
///
/// # Panics
/// If the contract is broken.
pub async fn lets_one_of_racing_changes_win(store: &dyn SettingsStore) {
    let before = must("settings can be read", store.current().await);
    let changes: Vec<_> =
        (1..=8).map(|n| Settings { signup_credits: credits(n), ..Settings::default() }).collect();
    let by = AccountId::new();
    let saves = changes.iter().map(|settings| store.save(before.version, settings, by, time()));
    let mut winners = Vec::new();
    for result in side_by_side(saves).await {
        match result {
            Ok(saved) => winners.push(saved),
            Err(SettingsError::Stale { .. }) => {}
            Err(other) => panic!("the losers of a race are told that they are stale: {other:?}"),
        }
    }
    assert_eq!(winners.len(), 1, "of racing changes one wins");
    let current = must("settings can be read", store.current().await);
    assert_eq!(Some(&current), winners.first(), "the winner's settings are in force");
}

fn credits(whole: i64) -> Credits {
    Credits::from_micros(whole * 1_000_000)
}

fn time() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_770_000_000_123_456).unwrap_or_default()
}
