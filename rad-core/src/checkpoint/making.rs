//! Making a checkpoint.

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, Utc};

use super::compare::Comparison;
use super::{
    Changes, Checkpoint, Checkpoints, Head, HeadNow, SignedCheckpoint, SignedHead, SigningKey, Tree,
};
use crate::error::BackendError;
use crate::ledger::{Finding, LedgerError};
use crate::revenue::EntryId;
use crate::source::Digest;

/// How often making a checkpoint begins again because another process made one meanwhile.
const TRIES: u32 = 5;

/// What every ledger that keeps checkpoints can do on top of [`Checkpoints`].
#[async_trait]
pub trait CheckpointsExt: Checkpoints {
    /// Makes a checkpoint of the ledger as it is now; `at` is the time.
    ///
    /// Posting goes on meanwhile. Memory is needed for the heads that changed since the last checkpoint: 56 bytes each.
    ///
    /// # Errors
    /// [`CheckpointError::Altered`] if the ledger does not extend its last checkpoint: such a history is never signed.
    async fn checkpoint(
        &self,
        key: &SigningKey,
        at: DateTime<Utc>,
    ) -> Result<SignedCheckpoint, CheckpointError> {
        make(self, key, at, true).await?.ok_or_else(|| outrun().into())
    }

    /// Makes a checkpoint unless nothing was posted since the last one: for a schedule.
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint).
    async fn checkpoint_changes(
        &self,
        key: &SigningKey,
        at: DateTime<Utc>,
    ) -> Result<Option<SignedCheckpoint>, CheckpointError> {
        make(self, key, at, false).await
    }
}

impl<L: Checkpoints + ?Sized> CheckpointsExt for L {}

/// Why no checkpoint was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The ledger does not extend its last checkpoint, or keeps heads that its entries do not have.
    #[error("nothing is signed, for the ledger was tampered with: {}", list(findings))]
    Altered {
        /// What is wrong.
        findings: Vec<Finding>,
    },
    /// Accounts that have entries do not have a head any more.
    #[error("nothing is signed: {missing} accounts have entries and no head")]
    HeadsMissing {
        /// How many.
        missing: u64,
    },
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The first few findings in a sentence.
fn list(findings: &[Finding]) -> String {
    let named =
        findings.iter().take(3).map(|Finding { account, problem, .. }| format!("{account}: {problem}"));
    named.collect::<Vec<_>>().join("; ")
}

async fn make(
    ledger: &(impl Checkpoints + ?Sized),
    key: &SigningKey,
    at: DateTime<Utc>,
    even_unchanged: bool,
) -> Result<Option<SignedCheckpoint>, CheckpointError> {
    for _ in 0..TRIES {
        // Read before the heads are: they may be ahead of it, never behind.
        let last = ledger.last_checkpoint().await?;
        let gathered = Gathered::read(ledger).await?.check(ledger, last.as_ref()).await?;
        if last.is_some() && gathered.changed.is_empty() && !even_unchanged {
            return Ok(None);
        }
        let next = gathered.after(last.as_ref(), at).sign(key);
        if ledger.keep(&next, &gathered.changed).await? {
            return Ok(Some(next));
        }
    }
    Err(outrun().into())
}

fn outrun() -> LedgerError {
    BackendError::unavailable("making a checkpoint", "other processes make checkpoints all the time").into()
}

/// The heads of one moment, summed up.
#[derive(Debug, Default)]
struct Gathered {
    tree: Tree,
    entries: u64,
    changes: Changes,
    changed: Vec<Head>,
    /// How many accounts are in the last checkpoint, and are still there.
    known: u64,
    /// Whether a head that was signed before is no longer there.
    is_altered: bool,
    /// Heads that are not those of the entries.
    findings: Vec<Finding>,
}

