//! A change as people read it.

use diffy::Line;
use diffy::patch_set::{FileMode, PatchKind};

use super::read::{Operation, PatchedFile};

/// What a change does to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiff {
    /// The file, from the root of the repository; the new name of one that is renamed.
    pub path: String,
    /// What becomes of it.
    pub kind: FileDiffKind,
    /// Whether its content is not text, and is not shown.
    pub is_binary: bool,
    /// The changed places, from the first line on.
    pub hunks: Vec<DiffHunk>,
}

/// What becomes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileDiffKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its content or mode changes.
    Changed,
    /// It has another name, and may be changed as well.
    Renamed {
        /// The name before.
        from: String,
    },
    /// It begins as another file.
    Copied {
        /// The other file.
        from: String,
    },
}

/// A changed place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffHunk {
    /// The lines, with some that stay around those that do not.
    pub lines: Vec<DiffLine>,
}

/// A line of a changed place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffLine {
    /// What becomes of it.
    pub kind: LineKind,
    /// Its number before, from 1; none for an added line.
    pub old: Option<usize>,
    /// Its number afterwards, from 1; none for a removed line.
    pub new: Option<usize>,
    /// The line without its end. Characters that people would not see are spelled out, as `⟨U+202E⟩`.
    pub text: String,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineKind {
    /// It stays.
    Context,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
}

impl FileDiff {
    /// How many lines are added, and how many removed.
    pub fn counts(&self) -> (usize, usize) {
        let lines = || self.hunks.iter().flat_map(|hunk| &hunk.lines);
        let count = |kind| lines().filter(|line| line.kind == kind).count();
        (count(LineKind::Added), count(LineKind::Removed))
    }

    pub(super) fn of(file: &PatchedFile<'_>) -> Self {
        let kind = match &file.operation {
            Operation::Create(_) => FileDiffKind::Added,
            Operation::Delete(_) => FileDiffKind::Removed,
            Operation::Modify(_) => FileDiffKind::Changed,
            Operation::Rename { from, .. } => FileDiffKind::Renamed { from: from.clone() },
            Operation::Copy { from, .. } => FileDiffKind::Copied { from: from.clone() },
        };
        let hunks = match &file.content {
            PatchKind::Binary(_) => Vec::new(),
            PatchKind::Text(patch) => patch.hunks().iter().map(hunk).collect(),
        };
        let is_binary = matches!(file.content, PatchKind::Binary(_)) || file.mode == Some(FileMode::Gitlink);
        Self { path: file.operation.path().to_owned(), kind, is_binary, hunks }
    }
}

fn hunk(hunk: &diffy::Hunk<'_, [u8]>) -> DiffHunk {
    let (mut old, mut new) = (hunk.old_range().start(), hunk.new_range().start());
    let next = |number: &mut usize| {
        let this = *number;
        *number = number.saturating_add(1);
        Some(this)
    };
    let line = |line: &Line<'_, [u8]>| {
        let (Line::Context(text) | Line::Delete(text) | Line::Insert(text)) = line;
        let text = visible(text);
        match line {
            Line::Context(_) => {
                let (old, new) = (next(&mut old), next(&mut new));
                DiffLine { kind: LineKind::Context, old, new, text }
            }
            Line::Delete(_) => DiffLine { kind: LineKind::Removed, old: next(&mut old), new: None, text },
            Line::Insert(_) => DiffLine { kind: LineKind::Added, old: None, new: next(&mut new), text },
        }
    };
    DiffHunk { lines: hunk.lines().iter().map(line).collect() }
}

/// The text of a line, with nothing in it that shows as something else than it is: marks that turn the direction of text
/// around make code look different from what it does (CVE-2021-42574).
fn visible(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let is_hidden = matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
        if is_hidden || (c.is_control() && c != '\t') {
            shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}
