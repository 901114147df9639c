//! Fixed-point quantities: credits, money of a currency, and amounts of the platform's own currency.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Currency, MoneyError};

const SCALE: u32 = 6;
const WANTED: &str =
    "use a decimal number with at most 6 digits after the point, within ±9223372036854.775807";

fn micros_of(value: Decimal) -> Option<i64> {
    let scaled = value.checked_mul(Decimal::from(1_000_000))?;
    if scaled.is_integer() { scaled.to_i64() } else { None }
}

/// Only plain decimal digits: no exponent, no blanks, no separators.
fn parse_micros(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit());
    if !plain || text.len() > 40 {
        return None;
    }
    micros_of(Decimal::from_str_exact(text).ok()?)
}

macro_rules! fixed {
    ($($(#[$doc:meta])* $name:ident, $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(i64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);
            /// The most there can be.
            pub const MAX: Self = Self(i64::MAX);

            /// The quantity of this many micro-units (10⁻⁶).
            pub const fn from_micros(micros: i64) -> Self {
                Self(micros)
            }

            /// The quantity in micro-units (10⁻⁶).
            pub const fn micros(self) -> i64 {
                self.0
            }

            /// The sum; `None` where it does not fit.
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// The difference; `None` where it does not fit.
            pub const fn checked_sub(self, other: Self) -> Option<Self> {
                match self.0.checked_sub(other.0) {
                    Some(difference) => Some(Self(difference)),
                    None => None,
                }
            }

            /// The quantity with the other sign; `None` where it does not fit.
            pub const fn checked_neg(self) -> Option<Self> {
                match self.0.checked_neg() {
                    Some(negative) => Some(Self(negative)),
                    None => None,
                }
            }

            /// The sum of many; `None` where it does not fit.
            pub fn checked_sum(items: impl IntoIterator<Item = Self>) -> Option<Self> {
                items.into_iter().try_fold(Self::ZERO, Self::checked_add)
            }

            /// Whether it is more than nothing.
            pub const fn is_positive(self) -> bool {
                self.0 > 0
            }

            /// The exact decimal.
            pub fn to_decimal(self) -> Decimal {
                Decimal::new(self.0, SCALE).normalize()
            }
        }

        impl TryFrom<Decimal> for $name {
            type Error = MoneyError;

            fn try_from(value: Decimal) -> Result<Self, MoneyError> {
                micros_of(value).map(Self).ok_or_else(|| MoneyError::new($kind, value, WANTED))
            }
        }

        impl FromStr for $name {
            type Err = MoneyError;

            fn from_str(text: &str) -> Result<Self, MoneyError> {
                parse_micros(text).map(Self).ok_or_else(|| MoneyError::new($kind, text, WANTED))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.to_decimal(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

fixed! {
    /// A number of credits, in micro-credits; serialised as a decimal string.
    ///
    /// ```
    /// use rad_core::money::Credits;
    ///
    /// let credits: Credits = "12.5".parse()?;
    /// assert_eq!(credits.micros(), 12_500_000);
    /// assert_eq!(credits.to_string(), "12.5");
    /// assert!("0.0000001".parse::<Credits>().is_err());
    /// # Ok::<(), rad_core::money::MoneyError>(())
    /// ```
    Credits, "a number of credits";
    /// An amount in the platform's own currency, which the place it stands in implies; in micro-units.
    Amount, "an amount";
}

/// An amount of a currency, in micro-units; serialised as `"10.00 USD"`.
///
/// ```
/// use rad_core::money::{Currency, Money};
///
/// let money: Money = "10 USD".parse()?;
/// assert_eq!(money.to_string(), "10.00 USD");
/// assert_eq!(money, Money::from_minor(1_000, Currency::USD).unwrap());
/// # Ok::<(), rad_core::money::MoneyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Money {
    amount: Amount,
    currency: Currency,
}

impl Money {
    /// An amount of a currency.
    ///
    /// # Errors
    /// [`MoneyError`] if the value has more than 6 digits after the point or does not fit.
    pub fn new(value: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        Ok(Self::of(Amount::try_from(value)?, currency))
    }

    /// An amount, with the currency it is in.
    pub const fn of(amount: Amount, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// So many minor units (cents) of a currency; `None` where it does not fit.
    pub fn from_minor(minor: i64, currency: Currency) -> Option<Self> {
        let micros = minor.checked_mul(currency.micros_per_minor())?;
        Some(Self::of(Amount::from_micros(micros), currency))
    }

    /// The amount in minor units (cents); `None` where it is not a whole number of them.
    pub fn to_minor(self) -> Option<i64> {
        let per_minor = self.currency.micros_per_minor();
        (self.amount.micros() % per_minor == 0).then(|| self.amount.micros() / per_minor)
    }

    /// The amount without its currency.
    pub const fn amount(self) -> Amount {
        self.amount
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.amount.to_decimal();
        let digits = u32::from(self.currency.minor_digits());
        if value.scale() < digits {
            value.rescale(digits);
        }
        write!(f, "{value} {}", self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Money({self})")
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (value, currency) = text.split_once(' ').ok_or_else(|| {
            MoneyError::new("an amount of money", text, "write the amount, a blank and the currency")
        })?;
        Ok(Self { amount: value.parse()?, currency: currency.parse()? })
    }
}

impl TryFrom<String> for Money {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.parse()
    }
}

impl From<Money> for String {
    fn from(money: Money) -> Self {
        money.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip_and_refuse_what_is_not_exact() {
        for (text, micros) in
            [("0", 0), ("-1.5", -1_500_000), ("0.000001", 1), ("9223372036854.775807", i64::MAX)]
        {
            let credits: Credits = text.parse().unwrap();
            assert_eq!((credits.micros(), credits.to_string()), (micros, text.to_owned()));
        }
        for bad in
            ["", ".5", "5.", "1e3", " 1", "1,000", "0.0000001", "9223372036854.775808", "--1", "1.2.3", "NaN"]
        {
            assert!(bad.parse::<Credits>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn money_prints_the_digits_of_its_currency() {
        for (text, printed) in [("10 USD", "10.00 USD"), ("10 JPY", "10 JPY"), ("1.2345 USD", "1.2345 USD")] {
            assert_eq!(text.parse::<Money>().unwrap().to_string(), printed);
        }
        assert_eq!("1.2345 USD".parse::<Money>().unwrap().to_minor(), None);
        assert_eq!("-0.05 USD".parse::<Money>().unwrap().to_minor(), Some(-5));
        assert_eq!(Money::from_minor(i64::MAX, Currency::USD), None);
    }
}
