//! Where in a module's sources something is wrong, and what.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One reason why a directory cannot be read as a Terraform module.
///
/// Printed as `file:line:column: message`, which editors and terminals turn into a link.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
#[non_exhaustive]
pub struct SourceError {
    /// The file, relative to the tree that was searched.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong and, where that is known, what to write instead.
    pub message: String,
}

impl SourceError {
    /// An error at a place.
    pub fn new(file: impl Into<String>, place: Place, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: place.line, column: place.column, message: message.into() }
    }
}

/// A line and a column, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Place {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The line starts of a text, to turn byte offsets into places.
#[derive(Debug)]
pub(super) struct LineIndex {
    starts: Vec<usize>,
}

impl LineIndex {
    pub(super) fn new(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { starts: std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect() }
    }

    /// The place of the byte at `offset` of the same `text`.
    pub(super) fn place(&self, text: &str, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = text.get(start..offset).map_or(0, |before| before.chars().count());
        Place { line: saturate(line), column: saturate(column + 1) }
    }
}

/// Places are 32 bits wide; no file that is read has more lines than that.
pub(super) fn saturate(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_survive_any_offset() {
        let text = "a\nöäx\n";
        let lines = LineIndex::new(text);
        assert_eq!(lines.place(text, 0), Place { line: 1, column: 1 });
        assert_eq!(lines.place(text, text.find('x').unwrap()), Place { line: 2, column: 3 });
        assert_eq!(lines.place(text, text.len()), Place { line: 3, column: 1 });
        assert_eq!(lines.place(text, 3).line, 2, "inside a character");
        assert_eq!(lines.place(text, 999).line, 3);
    }
}
