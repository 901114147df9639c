//! Which of the local repositories a partner may publish from: all of them are the platform's, and a file says which of them
//! are given to whom.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use rad_core::access::Publisher;
use rad_core::directory::{Directory, DirectoryError};
use rad_core::error::BackendError;
use rad_core::repo::RepoError;

/// The file's name, in the directory of the repositories.
pub(crate) const FILE: &str = "partners.txt";

/// What the file says, read whenever it is asked for.
#[derive(Debug)]
pub(crate) struct Given {
    file: PathBuf,
    directory: Arc<dyn Directory>,
}

impl Given {
    /// What the file in `repos_dir` says; without the file no partner is given any.
    pub(crate) fn new(repos_dir: &std::path::Path, directory: Arc<dyn Directory>) -> Self {
        Self { file: repos_dir.join(FILE), directory }
    }

    /// Which of the local repositories a publisher has; `None` stands for all.
    pub(crate) async fn to(&self, publisher: Publisher) -> Result<Option<BTreeSet<String>>, RepoError> {
        let Publisher::Partner(account) = publisher else { return Ok(None) };
        let email = match self.directory.account(account).await {
            Ok(account) => account.email,
            Err(DirectoryError::NotFound) => return Ok(Some(BTreeSet::new())),
            Err(error) => {
                return Err(BackendError::unavailable("finding the partner's account", error).into());
            }
        };
        let text = match tokio::fs::read_to_string(&self.file).await {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                let doing = "reading which local repositories are given to partners";
                return Err(BackendError::unavailable(doing, error).into());
            }
        };
        Ok(Some(given_to(&email, &text)))
    }
}

/// The names after `email:` on any line; what is no such line gives nothing.
fn given_to(email: &str, text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let own = lines.filter(|(to, _)| to.trim().eq_ignore_ascii_case(email));
    own.flat_map(|(_, names)| names.split_whitespace()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partner_has_what_lines_of_that_name_give() {
        let text = "# who has what\nann@example.com: red  blue\n\nbob@example.com:green\nANN@example.com: white\nann\n";
        let given = |email| given_to(email, text).into_iter().collect::<Vec<_>>();
        assert_eq!(given("ann@example.com"), ["blue", "red", "white"]);
        assert_eq!(given("bob@example.com"), ["green"]);
        assert!(given("ann").is_empty() && given("").is_empty() && given("eve@example.com").is_empty());
    }
}
