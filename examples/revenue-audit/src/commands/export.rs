//! `export`: a source as a file, in the format that the file's name says.

use std::io::{self, Write};
use std::path::PathBuf;

use rad_core::export::Record;
use serde::Serialize;

use super::Command;
use crate::failure::{Failure, InputError, InputFault};
use crate::new_file::{NewFile, unwritten};
use crate::output::Report;
use crate::progress::Progress;
use crate::source::{self, Format, Wanted};
use crate::writer::Writer;

/// Write a ledger, or an export in another format, as a file. It checks nothing: `verify` does.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// A ledger as sqlite:PATH or postgres://user@host/database; or a file that ends in .csv or .jsonl, each also .gz.
    pub source: String,
    /// Leave out what the books say that each entry did.
    #[arg(long)]
    pub no_recorded: bool,
    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
    /// The file; its name ends in .csv or .jsonl, each also .gz.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
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
        let output = self.output.display().to_string();
        let format = Format::of(&output).ok_or(InputError::new(&output, InputFault::UnknownFormat))?;
        let wanted = if self.no_recorded { Wanted::Entries } else { Wanted::Recorded };
        let mut records = source::open(&self.source, wanted)?;
        let mut writer = Writer::new(NewFile::create(&self.output, self.force)?, format);
        let (mut record, mut progress, mut last) = (Record::default(), Progress::new(), None);
        let (mut accounts, mut entries) = (0, 0);
        while records.next(&mut record)? {
            progress.note(&*records);
            let account = Some(record.entry.account);
            accounts += u64::from(last != account);
            entries += 1;
            last = account;
            writer.write(&record).map_err(|error| unwritten(&self.output, error))?;
        }
        writer.finish().map_err(|error| unwritten(&self.output, error))?.finish()?;
        Ok(Exported { source: records.name().to_owned(), output, accounts, entries })
    }
}

impl Report for Exported {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { source, output, accounts, entries } = self;
        writeln!(out, "{output}: {entries} entries of {accounts} accounts, from {source}")
    }
}
