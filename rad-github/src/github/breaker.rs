//! Leaves a server alone for a while after it failed several times in a row.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A circuit breaker: closed while the server answers, open for a rest after too many failures in a row, and then tried
/// by one caller at a time.
#[derive(Debug)]
pub(super) struct Breaker {
    failures: u32,
    rest: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_a_row: u32,
    /// When the next caller may try, while it is open.
    next: Option<Instant>,
}

impl Breaker {
    pub(super) fn new(failures: u32, rest: Duration) -> Self {
        Self { failures, rest, state: Mutex::default() }
    }

    /// Whether to ask at `now`; otherwise how long the server is left alone yet.
    pub(super) fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state();
        match state.next {
            Some(next) if now < next => Err(next - now),
            Some(_) => {
                // This caller tries; until it is back, others wait for another rest.
                state.next = Some(now + self.rest);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The server answered, whatever it said.
    pub(super) fn answered(&self) {
        *self.state() = State::default();
    }

    /// The server failed at `now`.
    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.state();
        state.in_a_row = state.in_a_row.saturating_add(1);
        if state.in_a_row >= self.failures {
            state.next = Some(now + self.rest);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_try() {
        let rest = Duration::from_secs(30);
        let breaker = Breaker::new(3, rest);
        let start = Instant::now();
        for _ in 0..2 {
            breaker.failed(start);
        }
        breaker.answered();
        for _ in 0..2 {
            breaker.failed(start);
        }
        assert_eq!(breaker.admit(start), Ok(()), "failures count only in a row");
        breaker.failed(start);
        assert_eq!(breaker.admit(start + Duration::from_secs(10)), Err(Duration::from_secs(20)));
        let later = start + rest;
        assert_eq!(breaker.admit(later), Ok(()), "after the rest one may try");
        assert_eq!(breaker.admit(later), Err(rest), "and only one");
        breaker.failed(later);
        assert!(breaker.admit(later + Duration::from_secs(29)).is_err(), "it failed again");
        breaker.answered();
        assert_eq!(breaker.admit(later), Ok(()));
    }
}
