//! Counts failed sign-ins, so that passwords cannot be tried out.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures within [`WINDOW`] after which an account is refused.
pub(crate) const BY_ACCOUNT: u32 = 10;

/// Failures within [`WINDOW`] after which an address is refused: more, since many people can share one. Signing in to
/// an account of one's own does not make them forgotten.
pub(crate) const BY_ADDRESS: u32 = 40;

/// How long failures are remembered.
const WINDOW: Duration = Duration::from_secs(5 * 60);

/// Keys remembered at the most; beyond that the oldest go.
const KEYS: usize = 10_000;

/// Failed attempts by key: an IP address, or an account's e-mail.
#[derive(Debug, Default)]
pub(crate) struct Limiter(Mutex<HashMap<String, (u32, Instant)>>);

impl Limiter {
    /// Whether a key has failed as often as `allowed`; attempts are refused before any password is looked at.
    pub(crate) fn is_blocked(&self, key: &str, allowed: u32, now: Instant) -> bool {
        let counts = self.counts();
        counts.get(key).is_some_and(|(count, since)| *count >= allowed && now - *since < WINDOW)
    }

    /// Counts a failure of a key.
    pub(crate) fn failed(&self, key: &str, now: Instant) {
        let mut counts = self.counts();
        if counts.len() >= KEYS {
            counts.retain(|_, (_, since)| now - *since < WINDOW);
        }
        if counts.len() >= KEYS {
            let oldest = counts.iter().min_by_key(|(_, (_, since))| *since).map(|(key, _)| key.clone());
            oldest.and_then(|key| counts.remove(&key));
        }
        let entry = counts.entry(key.chars().take(254).collect()).or_insert((0, now));
        if now - entry.1 >= WINDOW {
            *entry = (0, now);
        }
        entry.0 += 1;
    }

    /// Forgets the failures of a key that succeeded.
    pub(crate) fn succeeded(&self, key: &str) {
        self.counts().remove(key);
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<String, (u32, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_refused_after_its_failures_and_until_they_are_old() {
        let limiter = Limiter::default();
        let start = Instant::now();
        for _ in 0..BY_ACCOUNT {
            assert!(!limiter.is_blocked("192.0.2.1", BY_ACCOUNT, start));
            limiter.failed("192.0.2.1", start);
        }
        assert!(limiter.is_blocked("192.0.2.1", BY_ACCOUNT, start));
        assert!(!limiter.is_blocked("192.0.2.2", BY_ACCOUNT, start));
        assert!(!limiter.is_blocked("192.0.2.1", BY_ACCOUNT, start + WINDOW));
        limiter.failed("192.0.2.1", start + WINDOW);
        assert!(!limiter.is_blocked("192.0.2.1", BY_ACCOUNT, start + WINDOW));
    }

    #[test]
    fn a_success_forgets_and_memory_is_bounded() {
        let limiter = Limiter::default();
        let start = Instant::now();
        (0..BY_ACCOUNT).for_each(|_| limiter.failed("key", start));
        limiter.succeeded("key");
        assert!(!limiter.is_blocked("key", BY_ACCOUNT, start));
        (0..KEYS + 50).for_each(|index| limiter.failed(&index.to_string(), start));
        assert!(limiter.counts().len() <= KEYS);
    }
}
