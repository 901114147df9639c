//! Checkpoints: whether a source extends what was signed, in a file beside it or in the ledger itself.

use std::cmp::Ordering;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rad_core::checkpoint::{
    CheckpointFinding, CheckpointProblem, Checkpoints, FileReader, FileWriter, Head, NotExtended, PublicKey,
    SignedCheckpoint, SignedHead, compare_range, verify_chain,
};
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::source::Digest;
use serde::Serialize;

use crate::failure::{InputError, InputFault};
use crate::new_file::{NewFile, unwritten};
use crate::source::LedgerAt;
use crate::verification::{Finding, Verification, Wrong, failure};

/// What checkpoints came to.
#[derive(Debug, Default, Serialize)]
pub struct Checked {
    /// How many were looked at.
    pub checkpoints: u64,
    /// The newest.
    pub last: Option<SignedCheckpoint>,
    /// What is wrong with checkpoints themselves.
    pub findings: Vec<CheckpointFinding>,
}

impl Checked {
    /// Whether nothing is wrong with the checkpoints themselves.
    pub const fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    /// Adds what a checkpoint file came to.
    #[must_use]
    pub fn with(mut self, file: Option<Self>) -> Self {
        self.findings.extend(file.into_iter().flat_map(|file| file.findings));
        self
    }
}

/// A checkpoint file that a source is compared with, as its entries come.
pub struct Against {
    path: PathBuf,
    file: FileReader<BufReader<File>>,
    /// The next head that the source has not come to.
    next: Option<Head>,
    /// The account and the number of the entry before.
    last: Option<(AccountId, u64)>,
}

/// An account that differs from what a checkpoint file says of it.
pub type Differs = (AccountId, NotExtended);

impl Against {
    /// Opens a checkpoint file.
    ///
    /// # Errors
    /// [`InputError`] if it cannot be read.
    pub fn open(path: &Path) -> Result<Self, InputError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| InputError::new(&name, InputFault::Open(error)))?;
        let file = FileReader::new(BufReader::new(file));
        let file = file.map_err(|error| InputError::new(&name, InputFault::Checkpoint(error)))?;
        let mut against = Self { path: path.to_owned(), file, next: None, last: None };
        against.advance()?;
        Ok(against)
    }

    /// The checkpoint.
    pub const fn checkpoint(&self) -> &SignedCheckpoint {
        self.file.checkpoint()
    }

    /// Takes the next entry of the source, in account order, with its hash.
    ///
    /// # Errors
    /// [`InputError`] if the file cannot be read on.
    pub fn look_at(
        &mut self,
        account: AccountId,
        seq: u64,
        hash: Digest,
        differs: &mut dyn FnMut(Differs),
    ) -> Result<(), InputError> {
        while let Some(head) = self.next {
            match (head.account.cmp(&account), head.seq.cmp(&seq)) {
                (Ordering::Greater, _) | (Ordering::Equal, Ordering::Greater) => break,
                (Ordering::Equal, Ordering::Equal) => {
                    if head.hash != hash {
                        let (signed, actual) = (head.hash, hash);
                        differs((account, NotExtended::Rewritten { from: 1, to: seq, actual, signed }));
                    }
                }
                (Ordering::Equal, Ordering::Less) => {
                    differs((account, NotExtended::missing(head.seq, Some(seq))))
                }
                (Ordering::Less, _) => differs((head.account, self.missing(&head))),
            }
            self.advance()?;
        }
        self.last = Some((account, seq));
        Ok(())
    }

    /// Takes the end of the source.
    ///
    /// # Errors
    /// As [`look_at`](Self::look_at).
    pub fn finish(&mut self, differs: &mut dyn FnMut(Differs)) -> Result<(), InputError> {
        while let Some(head) = self.next {
            differs((head.account, self.missing(&head)));
            self.advance()?;
        }
        Ok(())
    }

    fn missing(&self, head: &Head) -> NotExtended {
        let last = self.last.filter(|(account, _)| *account == head.account);
        NotExtended::missing(head.seq, last.map(|(_, seq)| seq))
    }

    fn advance(&mut self) -> Result<(), InputError> {
        let next = self.file.next_head();
        self.next = next.map_err(|error| {
            InputError::new(self.path.display().to_string(), InputFault::Checkpoint(error))
        })?;
        Ok(())
    }
}

/// What is wrong with the signature of a checkpoint file.
pub fn check_file(checkpoint: &SignedCheckpoint, trusted: &[PublicKey]) -> Checked {
    Checked { checkpoints: 1, last: Some(*checkpoint), findings: checkpoint.unsigned(trusted) }
}

/// Adds what the checkpoints that a ledger keeps show; `kept_elsewhere` must be one of them. Up to `most` findings are listed.
///
/// # Errors
/// A failure of the database.
pub async fn check_ledger(
    verification: &mut Verification,
    ledger: &Arc<dyn Checkpoints>,
    trusted: &[PublicKey],
    kept_elsewhere: Option<&SignedCheckpoint>,
    most: usize,
) -> Result<Checked, BackendError> {
    let mut chain = verify_chain(&**ledger, trusted).await.map_err(failure)?;
    if let Some(signed) = kept_elsewhere {
        let number = signed.checkpoint.number;
        let kept = ledger.checkpoints(number.saturating_sub(1), 1).await.map_err(failure)?;
        if kept.first() != Some(signed) {
            chain
                .findings
                .push(CheckpointFinding { checkpoint: number, problem: CheckpointProblem::NotKept });
        }
    }
    for difference in compare_range(&**ledger, None, None).await.map_err(failure)? {
        let (account, seq) = (difference.account, difference.what.seq());
        // The file may have shown it before.
        let is_known =
            |finding: &Finding| finding.account == account && matches!(finding.wrong, Wrong::NotExtended(_));
        if verification.findings.iter().any(is_known) {
            continue;
        }
        verification
            .add(Finding { account, seq, line: None, wrong: Wrong::NotExtended(difference.what) }, most);
    }
    Ok(Checked { checkpoints: chain.checkpoints, last: chain.last, findings: chain.findings })
}

/// Writes the newest checkpoint of a ledger, with the heads of all accounts.
///
/// # Errors
/// [`InputFault::Argument`] if the ledger has none, a failure of the database, or of writing.
pub fn write_newest(ledger: &LedgerAt, path: &Path, replace: bool) -> Result<SignedCheckpoint, InputError> {
    let newest = ledger.run(async |ledger| ledger.last_checkpoint().await.map_err(failure))?;
    let newest = newest.ok_or_else(|| none_kept(path))?;
    let written = |error| unwritten(path, error);
    let mut file = FileWriter::new(NewFile::create(path, replace)?, &newest).map_err(written)?;
    let (number, mut after) = (newest.checkpoint.number, None);
    loop {
        let heads = ledger
            .run(async |ledger| ledger.heads_at(number, after, SignedHead::MOST).await.map_err(failure))?;
        let Some(last) = heads.last() else { break };
        after = Some(last.account);
        heads.iter().try_for_each(|head| file.add(head)).map_err(written)?;
    }
    file.finish().map_err(written)?.finish()?;
    Ok(newest)
}

fn none_kept(path: &Path) -> InputError {
    let fault = InputFault::Argument {
        value: path.display().to_string(),
        reason: "the ledger has no checkpoint that could be written".to_owned(),
        mend: "leave --checkpoint out, or let the portal make a checkpoint first".to_owned(),
    };
    InputError::new("--checkpoint", fault)
}
