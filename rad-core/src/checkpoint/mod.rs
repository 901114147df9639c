//! Signed checkpoints: what a whole ledger was at one moment, under a signature.
//!
//! The hash chain of an account proves that nothing before a known hash was altered. Whoever can write to the database could
//! still cut off the end of a history, remove an account, or write a history anew with hashes that fit. A checkpoint is a
//! signature over the number and the hash of the last entry of every account: a ledger that does not extend it was tampered
//! with, and comparing says in which account, between which entries. The key is not in the database.
//!
//! - [`Checkpoints`] is a ledger that keeps checkpoints, [`CheckpointsExt`] makes them, [`verify_with_checkpoints`] compares.
//! - The heads are the leaves of a Merkle [`Tree`], so that one account can be [proved](Proof) to its owner or to a partner's
//!   auditor alone. Ledgers keep the heads themselves, too, each once where it changed: a hash could only say that something
//!   is wrong.
//! - [`FileWriter`] and [`FileReader`] are for auditors who have no access to the database. Only a checkpoint that is kept
//!   elsewhere shows that later ones were removed together with the entries they covered.
//!
//! `FORMAT.md` gives every byte.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use rad_core::checkpoint::{CheckpointsExt, SigningKey};
//! use rad_core::memory::MemoryLedger;
//!
//! // 32 random bytes, from a file or the environment.
//! let key = SigningKey::from_hex(&"5e".repeat(32).into())?;
//! let ledger = MemoryLedger::default();
//! let checkpoint = ledger.checkpoint(&key, chrono::Utc::now()).await?;
//! assert!(checkpoint.is_intact() && checkpoint.key == key.public());
//! # Ok(())
//! # }
//! ```

mod compare;
mod file;
mod key;
mod making;
mod note;
mod store;
mod tree;
mod verifying;

pub use compare::{Difference, NotExtended, compare, compare_range};
pub use file::{FileError, FileReader, FileWriter};
pub use key::{NotAKey, PublicKey, Signature, SigningKey};
pub use making::{CheckpointError, CheckpointsExt};
pub use note::{Changes, Checkpoint, Head, SignedCheckpoint};
pub use store::{Checkpoints, HeadNow, Heads, SignedHead};
pub use tree::{Proof, Tree};
pub use verifying::{
    ChainVerification, CheckpointFinding, CheckpointProblem, FullVerification, verify_chain,
    verify_with_checkpoints,
};
