//! `export`: a source as a file, in the format that the file's name says.

use std::io::{self, Write};

use rad_core::export::Record;
use serde::Serialize;

use super::Command;
use crate::destination::Destination;
use crate::failure::Failure;
use crate::output::Report;
use crate::progress::Progress;
use crate::source::{self, Wanted};

/// Write a ledger, or an export in another format, as a file. It checks nothing: `verify` does.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// A ledger as sqlite:PATH or postgres://user@host/database; or a file that ends in .csv or .jsonl, each also .gz.
    pub source: String,
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
}

impl Command for Export {
    type Report = Exported;

    fn run(&self) -> Result<Exported, Failure> {
        let format = self.destination.format()?;
        let wanted = if self.destination.no_recorded { Wanted::Entries } else { Wanted::Recorded };
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
        Ok(Exported { source: records.name().to_owned(), output, accounts, entries })
    }
}

impl Report for Exported {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { source, output, accounts, entries } = self;
        writeln!(out, "{output}: {entries} entries of {accounts} accounts, from {source}")
    }
}
