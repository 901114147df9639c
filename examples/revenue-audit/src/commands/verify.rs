//! `verify`: are these books whole and right?

use std::io::{self, Write};
use std::path::PathBuf;

use rad_core::checkpoint::{Checkpoint, CheckpointFinding, PublicKey, SignedCheckpoint};
use rad_core::error::FailureKind;
use serde::Serialize;

use super::Command;
use crate::checkpoint::{Against, Checked, check_file, check_ledger};
use crate::failure::{Failure, InputError, InputFault};
use crate::output::Report;
use crate::source::{self, LedgerAt, Wanted};
use crate::verification::{Verification, add_stored, verify};

/// Check every entry: its place, key and hash, what is recorded of it, its share rules, and that checkpoints are extended.
/// Lists every finding.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// A file that ends in .csv or .jsonl, each also .gz; or a ledger as sqlite:PATH or postgres://user@host/database.
    pub source: String,
    /// Compare with the checkpoint in this file, which was written when the source was trusted.
    #[arg(long, value_name = "FILE", requires = "checkpoint_key")]
    pub checkpoint: Option<PathBuf>,
    /// Whose checkpoints are trusted: the public key in hexadecimal digits. Of a database all that it keeps are verified;
    /// may be given more than once, where keys changed.
    #[arg(long, value_name = "PUBLIC_KEY")]
    pub checkpoint_key: Vec<PublicKey>,
    /// List so many findings, and count the rest.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub max_findings: usize,
}

/// What a verification came to.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// What was verified, without anything secret.
    pub source: String,
    /// Whether nothing is wrong.
    pub sound: bool,
    /// What was looked at and found.
    #[serde(flatten)]
    pub verification: Verification,
    /// What checkpoints came to, where a key was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<Checked>,
}

impl Command for Verify {
    type Report = Verified;

    fn run(&self) -> Result<Verified, Failure> {
        let mut against = self.checkpoint.as_deref().map(Against::open).transpose()?;
        let ledger = LedgerAt::open(&self.source)?;
        if against.is_none() && ledger.is_none() && !self.checkpoint_key.is_empty() {
            return Err(self.no_checkpoint().into());
        }
        let mut records = source::open(&self.source, Wanted::Recorded)?;
        let source = records.name().to_owned();
        let replayed = verify(&mut *records, against.as_mut(), self.max_findings);
        let signed = against.as_ref().map(Against::checkpoint);
        let mut checkpoints = signed.map(|signed| check_file(signed, &self.checkpoint_key));
        // A database also has what it keeps beside the entries, and can say which of them cannot be read.
        let verification = match ledger {
            None => replayed?,
            Some(ledger) => {
                let mut verification = replayed.or_else(unreadable)?;
                ledger.run(|ledger| add_stored(&mut verification, ledger, self.max_findings))?;
                if !self.checkpoint_key.is_empty() {
                    let kept = self.check_kept(&ledger, &mut verification, signed)?;
                    checkpoints = Some(kept.with(checkpoints));
                }
                verification
            }
        };
        let are_signed = checkpoints.as_ref().is_none_or(Checked::is_sound);
        let sound = verification.is_sound() && are_signed;
        Ok(Verified { source, sound, verification, checkpoints })
    }
}

impl Verify {
    fn check_kept(
        &self,
        ledger: &LedgerAt,
        verification: &mut Verification,
        signed: Option<&SignedCheckpoint>,
    ) -> Result<Checked, InputError> {
        let (keys, most) = (&self.checkpoint_key, self.max_findings);
        ledger.run(|ledger| check_ledger(verification, ledger, keys, signed, most))
    }

    fn no_checkpoint(&self) -> InputError {
        let fault = InputFault::Argument {
            value: self.checkpoint_key.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            reason: "an export has no checkpoints of its own".to_owned(),
            mend: "give the file of one with --checkpoint".to_owned(),
        };
        InputError::new("--checkpoint-key", fault)
    }
}

/// A verification that has to do without the replay, where an entry cannot be read.
fn unreadable(error: InputError) -> Result<Verification, InputError> {
    match &error.fault {
        InputFault::Database(failure) if failure.kind() == FailureKind::Corrupt => {
            let absent =
                vec!["entries that can all be read: the ledger verified what it could, account by account"];
            Ok(Verification { absent, ..Verification::default() })
        }
        _ => Err(error),
    }
}

impl Report for Verified {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Verification { checked, absent, findings, more_findings } = &self.verification;
        let checkpoints = self.checkpoints.iter().flat_map(|checked| &checked.findings);
        let wrong_checkpoints: Vec<_> = checkpoints.collect();
        for CheckpointFinding { checkpoint, problem } in &wrong_checkpoints {
            writeln!(out, "checkpoint {checkpoint}: {problem}")?;
        }
        findings.iter().try_for_each(|finding| writeln!(out, "{finding}"))?;
        if *more_findings > 0 {
            writeln!(out, "and {more_findings} more findings (--max-findings lists more)")?;
        }
        if !findings.is_empty() || !wrong_checkpoints.is_empty() {
            writeln!(out)?;
        }
        writeln!(out, "{}: {} entries of {} accounts", self.source, checked.entries, checked.accounts)?;
        for (count, what) in [
            (checked.replayed, "entries replayed"),
            (checked.not_replayed, "entries not replayed: they follow one that is refused"),
            (checked.hashes, "hashes recomputed"),
            (checked.recorded, "recorded results compared with the replay"),
            (checked.share_rules, "share rules in order"),
            (checked.terms, "charges compared with the share rules of their time"),
            (checked.terms_unchecked, "charges not compared with share rules"),
            (checked.conserved, "accounts whose lots add up"),
            (checked.stored, "accounts whose revenue lines and state in the database were compared"),
        ] {
            if count > 0 {
                writeln!(out, "{count:>12} {what}")?;
            }
        }
        absent.iter().try_for_each(|what| writeln!(out, "the source has no {what}"))?;
        if let Some(Checked { checkpoints, last, .. }) = &self.checkpoints {
            writeln!(out, "{checkpoints:>12} checkpoints")?;
            if let Some(SignedCheckpoint { checkpoint, key, .. }) = last {
                let Checkpoint { number, at, accounts, entries, .. } = checkpoint;
                let covers = format!("{entries} entries of {accounts} accounts");
                writeln!(out, "the newest is {number} of {at}, over {covers}, signed by {key}")?;
            }
        }
        match findings.len() as u64 + wrong_checkpoints.len() as u64 + more_findings {
            0 => writeln!(out, "nothing is wrong"),
            1 => writeln!(out, "1 finding"),
            count => writeln!(out, "{count} findings"),
        }
    }

    fn is_fine(&self) -> bool {
        self.sound
    }
}
