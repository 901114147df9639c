//! Identifiers: UUIDv7 newtypes, and the short id of a deployment.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh, time-ordered id (UUIDv7, RFC 9562).
            #[expect(clippy::new_without_default, reason = "a default that differs each time misleads")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id with these 16 bytes, most significant first.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The 16 bytes of the id, most significant first.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| ParseIdError::new(stringify!($name), text))
            }
        }
    )*};
}

uuid_id! {
    /// A person or organisation with an account on the platform.
    AccountId,
    /// A listing in the catalogue; stable over the revisions of its module.
    ModuleId,
    /// One attempt of a deployment to reach a state: create, update, delete or purge.
    RunId,
    /// An order for credits at a payment provider.
    OrderId,
    /// A refine session: a conversation about one module with a code agent.
    RefineId,
}

/// The short id of a deployment: 12 lower-case ASCII letters and digits, the first a letter, so that it can stand
/// in the names of cloud resources. 26 × 36¹¹ ≈ 3.4 × 10¹⁸ values; stores refuse a second use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentId([u8; Self::LEN]);

impl DeploymentId {
    /// Characters in the id.
    pub const LEN: usize = 12;
    /// How many ids there are.
    const COUNT: u64 = 26 * 36_u64.pow(11);

    /// A fresh id drawn from the operating system's randomness.
    #[expect(clippy::new_without_default, reason = "a default that differs each time misleads")]
    pub fn new() -> Self {
        let pool = u128::from_be_bytes(*Uuid::new_v4().as_bytes());
        let pool = pool ^ u128::from_be_bytes(*Uuid::new_v4().as_bytes()).rotate_left(64);
        Self::from_number((pool % u128::from(Self::COUNT)) as u64)
    }

    /// The id with this number, of 26 × 36¹¹; greater numbers begin again.
    pub fn from_number(mut number: u64) -> Self {
        const LETTERS: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";
        const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let mut id = [0; Self::LEN];
        id[0] = LETTERS[(number % 26) as usize];
        number /= 26;
        id[1..].fill_with(|| {
            let byte = ALPHABET[(number % 36) as usize];
            number /= 36;
            byte
        });
        Self(id)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The 12 ASCII bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeploymentId({self})")
    }
}

impl FromStr for DeploymentId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let bytes: Option<[u8; Self::LEN]> = text.as_bytes().try_into().ok();
        match bytes {
            Some(id)
                if id[0].is_ascii_lowercase()
                    && id.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) =>
            {
                Ok(Self(id))
            }
            _ => Err(ParseIdError::new("DeploymentId", text)),
        }
    }
}

impl Serialize for DeploymentId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for DeploymentId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a valid {kind}")]
pub struct ParseIdError {
    kind: &'static str,
    value: String,
}

impl ParseIdError {
    pub(crate) fn new(kind: &'static str, text: &str) -> Self {
        Self { kind, value: text.chars().take(64).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployment_ids_are_safe_in_cloud_resource_names() {
        for _ in 0..1_000 {
            let id = DeploymentId::new();
            assert_eq!(id.to_string().parse(), Ok(id));
            assert!(id.as_str().starts_with(|c: char| c.is_ascii_lowercase()));
        }
        for bad in ["", "1bcdefghijkl", "Abcdefghijkl", "abc", "abcdefghijklm", "abcdefghijk-"] {
            assert!(bad.parse::<DeploymentId>().is_err(), "{bad}");
        }
    }
}
