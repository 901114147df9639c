//! The file that a command writes an export to.

use std::path::PathBuf;

use rad_core::export::Record;

use crate::failure::{InputError, InputFault};
use crate::new_file::{NewFile, unwritten};
use crate::source::Format;
use crate::writer::Writer;

/// Where an export goes, and what of it.
#[derive(Debug, clap::Args)]
pub struct Destination {
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

impl Destination {
    /// The format that the file's name says.
    ///
    /// # Errors
    /// [`InputFault::UnknownFormat`].
    pub fn format(&self) -> Result<Format, InputError> {
        let name = self.output.display().to_string();
        Format::of(&name).ok_or(InputError::new(name, InputFault::UnknownFormat))
    }

    /// Begins the file.
    ///
    /// # Errors
    /// As [`NewFile::create`].
    pub fn create(&self, format: Format) -> Result<ExportFile, InputError> {
        let file = NewFile::create(&self.output, self.force)?;
        Ok(ExportFile { path: self.output.clone(), writer: Writer::new(file, format) })
    }
}

/// An export being written: there whole in the end, or not at all.
pub struct ExportFile {
    path: PathBuf,
    writer: Writer<NewFile>,
}

impl ExportFile {
    /// Writes one record.
    ///
    /// # Errors
    /// [`InputFault::Write`].
    pub fn write(&mut self, record: &Record) -> Result<(), InputError> {
        self.writer.write(record).map_err(|error| unwritten(&self.path, error))
    }

    /// Gives the file its name, and tells it.
    ///
    /// # Errors
    /// As [`NewFile::finish`].
    pub fn finish(self) -> Result<String, InputError> {
        self.writer.finish().map_err(|error| unwritten(&self.path, error))?.finish()?;
        Ok(self.path.display().to_string())
    }
}
