//! The rows of checkpoints and heads, read back.

use rad_core::checkpoint::{Checkpoint, Head, HeadNow, PublicKey, Signature, SignedCheckpoint, SignedHead};
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::source::Digest;
use sqlx::FromRow;

use super::super::micros::Micros;
use crate::database::{bytes, time};

/// A row of `ledger_checkpoints`.
#[derive(Debug, FromRow)]
pub(super) struct CheckpointRow {
    number: i64,
    at: Micros,
    accounts: i64,
    entries: i64,
    root: Vec<u8>,
    changes: Vec<u8>,
    previous: Vec<u8>,
    key: Vec<u8>,
    signature: Vec<u8>,
}

/// A head, or an entry with its hash.
#[derive(Debug, FromRow)]
pub(super) struct HeadRow {
    account: Vec<u8>,
    seq: i64,
    hash: Vec<u8>,
}

/// A head, and the one that was signed last.
#[derive(Debug, FromRow)]
pub(super) struct HeadNowRow {
    #[sqlx(flatten)]
    head: HeadRow,
    signed_seq: Option<i64>,
    signed_hash: Option<Vec<u8>>,
}

/// A row of `ledger_checkpoint_heads`.
#[derive(Debug, FromRow)]
pub(super) struct SignedHeadRow {
    checkpoint: i64,
    #[sqlx(flatten)]
    head: HeadRow,
}

impl CheckpointRow {
    pub(super) fn read(&self) -> Result<SignedCheckpoint, BackendError> {
        Ok(SignedCheckpoint {
            checkpoint: Checkpoint {
                number: natural("number", self.number)?,
                at: valid("at", time(self.at.0))?,
                accounts: natural("accounts", self.accounts)?,
                entries: natural("entries", self.entries)?,
                root: digest("root", &self.root)?,
                changes: digest("changes", &self.changes)?,
                previous: digest("previous", &self.previous)?,
            },
            key: valid("key", bytes(&self.key).map(PublicKey::from_bytes))?,
            signature: valid("signature", bytes(&self.signature).map(Signature::from_bytes))?,
        })
    }
}

impl HeadRow {
    pub(super) fn read(&self) -> Result<Head, BackendError> {
        Ok(Head {
            account: valid("account", bytes(&self.account).map(AccountId::from_bytes))?,
            seq: natural("seq", self.seq)?,
            hash: digest("hash", &self.hash)?,
        })
    }
}

impl HeadNowRow {
    pub(super) fn read(&self) -> Result<HeadNow, BackendError> {
        let head = self.head.read()?;
        let signed = match (self.signed_seq, &self.signed_hash) {
            (Some(seq), Some(hash)) => {
                Some(Head { account: head.account, seq: natural("seq", seq)?, hash: digest("hash", hash)? })
            }
            _ => None,
        };
        Ok(HeadNow { head, signed })
    }
}

impl SignedHeadRow {
    pub(super) fn read(&self) -> Result<SignedHead, BackendError> {
        let checkpoint = natural("checkpoint", self.checkpoint)?;
        Ok(SignedHead { checkpoint, head: self.head.read()? })
    }
}

fn digest(column: &'static str, stored: &[u8]) -> Result<Digest, BackendError> {
    valid(column, bytes(stored).map(Digest::from_bytes))
}

fn natural(column: &'static str, stored: i64) -> Result<u64, BackendError> {
    valid(column, u64::try_from(stored).ok())
}

fn valid<T>(column: &'static str, value: Option<T>) -> Result<T, BackendError> {
    let wrong =
        || BackendError::corrupt("reading a checkpoint", format!("column {column} has no valid value"));
    value.ok_or_else(wrong)
}
