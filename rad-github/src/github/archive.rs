//! The tar.gz archive of a commit, read as it comes in and unpacked in memory, within limits.
//!
//! What a repository holds is decided by strangers: nothing in an archive is trusted, nothing is written anywhere, and
//! no link is followed.

use std::cell::Cell;
use std::io::{self, Read};

use flate2::read::GzDecoder;
use rad_core::repo::{RepoError, sub_dir_names};
use rad_core::source::{CommitId, SourceTree, TreeEntry};
use tar::{Archive, Entry, EntryType, PaxExtensions};

use crate::limits::{Meter, TreeLimits};

/// Bytes of a record that only describes the next entry: a path of 1,024 bytes fits many times.
const LARGEST_EXTENSION: u64 = 64 * 1024;
/// Bytes that any archive may unpack to, whatever its ratio: empty files alone are almost all padding.
const RATIO_FREE: u64 = 1 << 20;

/// The largest archive that is read.
///
/// ```
/// use rad_github::github::ArchiveLimits;
///
/// let limits = ArchiveLimits { packed_bytes: 8 << 20, ..ArchiveLimits::default() };
/// assert!(limits.unpacked_bytes > limits.tree.total_bytes);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Bytes as they are sent: 128 MiB by default.
    pub packed_bytes: u64,
    /// Bytes once unpacked, also of what lies outside of the directory that is kept: 512 MiB by default.
    pub unpacked_bytes: u64,
    /// Unpacked bytes for each packed one, beyond the first MiB: 100 by default.
    pub ratio: u64,
    /// What is kept.
    pub tree: TreeLimits,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { packed_bytes: 128 << 20, unpacked_bytes: 512 << 20, ratio: 100, tree: TreeLimits::default() }
    }
}

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// It has no such directory, or a file of that name.
    #[error("there is no such directory in it")]
    NoDirectory,
    /// It is not what an archive of a commit looks like.
    #[error("the archive is not one of a commit: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// A limit, or a path that cannot be kept.
    #[error(transparent)]
    Refused(RepoError),
    /// It broke off or was altered on its way.
    #[error("the archive broke off")]
    Broken(#[source] io::Error),
}

/// The tree below `sub_dir` (empty: the root) in a tar.gz archive as GitHub makes it of a commit: everything under one
/// directory, whose name does not matter.
///
/// Links are kept as text, submodules and devices are left out. With a `commit`, an archive that names another one is
/// refused. Memory is bounded by the limits, whatever comes in.
///
/// # Errors
/// [`ArchiveError`]; never a part of a tree.
pub fn read_archive(
    packed: impl Read,
    sub_dir: &str,
    commit: Option<&CommitId>,
    limits: &ArchiveLimits,
) -> Result<SourceTree, ArchiveError> {
    let names = sub_dir_names(sub_dir).ok_or(ArchiveError::NoDirectory)?;
    let gauge = Gauge { limits, packed: Cell::new(0), unpacked: Cell::new(0), exceeded: Cell::new(None) };
    let unpacked = Unpacked { inner: GzDecoder::new(Packed { inner: packed, gauge: &gauge }), gauge: &gauge };
    let mut reader = Reader {
        prefix: names.iter().map(|name| format!("{name}/")).collect(),
        commit,
        top: None,
        found: names.is_empty(),
        meter: Meter::new(&limits.tree),
        tree: SourceTree::default(),
    };
    let read = reader.read(unpacked);
    // A limit shows as a failure of reading, in the words of whoever was reading: the gauge knows better.
    if let Some((what, limit)) = gauge.exceeded.take() {
        return Err(ArchiveError::Refused(RepoError::TooLarge { what: what.to_owned(), limit }));
    }
    read?;
    reader.finish()
}

/// What has come in so far.
struct Gauge<'a> {
    limits: &'a ArchiveLimits,
    packed: Cell<u64>,
    unpacked: Cell<u64>,
    exceeded: Cell<Option<(&'static str, u64)>>,
}

impl Gauge<'_> {
    fn exceed(&self, what: &'static str, limit: u64) -> io::Error {
        self.exceeded.set(Some((what, limit)));
        io::Error::other(what)
    }
}