impl Gathered {
    async fn read(ledger: &(impl Checkpoints + ?Sized)) -> Result<Self, LedgerError> {
        let mut gathered = Self::default();
        let mut heads = ledger.heads().await?;
        loop {
            let page = heads.next_page().await?;
            if page.is_empty() {
                return Ok(gathered);
            }
            let changed: Vec<&HeadNow> = page.iter().filter(|now| now.signed != Some(now.head)).collect();
            gathered.compare(ledger, &changed).await?;
            gathered.changed.extend(changed.iter().map(|now| now.head));
            page.iter().for_each(|now| gathered.add(now));
        }
    }

    /// The heads come from what the ledger keeps beside its entries; compares them, and those signed last, with these.
    async fn compare(
        &mut self,
        ledger: &(impl Checkpoints + ?Sized),
        changed: &[&HeadNow],
    ) -> Result<(), LedgerError> {
        let signed: Vec<Head> = changed.iter().filter_map(|now| now.signed).collect();
        let now: Vec<Head> = changed.iter().map(|now| now.head).collect();
        self.is_altered |= !strangers(ledger, &signed).await?.is_empty();
        for Head { account, seq, .. } in strangers(ledger, &now).await? {
            let problem = "the head of the account is not that of its last entry".to_owned();
            self.findings.push(Finding { account, seq: Some(seq), problem });
        }
        Ok(())
    }

    fn add(&mut self, HeadNow { head, signed }: &HeadNow) {
        self.tree.push(head);
        self.entries = self.entries.saturating_add(head.seq);
        self.known = self.known.saturating_add(u64::from(signed.is_some()));
        if *signed != Some(*head) {
            self.changes.push(head);
        }
    }

    /// Whether what is there may be signed: it is true of the entries, and extends the last checkpoint.
    async fn check(
        self,
        ledger: &(impl Checkpoints + ?Sized),
        last: Option<&SignedCheckpoint>,
    ) -> Result<Self, CheckpointError> {
        let known = last.map_or(0, |last| last.checkpoint.accounts);
        if self.findings.is_empty() && !self.is_altered && self.known == known {
            return Ok(self);
        }
        let (mut comparison, mut after) = (Comparison::default(), None);
        let number = last.map_or(0, |last| last.checkpoint.number);
        loop {
            let heads = ledger.heads_at(number, after, SignedHead::MOST).await?;
            let Some(end) = heads.last() else { break };
            after = Some(end.account);
            let signed: Vec<_> =
                heads.into_iter().map(|head| SignedHead { checkpoint: number, head }).collect();
            comparison.add(ledger, &signed).await?;
        }
        let differences = comparison.differences.into_iter().map(Finding::from);
        let findings: Vec<Finding> = differences.chain(self.findings.iter().cloned()).collect();
        if !findings.is_empty() {
            return Err(CheckpointError::Altered { findings });
        }
        if self.known < known {
            return Err(CheckpointError::HeadsMissing { missing: known.saturating_sub(self.known) });
        }
        // Somebody made a checkpoint after `last` was read: more is known than it says.
        Ok(self)
    }

    fn after(&self, last: Option<&SignedCheckpoint>, at: DateTime<Utc>) -> Checkpoint {
        let at = at.trunc_subsecs(6);
        Checkpoint {
            number: last.map_or(1, |last| last.checkpoint.number.saturating_add(1)),
            at: last.map_or(at, |last| at.max(last.checkpoint.at)),
            accounts: self.tree.leaves(),
            entries: self.entries,
            root: self.tree.root(),
            changes: self.changes.hash(),
            previous: last.map_or(Digest::ZERO, SignedCheckpoint::hash),
        }
    }
}

/// The heads that no entry of the ledger has.
async fn strangers(ledger: &(impl Checkpoints + ?Sized), heads: &[Head]) -> Result<Vec<Head>, LedgerError> {
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    let entries: Vec<EntryId> = heads.iter().map(Head::entry).collect();
    let hashes = ledger.hashes(&entries).await?;
    let strange = heads.iter().zip(hashes).filter(|(head, hash)| *hash != Some(head.hash));
    Ok(strange.map(|(head, _)| *head).collect())
}
