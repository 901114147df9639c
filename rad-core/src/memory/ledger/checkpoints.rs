//! The checkpoints of a ledger in memory.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Book, MemoryLedger};
use crate::checkpoint::{Checkpoints, Head, HeadNow, Heads, SignedCheckpoint, SignedHead};
use crate::id::AccountId;
use crate::ledger::LedgerError;
use crate::revenue::EntryId;
use crate::source::Digest;

/// A checkpoint, and the heads that changed with it.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    signed: SignedCheckpoint,
    changed: Vec<Head>,
}

/// A copy of the heads of all accounts.
#[derive(Debug)]
struct Copied(Vec<HeadNow>);

impl MemoryLedger {
    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of each account the head that was kept last, up to a checkpoint.
    fn latest(&self, checkpoint: u64) -> BTreeMap<AccountId, Head> {
        let kept = self.kept();
        let up_to = kept.iter().filter(|kept| kept.signed.checkpoint.number <= checkpoint);
        up_to.flat_map(|kept| &kept.changed).map(|head| (head.account, *head)).collect()
    }
}

impl Book {
    fn head(&self) -> Option<Head> {
        let last = self.entries.last()?;
        Some(Head { account: last.entry.account, seq: last.entry.seq, hash: last.hash })
    }
}

#[async_trait]
impl Heads for Copied {
    async fn next_page(&mut self) -> Result<Vec<HeadNow>, LedgerError> {
        let rest = self.0.split_off(self.0.len().min(SignedHead::MOST as usize));
        Ok(mem::replace(&mut self.0, rest))
    }
}

#[async_trait]
impl Checkpoints for MemoryLedger {
    async fn heads(&self) -> Result<Box<dyn Heads>, LedgerError> {
        let signed = self.latest(u64::MAX);
        let now = |head: Head| HeadNow { head, signed: signed.get(&head.account).copied() };
        Ok(Box::new(Copied(self.books().values().filter_map(Book::head).map(now).collect())))
    }

    async fn hashes(&self, entries: &[EntryId]) -> Result<Vec<Option<Digest>>, LedgerError> {
        let books = self.books();
        let hash = |id: &EntryId| {
            let place = usize::try_from(id.seq.checked_sub(1)?).ok()?;
            books.get(&id.account)?.entries.get(place).map(|posted| posted.hash)
        };
        Ok(entries.iter().map(hash).collect())
    }

    async fn keep(&self, signed: &SignedCheckpoint, changed: &[Head]) -> Result<bool, LedgerError> {
        let mut kept = self.kept();
        let last = kept.last().map_or(0, |kept| kept.signed.checkpoint.number);
        let is_next = signed.checkpoint.number == last + 1;
        if is_next {
            kept.push(Kept { signed: *signed, changed: changed.to_vec() });
        }
        Ok(is_next)
    }

    async fn last_checkpoint(&self) -> Result<Option<SignedCheckpoint>, LedgerError> {
        Ok(self.kept().last().map(|kept| kept.signed))
    }

    async fn checkpoints(&self, after: u64, limit: u32) -> Result<Vec<SignedCheckpoint>, LedgerError> {
        let kept = self.kept();
        let later = kept.iter().map(|kept| kept.signed).filter(|signed| signed.checkpoint.number > after);
        Ok(later.take(at_most(limit)).collect())
    }

    async fn changes(
        &self,
        checkpoint: u64,
        after: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<Head>, LedgerError> {
        let kept = self.kept();
        let with_it = kept.iter().filter(|kept| kept.signed.checkpoint.number == checkpoint);
        let heads = with_it.flat_map(|kept| &kept.changed).copied();
        Ok(heads.filter(|head| Some(head.account) > after).take(at_most(limit)).collect())
    }

    async fn heads_at(
        &self,
        checkpoint: u64,
        after: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<Head>, LedgerError> {
        let heads = self.latest(checkpoint).into_values();
        Ok(heads.filter(|head| Some(head.account) > after).take(at_most(limit)).collect())
    }

    async fn signed_heads(
        &self,
        after: Option<(AccountId, u64)>,
        to: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<SignedHead>, LedgerError> {
        let kept = self.kept();
        let with_number = |kept: &Kept| {
            let checkpoint = kept.signed.checkpoint.number;
            kept.changed.iter().map(move |head| SignedHead { checkpoint, head: *head }).collect::<Vec<_>>()
        };
        let mut signed: Vec<SignedHead> = kept.iter().flat_map(with_number).collect();
        signed.retain(|signed| {
            let account = signed.head.account;
            Some((account, signed.checkpoint)) > after && to.is_none_or(|to| account <= to)
        });
        signed.sort_by_key(|signed| (signed.head.account, signed.checkpoint));
        signed.truncate(at_most(limit));
        Ok(signed)
    }
}

fn at_most(limit: u32) -> usize {
    limit.min(SignedHead::MOST) as usize
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use super::*;
    use crate::conformance::checkpoint::{all, attacks};
    use crate::conformance::must;
    use crate::ledger::{Ledger as _, Post};

    /// Whoever has the memory.
    #[derive(Debug)]
    struct Insider<'a>(&'a MemoryLedger);

    #[async_trait]
    impl attacks::Tamper for Insider<'_> {
        async fn rewrite(&self, account: AccountId, posts: &[Post]) {
            let other = MemoryLedger::default();
            must("posts that were taken are taken", other.post_batch(posts).await);
            let anew = other.books().remove(&account);
            let mut books = self.0.books();
            books.remove(&account);
            books.extend(anew.map(|book| (account, book)));
        }

        async fn replace_checkpoint(&self, number: u64, by: Option<(SignedCheckpoint, Vec<Head>)>) {
            let mut kept = self.0.kept();
            kept.retain(|kept| kept.signed.checkpoint.number != number);
            kept.extend(by.map(|(signed, changed)| Kept { signed, changed }));
            kept.sort_by_key(|kept| kept.signed.checkpoint.number);
        }
    }

    #[tokio::test]
    async fn checkpoints_keep_the_contract() {
        let ledger = MemoryLedger::default();
        all(&ledger).await;
        all(&ledger).await;
    }

    #[tokio::test]
    async fn every_attack_is_found() {
        let ledger = MemoryLedger::default();
        attacks::all(&ledger, &Insider(&ledger)).await;
        attacks::all(&ledger, &Insider(&ledger)).await;
    }
}
