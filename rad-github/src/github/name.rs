//! Names of repositories, branches and paths as they stand in addresses.

use std::fmt::Write as _;

use rad_core::repo::RepoError;

/// A repository's name, whole and taken apart: `owner/name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RepoName<'a> {
    pub(super) full: &'a str,
    pub(super) owner: &'a str,
    pub(super) name: &'a str,
}

impl<'a> RepoName<'a> {
    /// # Errors
    /// [`RepoError::NotFound`] for what is no name of a repository.
    pub(super) fn parse(repository: &'a str) -> Result<Self, RepoError> {
        let fits = |name: &str| is_name(name) && name.len() <= 100;
        let found = repository.split_once('/').filter(|(owner, name)| fits(owner) && fits(name));
        match found {
            Some((owner, name)) => Ok(Self { full: repository, owner, name }),
            None => Err(RepoError::NotFound { repository: repository.to_owned() }),
        }
    }

    /// The path that questions about the repository begin with.
    pub(super) fn path(self, rest: &str) -> String {
        format!("/repos/{}/{}{rest}", self.owner, self.name)
    }
}

/// Letters, digits, `-`, `_` and `.`, as services name things in paths, but not `.` and `..`.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    plain && !matches!(text, "" | "." | "..")
}

/// Whether Git would take the name for a branch (git-check-ref-format).
pub(super) fn is_branch(name: &str) -> bool {
    let forbidden = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    !name.starts_with('-')
        && !name.ends_with('.')
        && name.len() <= 255
        && name != "@"
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains(forbidden)
        && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
}

/// One part of a path, percent-encoded (RFC 3986 §2.3).
pub(crate) fn encoded(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(byte.into());
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_lead_elsewhere() {
        assert_eq!(RepoName::parse("a-b/c.d_e").unwrap().path("/x"), "/repos/a-b/c.d_e/x");
        for wrong in ["", "a", "a/", "/b", "a/b/c", "a/..", "../b", "a/b?c", "a/b#c", "a b/c", "a/é", "a/%2e"]
        {
            assert!(RepoName::parse(wrong).is_err(), "{wrong:?}");
        }
        for right in ["main", "feature/x", "release-1.0", "é", "a@b"] {
            assert!(is_branch(right), "{right:?}");
        }
        for wrong in
            ["", "-x", "a..b", "/a", "a/", "a//b", "a b", "a.lock", "a/.b", "@", "a@{1}", "a\u{7f}", "a."]
        {
            assert!(!is_branch(wrong), "{wrong:?}");
        }
        assert_eq!(encoded("feature/é ?"), "feature%2F%C3%A9%20%3F");
    }
}
