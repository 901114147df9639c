//! Shares in basis points, and the price of credits.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use super::{Amount, Credits, MoneyError};

/// A share from 0 % to 100 %, in basis points (hundredths of a percent); serialised as a percentage such as `"12.5"`.
///
/// ```
/// use rad_core::money::Rate;
///
/// let rate: Rate = "12.5".parse()?;
/// assert_eq!(rate.basis_points(), 1_250);
/// assert!("100.01".parse::<Rate>().is_err());
/// # Ok::<(), rad_core::money::MoneyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate(u16);

impl Rate {
    /// No share.
    pub const ZERO: Self = Self(0);
    /// All of it.
    pub const FULL: Self = Self(10_000);

    /// A share of so many basis points.
    ///
    /// # Errors
    /// [`MoneyError`] above 10 000.
    pub fn from_basis_points(points: u16) -> Result<Self, MoneyError> {
        if points <= Self::FULL.0 {
            Ok(Self(points))
        } else {
            Err(MoneyError::new("a share", points, "use 0 to 10000 basis points"))
        }
    }

    /// The share in basis points, 0 to 10 000.
    pub const fn basis_points(self) -> u16 {
        self.0
    }

    /// The share in percent.
    pub fn percent(self) -> Decimal {
        Decimal::new(self.0.into(), 2).normalize()
    }
}

impl FromStr for Rate {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        hundredths(text)
            .and_then(|points| u16::try_from(points).ok())
            .and_then(|points| Self::from_basis_points(points).ok())
            .ok_or_else(|| MoneyError::new("a share", text, "use 0 to 100 percent with at most 2 decimals"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.percent())
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rate({self})")
    }
}

impl TryFrom<String> for Rate {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.percent().to_string()
    }
}

/// How many credits one unit of the platform currency buys: 0.01 to 1 000 000, in hundredths; serialised as a decimal
/// string. One by default.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CreditsPerUnit(u32);

impl CreditsPerUnit {
    /// So many hundredths of a credit for one unit.
    ///
    /// # Errors
    /// [`MoneyError`] outside 1 to 100 000 000.
    pub fn from_hundredths(hundredths: u32) -> Result<Self, MoneyError> {
        if (1..=100_000_000).contains(&hundredths) {
            Ok(Self(hundredths))
        } else {
            Err(MoneyError::new("credits per unit", hundredths, "use 1 to 100000000 hundredths"))
        }
    }

    /// Hundredths of a credit for one unit.
    pub const fn hundredths(self) -> u32 {
        self.0
    }

    /// What `credits` are worth at this price, rounded down to a micro-unit; `None` where it does not fit.
    pub fn worth_of(self, credits: Credits) -> Option<Amount> {
        let product = i128::from(credits.micros()).checked_mul(100)?;
        i64::try_from(product.checked_div_euclid(i128::from(self.0))?).ok().map(Amount::from_micros)
    }

    /// The exact decimal.
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.0.into(), 2).normalize()
    }
}

impl Default for CreditsPerUnit {
    fn default() -> Self {
        Self(100)
    }
}

impl FromStr for CreditsPerUnit {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        hundredths(text).and_then(|hundredths| Self::from_hundredths(hundredths).ok()).ok_or_else(|| {
            MoneyError::new("credits per unit", text, "use 0.01 to 1000000 with at most 2 decimals")
        })
    }
}

impl fmt::Display for CreditsPerUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_decimal(), f)
    }
}

impl fmt::Debug for CreditsPerUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CreditsPerUnit({self})")
    }
}

impl TryFrom<String> for CreditsPerUnit {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.parse()
    }
}

impl From<CreditsPerUnit> for String {
    fn from(value: CreditsPerUnit) -> Self {
        value.to_string()
    }
}

/// The hundredths of a plain, non-negative decimal text with at most two decimals.
fn hundredths(text: &str) -> Option<u32> {
    let plain = text.len() <= 20
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && text.starts_with(|c: char| c.is_ascii_digit());
    if !plain {
        return None;
    }
    let scaled = Decimal::from_str_exact(text).ok()?.checked_mul(Decimal::from(100))?;
    if scaled.is_integer() { scaled.to_u32() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_percentages_with_two_decimals() {
        assert_eq!("20".parse::<Rate>().unwrap().to_string(), "20 %");
        assert_eq!(serde_json::to_string(&"0.25".parse::<Rate>().unwrap()).unwrap(), "\"0.25\"");
        for bad in ["-1", "100.01", "12.345", "20 %", "", "1e1"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_price_of_credits_has_bounds() {
        for good in ["0.01", "1000000", "12.34"] {
            assert_eq!(good.parse::<CreditsPerUnit>().unwrap().to_string(), good);
        }
        let (three, ten): (CreditsPerUnit, Credits) = ("3".parse().unwrap(), "10".parse().unwrap());
        assert_eq!(three.worth_of(ten).unwrap().to_string(), "3.333333");
        assert_eq!("0.01".parse::<CreditsPerUnit>().unwrap().worth_of(Credits::MAX), None);
        for bad in ["0", "0.001", "1000000.01", "99999999999999999999", "x"] {
            assert!(bad.parse::<CreditsPerUnit>().is_err(), "{bad:?}");
        }
    }
}
