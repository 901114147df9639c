//! From the command line to the modules, or to a reason that helps whoever typed it.

use std::fmt;
use std::path::Path;

use rad_core::module::discover;
use rad_core::repo::{RepoError, sub_dir_names};
use rad_core::source::SourceTree;
use rad_github::local::{TreeLimits, read_path};

use crate::args::split_revision;
use crate::report::{Report, Source};

/// Why there is nothing to list, as a sentence that says what to do.
#[derive(Debug)]
pub(crate) struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads what the command line names.
pub(crate) fn read(source: &str, sub_dir: &str) -> Result<Report, Unreadable> {
    let (path, revision) = split_revision(source);
    let found = read_path(&path, revision, sub_dir, &TreeLimits::default())
        .map_err(|error| explain(error, &path, revision))?;
    let modules = discover(&found.tree);
    if modules.is_empty() {
        return Err(nothing(&path, sub_dir, &found.tree));
    }
    let source = Source {
        path: path.display().to_string(),
        commit: found.commit,
        sub_dir: sub_dir_names(sub_dir).unwrap_or_default().join("/"),
    };
    Ok(Report::new(source, modules))
}

/// In the words of a command line where those of the platform would mislead.
fn explain(error: RepoError, path: &Path, revision: Option<&str>) -> Unreadable {
    let path = path.display();
    Unreadable(match error {
        RepoError::NotFound { .. } => format!("there is no directory or Git repository at \"{path}\""),
        RepoError::Empty { .. } => format!("the Git repository \"{path}\" has no commit yet"),
        RepoError::NoDirectory { sub_dir, .. } => {
            let at = revision.map(|revision| format!(" at {revision}")).unwrap_or_default();
            format!(
                "\"{path}\" has no directory {sub_dir:?}{at}: --sub-dir takes a path below it, such as modules"
            )
        }
        RepoError::NoCommit { revision, .. } => {
            format!("\"{path}\" has no branch, tag or commit {revision:?}")
        }
        other => other.to_string(),
    })
}

/// Says where the modules may be instead.
fn nothing(path: &Path, sub_dir: &str, tree: &SourceTree) -> Unreadable {
    let at = path.join(sub_dir);
    let at = at.display();
    let is_module = tree
        .iter()
        .any(|(path, _)| !path.contains('/') && (path.ends_with(".tf") || path.ends_with(".tf.json")));
    let deeper = tree.directories().find(|name| !discover(&tree.directory(name)).is_empty());
    let mend = match deeper {
        _ if is_module => "it is itself a module: give the directory above it".to_owned(),
        Some(name) => {
            let below: Vec<&str> = sub_dir_names(sub_dir).unwrap_or_default();
            let names: Vec<&str> = below.into_iter().chain([name]).collect();
            format!("add --sub-dir {}", names.join("/"))
        }
        None => "none of its directories holds a .tf or .tf.json file".to_owned(),
    };
    Unreadable(format!("there is no module in \"{at}\": {mend}"))
}
