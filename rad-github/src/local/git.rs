//! A local Git repository: branches, heads and the trees of commits, read from the object database alone.

use std::path::Path;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use gix::bstr::{BStr, ByteSlice as _};
use gix::objs::tree::EntryKind;
use rad_core::error::BackendError;
use rad_core::repo::{Head, RepoError, sub_dir_names};
use rad_core::source::{CommitId, SourceTree, TreeEntry};

use crate::limits::{Meter, TreeLimits};

/// The branches that are taken for the default where `HEAD` names none, best first.
const USUAL_DEFAULTS: [&str; 2] = ["main", "master"];

/// An opened repository and the name it goes by.
pub(super) struct GitRepository {
    name: String,
    repo: gix::Repository,
}

impl GitRepository {
    /// Opens the repository in `directory`; `None` if there is no sign of one. With a `root`, nothing it stands on may lie
    /// outside of that.
    pub(super) fn open(name: &str, directory: &Path, root: Option<&Path>) -> Result<Option<Self>, RepoError> {
        let bare = ["HEAD", "objects", "refs"].iter().all(|part| directory.join(part).exists());
        if !bare && directory.join(".git").symlink_metadata().is_err() {
            return Ok(None);
        }
        let broken = |reason: String| RepoError::NotARepository { repository: name.to_owned(), reason };
        let repo = gix::ThreadSafeRepository::open_opts(directory, options())
            .map_err(|e| broken(e.to_string()))?
            .to_thread_local();
        if let Some(root) = root {
            let borrowed =
                repo.objects.store_ref().alternate_db_paths().map_err(|e| broken(e.to_string()))?;
            let parts = [repo.git_dir(), repo.common_dir()];
            let outside = |path: &Path| !path.canonicalize().is_ok_and(|path| path.starts_with(root));
            if parts.into_iter().any(outside) || borrowed.iter().any(|path| outside(path)) {
                return Err(broken("it stands on files outside of its own directory".to_owned()));
            }
        }
        Ok(Some(Self { name: name.to_owned(), repo }))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn inner(&self) -> &gix::Repository {
        &self.repo
    }

    /// Whether a work tree shows a branch: then its files would seem to take a new commit back.
    pub(super) fn is_checked_out(&self, branch: &str) -> Result<bool, RepoError> {
        let head = self.repo.head_name().map_err(failed("reading HEAD"))?;
        let is_head = head.is_some_and(|name| name.shorten() == branch);
        Ok(is_head && !self.repo.is_bare())
    }

    /// The names of the branches, in order.
    pub(super) fn branches(&self) -> Result<Vec<String>, RepoError> {
        let references = self.repo.references().map_err(failed("listing the branches"))?;
        let mut names = Vec::new();
        for reference in references.local_branches().map_err(failed("listing the branches"))? {
            let reference = reference.map_err(failed("listing the branches"))?;
            // A name that is not UTF-8 cannot be asked for.
            if let Ok(name) = reference.name().shorten().to_str() {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// The branch that `HEAD` stands on, or else a usual one; `None` in an empty repository.
    pub(super) fn default_branch(&self) -> Result<Option<String>, RepoError> {
        let named = self.repo.head_name().map_err(failed("reading HEAD"))?;
        let named = named.and_then(|name| name.shorten().to_str().ok().map(str::to_owned));
        let branches = self.branches()?;
        let wanted = named.as_deref().into_iter().chain(USUAL_DEFAULTS);
        let usual = wanted.into_iter().find(|name| branches.iter().any(|branch| branch == name));
        Ok(usual.map(str::to_owned).or_else(|| branches.into_iter().next()))
    }

    pub(super) fn head(&self, branch: Option<&str>) -> Result<Head, RepoError> {
        let empty = || RepoError::Empty { repository: self.name.clone() };
        let default = self.default_branch()?.ok_or_else(empty)?;
        let branch = branch.unwrap_or(&default);
        let full = format!("refs/heads/{branch}");
        // An invalid name is no branch either, and a partial match is another reference.
        let found = self.repo.try_find_reference(full.as_str()).ok().flatten();
        let mut reference = found
            .filter(|found| found.name().as_bstr() == full.as_str())
            .ok_or_else(|| self.no_branch(branch))?;
        let id = reference.peel_to_id().map_err(failed("reading the tip of a branch"))?;
        let commit = id
            .object()
            .map_err(failed("reading the tip of a branch"))?
            .peel_to_commit()
            .map_err(failed("reading the tip of a branch"))?;
        let seconds = commit.time().map_err(failed("reading the time of a commit"))?.seconds;
        Ok(Head {
            branch: branch.to_owned(),
            commit: commit_id(commit.id)?,
            committed_at: DateTime::<Utc>::from_timestamp(seconds, 0),
        })
    }

    /// The commit that a revision such as `main`, `v1.2`, `HEAD~1` or the start of a commit's name stands for.
    pub(super) fn resolve(&self, revision: &str) -> Result<CommitId, RepoError> {
        let none = || self.no_commit(revision);
        let id = self.repo.rev_parse_single(revision).map_err(|_| none())?;
        let commit = id.object().map_err(|_| none())?.peel_to_commit().map_err(|_| none())?;
        commit_id(commit.id)
    }

    /// The commit that is checked out, or else the tip of the default branch.
    pub(super) fn current(&self) -> Result<CommitId, RepoError> {
        match self.repo.head_commit() {
            Ok(commit) => commit_id(commit.id),
            Err(_) => Ok(self.head(None)?.commit),
        }
    }

    pub(super) fn tree(
        &self,
        commit: &CommitId,
        sub_dir: &str,
        limits: &TreeLimits,
    ) -> Result<SourceTree, RepoError> {
        let none = || self.no_commit(commit.as_str());
        let id = gix::ObjectId::from_hex(commit.as_str().as_bytes()).map_err(|_| none())?;
        let commit = self.repo.find_object(id).map_err(|_| none())?.try_into_commit().map_err(|_| none())?;
        let mut id = commit.tree_id().map_err(failed("reading a commit"))?.detach();
        let mut walk = Walk { repo: &self.repo, meter: Meter::new(limits), tree: SourceTree::default() };
        let missing =
            || RepoError::NoDirectory { repository: self.name.clone(), sub_dir: sub_dir.to_owned() };
        for part in sub_dir_names(sub_dir).ok_or_else(missing)? {
            let tree = walk.open(id, part)?;
            let entry = tree.lookup_entry([part]).map_err(failed("reading a directory"))?;
            id = entry.filter(|entry| entry.mode().is_tree()).ok_or_else(missing)?.object_id();
        }
        walk.collect(id, "", 1)?;
        Ok(walk.tree)
    }

    fn no_commit(&self, revision: &str) -> RepoError {
        let revision = revision.chars().take(100).collect();
        RepoError::NoCommit { repository: self.name.clone(), revision }
    }

    fn no_branch(&self, branch: &str) -> RepoError {
        RepoError::no_branch(&self.name, branch, self.branches().unwrap_or_default())
    }
}

/// Nothing but the repository's own configuration counts: no environment, no files of the user or the system.
pub(super) fn options() -> gix::open::Options {
    gix::open::Options::isolated()
}

pub(super) fn commit_id(id: gix::ObjectId) -> Result<CommitId, RepoError> {
    let commit = id.to_string().parse();
    commit.map_err(|e| BackendError::permanent("naming a commit", e).into())
}

pub(super) fn failed(during: &'static str) -> impl Fn(gix::Error) -> RepoError {
    move |e| {
        let error = if e.is_corrupted() {
            BackendError::corrupt(during, e.to_string())
        } else if e.is_retryable() {
            BackendError::unavailable(during, e.to_string())
        } else {
            BackendError::permanent(during, e.to_string())
        };
        error.into()
    }
}

/// A tree on its way from the object database into memory.
struct Walk<'a> {
    repo: &'a gix::Repository,
    meter: Meter<'a>,
    tree: SourceTree,
}

impl<'a> Walk<'a> {
    /// The sizes are held against the limits before an object is unpacked.
    fn open(&mut self, id: gix::ObjectId, path: &str) -> Result<gix::Tree<'a>, RepoError> {
        let header = self.repo.find_header(id).map_err(failed("reading a directory"))?;
        self.meter.bytes(path, header.size())?;
        self.repo.find_tree(id).map_err(failed("reading a directory"))
    }

    fn collect(&mut self, id: gix::ObjectId, prefix: &str, depth: u64) -> Result<(), RepoError> {
        let tree = self.open(id, prefix)?;
        for entry in tree.iter() {
            let entry = entry.map_err(failed("reading a directory"))?;
            let path = utf8(prefix, entry.filename())?;
            self.meter.entry(&path, depth)?;
            let id = entry.object_id();
            let content = match entry.kind() {
                EntryKind::Tree => {
                    self.collect(id, &format!("{path}/"), depth + 1)?;
                    continue;
                }
                EntryKind::Commit => continue,
                EntryKind::Link => {
                    let target = self.blob(id, &path)?;
                    let target = String::from_utf8(target);
                    let target = target.map_err(|_| RepoError::UnusablePath { path: path.clone() })?;
                    TreeEntry::Symlink { target }
                }
                kind @ (EntryKind::Blob | EntryKind::BlobExecutable) => {
                    let executable = kind == EntryKind::BlobExecutable;
                    TreeEntry::File { bytes: Bytes::from(self.blob(id, &path)?), executable }
                }
            };
            self.tree.insert(path.clone(), content).map_err(|_| RepoError::UnusablePath { path })?;
        }
        Ok(())
    }

    fn blob(&mut self, id: gix::ObjectId, path: &str) -> Result<Vec<u8>, RepoError> {
        let header = self.repo.find_header(id).map_err(failed("reading a file"))?;
        self.meter.bytes(path, header.size())?;
        let mut blob = self.repo.find_blob(id).map_err(failed("reading a file"))?;
        Ok(blob.take_data())
    }
}

fn utf8(prefix: &str, name: &BStr) -> Result<String, RepoError> {
    match name.to_str() {
        Ok(name) => Ok(format!("{prefix}{name}")),
        Err(_) => Err(RepoError::UnusablePath { path: format!("{prefix}{}", name.to_str_lossy()) }),
    }
}
