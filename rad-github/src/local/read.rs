//! A tree from any path on this machine, for programs that run as the person who owns it.

use std::path::Path;

use rad_core::repo::{RepoError, sub_dir_names};
use rad_core::source::{CommitId, SourceTree};

use super::directory::read_directory;
use super::git::GitRepository;
use crate::limits::TreeLimits;

/// What [`read_path`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTree {
    /// The commit that was read; `None` if it was the directory as it stands.
    pub commit: Option<CommitId>,
    /// The files.
    pub tree: SourceTree,
}

/// Reads the tree below `sub_dir` of the directory or Git repository at `path`.
///
/// With a `revision` (a branch, tag, commit or anything `git rev-parse` takes) the repository is read at that commit. Without
/// one a bare repository is read at its head, and everything else as it stands on the disk, uncommitted work included.
///
/// Unlike [`LocalSource`](super::LocalSource) it follows the path wherever it leads, and it blocks: it serves command-line
/// programs and is no place for what others send.
///
/// # Errors
/// As [`RepoSource`](rad_core::repo::RepoSource); a revision of what is no repository is
/// [`NotARepository`](RepoError::NotARepository).
pub fn read_path(
    path: &Path,
    revision: Option<&str>,
    sub_dir: &str,
    limits: &TreeLimits,
) -> Result<PathTree, RepoError> {
    let name = path.display().to_string();
    let not_found = || RepoError::NotFound { repository: name.clone() };
    let directory = path.canonicalize().map_err(|_| not_found())?;
    if !directory.is_dir() {
        return Err(RepoError::NotARepository { repository: name, reason: "it is a file".to_owned() });
    }
    let git = match revision {
        None if directory.join(".git").exists() => None,
        _ => GitRepository::open(&name, &directory, None)?,
    };
    match (git, revision) {
        (Some(git), _) => {
            let commit = revision.map_or_else(|| git.current(), |revision| git.resolve(revision))?;
            let tree = git.tree(&commit, sub_dir, limits)?;
            Ok(PathTree { commit: Some(commit), tree })
        }
        (None, Some(revision)) => {
            let reason = format!("a plain directory has no revision {revision:?}");
            Err(RepoError::NotARepository { repository: name, reason })
        }
        (None, None) => {
            let missing = || RepoError::NoDirectory { repository: name.clone(), sub_dir: sub_dir.to_owned() };
            let below = sub_dir_names(sub_dir)
                .ok_or_else(missing)?
                .iter()
                .fold(directory, |path, part| path.join(part));
            if !below.is_dir() {
                return Err(missing());
            }
            Ok(PathTree { commit: None, tree: read_directory(&below, limits)? })
        }
    }
}
