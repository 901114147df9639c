//! Credits, money, currencies and rates: fixed-point integers, decimal at the edges.
//!
//! Everything is counted in micro-units (10⁻⁶) in an `i64`, parsed from and printed as decimal text, and computed with
//! checked arithmetic: there is no operation here that wraps, rounds silently or panics.

mod currency;
mod fixed;
mod rate;

pub use currency::Currency;
pub use fixed::{Amount, Credits, Money};
pub use rate::{CreditsPerUnit, Rate};

/// A text or number that is not the wanted quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not {kind}: {wanted}")]
pub struct MoneyError {
    kind: &'static str,
    value: String,
    wanted: &'static str,
}

impl MoneyError {
    fn new(kind: &'static str, value: impl ToString, wanted: &'static str) -> Self {
        Self { kind, value: value.to_string().chars().take(64).collect(), wanted }
    }
}
