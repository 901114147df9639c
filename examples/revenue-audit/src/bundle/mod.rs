//! A statement as a directory that proves itself: the statement for programs and for people, the entries behind it, and a
//! manifest that binds them together.
//!
//! Whoever has the directory can check it without the books: that no file was changed, that the histories hang together
//! up to the heads that the manifest names, that they replay, and that every row and total follows from them.

mod check;
mod compare;
mod html;
mod manifest;
mod replay;
mod write;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use rad_core::source::Digest;
use sha2::{Digest as _, Sha256};

pub use check::{Finding, Verified, verify};
pub use manifest::{FileEntry, Head, Manifest, SourceIdentity, Sums};
pub use write::Writer;

use crate::failure::{InputError, InputFault};

/// The name of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// The name of the statement for programs.
pub const CSV: &str = "statement.csv";
/// The name of the statement for people.
pub const HTML: &str = "statement.html";
/// The name of the histories behind it.
pub const ENTRIES: &str = "entries.jsonl.gz";
/// The files that a manifest names: no more, no fewer, no other.
pub const FILES: [&str; 3] = [ENTRIES, CSV, HTML];

/// The bytes of a file and their digest, read piece by piece.
fn digest_of(path: &Path) -> io::Result<(u64, Digest)> {
    let mut file = File::open(path)?;
    let (mut hash, mut length, mut buffer) = (Sha256::new(), 0_u64, vec![0; 64 << 10]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((length, Digest::from_bytes(hash.finalize().into())));
        }
        hash.update(buffer.get(..read).unwrap_or_default());
        length = length.saturating_add(read as u64);
    }
}

/// Refuses what is no file of its own: a link would let a bundle stand for files outside it.
fn regular_file(path: &Path) -> Result<u64, InputError> {
    let metadata =
        fs::symlink_metadata(path).map_err(|error| InputError::new(name(path), InputFault::Open(error)))?;
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    Err(InputError::new(
        name(path),
        InputFault::Argument {
            value: if metadata.is_symlink() { "a link" } else { "no file" }.to_owned(),
            reason: "a bundle has plain files only".to_owned(),
            mend: "put the file itself there".to_owned(),
        },
    ))
}

/// A path for messages.
fn name(path: &Path) -> String {
    path.display().to_string()
}
