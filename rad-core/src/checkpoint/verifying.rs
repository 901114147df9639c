//! Verifying a ledger together with its checkpoints.

use serde::{Deserialize, Serialize};

use super::{Changes, Checkpoint, Checkpoints, PublicKey, SignedCheckpoint, SignedHead, Tree, compare_range};
use crate::id::AccountId;
use crate::ledger::{Finding, LedgerError, Verified};
use crate::source::Digest;
use crate::verification::{Verification, VerifyOptions, in_ranges};

/// What verifying the checkpoints themselves came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChainVerification {
    /// How many checkpoints there are.
    pub checkpoints: u64,
    /// The newest.
    pub last: Option<SignedCheckpoint>,
    /// What is wrong, in the order of checkpoints.
    pub findings: Vec<CheckpointFinding>,
}

/// Something that is wrong with a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointFinding {
    /// Its number.
    pub checkpoint: u64,
    /// What is wrong.
    pub problem: CheckpointProblem,
}

/// What can be wrong with a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CheckpointProblem {
    /// The signature is not that of its key over what is there.
    #[error("its signature is not that of the key {key} over what it says")]
    Signature {
        /// The key it names.
        key: PublicKey,
    },
    /// It is signed by somebody else.
    #[error("it is signed with the key {key}, which is not trusted")]
    ForeignKey {
        /// That key.
        key: PublicKey,
    },
    /// One or more before it were removed.
    #[error("it follows checkpoint {before}: those between were removed")]
    Gap {
        /// The number of the one before it; 0 if there is none.
        before: u64,
    },
    /// It does not follow the one before it.
    #[error("it follows a checkpoint with the hash {named}; the one before it has {actual}")]
    Unchained {
        /// The hash of the one before it.
        actual: Digest,
        /// The hash it names.
        named: Digest,
    },
    /// It says that time, accounts or entries became less.
    #[error("its {what} is less than that of the checkpoint before it")]
    Backwards {
        /// What became less.
        what: String,
    },
    /// It was made, and the ledger does not keep it.
    #[error("the ledger does not keep it, or another in its place")]
    NotKept,
    /// The heads kept with it are not those it was made over.
    #[error("the heads kept with it are not those it signed: {what} differs")]
    Heads {
        /// Which field of the checkpoint does not fit them.
        what: String,
    },
}

/// A ledger verified together with its checkpoints: how far that is and what it found. It is all that is needed to go on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FullVerification {
    /// The checkpoints: verified at the beginning, each time it goes on.
    pub checkpoints: ChainVerification,
    /// The accounts, each compared with all that was signed of it, too.
    pub books: Verification,
}

impl FullVerification {
    /// Whether nothing is wrong as far as it has come.
    pub const fn is_sound(&self) -> bool {
        self.checkpoints.is_sound() && self.books.is_sound()
    }
}

/// Verifies all accounts of a ledger that `so_far` has not done yet, and that the ledger extends each of its checkpoints.
///
/// A tail that was cut off, an account that was removed and a history that was written anew are findings of the account, at
/// the first entry concerned. A checkpoint under a key that is not `trusted` is one of the checkpoint. That the newest
/// checkpoints were removed together with the entries they cover only a checkpoint kept elsewhere shows:
/// [`FileReader`](super::FileReader), [`compare`](super::compare()).
///
/// # Errors
/// A failure of the ledger: what `progress` was told last is where to go on.
pub async fn verify_with_checkpoints(
    ledger: &(impl Checkpoints + ?Sized),
    trusted: &[PublicKey],
    so_far: FullVerification,
    options: &VerifyOptions,
    mut progress: impl FnMut(&FullVerification) + Send,
) -> Result<FullVerification, LedgerError> {
    let checkpoints = verify_chain(ledger, trusted).await?;
    let told = checkpoints.clone();
    let progress = move |books: &Verification| {
        progress(&FullVerification { checkpoints: told.clone(), books: books.clone() });
    };
    let verify = |after, to| verify_range(ledger, after, to);
    let books = in_ranges(ledger, so_far.books, options, progress, verify).await?;
    Ok(FullVerification { checkpoints, books })
}

/// The accounts of a range by themselves, and compared with every head that was signed.
async fn verify_range(
    ledger: &(impl Checkpoints + ?Sized),
    after: Option<AccountId>,
    to: Option<AccountId>,
) -> Result<Verified, LedgerError> {
    let mut verified = ledger.verify_range(after, to).await?;
    let differences = compare_range(ledger, after, to).await?;
    verified.findings.extend(differences.into_iter().map(Finding::from));
    // Stable: what an account's own entries show comes first.
    verified.findings.sort_by_key(|finding| finding.account);
    Ok(verified)
}

