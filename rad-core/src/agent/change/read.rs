//! Reads a patch of several files, and checks its paths.

use std::borrow::Cow;

use diffy::patch_set::{FileMode, FileOperation, FilePatch, ParseOptions, PatchKind, PatchSet};

use super::{ChangeError, ChangeSet};
use crate::repo::is_git;
use crate::source::SourceTree;

/// What a patch does to one file.
pub(super) struct PatchedFile<'a> {
    pub(super) operation: Operation,
    /// The mode afterwards, where the patch sets one.
    pub(super) mode: Option<FileMode>,
    pub(super) content: PatchKind<'a, [u8]>,
}

/// What becomes of a file. Paths are plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    Create(String),
    Delete(String),
    Modify(String),
    Rename { from: String, to: String },
    Copy { from: String, to: String },
}

impl Operation {
    /// The file it is about: the one that is there afterwards, if any is.
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Create(path)
            | Self::Delete(path)
            | Self::Modify(path)
            | Self::Rename { to: path, .. }
            | Self::Copy { to: path, .. } => path,
        }
    }

    /// The file it begins with, if it begins with one.
    pub(super) fn original(&self) -> Option<&str> {
        match self {
            Self::Create(_) => None,
            Self::Delete(path)
            | Self::Modify(path)
            | Self::Rename { from: path, .. }
            | Self::Copy { from: path, .. } => Some(path),
        }
    }
}

/// Hands the files of a patch to `take`.
pub(super) fn with_files<T>(
    patch: &str,
    take: impl FnOnce(&[PatchedFile<'_>]) -> Result<T, ChangeError>,
) -> Result<T, ChangeError> {
    let (size, limit) = (patch.len(), ChangeSet::MAX_BYTES);
    if size > limit {
        return Err(ChangeError::TooLarge { what: "its length in bytes", size, limit });
    }
    if patch.trim().is_empty() {
        return take(&[]);
    }
    // A last line that lost its end on the way would read as a file without one.
    let patch = if patch.ends_with('\n') { Cow::Borrowed(patch) } else { Cow::Owned(format!("{patch}\n")) };
    let is_git = patch.lines().any(|line| line.starts_with("diff --git "));
    let options = if is_git { ParseOptions::gitdiff() } else { ParseOptions::unidiff() };
    let mut files = Vec::new();
    for file in PatchSet::parse_bytes(patch.as_bytes(), options) {
        let file = file.map_err(|error| ChangeError::Unreadable { reason: error.to_string() })?;
        if files.len() == ChangeSet::MAX_FILES {
            let (what, limit) = ("the number of its files", ChangeSet::MAX_FILES);
            return Err(ChangeError::TooLarge { what, size: limit.saturating_add(1), limit });
        }
        files.push(patched_file(file)?);
    }
    take(&files)
}

fn patched_file<'a>(file: FilePatch<'a, [u8]>) -> Result<PatchedFile<'a>, ChangeError> {
    let operation = match file.operation() {
        FileOperation::Create(path) => Operation::Create(plain(path, "b/")?),
        FileOperation::Delete(path) => Operation::Delete(plain(path, "a/")?),
        // The headers of renames and copies have no prefix.
        FileOperation::Rename { from, to } => {
            Operation::Rename { from: plain(from, "")?, to: plain(to, "")? }
        }
        FileOperation::Copy { from, to } => Operation::Copy { from: plain(from, "")?, to: plain(to, "")? },
        FileOperation::Modify { original, modified } => {
            let (original, path) = (plain(original, "a/")?, plain(modified, "b/")?);
            if original != path {
                return Err(ChangeError::conflict(&path, None, "the change calls the file by two names"));
            }
            Operation::Modify(path)
        }
    };
    let mode = file.new_mode().copied();
    Ok(PatchedFile { operation, mode, content: file.into_patch() })
}

/// A path of the patch as a path from the root of the repository.
fn plain(path: &[u8], prefix: &str) -> Result<String, ChangeError> {
    let lossy = String::from_utf8_lossy(path);
    let refused = |reason| Err(ChangeError::conflict(&lossy, None, reason));
    let Ok(path) = std::str::from_utf8(path) else { return refused("the path is not UTF-8 text") };
    let path = path.strip_prefix(prefix).unwrap_or(path);
    if !SourceTree::is_plain(path) {
        return refused("the path leads out of the repository, or is none that a file may have");
    }
    if path.split('/').any(is_git) {
        return refused("the path leads into Git's own directory");
    }
    Ok(path.to_owned())
}
