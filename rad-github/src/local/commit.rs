//! Commits made from trees in memory, without a checkout: for sample repositories and tests.

use std::path::Path;

use chrono::{DateTime, Utc};
use gix::actor::Signature;
use gix::objs::tree::EntryKind;
use rad_core::error::BackendError;
use rad_core::repo::RepoError;
use rad_core::source::{CommitId, SourceTree, TreeEntry};

use super::git::{commit_id, failed, options};

/// A commit to make.
#[derive(Debug, Clone, Copy)]
pub struct NewCommit<'a> {
    /// The branch it goes on top of; made if it does not exist.
    pub branch: &'a str,
    /// The whole content of the commit.
    pub tree: &'a SourceTree,
    /// What the commit says.
    pub message: &'a str,
    /// When it is made; equal commits at equal times have equal names.
    pub at: DateTime<Utc>,
}

/// Commits a tree to the repository at `path` in the name of `rad demo`; a bare repository is made if there is none.
///
/// It blocks while it writes.
///
/// # Errors
/// [`NotARepository`](RepoError::NotARepository) if something else is at `path`, [`Backend`](RepoError::Backend) if it cannot be
/// written or the branch cannot have that name.
pub fn commit_tree(path: &Path, commit: NewCommit<'_>) -> Result<CommitId, RepoError> {
    let repo = open_or_create(path)?;
    let tree = write_tree(&repo, commit.tree)?;
    let reference = format!("refs/heads/{}", commit.branch);
    let parent = repo.try_find_reference(reference.as_str()).map_err(failed("finding the branch"))?;
    let parent = parent.map(|mut parent| parent.peel_to_id().map(gix::Id::detach)).transpose();
    let author = Signature {
        name: "rad demo".into(),
        email: "demo@example.com".into(),
        time: gix::date::Time::new(commit.at.timestamp(), 0),
    };
    let mut buffer = gix::date::parse::TimeBuf::default();
    let author = author.to_ref(&mut buffer);
    let parent = parent.map_err(failed("finding the branch"))?;
    let id = repo
        .commit_as(author, author, reference, commit.message, tree, parent)
        .map_err(failed("writing a commit"))?;
    commit_id(id.detach())
}

fn open_or_create(path: &Path) -> Result<gix::Repository, RepoError> {
    let refused = |e: gix::Error| RepoError::NotARepository {
        repository: path.display().to_string(),
        reason: e.to_string(),
    };
    let vacant = match path.read_dir() {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => !path.exists(),
    };
    let repo = if vacant {
        std::fs::create_dir_all(path).map_err(|e| BackendError::permanent("creating a repository", e))?;
        let create = gix::create::Options::default();
        gix::ThreadSafeRepository::init_opts(path, gix::create::Kind::Bare, create, options())
    } else {
        gix::ThreadSafeRepository::open_opts(path, options())
    };
    Ok(repo.map_err(refused)?.to_thread_local())
}

fn write_tree(repo: &gix::Repository, tree: &SourceTree) -> Result<gix::ObjectId, RepoError> {
    let mut editor = repo.edit_tree(repo.empty_tree().id).map_err(failed("writing a tree"))?;
    for (path, entry) in tree.iter() {
        let (kind, content) = match entry {
            TreeEntry::File { bytes, executable: false } => (EntryKind::Blob, bytes.as_ref()),
            TreeEntry::File { bytes, executable: true } => (EntryKind::BlobExecutable, bytes.as_ref()),
            TreeEntry::Symlink { target } => (EntryKind::Link, target.as_bytes()),
        };
        let blob = repo.write_blob(content).map_err(failed("writing a file"))?;
        editor.upsert(path, kind, blob).map_err(failed("writing a tree"))?;
    }
    Ok(editor.write().map_err(failed("writing a tree"))?.detach())
}