/// Verifies the checkpoints of a ledger alone: signatures, keys, order, and that the heads kept with them are those signed.
///
/// # Errors
/// A failure of the ledger.
pub async fn verify_chain(
    ledger: &(impl Checkpoints + ?Sized),
    trusted: &[PublicKey],
) -> Result<ChainVerification, LedgerError> {
    let mut chain = ChainVerification::default();
    loop {
        let before = chain.last.map_or(0, |last| last.checkpoint.number);
        let page = ledger.checkpoints(before, SignedHead::MOST).await?;
        if page.is_empty() {
            break;
        }
        for signed in page {
            chain.follow(&signed, trusted);
            let changes = hash_of_changes(ledger, signed.checkpoint.number).await?;
            if changes != signed.checkpoint.changes {
                chain.found(&signed, CheckpointProblem::Heads { what: "changes".to_owned() });
            }
        }
    }
    if let Some(last) = chain.last {
        for what in differences(ledger, &last.checkpoint).await? {
            chain.found(&last, CheckpointProblem::Heads { what: what.to_owned() });
        }
    }
    Ok(chain)
}

impl SignedCheckpoint {
    /// What is wrong with its signature: it is none, or that of a key that is not `trusted`.
    pub fn unsigned(&self, trusted: &[PublicKey]) -> Vec<CheckpointFinding> {
        let key = self.key;
        let problems = [
            (self.is_intact(), CheckpointProblem::Signature { key }),
            (trusted.contains(&key), CheckpointProblem::ForeignKey { key }),
        ];
        let wrong = problems.into_iter().filter(|(is_right, _)| !is_right);
        wrong.map(|(_, problem)| CheckpointFinding { checkpoint: self.checkpoint.number, problem }).collect()
    }
}

impl ChainVerification {
    /// Whether nothing is wrong.
    pub const fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn found(&mut self, signed: &SignedCheckpoint, problem: CheckpointProblem) {
        self.findings.push(CheckpointFinding { checkpoint: signed.checkpoint.number, problem });
    }

    /// Takes the next checkpoint.
    fn follow(&mut self, signed: &SignedCheckpoint, trusted: &[PublicKey]) {
        self.findings.extend(signed.unsigned(trusted));
        let now = &signed.checkpoint;
        let before = self.last.map_or(0, |last| last.checkpoint.number);
        let actual = self.last.map_or(Digest::ZERO, |last| last.hash());
        if now.number != before.saturating_add(1) {
            self.found(signed, CheckpointProblem::Gap { before });
        } else if now.previous != actual {
            self.found(signed, CheckpointProblem::Unchained { actual, named: now.previous });
        }
        if let Some(SignedCheckpoint { checkpoint: last, .. }) = self.last {
            for (what, is_less) in [
                ("time", now.at < last.at),
                ("number of accounts", now.accounts < last.accounts),
                ("number of entries", now.entries < last.entries),
            ] {
                if is_less {
                    self.found(signed, CheckpointProblem::Backwards { what: what.to_owned() });
                }
            }
        }
        self.checkpoints = self.checkpoints.saturating_add(1);
        self.last = Some(*signed);
    }
}

async fn hash_of_changes(
    ledger: &(impl Checkpoints + ?Sized),
    checkpoint: u64,
) -> Result<Digest, LedgerError> {
    let (mut changes, mut after) = (Changes::default(), None);
    loop {
        let heads = ledger.changes(checkpoint, after, SignedHead::MOST).await?;
        let Some(last) = heads.last() else { return Ok(changes.hash()) };
        after = Some(last.account);
        heads.iter().for_each(|head| changes.push(head));
    }
}

/// In which fields a checkpoint is not what the heads kept up to it say.
async fn differences(
    ledger: &(impl Checkpoints + ?Sized),
    checkpoint: &Checkpoint,
) -> Result<Vec<&'static str>, LedgerError> {
    let (mut tree, mut entries, mut after) = (Tree::default(), 0_u64, None);
    loop {
        let heads = ledger.heads_at(checkpoint.number, after, SignedHead::MOST).await?;
        let Some(last) = heads.last() else { break };
        after = Some(last.account);
        for head in &heads {
            tree.push(head);
            entries = entries.saturating_add(head.seq);
        }
    }
    let fields = [
        ("accounts", tree.leaves() == checkpoint.accounts),
        ("entries", entries == checkpoint.entries),
        ("root", tree.root() == checkpoint.root),
    ];
    Ok(fields.into_iter().filter(|(_, same)| !same).map(|(what, _)| what).collect())
}
