//! A tree of source files held in memory, the commit it was read at, and its digest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::id::ParseIdError;

/// A SHA-256 digest (FIPS 180-4), printed as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest that precedes the first entry of a chain: 32 zero bytes.
    pub const ZERO: Self = Self([0; 32]);

    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let wrong = || ParseIdError::new("Digest", text);
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The name of a commit: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(Box<str>);

impl CommitId {
    /// The commit whose SHA-1 name is these 20 bytes.
    pub fn from_sha1(name: [u8; 20]) -> Self {
        Self(name.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits, as people read them.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommitId({})", self.0)
    }
}

impl FromStr for CommitId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match text.len() {
            40 | 64 if hex => Ok(Self(text.into())),
            _ => Err(ParseIdError::new("CommitId", text)),
        }
    }
}

impl TryFrom<String> for CommitId {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, ParseIdError> {
        text.parse()
    }
}

impl From<CommitId> for String {
    fn from(commit: CommitId) -> Self {
        commit.0.into()
    }
}

/// One entry of a [`SourceTree`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeEntry {
    /// A regular file.
    File {
        /// The content, whatever its encoding.
        bytes: Bytes,
        /// Whether the executable bit is set.
        executable: bool,
    },
    /// A symbolic link; kept as text and never followed.
    Symlink {
        /// Where it points, as written.
        target: String,
    },
}

impl TreeEntry {
    /// The bytes of the content, or of where a link points.
    pub fn size(&self) -> u64 {
        let size = match self {
            Self::File { bytes, .. } => bytes.len(),
            Self::Symlink { target } => target.len(),
        };
        size as u64
    }
}

/// The files below one directory at one commit, by their `/`-separated path relative to it.
///
/// Paths are plain: no empty, `.` or `..` component, no leading `/`, no backslash and no NUL.
///
/// ```
/// use rad_core::source::{SourceTree, TreeEntry};
///
/// let mut tree = SourceTree::default();
/// tree.insert_file("hello/main.tf", "output \"x\" { value = 1 }")?;
/// assert_eq!(tree.directories().collect::<Vec<_>>(), ["hello"]);
/// assert!(tree.insert_file("../escape", "").is_err());
/// # Ok::<(), rad_core::source::PathError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceTree(BTreeMap<String, TreeEntry>);

impl SourceTree {
    /// Adds or replaces an entry.
    ///
    /// # Errors
    /// [`PathError`] if the path is not plain or is longer than 1,024 bytes.
    pub fn insert(&mut self, path: impl Into<String>, entry: TreeEntry) -> Result<(), PathError> {
        let path = path.into();
        if !Self::is_plain(&path) {
            return Err(PathError(path.chars().take(120).collect()));
        }
        self.0.insert(path, entry);
        Ok(())
    }

    /// Whether a tree takes the path: `/` between names, none of them empty, `.` or `..`, no backslash, no NUL, at most 1,024
    /// bytes.
    pub fn is_plain(path: &str) -> bool {
        path.len() <= 1024
            && !path.contains(['\\', '\0'])
            && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
    }

    /// Adds or replaces a regular file that is not executable.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn insert_file(&mut self, path: impl Into<String>, bytes: impl Into<Bytes>) -> Result<(), PathError> {
        self.insert(path, TreeEntry::File { bytes: bytes.into(), executable: false })
    }

    /// The entries in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TreeEntry)> {
        self.0.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// What stands at `path`.
    pub fn entry(&self, path: &str) -> Option<&TreeEntry> {
        self.0.get(path)
    }

    /// Removes what stands at `path`, and gives it.
    pub fn remove(&mut self, path: &str) -> Option<TreeEntry> {
        self.0.remove(path)
    }

    /// Whether anything lies below `path`.
    pub fn has_directory(&self, path: &str) -> bool {
        let prefix = format!("{path}/");
        self.0.range(prefix.clone()..).next().is_some_and(|(path, _)| path.starts_with(&prefix))
    }

    /// The content of the regular file at `path`.
    pub fn file(&self, path: &str) -> Option<&Bytes> {
        match self.0.get(path) {
            Some(TreeEntry::File { bytes, .. }) => Some(bytes),
            _ => None,
        }
    }

    /// The names of the top-level directories, in order.
    pub fn directories(&self) -> impl Iterator<Item = &str> {
        let names: BTreeSet<&str> =
            self.0.keys().filter_map(|path| path.split_once('/').map(|(top, _)| top)).collect();
        names.into_iter()
    }

    /// The tree below `path`, with paths relative to it; empty when there is none. `""` is the whole tree.
    pub fn directory(&self, path: &str) -> Self {
        if path.is_empty() {
            return self.clone();
        }
        let prefix = format!("{}/", path.trim_end_matches('/'));
        let below = self.0.range(prefix.clone()..).map_while(|(path, entry)| {
            path.strip_prefix(&prefix).map(|relative| (relative.to_owned(), entry.clone()))
        });
        Self(below.collect())
    }

    /// Whether the tree has no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many entries the tree has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The bytes of all files and links together, without their paths.
    pub fn content_bytes(&self) -> u64 {
        self.0.values().map(TreeEntry::size).sum()
    }

    /// The digest of the tree: SHA-256 over, for each entry in the order of paths, a kind byte (`f` file,
    /// `x` executable file, `l` link), then path and content, each after its length as 8 bytes, most significant first.
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        for (path, entry) in &self.0 {
            let (kind, content): (u8, &[u8]) = match entry {
                TreeEntry::File { bytes, executable: false } => (b'f', bytes),
                TreeEntry::File { bytes, executable: true } => (b'x', bytes),
                TreeEntry::Symlink { target } => (b'l', target.as_bytes()),
            };
            hash.update([kind]);
            for part in [path.as_bytes(), content] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        Digest(hash.finalize().into())
    }
}

/// A path that a [`SourceTree`] does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a plain relative path: use '/' between names, without '.', '..' or a leading '/'")]
pub struct PathError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_tells_path_content_and_kind_apart() {
        let tree = |path: &str, entry: TreeEntry| {
            let mut tree = SourceTree::default();
            tree.insert(path, entry).unwrap();
            tree.digest()
        };
        let file = |bytes: &'static str, executable| TreeEntry::File { bytes: bytes.into(), executable };
        let all = [
            tree("a", file("bc", false)),
            tree("ab", file("c", false)),
            tree("a", file("bc", true)),
            tree("a", TreeEntry::Symlink { target: "bc".into() }),
            SourceTree::default().digest(),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn a_directory_holds_only_what_is_below_it() {
        let mut tree = SourceTree::default();
        for path in ["a/x.tf", "a-b/y.tf", "ab/z.tf", "a/sub/w.tf", "top.tf"] {
            tree.insert_file(path, "").unwrap();
        }
        let below: Vec<_> = tree.directory("a").iter().map(|(path, _)| path.to_owned()).collect();
        assert_eq!(below, ["sub/w.tf", "x.tf"]);
        assert_eq!(tree.directories().collect::<Vec<_>>(), ["a", "a-b", "ab"]);
    }

    #[test]
    fn digests_and_commits_round_trip_as_text() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("zz".repeat(32).parse::<Digest>().is_err());
        assert!("ABCDEF0123456789ABCDEF0123456789ABCDEF01".parse::<CommitId>().is_err());
        assert_eq!("0".repeat(40).parse::<CommitId>().map(|c| c.short().to_owned()), Ok("0".repeat(7)));
    }
}
