//! Whether a ledger extends what was signed, and where it does not.

use std::ops::RangeInclusive;

use super::{Checkpoints, Head, SignedHead};
use crate::id::AccountId;
use crate::ledger::{EntryQuery, Finding, LedgerError};
use crate::revenue::EntryId;
use crate::source::Digest;

/// Compares a ledger with signed heads, at most [`SignedHead::MOST`] in the order of accounts, then of
/// checkpoints. What is wrong with an account is found once, with the first checkpoint that shows it.
///
/// # Errors
/// A failure of the ledger; that it does not extend a head is a finding.
pub async fn compare(
    ledger: &(impl Checkpoints + ?Sized),
    signed: &[SignedHead],
) -> Result<Vec<Finding>, LedgerError> {
    let mut comparison = Comparison::default();
    comparison.add(ledger, signed).await?;
    Ok(comparison.findings)
}

/// A comparison that takes the heads bit by bit.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) findings: Vec<Finding>,
    /// The last head that the ledger extends.
    sound: Option<Head>,
    /// The last account in which something is wrong.
    unsound: Option<AccountId>,
}

impl Comparison {
    pub(super) async fn add(
        &mut self,
        ledger: &(impl Checkpoints + ?Sized),
        signed: &[SignedHead],
    ) -> Result<(), LedgerError> {
        let entries: Vec<EntryId> = signed.iter().map(|signed| signed.head.entry()).collect();
        let hashes = ledger.hashes(&entries).await?;
        for (signed, hash) in signed.iter().zip(hashes) {
            let head = signed.head;
            if self.unsound == Some(head.account) {
                continue;
            }
            if hash == Some(head.hash) {
                self.sound = Some(head);
                continue;
            }
            self.unsound = Some(head.account);
            let last = if hash.is_none() { last_entry(ledger, head.account).await? } else { None };
            self.findings.push(self.finding(signed, hash, last));
        }
        Ok(())
    }

    fn finding(&self, signed: &SignedHead, hash: Option<Digest>, last: Option<u64>) -> Finding {
        let SignedHead { checkpoint, head } = signed;
        let Head { account, seq, hash: expected } = *head;
        let (at, problem) = match (hash, last) {
            (Some(actual), _) => {
                let rewritten = self.since(head);
                let problem = format!(
                    "its history was written anew between entries {} and {}: checkpoint {checkpoint} covers entry {seq} \
                     with the hash {expected}, it has {actual}",
                    rewritten.start(),
                    rewritten.end()
                );
                (*rewritten.start(), problem)
            }
            (None, None) => {
                (1, format!("the account was removed: checkpoint {checkpoint} covers {seq} entries of it"))
            }
            (None, Some(last)) if last < seq => {
                let problem = format!(
                    "its history was cut off after entry {last}: checkpoint {checkpoint} covers {seq} entries"
                );
                (last.saturating_add(1), problem)
            }
            (None, Some(_)) => (seq, format!("the entry was removed: checkpoint {checkpoint} covers it")),
        };
        Finding { account, seq: Some(at), problem }
    }

    /// The entries among which the history can have been changed: those after the last sound head.
    fn since(&self, head: &Head) -> RangeInclusive<u64> {
        let sound = self.sound.filter(|sound| sound.account == head.account);
        sound.map_or(1, |sound| sound.seq.saturating_add(1))..=head.seq
    }
}

impl Head {
    /// The entry it is the head of.
    pub(super) const fn entry(&self) -> EntryId {
        EntryId { account: self.account, seq: self.seq }
    }
}

/// The number of an account's last entry, by the entries themselves.
async fn last_entry(
    ledger: &(impl Checkpoints + ?Sized),
    account: AccountId,
) -> Result<Option<u64>, LedgerError> {
    let newest =
        EntryQuery { account, category: None, deployment: None, oldest_first: false, after: None, limit: 1 };
    Ok(ledger.entries(&newest).await?.items.first().map(|last| last.entry.seq))
}
