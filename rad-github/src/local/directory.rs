//! A plain directory as a repository: one branch, and the digest of its tree as its commit.

use std::fs::{self, DirEntry};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rad_core::error::BackendError;
use rad_core::repo::{Head, RepoError, sub_dir_names};
use rad_core::source::{CommitId, SourceTree, TreeEntry};

use crate::limits::{Meter, TreeLimits};

/// The only branch of a plain directory.
pub const DIRECTORY_BRANCH: &str = "directory";

/// A directory that is no Git repository.
pub(super) struct PlainDirectory {
    name: String,
    path: PathBuf,
}

impl PlainDirectory {
    pub(super) fn new(name: &str, path: PathBuf) -> Self {
        Self { name: name.to_owned(), path }
    }

    pub(super) fn head(&self, branch: Option<&str>, limits: &TreeLimits) -> Result<Head, RepoError> {
        if let Some(branch) = branch.filter(|branch| *branch != DIRECTORY_BRANCH) {
            return Err(RepoError::no_branch(&self.name, branch, [DIRECTORY_BRANCH.to_owned()]));
        }
        let (commit, tree) = self.read(limits)?;
        if tree.is_empty() {
            return Err(RepoError::Empty { repository: self.name.clone() });
        }
        Ok(Head { branch: DIRECTORY_BRANCH.to_owned(), commit, committed_at: None })
    }

    pub(super) fn tree(
        &self,
        commit: &CommitId,
        sub_dir: &str,
        limits: &TreeLimits,
    ) -> Result<SourceTree, RepoError> {
        let (actual, tree) = self.read(limits)?;
        if actual != *commit {
            let (repository, revision) = (self.name.clone(), commit.to_string());
            return Err(RepoError::NoCommit { repository, revision });
        }
        self.below(&tree, sub_dir)
    }

    /// The whole tree as it is now, and what stands for its commit.
    fn read(&self, limits: &TreeLimits) -> Result<(CommitId, SourceTree), RepoError> {
        let tree = read_directory(&self.path, limits)?;
        let commit = tree.digest().to_string().parse();
        let commit = commit.map_err(|e| BackendError::permanent("naming the state of a directory", e))?;
        Ok((commit, tree))
    }

    fn below(&self, tree: &SourceTree, sub_dir: &str) -> Result<SourceTree, RepoError> {
        let missing =
            || RepoError::NoDirectory { repository: self.name.clone(), sub_dir: sub_dir.to_owned() };
        let parts = sub_dir_names(sub_dir).ok_or_else(missing)?;
        let below = tree.directory(&parts.join("/"));
        if below.is_empty() && !parts.is_empty() {
            return Err(missing());
        }
        Ok(below)
    }
}

/// What is below `directory` now, without what Git and Terraform leave behind.
pub(super) fn read_directory(directory: &Path, limits: &TreeLimits) -> Result<SourceTree, RepoError> {
    let mut tree = SourceTree::default();
    collect(directory, "", 1, &mut Meter::new(limits), &mut tree)?;
    Ok(tree)
}

fn collect(
    directory: &Path,
    prefix: &str,
    depth: u64,
    meter: &mut Meter<'_>,
    tree: &mut SourceTree,
) -> Result<(), RepoError> {
    for entry in directory.read_dir().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(RepoError::UnusablePath { path: format!("{prefix}{}", name.to_string_lossy()) });
        };
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().map_err(unreadable)?;
        if is_left_behind(name) {
            continue;
        }
        meter.entry(&path, depth)?;
        let content = if kind.is_dir() {
            collect(&entry.path(), &format!("{path}/"), depth + 1, meter, tree)?;
            continue;
        } else if kind.is_symlink() {
            read_link(&entry, &path)?
        } else if kind.is_file() {
            read_file(&entry, &path, meter)?
        } else {
            continue;
        };
        tree.insert(path.clone(), content).map_err(|_| RepoError::UnusablePath { path })?;
    }
    Ok(())
}

/// What Git and Terraform leave in a directory and nobody means to publish; state can hold secrets.
fn is_left_behind(name: &str) -> bool {
    matches!(name, ".git" | ".terraform")
        || name == "terraform.tfstate"
        || name.starts_with("terraform.tfstate.")
}

fn read_link(entry: &DirEntry, path: &str) -> Result<TreeEntry, RepoError> {
    let target = fs::read_link(entry.path()).map_err(unreadable)?;
    match target.into_os_string().into_string() {
        Ok(target) => Ok(TreeEntry::Symlink { target }),
        Err(_) => Err(RepoError::UnusablePath { path: path.to_owned() }),
    }
}

fn read_file(entry: &DirEntry, path: &str, meter: &mut Meter<'_>) -> Result<TreeEntry, RepoError> {
    let metadata = entry.metadata().map_err(unreadable)?;
    meter.bytes(path, metadata.len())?;
    let mut bytes = Vec::new();
    let file = fs::File::open(entry.path()).map_err(unreadable)?;
    // A file that grows while it is read must not pass the limit that its size was held against.
    file.take(metadata.len()).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(TreeEntry::File { bytes: Bytes::from(bytes), executable: is_executable(&metadata) })
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

fn unreadable(e: std::io::Error) -> BackendError {
    BackendError::unavailable("reading a directory", e)
}
