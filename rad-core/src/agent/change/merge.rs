//! Carries the outcome of a patch over to a tree that moved on since.

use bytes::Bytes;

use super::ChangeError;
use super::apply::Outcome;
use crate::repo::FileChange;
use crate::source::{SourceTree, TreeEntry};

/// Lines of a file at the most that is merged: comparing takes time that grows with lines times differences.
const MERGED_LINES: usize = 20_000;

/// What must change in `head` so that it has what `after` makes of `base`.
pub(super) fn onto(
    head: &SourceTree,
    base: &SourceTree,
    after: Outcome,
) -> Result<Vec<FileChange>, ChangeError> {
    let mut changes = Vec::new();
    for (path, wanted) in after {
        let (was, now) = (base.entry(&path), head.entry(&path));
        if now == wanted.as_ref() {
            continue;
        }
        let wanted = match (was, now, wanted) {
            (was, now, wanted) if was == now => wanted,
            (Some(was), Some(now), Some(wanted)) => Some(merged(&path, was, now, &wanted)?),
            (Some(_), None, _) => {
                return Err(ChangeError::conflict(&path, None, "the file was removed on the branch"));
            }
            (Some(_), Some(_), None) => {
                let reason = "the change removes the file, and it was changed on the branch";
                return Err(ChangeError::conflict(&path, None, reason));
            }
            (None, ..) => {
                let reason = "the change adds the file, and so did somebody on the branch";
                return Err(ChangeError::conflict(&path, None, reason));
            }
        };
        if wanted.is_some() && head.has_directory(&path) {
            return Err(ChangeError::conflict(
                &path,
                None,
                "there is a directory of that name on the branch",
            ));
        }
        changes.push(match wanted {
            Some(entry) => FileChange::Put { path, entry },
            None => FileChange::Remove { path },
        });
    }
    Ok(changes)
}

/// Both changes to `was` in one, if they are to different lines.
fn merged(
    path: &str,
    was: &TreeEntry,
    now: &TreeEntry,
    wanted: &TreeEntry,
) -> Result<TreeEntry, ChangeError> {
    let (
        TreeEntry::File { bytes: was, executable: was_executable },
        TreeEntry::File { bytes: now, executable: is_executable },
        TreeEntry::File { bytes: wanted, executable },
    ) = (was, now, wanted)
    else {
        return Err(ChangeError::conflict(path, None, "the link was changed on the branch as well"));
    };
    let executable = if was_executable == executable { *is_executable } else { *executable };
    if [was, now, wanted].into_iter().any(|content| !is_mergeable(content)) {
        let reason = "the file was changed on the branch as well, and is binary or too long to merge";
        return Err(ChangeError::conflict(path, None, reason));
    }
    match diffy::merge_bytes(was, now, wanted) {
        Ok(bytes) => Ok(TreeEntry::File { bytes: bytes.into(), executable }),
        Err(marked) => {
            let mut lines = marked.split(|byte| *byte == b'\n');
            let line = lines.position(|line| line.starts_with(b"<<<<<<<")).map(|line| line.saturating_add(1));
            let reason = "what the change replaces was changed on the branch as well";
            Err(ChangeError::conflict(path, line, reason))
        }
    }
}

fn is_mergeable(content: &Bytes) -> bool {
    !content.contains(&0) && content.iter().filter(|byte| **byte == b'\n').count() <= MERGED_LINES
}
