//! What a ledger must do to be checkpointed.

use std::fmt;

use async_trait::async_trait;

use super::{Head, SignedCheckpoint};
use crate::id::AccountId;
use crate::ledger::{Ledger, LedgerError};
use crate::revenue::EntryId;
use crate::source::Digest;

/// A ledger that keeps checkpoints of itself.
///
/// # Contract
/// - Checkpoints are appended, never changed or removed; their numbers are 1, 2, 3 … without a gap.
/// - With each the heads that changed since the one before are kept, in one piece with it.
/// - Checkpoints say what was signed, not what is right: nothing is checked here, [`CheckpointsExt`](super::CheckpointsExt)
///   makes them and [`verify_with_checkpoints`](super::verify_with_checkpoints) checks them.
/// - Lists are in the order that is named, and end where one is shorter than its limit, which is capped at [`SignedHead::MOST`].
#[async_trait]
pub trait Checkpoints: Ledger {
    /// Begins to read the heads of all accounts as they are now: what is posted meanwhile is not seen.
    async fn heads(&self) -> Result<Box<dyn Heads>, LedgerError>;

    /// The hashes that are stored of these entries, in their order; `None` where there is no such entry.
    ///
    /// There are at most [`SignedHead::MOST`].
    async fn hashes(&self, entries: &[EntryId]) -> Result<Vec<Option<Digest>>, LedgerError>;

    /// Keeps a checkpoint and the heads that changed, in account order. `false` if its number is not the next one: somebody
    /// else was faster.
    async fn keep(&self, checkpoint: &SignedCheckpoint, changed: &[Head]) -> Result<bool, LedgerError>;

    /// The newest checkpoint.
    async fn last_checkpoint(&self) -> Result<Option<SignedCheckpoint>, LedgerError>;

    /// Checkpoints with numbers after `after`, in the order of numbers.
    async fn checkpoints(&self, after: u64, limit: u32) -> Result<Vec<SignedCheckpoint>, LedgerError>;

    /// The heads that were kept with a checkpoint, in account order, of accounts after `after`.
    async fn changes(
        &self,
        checkpoint: u64,
        after: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<Head>, LedgerError>;

    /// The heads of all accounts at a checkpoint, in account order, of accounts after `after`: of each the one kept last, up
    /// to that checkpoint.
    async fn heads_at(
        &self,
        checkpoint: u64,
        after: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<Head>, LedgerError>;

    /// Every head that was kept, in the order of accounts, then of checkpoints: after the account and checkpoint `after`, up
    /// to and with the account `to`.
    async fn signed_heads(
        &self,
        after: Option<(AccountId, u64)>,
        to: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<SignedHead>, LedgerError>;
}

/// The heads of all accounts at one moment, read in account order.
#[async_trait]
pub trait Heads: Send + fmt::Debug {
    /// The next heads; none after the last.
    async fn next_page(&mut self) -> Result<Vec<HeadNow>, LedgerError>;
}

/// The head of an account, and what was signed of it before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadNow {
    /// The head.
    pub head: Head,
    /// The head that was kept last with a checkpoint; `None` for an account that is in no checkpoint yet.
    pub signed: Option<Head>,
}

/// A head as a checkpoint covers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedHead {
    /// The number of the checkpoint.
    pub checkpoint: u64,
    /// The head.
    pub head: Head,
}

impl SignedHead {
    /// The most heads, or checkpoints, that a ledger lists at a time.
    pub const MOST: u32 = 1_000;
}
