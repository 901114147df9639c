//! `export`: a source as a file, in the format that the file's name says.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rad_core::checkpoint::SignedCheckpoint;
use rad_core::export::Record;
use serde::Serialize;

use super::Command;
use crate::checkpoint::write_newest;
use crate::destination::Destination;
use crate::failure::{Failure, InputError, InputFault};
use crate::output::Report;
use crate::progress::Progress;
use crate::source::{self, LedgerAt, Wanted};

/// Write a ledger, or an export in another format, as a file. It checks nothing: `verify` does.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// A ledger as sqlite:PATH or postgres://user@host/database; or a file that ends in .csv or .jsonl, each also .gz.
    pub source: String,
    /// Also write the newest checkpoint that the ledger keeps, for `verify --checkpoint`.
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Where it goes.
    #[command(flatten)]
    pub destination: Destination,
}

/// What was written.
#[derive(Debug, Serialize)]
pub struct Exported {
    /// What was read, without anything secret.
    pub source: String,
    /// The file.
    pub output: String,
    /// How many accounts, the platform's included.
    pub accounts: u64,
    /// How many entries.
    pub entries: u64,
    /// The checkpoint that was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<SignedCheckpoint>,
}

impl Command for Export {
    type Report = Exported;

    fn run(&self) -> Result<Exported, Failure> {
        let format = self.destination.format()?;
        let wanted = if self.destination.no_recorded { Wanted::Entries } else { Wanted::Recorded };
        // First, so that the entries extend it.
        let checkpoint = self.checkpoint.as_deref().map(|path| self.write_checkpoint(path)).transpose()?;
        let mut records = source::open(&self.source, wanted)?;
        let mut file = self.destination.create(format)?;
        let (mut record, mut progress, mut last) = (Record::default(), Progress::new(), None);
        let (mut accounts, mut entries) = (0, 0);
        while records.next(&mut record)? {
            progress.note(&*records);
            let account = Some(record.entry.account);
            accounts += u64::from(last != account);
            entries += 1;
            last = account;
            file.write(&record)?;
        }
        let output = file.finish()?;
        Ok(Exported { source: records.name().to_owned(), output, accounts, entries, checkpoint })
    }
}

impl Export {
    fn write_checkpoint(&self, path: &Path) -> Result<SignedCheckpoint, InputError> {
        match LedgerAt::open(&self.source)? {
            Some(ledger) => write_newest(&ledger, path, self.destination.force),
            None => {
                let fault = InputFault::Argument {
                    value: path.display().to_string(),
                    reason: "only the database of a ledger has checkpoints".to_owned(),
                    mend: "leave it out, or export from the database".to_owned(),
                };
                Err(InputError::new("--checkpoint", fault))
            }
        }
    }
}

impl Report for Exported {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { source, output, accounts, entries, checkpoint } = self;
        writeln!(out, "{output}: {entries} entries of {accounts} accounts, from {source}")?;
        if let Some(SignedCheckpoint { checkpoint, key, .. }) = checkpoint {
            writeln!(out, "checkpoint {} of {}, signed by {key}", checkpoint.number, checkpoint.at)?;
        }
        Ok(())
    }
}
