//! Where a journal goes: to a new file, which is there whole or not at all, or to standard output.

use std::io::{self, BufWriter, Stdout, Write};
use std::path::Path;

use crate::failure::InputError;
use crate::new_file::NewFile;

/// Where a journal goes.
#[derive(Debug)]
pub enum Sink {
    /// Standard output.
    Stdout(BufWriter<Stdout>),
    /// A file.
    File(NewFile),
}

impl Sink {
    /// Begins a file, or standard output where none is given. With `replace` a file that is there is replaced in the end.
    ///
    /// # Errors
    /// As [`NewFile::create`].
    pub fn create(file: Option<&Path>, replace: bool) -> Result<Self, InputError> {
        Ok(match file {
            Some(path) => Self::File(NewFile::create(path, replace)?),
            None => Self::Stdout(BufWriter::new(io::stdout())),
        })
    }

    /// Gives a file its name.
    ///
    /// # Errors
    /// As [`NewFile::finish`].
    pub fn finish(self) -> Result<(), InputError> {
        match self {
            Self::File(file) => file.finish(),
            Self::Stdout(_) => Ok(()),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(file) => file.flush(),
        }
    }
}
