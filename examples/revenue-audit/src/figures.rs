//! Sums over many accounts, and how figures are printed.

use std::fmt;

use rad_core::money::{Amount, Credits, Currency};
use serde::{Serialize, Serializer};

/// Decimals of a micro-unit.
const DECIMALS: usize = 6;

/// A sum of credits or amounts, in micro-units: wide enough for any number of accounts, so that nothing saturates. Printed as a decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Sum(i128);

impl Sum {
    /// So many micro-units (10⁻⁶).
    pub const fn of_micros(micros: i128) -> Self {
        Self(micros)
    }

    /// Adds credits.
    pub const fn add(&mut self, credits: Credits) {
        self.0 = self.0.saturating_add(credits.micros() as i128);
    }

    /// Takes credits away.
    pub const fn subtract(&mut self, credits: Credits) {
        self.0 = self.0.saturating_sub(credits.micros() as i128);
    }

    /// Adds an amount.
    pub const fn add_amount(&mut self, amount: Amount) {
        self.0 = self.0.saturating_add(amount.micros() as i128);
    }

    /// The difference of two.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The sum of two.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = decimal(self.0, DECIMALS);
        f.pad(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Minor units of a currency as people write them: `-3.00` for -300 of a currency with hundredths.
pub fn minor(units: i64, currency: Currency) -> String {
    decimal(units.into(), currency.minor_digits().into())
}

/// Micro-units with at least so many decimals, and as many more as they need: `10.00`, `3.333333`.
pub fn exact(micros: i128, least: u8) -> String {
    let mut text = decimal(micros, DECIMALS);
    let whole = text.len() - DECIMALS - 1;
    let needed = text.trim_end_matches('0').len();
    let least = if least == 0 { whole } else { whole + 1 + usize::from(least) };
    text.truncate(needed.max(least));
    if text.ends_with('.') {
        text.pop();
    }
    text
}

/// A whole number of 10⁻ᵈ as decimal text.
fn decimal(number: i128, digits: usize) -> String {
    let sign = if number < 0 { "-" } else { "" };
    if digits == 0 {
        return number.to_string();
    }
    let padded = format!("{:0>width$}", number.unsigned_abs(), width = digits + 1);
    let (whole, rest) = padded.split_at(padded.len() - digits);
    format!("{sign}{whole}.{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_with_their_point() {
        for (micros, text) in
            [(0, "0"), (1, "0.000001"), (-1_500_000, "-1.5"), (10_000_000, "10"), (-7, "-0.000007")]
        {
            assert_eq!(Sum(micros).to_string(), text);
        }
        for (micros, least, text) in [
            (10_000_000, 2, "10.00"),
            (-3_333_333, 2, "-3.333333"),
            (500_000, 2, "0.50"),
            (10_000_000, 0, "10"),
            (10_500_000, 0, "10.5"),
            (0, 2, "0.00"),
            (-1_000_000, 6, "-1.000000"),
        ] {
            assert_eq!(exact(micros, least), text);
        }
        assert_eq!(minor(-300, Currency::USD), "-3.00");
        assert_eq!(minor(5, Currency::USD), "0.05");
        assert_eq!(minor(i64::MIN, Currency::USD), "-92233720368547758.08");
    }
}
