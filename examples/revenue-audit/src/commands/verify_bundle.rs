//! `verify-bundle`: checks a statement with nothing else at hand.

use std::io::{self, Write};
use std::path::PathBuf;

use super::Command;
use crate::bundle::{self, Verified};
use crate::failure::Failure;
use crate::output::Report;

/// Check the directory of a statement offline: files, hash chains, replay, every row and total.
#[derive(Debug, clap::Args)]
pub struct VerifyBundle {
    /// The directory that `statement` wrote.
    pub directory: PathBuf,
}

impl Command for VerifyBundle {
    type Report = Verified;

    fn run(&self) -> Result<Verified, Failure> {
        bundle::verify(&self.directory)
    }
}

impl Report for Verified {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: statement {} of {}", self.directory, self.statement_id, self.subject)?;
        writeln!(out, "from {} up to {}", self.period_start, self.period_end)?;
        match self.rows {
            Some(rows) => writeln!(out, "{} entries replayed, {rows} rows derived again", self.entries)?,
            None => writeln!(out, "{} entries replayed; the rows cannot be derived from them", self.entries)?,
        }
        for finding in &self.findings {
            let place = finding.place.as_ref().map(|place| format!(", {place}")).unwrap_or_default();
            writeln!(out, "{}{place}: {}", finding.file, finding.problem)?;
        }
        match self.problems {
            0 => writeln!(out, "nothing is wrong"),
            1 => writeln!(out, "1 thing is wrong"),
            many => writeln!(out, "{many} things are wrong"),
        }
    }

    fn is_fine(&self) -> bool {
        self.problems == 0
    }
}
