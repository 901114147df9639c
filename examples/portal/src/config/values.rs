//! Values of options as people write them: sizes, address ranges, what the network is.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use clap::ValueEnum;
use rad_runner::terraform::Ipv4Net;
use serde::Deserialize;

/// What module code reaches over the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkPolicy {
    /// Nothing
    Off,
    /// The internet, and of what is not the internet only what is allowed
    #[default]
    Internet,
    /// Whatever the host reaches, its loopback included
    Host,
}

/// A range of IPv4 addresses, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Range(Ipv4Net);

impl Range {
    /// The range as runs are given it.
    pub fn net(self) -> Ipv4Net {
        self.0
    }
}

impl FromStr for Range {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let range = text.parse().or_else(|_| text.parse::<Ipv4Addr>().map(Ipv4Net::from));
        range.map(Self).map_err(|_| "write a range as 10.1.0.0/16, or one IPv4 address")
    }
}

/// A number of bytes, as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(u64);

impl Size {
    /// So many bytes.
    pub const fn of(bytes: u64) -> Self {
        Self(bytes)
    }

    /// How many bytes it is.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
        let factor = match text[digits.len()..].trim() {
            "" | "B" => Some(0),
            "KiB" => Some(10),
            "MiB" => Some(20),
            "GiB" => Some(30),
            "TiB" => Some(40),
            _ => None,
        };
        let count =
            digits.parse::<u64>().ok().zip(factor).and_then(|(count, shift)| count.checked_mul(1 << shift));
        count.map(Self).ok_or("write a whole number with its unit: 512MiB, 4GiB, 1TiB")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shift = [40, 30, 20, 10]
            .into_iter()
            .find(|shift| self.0 >= 1 << shift && self.0.trailing_zeros() >= *shift);
        let unit = match shift {
            Some(40) => "TiB",
            Some(30) => "GiB",
            Some(20) => "MiB",
            Some(_) => "KiB",
            None => "B",
        };
        write!(f, "{}{unit}", self.0 >> shift.unwrap_or(0))
    }
}

/// Lets the file hold what the command line takes.
macro_rules! read_as_text {
    ($($name:ty),*) => {$(
        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    )*};
}

read_as_text!(Range, Size);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_told_with_their_units() {
        for (text, bytes) in
            [("512MiB", 512 << 20), ("4 GiB", 4 << 30), ("1TiB", 1 << 40), ("10", 10), ("3KiB", 3072)]
        {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
            assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "GiB", "4GB", "-1MiB", "1.5GiB", "99999999999TiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
