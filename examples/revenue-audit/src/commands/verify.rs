//! `verify`: are these books whole and right?

use std::io::{self, Write};

use serde::Serialize;

use super::Command;
use crate::failure::Failure;
use crate::output::Report;
use crate::source::{self, Wanted};
use crate::verification::{Verification, verify};

/// Check every entry: its place, key and hash, what is recorded of it, and its share rules. Lists every finding.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// A file that ends in .csv or .jsonl, each also .gz.
    pub source: String,
    /// List so many findings, and count the rest.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub max_findings: usize,
}

/// What a verification came to.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// What was verified.
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
        let verification = verify(&mut *records, self.max_findings)?;
        let sound = verification.is_sound();
        Ok(Verified { source: self.source.clone(), sound, verification })
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
