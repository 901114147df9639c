//! The command line.

use std::path::{Path, PathBuf};

use clap::Parser;

/// Lists the Terraform modules of a directory or Git repository, or the reasons why they are invalid.
///
/// A module is a top-level directory that holds `.tf` or `.tf.json` files. Each is shown with its variables, the UI hints
/// of their descriptions, its outputs and its providers, or with every reason why it cannot be published, as
/// file:line:column.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// A directory or Git repository; with @REV a branch, tag or commit of the repository.
    ///
    /// Without @REV a directory is read as it stands on the disk, uncommitted work included, and a bare repository at its
    /// head.
    #[arg(value_name = "DIR|GIT_REPO[@REV]")]
    pub(crate) source: String,

    /// The directory below it that holds the modules.
    #[arg(long, value_name = "DIR", default_value = "", hide_default_value = true)]
    pub(crate) sub_dir: String,

    /// Print one JSON document with whole manifests, README and default values included.
    #[arg(long, conflicts_with = "json_schema")]
    pub(crate) json: bool,

    /// Print one JSON document with the forms of every module as JSON Schema 2020-12: of its deployer and of its publisher.
    ///
    /// What JSON Schema has no word for, such as pages and conditions, stands under the keyword x-rad.
    #[arg(long)]
    pub(crate) json_schema: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  every module is valid
  1  at least one module is invalid
  2  there is no module, or the input cannot be read";

/// Splits `PATH@REV`. A path that exists as it is written has no revision; otherwise the longest existing path counts.
pub(crate) fn split_revision(source: &str) -> (PathBuf, Option<&str>) {
    if Path::new(source).exists() {
        return (source.into(), None);
    }
    let at = || source.rmatch_indices('@').map(|(at, _)| at);
    let existing = at().find(|at| source.get(..*at).is_some_and(|path| Path::new(path).exists()));
    match existing.or_else(|| at().next()).and_then(|at| source.split_at_checked(at)) {
        Some((path, revision)) => (path.into(), Some(revision.trim_start_matches('@'))),
        None => (source.into(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }

    #[test]
    fn a_revision_follows_what_exists() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).display().to_string();
        let split = |suffix: &str| {
            let source = format!("{here}{suffix}");
            let (path, revision) = split_revision(&source);
            (path.display().to_string().replace(&here, ""), revision.map(str::to_owned))
        };
        assert_eq!(split(""), (String::new(), None));
        assert_eq!(split("@main"), (String::new(), Some("main".to_owned())));
        assert_eq!(split("@HEAD@{1}"), (String::new(), Some("HEAD@{1}".to_owned())));
        assert_eq!(split("/gone@main"), ("/gone".to_owned(), Some("main".to_owned())));
        assert_eq!(split("/gone"), ("/gone".to_owned(), None));
    }
}
