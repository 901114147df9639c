//! Names and paths as callers give them, checked before anything on the disk is touched.

use std::path::{Path, PathBuf};

use rad_core::repo::RepoError;

/// The parts of a sub-directory given as `modules`, `./modules/` or `a/b`; none for the root, `None` where it is absolute
/// or leads upwards.
pub(super) fn sub_directory(sub_dir: &str) -> Option<Vec<&str>> {
    if sub_dir.starts_with('/') || sub_dir.contains(['\\', '\0']) {
        return None;
    }
    let parts: Vec<&str> = sub_dir.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    (!parts.contains(&"..")).then_some(parts)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_directories_stay_below_the_root() {
        assert_eq!(sub_directory(""), Some(vec![]));
        assert_eq!(sub_directory("./modules/"), Some(vec!["modules"]));
        assert_eq!(sub_directory("a/b"), Some(vec!["a", "b"]));
        for bad in ["/etc", "../x", "a/../../x", "a\\b", "a\0"] {
            assert_eq!(sub_directory(bad), None, "{bad:?}");
        }
    }
}
