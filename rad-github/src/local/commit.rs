//! Commits made from what is in memory, without a checkout: of whole trees for sample repositories and tests, of changes for
//! those who write to a repository.

use std::path::Path;

use chrono::{DateTime, Utc};
use gix::actor::Signature;
use gix::objs::tree::EntryKind;
use gix::refs::transaction::{PreviousValue, RefEdit};
use rad_core::error::BackendError;
use rad_core::repo::{FileChange, NewCommit, RepoError, Standing};
use rad_core::source::{CommitId, SourceTree, TreeEntry};

use super::git::{GitRepository, commit_id, failed, options};

/// A commit of a whole tree to make.
#[derive(Debug, Clone, Copy)]
pub struct WholeCommit<'a> {
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
pub fn commit_tree(path: &Path, commit: WholeCommit<'_>) -> Result<CommitId, RepoError> {
    let repo = open_or_create(path)?;
    let tree = write_tree(&repo, commit.tree)?;
    let reference = format!("refs/heads/{}", commit.branch);
    let parent = repo.try_find_reference(reference.as_str()).map_err(failed("finding the branch"))?;
    let parent = parent.map(|mut parent| parent.peel_to_id().map(gix::Id::detach)).transpose();
    let author = signature("rad demo", "demo@example.com", commit.at);
    let mut buffer = gix::date::parse::TimeBuf::default();
    let author = author.to_ref(&mut buffer);
    let parent = parent.map_err(failed("finding the branch"))?;
    let id = repo
        .commit_as(author, author, reference, commit.message, tree, parent)
        .map_err(failed("writing a commit"))?;
    commit_id(id.detach())
}

/// Commits changes on top of a branch that nobody has checked out.
pub(super) fn commit_changes(git: &GitRepository, commit: NewCommit<'_>) -> Result<CommitId, RepoError> {
    let head = git.head(Some(commit.branch))?;
    let moved = |actual: CommitId| RepoError::Moved {
        branch: commit.branch.to_owned(),
        expected: commit.base.clone(),
        actual: Some(actual),
    };
    if head.commit != *commit.base {
        return Err(moved(head.commit));
    }
    let repo = git.inner();
    if git.is_checked_out(commit.branch)? {
        return Err(RepoError::Refused {
            repository: git.name().to_owned(),
            reason: format!("{:?} is checked out there: check out another branch first", commit.branch),
        });
    }
    let base = gix::ObjectId::from_hex(commit.base.as_str().as_bytes());
    let base = base.map_err(|e| BackendError::permanent("reading the base of a commit", e))?;
    let base = repo.find_commit(base).map_err(failed("reading the base of a commit"))?;
    let tree = base.tree().map_err(failed("reading the base of a commit"))?;
    commit.check(git.name(), |path| {
        let entry = tree.lookup_entry_by_path(path).map_err(failed("reading the base of a commit"))?;
        Ok(entry.map(|entry| match entry.mode().kind() {
            EntryKind::Tree | EntryKind::Commit => Standing::Directory,
            EntryKind::Blob | EntryKind::BlobExecutable | EntryKind::Link => Standing::File,
        }))
    })?;
    let mut editor = repo.edit_tree(tree.id).map_err(failed("writing a tree"))?;
    // What is removed makes room for what is put.
    let (removed, put): (Vec<_>, Vec<_>) =
        commit.changes.iter().partition(|change| matches!(change, FileChange::Remove { .. }));
    for change in removed.into_iter().chain(put) {
        match change {
            FileChange::Put { path, entry } => upsert(repo, &mut editor, path, entry)?,
            FileChange::Remove { path } => {
                editor.remove(path.as_str()).map_err(failed("writing a tree"))?;
            }
        }
    }
    let tree = editor.write().map_err(failed("writing a tree"))?;
    let author = signature("rad", "rad@localhost", Utc::now());
    let mut buffer = gix::date::parse::TimeBuf::default();
    let author = author.to_ref(&mut buffer);
    let reference = format!("refs/heads/{}", commit.branch);
    // It moves the branch only from where it is expected.
    match repo.commit_as(author, author, reference, commit.message, tree, [base.id]) {
        Ok(id) => commit_id(id.detach()),
        Err(error) => match git.head(Some(commit.branch))?.commit {
            actual if actual != *commit.base => Err(moved(actual)),
            _ => Err(failed("writing a commit")(error)),
        },
    }
}

/// Makes a branch that begins at a commit.
pub(super) fn make_branch(git: &GitRepository, branch: &str, commit: &CommitId) -> Result<(), RepoError> {
    let repo = git.inner();
    let refused = |reason: String| RepoError::Refused { repository: git.name().to_owned(), reason };
    let missing = || RepoError::NoCommit { repository: git.name().to_owned(), revision: commit.to_string() };
    let id = gix::ObjectId::from_hex(commit.as_str().as_bytes()).map_err(|_| missing())?;
    repo.find_commit(id).map_err(|_| missing())?;
    let unusable = |reason: String| refused(format!("a branch cannot be named {branch:?}: {reason}"));
    let name = gix::refs::FullName::try_from(format!("refs/heads/{branch}"));
    let name = name.map_err(|error| unusable(error.to_string()))?;
    let author = signature("rad", "rad@localhost", Utc::now());
    let mut buffer = gix::date::parse::TimeBuf::default();
    let edit = RefEdit::update(name, id, PreviousValue::MustNotExist, "branch: made by rad");
    match repo.edit_references_as([edit], Some(author.to_ref(&mut buffer))) {
        Ok(_) => Ok(()),
        Err(error) => match git.head(Some(branch)) {
            Ok(head) if head.commit == *commit => Ok(()),
            Ok(_) => Err(refused(format!("there is a branch {branch:?} elsewhere"))),
            Err(_) => Err(unusable(error.to_string())),
        },
    }
}

fn signature(name: &str, email: &str, at: DateTime<Utc>) -> Signature {
    Signature { name: name.into(), email: email.into(), time: gix::date::Time::new(at.timestamp(), 0) }
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
        upsert(repo, &mut editor, path, entry)?;
    }
    Ok(editor.write().map_err(failed("writing a tree"))?.detach())
}

fn upsert(
    repo: &gix::Repository,
    editor: &mut gix::object::tree::Editor<'_>,
    path: &str,
    entry: &TreeEntry,
) -> Result<(), RepoError> {
    let (kind, content) = match entry {
        TreeEntry::File { bytes, executable: false } => (EntryKind::Blob, bytes.as_ref()),
        TreeEntry::File { bytes, executable: true } => (EntryKind::BlobExecutable, bytes.as_ref()),
        TreeEntry::Symlink { target } => (EntryKind::Link, target.as_bytes()),
    };
    let blob = repo.write_blob(content).map_err(failed("writing a file"))?;
    editor.upsert(path, kind, blob).map_err(failed("writing a tree"))?;
    Ok(())
}
