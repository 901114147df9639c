//! An entry of the ledger, and the key that names its intent.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Body;
use super::text::{hex, unhex};
use crate::id::{AccountId, OrderId, ParseIdError, RunId};

/// One thing that happened to the credits of one account. Entries are appended and never change.
///
/// It carries opaque ids only: no name, no e-mail, nothing that would have to be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whose credits move.
    pub account: AccountId,
    /// The entry's number in its account: 1, 2, 3 … without a gap. Lots, holds and charges are named by the number of the
    /// entry that made them.
    pub seq: u64,
    /// When it happened, in whole microseconds; never before the entry that precedes it in the account.
    pub at: DateTime<Utc>,
    /// The idempotency key, unique in the account.
    pub key: EntryKey,
    /// Who caused it, where a person did.
    pub actor: Option<AccountId>,
    /// What happened.
    pub body: Body,
}

impl Entry {
    /// What names the entry everywhere.
    pub const fn id(&self) -> EntryId {
        EntryId { account: self.account, seq: self.seq }
    }
}

/// Names an entry, or the lot, hold or charge that it made, among all accounts: written as the account, a colon and the
/// number.
///
/// ```
/// use rad_core::revenue::EntryId;
///
/// let id: EntryId = "018f3c5e-7a00-7000-8000-000000000001:4".parse()?;
/// assert_eq!((id.seq, id.to_string().parse()), (4, Ok(id)));
/// # Ok::<(), rad_core::id::ParseIdError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// The account.
    pub account: AccountId,
    /// The number of the entry in the account.
    pub seq: u64,
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.account, self.seq)
    }
}

impl FromStr for EntryId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let wrong = || ParseIdError::new("EntryId", text);
        let (account, seq) = text.rsplit_once(':').ok_or_else(wrong)?;
        if !seq.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let (account, seq) = (account.parse().map_err(|_| wrong())?, seq.parse().map_err(|_| wrong())?);
        Ok(Self { account, seq })
    }
}

impl Serialize for EntryId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EntryId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Names the intent behind an entry: posting the same intent twice changes nothing the second time.
///
/// Unique in its account. Printed as 32 lower-case hexadecimal digits.
///
/// ```
/// use rad_core::revenue::EntryKey;
///
/// let key = EntryKey::derive("signup", &[b"account 7"]);
/// assert_eq!(key, EntryKey::derive("signup", &[b"account 7"]));
/// assert_ne!(key, EntryKey::derive("signup", &[b"account ", b"7"]));
/// assert_eq!(key.to_string().parse(), Ok(key));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey([u8; 16]);

impl EntryKey {
    /// The key with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The key of an intent: the first 16 bytes of SHA-256 over the name space and the parts, each after its length as
    /// 8 bytes, most significant first, so that no two lists of parts run together.
    pub fn derive(namespace: &str, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in std::iter::once(namespace.as_bytes()).chain(parts.iter().copied()) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut key = [0; 16];
        key.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(key)
    }

    /// The 16 bytes of the key.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl From<RunId> for EntryKey {
    /// The run's own bytes.
    fn from(run: RunId) -> Self {
        Self(*run.as_bytes())
    }
}

impl From<OrderId> for EntryKey {
    /// The order's own bytes.
    fn from(order: OrderId) -> Self {
        Self(*order.as_bytes())
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex(&self.0))
    }
}

impl fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryKey({self})")
    }
}

impl FromStr for EntryKey {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        unhex(text).map(Self).ok_or_else(|| ParseIdError::new("EntryKey", text))
    }
}

impl Serialize for EntryKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EntryKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
