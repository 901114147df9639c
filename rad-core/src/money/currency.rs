//! Currencies of ISO 4217, with the digits of their minor unit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::MoneyError;

/// A currency of ISO 4217 by its alphabetic code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(
    /// The code, then the number of digits: together, since they are compared as one.
    [u8; 4],
);

/// Active codes of ISO 4217 whose minor unit is not a hundredth: none, thousandths, ten-thousandths.
const NO_MINOR: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
const THOUSANDTHS: &str = "BHD IQD JOD KWD LYD OMR TND";
const TEN_THOUSANDTHS: &str = "CLF UYW";

/// Active codes of ISO 4217 whose minor unit is a hundredth.
const HUNDREDTHS: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD \
    CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD \
    HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU \
    MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK \
    SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG \
    YER ZAR ZMW ZWG";

impl Currency {
    /// United States dollar.
    pub const USD: Self = Self(*b"USD\x02");
    /// Euro.
    pub const EUR: Self = Self(*b"EUR\x02");

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The three ASCII bytes.
    pub const fn as_bytes(&self) -> &[u8; 3] {
        let [code @ .., _] = &self.0;
        code
    }

    /// Digits of the minor unit: 2 for USD, 0 for JPY, 3 for KWD.
    pub const fn minor_digits(self) -> u8 {
        let [.., digits] = self.0;
        digits
    }

    /// Micro-units in one minor unit: 10 000 for USD, 1 000 000 for JPY.
    pub const fn micros_per_minor(self) -> i64 {
        match self.minor_digits() {
            0 => 1_000_000,
            2 => 10_000,
            3 => 1_000,
            _ => 100,
        }
    }

    /// Whole minor units in an amount that is not negative, rounded down.
    #[inline]
    pub(crate) const fn floor_to_minor(self, micros: i64) -> i64 {
        // Divisions by constants: several times faster than by a number that is looked up.
        match self.minor_digits() {
            0 => micros / 1_000_000,
            2 => micros / 10_000,
            3 => micros / 1_000,
            _ => micros / 100,
        }
    }
}

/// The digits of the minor unit of every code there could be, [`NO_CODE`] for those that are none: every charge that is read has
/// a currency.
static DIGITS: [u8; 26 * 26 * 26] = {
    let mut digits = [NO_CODE; 26 * 26 * 26];
    let known = [(0, NO_MINOR), (2, HUNDREDTHS), (3, THOUSANDTHS), (4, TEN_THOUSANDTHS)];
    let mut list = 0;
    while list < known.len() {
        let (count, codes) = (known[list].0, known[list].1.as_bytes());
        let mut at = 0;
        while at < codes.len() {
            digits[place([codes[at], codes[at + 1], codes[at + 2]])] = count;
            // A space follows.
            at += 4;
        }
        list += 1;
    }
    digits
};
const NO_CODE: u8 = u8::MAX;

/// The place of three capital letters among all such.
const fn place([one, two, three]: [u8; 3]) -> usize {
    ((one - b'A') as usize * 26 + (two - b'A') as usize) * 26 + (three - b'A') as usize
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        if let Ok(code) = <[u8; 3]>::try_from(text.as_bytes())
            && code.iter().all(u8::is_ascii_uppercase)
        {
            let (digits, [one, two, three]) = (DIGITS[place(code)], code);
            if digits != NO_CODE {
                return Ok(Self([one, two, three, digits]));
            }
        }
        Err(MoneyError::new("a currency", text, "use an active code of ISO 4217, such as USD"))
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_units_are_those_of_the_standard() {
        for (code, digits) in [("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("EUR", 2)] {
            assert_eq!(code.parse::<Currency>().unwrap().minor_digits(), digits, "{code}");
        }
        for codes in [NO_MINOR, THOUSANDTHS, TEN_THOUSANDTHS, HUNDREDTHS] {
            for code in codes.split_ascii_whitespace() {
                let currency: Currency = code.parse().unwrap();
                assert_eq!(
                    currency.micros_per_minor(),
                    10_i64.pow(6 - u32::from(currency.minor_digits())),
                    "{code}"
                );
            }
        }
        assert_eq!("USD".parse(), Ok(Currency::USD));
        assert_eq!("EUR".parse(), Ok(Currency::EUR));
        for bad in ["usd", "US", "XXX", "USDX", "", "€€€"] {
            assert!(bad.parse::<Currency>().is_err(), "{bad}");
        }
    }
}
