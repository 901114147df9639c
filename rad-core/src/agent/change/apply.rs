//! Applies a patch to the very tree it was made on.

use std::collections::{BTreeMap, BTreeSet};

use diffy::patch_set::{FileMode, PatchKind};
use diffy::{Hunk, Line};

use super::ChangeError;
use super::read::{Operation, PatchedFile};
use crate::source::{SourceTree, TreeEntry};

/// What stands at each changed path afterwards; nothing where it is removed.
pub(super) type Outcome = BTreeMap<String, Option<TreeEntry>>;

/// What the patch makes of `base`.
pub(super) fn apply(files: &[PatchedFile<'_>], base: &SourceTree) -> Result<Outcome, ChangeError> {
    let mut after = Outcome::new();
    let mut removed = BTreeSet::new();
    for file in files {
        let path = file.operation.path();
        let entry = outcome(file, base)?;
        match &file.operation {
            Operation::Delete(gone) | Operation::Rename { from: gone, .. } => {
                if !removed.insert(gone.as_str()) {
                    return Err(ChangeError::conflict(gone, None, "the change removes it twice"));
                }
            }
            Operation::Create(_) | Operation::Modify(_) | Operation::Copy { .. } => {}
        }
        if entry.is_some() && after.insert(path.to_owned(), entry).is_some() {
            return Err(ChangeError::conflict(path, None, "the change names the file twice"));
        }
    }
    for file in files {
        let path = file.operation.path();
        let is_new = !matches!(file.operation, Operation::Modify(_) | Operation::Delete(_));
        if is_new && base.entry(path).is_some() && !removed.contains(path) {
            return Err(ChangeError::conflict(
                path,
                None,
                "the change adds the file, and it is there already",
            ));
        }
    }
    for path in removed {
        after.entry(path.to_owned()).or_insert(None);
    }
    Ok(after)
}

/// What stands at the path of `file` afterwards.
fn outcome(file: &PatchedFile<'_>, base: &SourceTree) -> Result<Option<TreeEntry>, ChangeError> {
    let path = file.operation.path();
    let original = match file.operation.original() {
        None => None,
        Some(original) => match base.entry(original) {
            None => {
                let reason = "the change begins with a file that is not there";
                return Err(ChangeError::conflict(original, None, reason));
            }
            found => found,
        },
    };
    let PatchKind::Text(patch) = &file.content else {
        return Err(ChangeError::conflict(path, None, "the change is binary: make it by hand"));
    };
    let content: &[u8] = match original {
        None => &[],
        Some(TreeEntry::File { bytes, .. }) => bytes,
        Some(TreeEntry::Symlink { target }) => target.as_bytes(),
    };
    let content = patched(path, content, patch.hunks())?;
    if let Operation::Delete(_) = file.operation {
        let reason = "the change removes the file without all that is in it";
        return if content.is_empty() { Ok(None) } else { Err(ChangeError::conflict(path, Some(1), reason)) };
    }
    let mode = file.mode.unwrap_or(match original {
        Some(TreeEntry::Symlink { .. }) => FileMode::Symlink,
        Some(TreeEntry::File { executable: true, .. }) => FileMode::Executable,
        _ => FileMode::Regular,
    });
    let entry = match mode {
        FileMode::Regular | FileMode::Executable => {
            TreeEntry::File { bytes: content.into(), executable: mode == FileMode::Executable }
        }
        FileMode::Symlink => {
            let not_text = |_| ChangeError::conflict(path, None, "the link does not lead to UTF-8 text");
            TreeEntry::Symlink { target: String::from_utf8(content).map_err(not_text)? }
        }
        FileMode::Gitlink => {
            return Err(ChangeError::conflict(path, None, "the change adds a submodule: make it by hand"));
        }
    };
    Ok(Some(entry))
}

/// The content after all hunks, each of which must stand at its line: a hunk that fits elsewhere as well would change what
/// nobody looked at.
fn patched(path: &str, content: &[u8], hunks: &[Hunk<'_, [u8]>]) -> Result<Vec<u8>, ChangeError> {
    let lines: Vec<&[u8]> = content.split_inclusive(|byte| *byte == b'\n').collect();
    let mut after = Vec::with_capacity(content.len());
    let mut at = 0;
    for hunk in hunks {
        // A hunk that replaces nothing names the line before it.
        let old = hunk.old_range();
        let start = if old.is_empty() { old.start() } else { old.start().saturating_sub(1) };
        let Some(between) = lines.get(at..start) else {
            return Err(ChangeError::conflict(path, Some(old.start()), "the file has no such place"));
        };
        after.extend(between.iter().copied().flatten());
        at = start;
        for line in hunk.lines() {
            let (Line::Context(text) | Line::Delete(text) | Line::Insert(text)) = line;
            if !matches!(line, Line::Insert(_)) {
                if lines.get(at) != Some(text) {
                    let reason = "the line is not what the change was made to";
                    return Err(ChangeError::conflict(path, Some(at.saturating_add(1)), reason));
                }
                at = at.saturating_add(1);
            }
            if !matches!(line, Line::Delete(_)) {
                after.extend_from_slice(text);
            }
        }
    }
    after.extend(lines.get(at..).unwrap_or_default().iter().copied().flatten());
    Ok(after)
}
