//! The texts inside entries: hexadecimal ids, and reasons written by people.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Violation;

/// Why a person refunded or adjusted: 1 to 500 bytes, no control characters, no `@`.
///
/// Entries are never erased, so an e-mail address must not get into one; the `@` is refused for that.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(Arc<str>);

impl Reason {
    /// The longest reason, in bytes of UTF-8.
    pub const MAX_LEN: usize = 500;

    /// A reason, without the white space around it.
    ///
    /// # Errors
    /// [`Violation::BadReason`].
    pub fn new(text: &str) -> Result<Self, Violation> {
        let text = text.trim();
        let good = !text.is_empty()
            && text.len() <= Self::MAX_LEN
            && !text.contains(|c: char| c.is_control() || c == '@');
        if good { Ok(Self(text.into())) } else { Err(Violation::BadReason) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reason({:?})", self.as_str())
    }
}

impl FromStr for Reason {
    type Err = Violation;

    fn from_str(text: &str) -> Result<Self, Violation> {
        Self::new(text)
    }
}

impl TryFrom<String> for Reason {
    type Error = Violation;

    fn try_from(text: String) -> Result<Self, Violation> {
        // What is read back must be what was hashed: nothing is trimmed away here.
        Self::new(&text)
            .and_then(|reason| if *reason.0 == *text { Ok(reason) } else { Err(Violation::BadReason) })
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        (*reason.0).to_owned()
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 16 bytes from 32 lower-case hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<[u8; 16]> {
    let digits = text.as_bytes();
    let lower = digits.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b));
    if digits.len() != 32 || !lower {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Serde for an opaque id of 16 bytes as hexadecimal text.
pub(super) mod hex16 {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::hex(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        super::unhex(&text)
            .ok_or_else(|| D::Error::custom("an opaque id has 32 lower-case hexadecimal digits"))
    }
}

/// Serde for an opaque id that may be absent.
pub(super) mod hex16_option {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "the signature serde calls")]
    pub(crate) fn serialize<S: Serializer>(
        bytes: &Option<[u8; 16]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_some(&super::hex(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<[u8; 16]>, D::Error> {
        let text = Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.map(|text| {
            super::unhex(&text)
                .ok_or_else(|| D::Error::custom("an opaque id has 32 lower-case hexadecimal digits"))
        })
        .transpose()
    }
}
