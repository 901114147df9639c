//! The hash chain of an account: whoever holds a later hash can tell that nothing before it was altered, removed or
//! reordered. `FORMAT.md` gives it byte by byte.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::coding::{Coded, Sink};
use super::{AccountState, Entry, Violation};
use crate::id::AccountId;
use crate::source::Digest;

/// What every hash begins with, so that none can be mistaken for a hash of something else.
const DOMAIN: &[u8; 12] = b"rad.entry.v1";

/// More bytes than most entries have.
const EXPECTED: usize = 320;

impl Entry {
    /// The hash of the entry, given that of the entry before it; of the first one that is [`Digest::ZERO`].
    pub fn hash(&self, previous: &Digest) -> Digest {
        EntryHasher::default().hash(self, previous)
    }
}

/// Hashes entry after entry in memory that it keeps.
///
/// ```
/// use rad_core::id::AccountId;
/// use rad_core::revenue::{AccountState, Body, EntryHasher, EntryKey, Expiry};
/// use rad_core::source::Digest;
///
/// let body = Body::Expiry(Expiry { lot: 1 });
/// let state = AccountState::new(AccountId::new());
/// let entry = state.draft("2026-10-01T08:00:00Z".parse()?, EntryKey::derive("sweep", &[]), None, body);
/// let mut hasher = EntryHasher::default();
/// assert_eq!(hasher.hash(&entry, &Digest::ZERO), entry.hash(&Digest::ZERO));
/// assert_eq!(hasher.body(), entry.body.canonical_bytes());
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct EntryHasher {
    bytes: Vec<u8>,
    /// Where in them the body begins.
    body: usize,
}

impl EntryHasher {
    /// The hash of an entry, given that of the entry before it.
    pub fn hash(&mut self, entry: &Entry, previous: &Digest) -> Digest {
        let bytes = &mut self.bytes;
        bytes.clear();
        bytes.reserve(EXPECTED);
        bytes.put(DOMAIN);
        bytes.put(previous.as_bytes());
        let Entry { account, seq, at, key, actor, body } = entry;
        account.write(bytes);
        seq.write(bytes);
        at.write(bytes);
        key.write(bytes);
        actor.write(bytes);
        self.body = bytes.len();
        body.write(bytes);
        Digest::from_bytes(Sha256::digest(bytes).into())
    }

    /// The canonical bytes of the body of the entry that was hashed last.
    pub fn body(&self) -> &[u8] {
        self.bytes.get(self.body..).unwrap_or_default()
    }
}

/// An entry in its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The entry.
    pub entry: Entry,
    /// The hash of the entry before it; [`Digest::ZERO`] for the first.
    pub previous: Digest,
    /// The hash of the entry.
    pub hash: Digest,
}

impl Sealed {
    /// Puts an entry after the one with the hash `previous`.
    pub fn new(entry: Entry, previous: Digest) -> Self {
        let hash = entry.hash(&previous);
        Self { entry, previous, hash }
    }

    /// Whether the hash is that of the entry.
    pub fn is_intact(&self) -> bool {
        self.entry.hash(&self.previous) == self.hash
    }
}

/// Follows the chain of one account from its first entry on, and applies it.
///
/// ```
/// use rad_core::id::AccountId;
/// use rad_core::revenue::Audit;
///
/// let audit = Audit::new(AccountId::new());
/// assert_eq!(audit.state().seq(), 0);
/// ```
#[derive(Debug, Clone)]
pub struct Audit {
    state: AccountState,
    head: Digest,
}

impl Audit {
    /// Begins before the first entry of an account.
    pub fn new(account: AccountId) -> Self {
        Self { state: AccountState::new(account), head: Digest::ZERO }
    }

    /// Takes the next entry and gives what it did.
    ///
    /// # Errors
    /// [`Broken`], naming the entry; the audit stays before it.
    pub fn follow(&mut self, sealed: &Sealed) -> Result<super::Effect, Broken> {
        let seq = sealed.entry.seq;
        if sealed.previous != self.head {
            return Err(Broken::Unchained { seq, expected: self.head, actual: sealed.previous });
        }
        if !sealed.is_intact() {
            let expected = sealed.entry.hash(&sealed.previous);
            return Err(Broken::Altered { seq, expected, actual: sealed.hash });
        }
        let effect =
            self.state.apply(&sealed.entry).map_err(|violation| Broken::Refused { seq, violation })?;
        self.head = sealed.hash;
        Ok(effect)
    }

    /// The state after the entries so far.
    pub const fn state(&self) -> &AccountState {
        &self.state
    }

    /// The hash of the last entry.
    pub const fn head(&self) -> Digest {
        self.head
    }
}

/// Where a chain breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// The entry does not follow the one before it: one was removed, added or moved.
    #[error("entry {seq} follows an entry with the hash {actual}; the one before it has {expected}")]
    Unchained {
        /// The entry.
        seq: u64,
        /// The hash of the entry before it.
        expected: Digest,
        /// The hash it names.
        actual: Digest,
    },
    /// The entry or its hash was changed.
    #[error("entry {seq} has the hash {expected}; {actual} is recorded")]
    Altered {
        /// The entry.
        seq: u64,
        /// The hash of what is there.
        expected: Digest,
        /// The hash it came with.
        actual: Digest,
    },
    /// The engine refuses the entry, so no honest ledger took it.
    #[error("entry {seq} could not have been posted: {violation}")]
    Refused {
        /// The entry.
        seq: u64,
        /// Why.
        #[source]
        violation: Violation,
    },
}
