//! `verify`: are these books whole and right?

use std::io::{self, Write};

use rad_core::error::FailureKind;
use serde::Serialize;

use super::Command;
use crate::failure::{Failure, InputError, InputFault};
use crate::output::Report;
use crate::source::{self, LedgerAt, Wanted};
use crate::verification::{Verification, add_stored, verify};

/// Check every entry: its place, key and hash, what is recorded of it, and its share rules. Lists every finding.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// A file that ends in .csv or .jsonl, each also .gz; or a ledger as sqlite:PATH or postgres://user@host/database.
    pub source: String,
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
}

impl Command for Verify {
    type Report = Verified;

    fn run(&self) -> Result<Verified, Failure> {
        let mut records = source::open(&self.source, Wanted::Recorded)?;
        let source = records.name().to_owned();
        let replayed = verify(&mut *records, self.max_findings);
        // A database also has what it keeps beside the entries, and can say which of them cannot be read.
        let verification = match LedgerAt::open(&self.source)? {
            None => replayed?,
            Some(ledger) => {
                let mut verification = replayed.or_else(unreadable)?;
                ledger.run(|ledger| add_stored(&mut verification, ledger, self.max_findings))?;
                verification
            }
        };
        let sound = verification.is_sound();
        Ok(Verified { source, sound, verification })
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
        findings.iter().try_for_each(|finding| writeln!(out, "{finding}"))?;
        if *more_findings > 0 {
            writeln!(out, "and {more_findings} more findings (--max-findings lists more)")?;
        }
        if !findings.is_empty() {
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
        match findings.len() as u64 + more_findings {
            0 => writeln!(out, "nothing is wrong"),
            1 => writeln!(out, "1 finding"),
            count => writeln!(out, "{count} findings"),
        }
    }

    fn is_fine(&self) -> bool {
        self.sound
    }
}