/// The archive as it is sent.
struct Packed<'a, R> {
    inner: R,
    gauge: &'a Gauge<'a>,
}

impl<R: Read> Read for Packed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let packed = self.gauge.packed.get().saturating_add(read as u64);
        self.gauge.packed.set(packed);
        let limit = self.gauge.limits.packed_bytes;
        if packed > limit {
            return Err(self.gauge.exceed("the size of the archive, in bytes,", limit));
        }
        Ok(read)
    }
}

/// The archive as it unpacks.
struct Unpacked<'a, R> {
    inner: R,
    gauge: &'a Gauge<'a>,
}

impl<R: Read> Read for Unpacked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let gauge = self.gauge;
        let unpacked = gauge.unpacked.get().saturating_add(read as u64);
        gauge.unpacked.set(unpacked);
        if unpacked > gauge.limits.unpacked_bytes {
            return Err(
                gauge.exceed("the size of the unpacked archive, in bytes,", gauge.limits.unpacked_bytes)
            );
        }
        if unpacked > RATIO_FREE && unpacked / gauge.limits.ratio.max(1) > gauge.packed.get() {
            return Err(gauge.exceed("what the archive unpacks to for each byte", gauge.limits.ratio));
        }
        Ok(read)
    }
}

/// The tree that is being read.
struct Reader<'a> {
    /// `modules/`, or nothing for the root.
    prefix: String,
    commit: Option<&'a CommitId>,
    /// The one directory that everything lies in.
    top: Option<String>,
    found: bool,
    meter: Meter<'a>,
    tree: SourceTree,
}

/// What records before an entry say about it.
#[derive(Default)]
struct Described {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
}

