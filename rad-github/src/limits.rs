//! How large a tree may be before it is refused, so that no repository can exhaust the memory of the process.

use rad_core::repo::RepoError;

/// The largest tree that is read.
///
/// ```
/// use rad_github::local::TreeLimits;
///
/// let small = TreeLimits { entries: 100, ..TreeLimits::default() };
/// assert!(small.total_bytes > small.file_bytes);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeLimits {
    /// Files, links and directories together: 50,000 by default.
    pub entries: u64,
    /// Bytes in one file: 16 MiB by default.
    pub file_bytes: u64,
    /// Bytes in all files together: 128 MiB by default.
    pub total_bytes: u64,
    /// Names in a path: 32 by default.
    pub depth: u64,
}

impl Default for TreeLimits {
    fn default() -> Self {
        Self { entries: 50_000, file_bytes: 16 << 20, total_bytes: 128 << 20, depth: 32 }
    }
}

/// What has been read so far, held against the limits before more is read.
pub(crate) struct Meter<'a> {
    limits: &'a TreeLimits,
    entries: u64,
    bytes: u64,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(limits: &'a TreeLimits) -> Self {
        Self { limits, entries: 0, bytes: 0 }
    }

    /// Counts the entry at `path`, at `depth` names below the root.
    pub(crate) fn entry(&mut self, path: &str, depth: u64) -> Result<(), RepoError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(too_large("the number of files and directories", self.limits.entries));
        }
        if depth > self.limits.depth {
            return Err(too_large(&format!("the depth of {path:?}"), self.limits.depth));
        }
        Ok(())
    }

    /// Counts `size` bytes that are about to be read for `path`.
    pub(crate) fn bytes(&mut self, path: &str, size: u64) -> Result<(), RepoError> {
        if size > self.limits.file_bytes {
            let what = format!("the size of {path:?} ({size} bytes)");
            return Err(too_large(&what, self.limits.file_bytes));
        }
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.limits.total_bytes {
            return Err(too_large("the size of all files together, in bytes,", self.limits.total_bytes));
        }
        Ok(())
    }
}

fn too_large(what: &str, limit: u64) -> RepoError {
    RepoError::TooLarge { what: what.to_owned(), limit }
}
