//! What of a job is laid out for an engine, wherever that runs: the module's files, and the values it declares.

use std::path::Path;

use rad_core::module::{Manifest, SourceError, Values};
use rad_core::runner::{Diagnostic, RunJob};
use rad_core::source::{SourceTree, TreeEntry};

/// Where in the module's directory the engine leaves a state that it could not write to its place.
pub(super) const ERRORED_STATE: &str = "errored.tfstate";

/// The name of the file that keeps the state where the platform finds it, whatever backend the module declares.
pub(super) const OVERRIDE: &str = "zzzz_platform_override.tf";

/// What a run whose module overrides that file is told.
pub(super) const ELSEWHERE: (&str, &str) = (
    "The module keeps its state elsewhere",
    "Its files override the backend under which the platform keeps the state. Remove the backend or cloud block from the \
     module's override files.",
);

/// The files and links of a module as they are laid out, links after the files, so that no file is written through one,
/// and last the file that keeps the state at `state_inside`. Links must stay inside; what the module brings of the
/// engine's own files is left out.
pub(super) fn contents(
    source: &SourceTree,
    state_inside: &Path,
) -> Result<Vec<(String, TreeEntry)>, Diagnostic> {
    if let Some(SourceError { file, line, message, .. }) = Manifest::forbidden(source) {
        let file = file.trim_start_matches('/').to_owned();
        let error = Diagnostic::error("The module has what no run may have", message);
        return Err(Diagnostic { place: Some((file, line.into())), ..error });
    }
    let mut files = Vec::new();
    let mut links = Vec::new();
    for (path, entry) in source.iter().filter(|(path, _)| !is_engines_own(path)) {
        match entry {
            TreeEntry::File { .. } => files.push((path.to_owned(), entry.clone())),
            TreeEntry::Symlink { target } if !stays_inside(path, target) => {
                let detail =
                    format!("{path} points to {target}, which is not inside the module's directory.");
                return Err(Diagnostic {
                    place: Some((path.to_owned(), 1)),
                    ..Diagnostic::error("A symbolic link leaves the module", detail)
                });
            }
            TreeEntry::Symlink { .. } => links.push((path.to_owned(), entry.clone())),
        }
    }
    files.append(&mut links);
    let path = serde_json::Value::from(state_inside.display().to_string());
    let text = format!("terraform {{\n  backend \"local\" {{\n    path = {path}\n  }}\n}}\n");
    files.push((OVERRIDE.to_owned(), TreeEntry::File { bytes: text.into(), executable: false }));
    Ok(files)
}

/// The values of variables that the module declares, and the ephemeral ones among them. A module that cannot be read is
/// given all: the engine will say what is wrong with it.
pub(super) fn declared(job: &RunJob) -> (Values, Values) {
    let Ok(manifest) = Manifest::read("module", &job.source) else {
        return (job.values.clone(), Values::new());
    };
    let pick = |wanted: &dyn Fn(&str) -> bool| {
        job.values.iter().filter(|(name, _)| wanted(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
    };
    let values = pick(&|name| manifest.variable(name).is_some());
    let ephemeral = pick(&|name| manifest.variable(name).is_some_and(|variable| variable.ephemeral));
    (values, ephemeral)
}

/// Whether a path is one that only the engine or the platform writes: a state in the module would be taken for its own.
fn is_engines_own(path: &str) -> bool {
    path == OVERRIDE
        || path == ERRORED_STATE
        || path.starts_with(".terraform/")
        || path == ".terraform"
        || path.starts_with("terraform.tfstate")
}

/// Whether a link's target, as written, stays below the tree's root: it climbs first and not past the root, and then
/// only descends. Such links stay inside even where one leads to another.
fn stays_inside(path: &str, target: &str) -> bool {
    let depth = path.matches('/').count();
    let mut climbed = 0;
    let mut descended = false;
    if target.is_empty() || target.starts_with('/') {
        return false;
    }
    for part in target.split('/') {
        match part {
            ".." if descended => return false,
            ".." => climbed += 1,
            "" | "." => {}
            _ => descended = true,
        }
    }
    climbed <= depth
}