impl Reader<'_> {
    fn read(&mut self, unpacked: impl Read) -> Result<(), ArchiveError> {
        let mut archive = Archive::new(unpacked);
        let mut described = Described::default();
        // Raw, so that the records which describe entries are read within a limit too.
        for entry in archive.entries().map_err(ArchiveError::Broken)?.raw(true) {
            let mut entry = entry.map_err(ArchiveError::Broken)?;
            match entry.header().entry_type() {
                EntryType::XGlobalHeader => self.check_commit(&extension(&mut entry)?)?,
                EntryType::XHeader => described.read(&extension(&mut entry)?)?,
                EntryType::GNULongName => described.path = Some(long_name(extension(&mut entry)?)),
                EntryType::GNULongLink => described.target = Some(long_name(extension(&mut entry)?)),
                kind => self.entry(kind, &mut entry, std::mem::take(&mut described))?,
            }
        }
        // What follows the last entry is padding, and then the checksum of the whole, which only reading on compares.
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(ArchiveError::Broken)?;
        Ok(())
    }

    /// A commit's archive says which commit it is of (git-archive's global comment).
    fn check_commit(&self, extension: &[u8]) -> Result<(), ArchiveError> {
        for part in PaxExtensions::new(extension) {
            let part = part.map_err(ArchiveError::Broken)?;
            let other = self.commit.filter(|commit| part.value_bytes() != commit.as_str().as_bytes());
            if let (b"comment", Some(commit)) = (part.key_bytes(), other) {
                let named = String::from_utf8_lossy(part.value_bytes()).into_owned();
                return Err(malformed(format!("it is of {named:?} and not of {commit}")));
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        kind: EntryType,
        entry: &mut Entry<'_, impl Read>,
        described: Described,
    ) -> Result<(), ArchiveError> {
        let path = described.path.unwrap_or_else(|| entry.path_bytes().into_owned());
        let path = utf8(path)?;
        let Some(path) = self.below(&path)? else { return Ok(()) };
        let depth = path.split('/').count() as u64;
        self.meter.entry(&path, depth).map_err(ArchiveError::Refused)?;
        let content = match kind {
            EntryType::Directory => return Ok(()),
            EntryType::Regular | EntryType::Continuous => self.file(&path, entry)?,
            EntryType::Symlink => {
                let target =
                    described.target.or_else(|| entry.link_name_bytes().map(|name| name.into_owned()));
                let target = target.ok_or_else(|| malformed(format!("the link {path:?} points nowhere")))?;
                TreeEntry::Symlink { target: utf8(target)? }
            }
            EntryType::Link | EntryType::GNUSparse => {
                return Err(malformed(format!(
                    "{path:?} is neither a file nor a directory nor a symbolic link"
                )));
            }
            _ => return Ok(()),
        };
        if self.tree.entry(&path).is_some() {
            return Err(malformed("it holds the same path twice".to_owned()));
        }
        let refused = |_| ArchiveError::Refused(RepoError::UnusablePath { path: shown(&path) });
        self.tree.insert(path.as_str(), content).map_err(refused)
    }

    /// The path relative to the directory that is kept; `None` for what lies outside of it.
    fn below(&mut self, path: &str) -> Result<Option<String>, ArchiveError> {
        let (path, is_directory) = match path.strip_suffix('/') {
            Some(path) => (path, true),
            None => (path, false),
        };
        if path.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return Err(malformed(format!("the path {:?} leads out of it", shown(path))));
        }
        let (top, rest) = path.split_once('/').unwrap_or((path, ""));
        if self.top.get_or_insert_with(|| top.to_owned()) != top {
            return Err(malformed(format!("{:?} is outside of its one directory", shown(path))));
        }
        if rest.is_empty() {
            return if is_directory { Ok(None) } else { Err(malformed("it holds no directory".to_owned())) };
        }
        let below = rest.strip_prefix(self.prefix.as_str());
        self.found |= below.is_some();
        Ok(below.map(str::to_owned))
    }

    fn file(&mut self, path: &str, entry: &mut Entry<'_, impl Read>) -> Result<TreeEntry, ArchiveError> {
        let size = entry.header().entry_size().map_err(ArchiveError::Broken)?;
        self.meter.bytes(path, size).map_err(ArchiveError::Refused)?;
        let mut bytes = Vec::new();
        entry.take(size).read_to_end(&mut bytes).map_err(ArchiveError::Broken)?;
        if bytes.len() as u64 != size {
            return Err(ArchiveError::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        let executable = entry.header().mode().map_err(ArchiveError::Broken)? & 0o100 != 0;
        Ok(TreeEntry::File { bytes: bytes.into(), executable })
    }

    fn finish(self) -> Result<SourceTree, ArchiveError> {
        if !self.found {
            return Err(ArchiveError::NoDirectory);
        }
        for (path, _) in self.tree.iter() {
            let mut above = path;
            while let Some((parent, _)) = above.rsplit_once('/') {
                if self.tree.entry(parent).is_some() {
                    return Err(malformed(format!("{:?} is below what is no directory", shown(path))));
                }
                above = parent;
            }
        }
        Ok(self.tree)
    }
}

impl Described {
    fn read(&mut self, extension: &[u8]) -> Result<(), ArchiveError> {
        for part in PaxExtensions::new(extension) {
            let part = part.map_err(ArchiveError::Broken)?;
            match part.key_bytes() {
                b"path" => self.path = Some(part.value_bytes().to_owned()),
                b"linkpath" => self.target = Some(part.value_bytes().to_owned()),
                // Only files of 8 GiB and more have one, and the header's own size is what is skipped by.
                b"size" => return Err(malformed("it states a size beside the header's".to_owned())),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The content of a record that describes others.
fn extension(entry: &mut Entry<'_, impl Read>) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    entry.take(LARGEST_EXTENSION + 1).read_to_end(&mut bytes).map_err(ArchiveError::Broken)?;
    if bytes.len() as u64 > LARGEST_EXTENSION {
        return Err(malformed(format!("a record about a path is longer than {LARGEST_EXTENSION} bytes")));
    }
    Ok(bytes)
}

fn long_name(mut name: Vec<u8>) -> Vec<u8> {
    if name.last() == Some(&0) {
        name.pop();
    }
    name
}

fn utf8(bytes: Vec<u8>) -> Result<String, ArchiveError> {
    String::from_utf8(bytes).map_err(|error| {
        let path = shown(&String::from_utf8_lossy(error.as_bytes()));
        ArchiveError::Refused(RepoError::UnusablePath { path })
    })
}

/// A path as an error shows it.
fn shown(path: &str) -> String {
    path.chars().take(200).collect()
}

fn malformed(reason: String) -> ArchiveError {
    ArchiveError::Malformed { reason }
}
