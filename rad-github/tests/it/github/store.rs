//! What the server holds: bare repositories of Git, read and written with gix.

use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use rad_core::access::Publisher;
use rad_core::repo::{Head, RepoAccess, RepoError, RepoSource as _};
use rad_core::source::{CommitId, SourceTree, TreeEntry};
use rad_github::local::{LocalSource, WholeCommit, commit_tree};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use crate::time;

/// Repositories below a directory that goes when the test ends.
pub(super) struct Store {
    root: TempDir,
    source: LocalSource,
}

impl Store {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let source = LocalSource::new([root.path()]).unwrap();
        Self { root, source }
    }

    /// The directory of `owner/name`.
    pub(super) fn path(&self, repository: &str) -> PathBuf {
        self.root.path().join(directory(repository))
    }

    pub(super) fn create(&self, repository: &str) {
        gix::init_bare(self.path(repository)).unwrap();
    }

    pub(super) fn commit(&self, repository: &str, branch: &str, tree: &SourceTree) -> CommitId {
        let new = WholeCommit { branch, tree, message: "A change", at: time() };
        commit_tree(&self.path(repository), new).unwrap()
    }

    /// The names of the repositories and their default branches.
    pub(super) async fn list(&self) -> Vec<(String, Option<String>)> {
        let listed = self.source.repositories(Publisher::Platform, None).await.unwrap();
        listed.into_iter().map(|found| (found.name.replacen('+', "/", 1), found.default_branch)).collect()
    }

    pub(super) fn exists(&self, repository: &str) -> bool {
        self.path(repository).is_dir()
    }

    pub(super) async fn branches(&self, repository: &str) -> Vec<String> {
        self.source.branches(access(&directory(repository))).await.unwrap()
    }

    pub(super) async fn head(&self, repository: &str, branch: Option<&str>) -> Result<Head, RepoError> {
        self.source.head(access(&directory(repository)), branch).await
    }

    pub(super) async fn tree(&self, repository: &str, commit: &CommitId) -> Result<SourceTree, RepoError> {
        self.source.tree(access(&directory(repository)), commit, "").await
    }

    /// What git-archive makes of a commit; `None` if there is no such commit.
    pub(super) async fn archive(&self, repository: &str, commit: &str) -> Option<Vec<u8>> {
        let tree = self.tree(repository, &commit.parse().ok()?).await.ok()?;
        let mut tar = Tar::new();
        tar.global_comment(commit);
        let top = format!("{}-{}/", directory(repository).replace('+', "-"), &commit[..7]);
        tar.entry(EntryType::Directory, &top, 0o775, b"", None);
        for (path, entry) in tree.iter() {
            let path = format!("{top}{path}");
            match entry {
                TreeEntry::File { bytes, executable } => {
                    tar.entry(
                        EntryType::Regular,
                        &path,
                        if *executable { 0o775 } else { 0o664 },
                        bytes,
                        None,
                    );
                }
                TreeEntry::Symlink { target } => {
                    tar.entry(EntryType::Symlink, &path, 0o777, b"", Some(target.as_bytes()));
                }
            }
        }
        Some(tar.packed())
    }
}

/// The directory that stands for `owner/name`.
pub(super) fn directory(repository: &str) -> String {
    repository.replace('/', "+")
}

fn access(repository: &str) -> RepoAccess<'_> {
    RepoAccess { repository, publisher: Publisher::Platform, credential: None }
}

/// A tar.gz archive that may hold anything.
pub(super) struct Tar(Builder<Vec<u8>>);

impl Tar {
    pub(super) fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    /// Says which commit it is of.
    pub(super) fn global_comment(&mut self, comment: &str) {
        let record = format!("{} comment={comment}\n", 12 + comment.len());
        self.entry(EntryType::XGlobalHeader, "pax_global_header", 0o666, record.as_bytes(), None);
    }

    /// Adds an entry exactly as it is given.
    pub(super) fn entry(
        &mut self,
        kind: EntryType,
        path: &str,
        mode: u32,
        bytes: &[u8],
        link: Option<&[u8]>,
    ) {
        if path.len() > 100 {
            let record = format!(" path={path}\n");
            let digits = (record.len() + 3).to_string().len();
            let record = format!("{}{record}", record.len() + digits);
            self.append(header(EntryType::XHeader, "pax", 0o666, record.len(), None), record.as_bytes());
        }
        self.append(header(kind, path, mode, bytes.len(), link), bytes);
    }

    pub(super) fn append(&mut self, header: Header, bytes: &[u8]) {
        self.0.append(&header, bytes).unwrap();
    }

    pub(super) fn packed(self) -> Vec<u8> {
        gzip(&self.0.into_inner().unwrap())
    }
}

/// A header with the name as it is, also where tar would refuse to write it.
pub(super) fn header(kind: EntryType, path: &str, mode: u32, size: usize, link: Option<&[u8]>) -> Header {
    let mut header = Header::new_ustar();
    let name = &mut header.as_old_mut().name;
    let length = path.len().min(name.len());
    name[..length].copy_from_slice(&path.as_bytes()[..length]);
    if let Some(link) = link {
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
    }
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_cksum();
    header
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut packed, bytes).unwrap();
    packed.finish().unwrap()
}
