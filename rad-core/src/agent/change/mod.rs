//! Changes that an agent proposes: shown file by file, and carried over to the tip of a branch.
//!
//! A change is a patch as `git diff` writes it (git-scm.com/docs/diff-format), made on a named commit. It is taken as
//! exactly that: every hunk must stand at its line of that commit. What came onto the branch since is merged with it line by
//! line, or is a conflict.

mod apply;
mod diff;
mod merge;
mod read;

use serde::{Deserialize, Serialize};

pub use diff::{DiffHunk, DiffLine, FileDiff, FileDiffKind, LineKind};

use crate::repo::FileChange;
use crate::source::{CommitId, Digest, SourceTree};

/// A change to the sources of a repository, made by an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSet {
    /// The commit it was made on; absent where the agent names none.
    pub base: Option<CommitId>,
    /// The patch, as `git diff` writes it, with paths from the root of the repository.
    pub patch: String,
    /// The commit message that the agent suggests; may be empty.
    pub message: String,
}

impl ChangeSet {
    /// The longest patch, in bytes.
    pub const MAX_BYTES: usize = 1 << 20;
    /// The most files in a patch.
    pub const MAX_FILES: usize = 500;

    /// What the change is known by: who approves it names what they saw.
    pub fn digest(&self) -> Digest {
        let base = self.base.as_ref().map_or("", CommitId::as_str);
        Digest::of(format!("{base}\n{}\n{}\n{}", self.message.len(), self.message, self.patch).as_bytes())
    }

    /// The change as people read it, file by file in the patch's order.
    ///
    /// # Errors
    /// [`TooLarge`](ChangeError::TooLarge), [`Unreadable`](ChangeError::Unreadable), and
    /// [`Conflict`](ChangeError::Conflict) for a path that no file may have.
    pub fn files(&self) -> Result<Vec<FileDiff>, ChangeError> {
        read::with_files(&self.patch, |files| Ok(files.iter().map(FileDiff::of).collect()))
    }

    /// What the change does to the tree `head`, if it was made to the tree `base`; nothing where `head` has it already.
    ///
    /// Both are trees of the whole repository.
    ///
    /// ```
    /// use rad_core::agent::ChangeSet;
    /// use rad_core::source::SourceTree;
    ///
    /// let patch = "diff --git a/a.tf b/a.tf\n--- a/a.tf\n+++ b/a.tf\n@@ -1 +1 @@\n-# old\n+# new\n".to_owned();
    /// let change = ChangeSet { base: None, patch, message: "Say it anew".to_owned() };
    /// let mut base = SourceTree::default();
    /// base.insert_file("a.tf", "# old\n")?;
    /// let changes = change.changes(&base, &base)?;
    /// assert_eq!((changes.len(), changes[0].path()), (1, "a.tf"));
    ///
    /// let mut head = base.clone();
    /// head.insert_file("a.tf", "# something else\n")?;
    /// assert_eq!(
    ///     change.changes(&base, &head).unwrap_err().to_string(),
    ///     "a.tf:1: what the change replaces was changed on the branch as well",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`files`](Self::files), and [`Conflict`](ChangeError::Conflict) for the first place where it does not fit.
    pub fn changes(&self, base: &SourceTree, head: &SourceTree) -> Result<Vec<FileChange>, ChangeError> {
        read::with_files(&self.patch, |files| merge::onto(head, base, apply::apply(files, base)?))
    }
}

/// Why a change cannot be shown or carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// It is over a limit.
    #[error("the change is too large: {what} is {size}, and the limit is {limit}: ask for a smaller one")]
    TooLarge {
        /// What is over the limit.
        what: &'static str,
        /// How much it is.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The patch is not one as `git diff` writes it.
    #[error("the change cannot be read: {reason}")]
    Unreadable {
        /// What is wrong, and where.
        reason: String,
    },
    /// The agent does not say which commit it changed.
    #[error("the change names no commit it was made on: ask the agent to make it again")]
    NoBase,
    /// It does not fit the sources; nothing was changed.
    #[error("{path}{}: {reason}", line.map(|line| format!(":{line}")).unwrap_or_default())]
    Conflict {
        /// The file.
        path: String,
        /// The line of the file, from 1, where it is about a line.
        line: Option<usize>,
        /// What does not fit.
        reason: &'static str,
    },
}

impl ChangeError {
    fn conflict(path: &str, line: Option<usize>, reason: &'static str) -> Self {
        Self::Conflict { path: path.chars().take(200).collect(), line, reason }
    }
}
