//! Writing a bundle. Each file is there whole or not at all, and the manifest comes last: a directory without one is no
//! bundle.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rad_core::export::Record;
use rad_core::revenue::statement::Statement;

use super::{
    CSV, ENTRIES, FILES, FileEntry, HTML, Head, MANIFEST, Manifest, SourceIdentity, digest_of, html, name,
};
use crate::failure::{InputError, InputFault};
use crate::new_file::{NewFile, unwritten};
use crate::source::{Format, Text};
use crate::writer;

/// A bundle in the making.
pub struct Writer {
    directory: PathBuf,
    entries: writer::Writer<NewFile>,
    heads: Vec<Head>,
}

impl Writer {
    /// Begins a bundle in a directory, which is made and must be empty.
    ///
    /// # Errors
    /// [`InputError`] if it is not empty or cannot be written to.
    pub fn create(directory: &Path) -> Result<Self, InputError> {
        let failed = |error| unwritten(directory, error);
        fs::create_dir_all(directory).map_err(failed)?;
        if fs::read_dir(directory).map_err(failed)?.next().is_some() {
            let fault = InputFault::Argument {
                value: name(directory),
                reason: "there are files in it already".to_owned(),
                mend: "give a directory that is new or empty".to_owned(),
            };
            return Err(InputError::new("--output", fault));
        }
        let file = NewFile::create(&directory.join(ENTRIES), false)?;
        let entries = writer::Writer::new(file, Format { text: Text::Jsonl, gzip: true });
        Ok(Self { directory: directory.to_owned(), entries, heads: Vec::new() })
    }

    /// Writes the history of an account: its entries with their hashes, from the first to the last before the end of the
    /// period. Accounts come in the order of their ids.
    ///
    /// # Errors
    /// [`InputError`] if it cannot be written.
    pub fn history(&mut self, records: &[Record]) -> Result<(), InputError> {
        for record in records {
            let written = self.entries.write(record);
            written.map_err(|error| unwritten(&self.directory.join(ENTRIES), error))?;
        }
        if let Some(Record { entry, hash: Some(hash), .. }) = records.last() {
            self.heads.push(Head { account: entry.account, seq: entry.seq, hash: *hash });
        }
        Ok(())
    }

    /// Writes the statement, and the manifest.
    ///
    /// # Errors
    /// [`InputError`] if they cannot be written.
    pub fn finish(self, statement: &Statement, source: SourceIdentity) -> Result<Manifest, InputError> {
        let Self { directory, entries, heads } = self;
        let failed = |file: &str, error| unwritten(&directory.join(file), error);
        entries.finish().map_err(|error| failed(ENTRIES, error))?.finish()?;
        write(&directory.join(CSV), statement.csv().as_bytes())?;
        let page = html::render(statement, &source).map_err(|error| failed(HTML, io::Error::other(error)))?;
        write(&directory.join(HTML), page.as_bytes())?;
        let mut files = Vec::new();
        for file in FILES {
            let (bytes, sha256) = digest_of(&directory.join(file)).map_err(|error| failed(file, error))?;
            files.push(FileEntry { name: file.to_owned(), bytes, sha256 });
        }
        let manifest = Manifest::new(statement, source, heads, files);
        let mut json =
            serde_json::to_vec_pretty(&manifest).map_err(|error| failed(MANIFEST, error.into()))?;
        json.push(b'\n');
        write(&directory.join(MANIFEST), &json)?;
        Ok(manifest)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), InputError> {
    let mut file = NewFile::create(path, false)?;
    file.write_all(bytes).map_err(|error| unwritten(path, error))?;
    file.finish()
}
