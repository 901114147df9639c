//! Whether a ledger extends what was signed, and where it does not.

use serde::{Deserialize, Serialize};

use super::{Checkpoints, Head, SignedHead};
use crate::id::AccountId;
use crate::ledger::{EntryQuery, Finding, LedgerError};
use crate::revenue::EntryId;
use crate::source::Digest;

/// Where a ledger does not extend what was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The account.
    pub account: AccountId,
    /// The number of the checkpoint that shows it.
    pub checkpoint: u64,
    /// How the account differs.
    pub what: NotExtended,
}

/// How an account differs from what was signed of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum NotExtended {
    /// Entries have other content than they had.
    #[error(
        "its history was written anew between entries {from} and {to}: {to} has the hash {actual}, signed is {signed}"
    )]
    Rewritten {
        /// The first entry that can be concerned.
        from: u64,
        /// The entry that was signed.
        to: u64,
        /// Its hash now.
        actual: Digest,
        /// Its hash when it was signed.
        signed: Digest,
    },
    /// The last entries are gone.
    #[error("its history was cut off after entry {last}: signed are {signed} entries")]
    CutOff {
        /// The last entry that is left.
        last: u64,
        /// How many were signed.
        signed: u64,
    },
    /// All entries are gone.
    #[error("the account was removed: signed are {signed} entries of it")]
    AccountRemoved {
        /// How many were signed.
        signed: u64,
    },
    /// An entry is gone, and later ones are there.
    #[error("the entry was removed: it was signed, and later ones are there")]
    EntryRemoved {
        /// The entry.
        seq: u64,
    },
}

impl NotExtended {
    /// How an account differs in which a signed entry is not to be found; `last` is its last entry.
    pub fn missing(signed: u64, last: Option<u64>) -> Self {
        match last {
            None => Self::AccountRemoved { signed },
            Some(last) if last < signed => Self::CutOff { last, signed },
            Some(_) => Self::EntryRemoved { seq: signed },
        }
    }

    /// The number of the first entry concerned.
    pub const fn seq(&self) -> u64 {
        match self {
            Self::Rewritten { from, .. } => *from,
            Self::CutOff { last, .. } => last.saturating_add(1),
            Self::AccountRemoved { .. } => 1,
            Self::EntryRemoved { seq } => *seq,
        }
    }
}

impl From<Difference> for Finding {
    fn from(Difference { account, checkpoint, what }: Difference) -> Self {
        let problem = format!("checkpoint {checkpoint}: {what}");
        Self { account, seq: Some(what.seq()), problem }
    }
}

/// Compares a ledger with signed heads, at most [`SignedHead::MOST`] in the order of accounts, then of checkpoints. What is
/// wrong with an account is found once, with the first checkpoint that shows it.
///
/// # Errors
/// A failure of the ledger; that it does not extend a head is a difference.
pub async fn compare(
    ledger: &(impl Checkpoints + ?Sized),
    signed: &[SignedHead],
) -> Result<Vec<Difference>, LedgerError> {
    let mut comparison = Comparison::default();
    comparison.add(ledger, signed).await?;
    Ok(comparison.differences)
}

/// Compares the accounts after `after` up to and with `to` with every head that was ever signed of them.
///
/// # Errors
/// As [`compare`].
pub async fn compare_range(
    ledger: &(impl Checkpoints + ?Sized),
    after: Option<AccountId>,
    to: Option<AccountId>,
) -> Result<Vec<Difference>, LedgerError> {
    let mut comparison = Comparison::default();
    let mut place = after.map(|account| (account, u64::MAX));
    loop {
        let signed = ledger.signed_heads(place, to, SignedHead::MOST).await?;
        let Some(last) = signed.last() else { return Ok(comparison.differences) };
        place = Some((last.head.account, last.checkpoint));
        comparison.add(ledger, &signed).await?;
    }
}

/// A comparison that takes the heads bit by bit.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) differences: Vec<Difference>,
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
        for (SignedHead { checkpoint, head }, hash) in signed.iter().zip(hashes) {
            if self.unsound == Some(head.account) {
                continue;
            }
            let what = match hash {
                Some(hash) if hash == head.hash => {
                    self.sound = Some(*head);
                    continue;
                }
                Some(actual) => self.rewritten(head, actual),
                None => NotExtended::missing(head.seq, last_entry(ledger, head.account).await?),
            };
            self.unsound = Some(head.account);
            self.differences.push(Difference { account: head.account, checkpoint: *checkpoint, what });
        }
        Ok(())
    }

    /// What was changed comes after the last sound head.
    fn rewritten(&self, head: &Head, actual: Digest) -> NotExtended {
        let sound = self.sound.filter(|sound| sound.account == head.account);
        let from = sound.map_or(1, |sound| sound.seq.saturating_add(1));
        NotExtended::Rewritten { from, to: head.seq, actual, signed: head.hash }
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
    let newest = EntryQuery { limit: 1, ..EntryQuery::new(account) };
    Ok(ledger.entries(&newest).await?.items.first().map(|last| last.entry.seq))
}
