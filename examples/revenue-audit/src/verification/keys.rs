//! The keys of one account, each with the entry that had it first.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};

use rad_core::revenue::{Entry, EntryKey};

use super::finding::Wrong;

/// Where the actor begins in an entry's canonical bytes: behind account, number, time and key.
const CONTENT: usize = 48;

/// The keys of one account.
#[derive(Debug, Default)]
pub(super) struct Keys {
    first: HashMap<EntryKey, First>,
}

#[derive(Debug)]
struct First {
    seq: u64,
    content: u64,
}

impl Keys {
    pub(super) fn clear(&mut self) {
        self.first.clear();
    }

    /// Notes the key of an entry.
    pub(super) fn note(&mut self, entry: &Entry) -> Result<(), Wrong> {
        let content = content(entry);
        if let Some(first) = self.first.get(&entry.key) {
            return Err(Wrong::KeyReused { first: first.seq, same: first.content == content });
        }
        self.first.insert(entry.key, First { seq: entry.seq, content });
        Ok(())
    }
}

/// A fingerprint of what the entry says, without its number and time: told apart only under the same key, so 64 bits do.
fn content(entry: &Entry) -> u64 {
    let bytes = entry.canonical_bytes();
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes.get(CONTENT..).unwrap_or_default());
    hasher.finish()
}
