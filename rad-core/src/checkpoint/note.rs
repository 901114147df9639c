//! A checkpoint as it is signed: its fields, its bytes, its hash.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::key::{PublicKey, Signature, SigningKey};
use crate::id::AccountId;
use crate::source::Digest;

/// What every signed checkpoint begins with, so that no signature can be mistaken for one over something else.
const DOMAIN: &[u8; 17] = b"rad.checkpoint.v1";

/// What the hash over changed heads begins with.
const CHANGES: &[u8; 25] = b"rad.checkpoint.changes.v1";

/// How far an account has come: its last entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The account.
    pub account: AccountId,
    /// The number of its last entry.
    pub seq: u64,
    /// The hash of its last entry, which covers all before it.
    pub hash: Digest,
}

impl Head {
    /// The bytes that stand for the head.
    pub fn canonical_bytes(&self) -> [u8; 56] {
        let mut bytes = [0; 56];
        let (account, rest) = bytes.split_at_mut(16);
        let (seq, hash) = rest.split_at_mut(8);
        account.copy_from_slice(self.account.as_bytes());
        seq.copy_from_slice(&self.seq.to_be_bytes());
        hash.copy_from_slice(self.hash.as_bytes());
        bytes
    }
}

/// What a whole ledger was at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// 1, 2, 3 … in the order they were made.
    pub number: u64,
    /// When it was made; never before the one before it.
    pub at: DateTime<Utc>,
    /// How many accounts had entries.
    pub accounts: u64,
    /// How many entries they had.
    pub entries: u64,
    /// The root of the [tree](super::Tree) over the heads of all accounts, in account order.
    pub root: Digest,
    /// The hash over the heads that are not those of the checkpoint before, in account order: see [`Changes`].
    pub changes: Digest,
    /// The [hash](SignedCheckpoint::hash) of the checkpoint before; [`Digest::ZERO`] for the first.
    pub previous: Digest,
}

impl Checkpoint {
    /// Signs it.
    pub fn sign(self, key: &SigningKey) -> SignedCheckpoint {
        let (checkpoint, public) = (self, key.public());
        let signature = key.sign(&checkpoint.signed_bytes(&public));
        SignedCheckpoint { checkpoint, key: public, signature }
    }

    /// The bytes that a signature covers, as `FORMAT.md` specifies them.
    fn signed_bytes(&self, key: &PublicKey) -> Vec<u8> {
        let Self { number, at, accounts, entries, root, changes, previous } = self;
        let mut bytes = DOMAIN.to_vec();
        bytes.extend(number.to_be_bytes());
        bytes.extend(at.timestamp_micros().to_be_bytes());
        bytes.extend(accounts.to_be_bytes());
        bytes.extend(entries.to_be_bytes());
        for part in [root.as_bytes(), changes.as_bytes(), previous.as_bytes(), key.as_bytes()] {
            bytes.extend(part);
        }
        bytes
    }
}

/// A checkpoint and the signature under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedCheckpoint {
    /// What is signed.
    #[serde(flatten)]
    pub checkpoint: Checkpoint,
    /// Whose signature it is; it is signed too.
    pub key: PublicKey,
    /// The signature.
    pub signature: Signature,
}

impl SignedCheckpoint {
    /// Whether the signature is that of `key` over what is there. Whose key that is, is another question.
    pub fn is_intact(&self) -> bool {
        self.key.is_by(&self.signature, &self.checkpoint.signed_bytes(&self.key))
    }

    /// The hash of what is signed: the next checkpoint names it.
    pub fn hash(&self) -> Digest {
        Digest::of(&self.checkpoint.signed_bytes(&self.key))
    }
}

/// The hash over the heads that changed from one checkpoint to the next, taken one after the other.
#[derive(Debug, Clone)]
pub struct Changes(Sha256);

impl Default for Changes {
    fn default() -> Self {
        Self(Sha256::new_with_prefix(CHANGES))
    }
}

impl Changes {
    /// Adds the next head, in account order.
    pub fn push(&mut self, head: &Head) {
        self.0.update(head.canonical_bytes());
    }

    /// The hash over the heads so far.
    pub fn hash(&self) -> Digest {
        Digest::from_bytes(self.0.clone().finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Tree;

    /// The example in `FORMAT.md`, whose values another implementation computed.
    #[test]
    fn the_example_of_the_format_is_right() {
        let format = include_str!("../../FORMAT.md");
        let (_, example) = format.split_once("An example, with the secret key").unwrap();
        let says = |what: String| assert!(example.contains(&what), "{what}");
        let head = |n: u8, seq, hash| {
            let account: AccountId = format!("018f3c5e-7a00-7000-8000-00000000000{n}").parse().unwrap();
            says(format!("`{account}`, {seq}"));
            says(format!("`{hash}`"));
            Head { account, seq, hash }
        };
        let first: Digest =
            "f57876f0be203a950dd17de8dfc4335b371c5275c56ffda0eae979f3743a7d7a".parse().unwrap();
        let heads = [head(1, 1, first), head(2, 3, Digest::of(b"b")), head(3, 2, Digest::of(b"c"))];
        let (mut tree, mut changes) = (Tree::default(), Changes::default());
        for head in &heads {
            tree.push(head);
            changes.push(head);
        }
        let checkpoint = Checkpoint {
            number: 1,
            at: "2026-10-02T00:00:00Z".parse().unwrap(),
            accounts: 3,
            entries: 6,
            root: tree.root(),
            changes: changes.hash(),
            previous: Digest::ZERO,
        };
        let secret: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
        let signed = checkpoint.sign(&SigningKey::from_hex(&secret.into()).unwrap());
        let signature = signed.signature.to_string();
        let (one, other) = signature.split_at(64);
        says(format!("| root | `{}` |", checkpoint.root));
        says(format!("| changes | `{}` |", checkpoint.changes));
        says(format!("| key | `{}` |", signed.key));
        says(format!("| hash | `{}` |", signed.hash()));
        says(format!("| signature | `{one}` `{other}` |"));
        assert_eq!(signed.checkpoint.signed_bytes(&signed.key).len(), 177);
        assert!(signed.is_intact());
    }

    #[test]
    fn json_has_every_field_and_no_secret() {
        let none = Digest::ZERO;
        let (at, root) = (DateTime::UNIX_EPOCH, Tree::default().root());
        let checkpoint =
            Checkpoint { number: 1, at, accounts: 0, entries: 0, root, changes: none, previous: none };
        let secret = "1f".repeat(32);
        let signed = checkpoint.sign(&SigningKey::from_hex(&secret.clone().into()).unwrap());
        let json = serde_json::to_string(&signed).unwrap();
        assert!(!json.contains(&secret));
        assert_eq!(serde_json::from_str::<SignedCheckpoint>(&json).unwrap(), signed);
    }
}
