//! The directories that names of repositories stand for.

use std::path::{Path, PathBuf};

use rad_core::repo::RepoError;

/// The directory that `name` stands for: a direct child of one of `roots`, once links are resolved still below it.
pub(super) fn find_child(roots: &[PathBuf], name: &str) -> Result<Child, RepoError> {
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    let mut found = roots.iter().filter(|_| plain).filter_map(|root| inside(root, &root.join(name)));
    let path = found.next().ok_or_else(|| RepoError::NotFound { repository: name.to_owned() })?;
    if !path.directory.is_dir() {
        let reason = "it is a file".to_owned();
        return Err(RepoError::NotARepository { repository: name.to_owned(), reason });
    }
    Ok(path)
}

/// A child of a root, with the root that it must not leave.
#[derive(Debug, Clone)]
pub(super) struct Child {
    pub(super) directory: PathBuf,
    pub(super) root: PathBuf,
}

fn inside(root: &Path, path: &Path) -> Option<Child> {
    let directory = path.canonicalize().ok()?;
    (directory.starts_with(root) && directory != root).then(|| Child { directory, root: root.to_owned() })
}
