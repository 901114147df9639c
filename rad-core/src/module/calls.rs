//! Modules that a module calls from its own repository. What is published is the module's directory and nothing else, so that
//! what lies outside of it would be missing in every deployment.

use std::collections::BTreeSet;

use super::declarations::Declarations;
use super::files::{self, Syntax, is_source};
use super::source_error::{Place, SourceError};
use super::{json, merge, native};
use crate::source::{SourceTree, TreeEntry};

/// The most directories that calls are followed into.
const MOST_DIRECTORIES: usize = 200;

/// Every call that a module, or one below it that it calls, makes of a directory that is not below it or holds no module.
pub(super) fn missing(name: &str, tree: &SourceTree) -> Vec<SourceError> {
    let mut errors = Vec::new();
    let mut seen = BTreeSet::from([String::new()]);
    let mut left = vec![String::new()];
    while let Some(directory) = left.pop() {
        for (file, place, source) in local_calls(name, &directory, tree) {
            let fail = |why: &str| {
                SourceError::new(&file, place, format!("a module is called from {source:?}, {why}"))
            };
            match below(&directory, &source) {
                None => errors.push(fail(
                    "which lies outside of this module's directory, and only what is below that is published: move it \
                     there, or call it by the address of its repository",
                )),
                Some(called) if is_behind_link(tree, &called) => {}
                Some(called) if !holds_module(tree, &called) => {
                    errors.push(fail("where there is no Terraform file"));
                }
                Some(called) if seen.len() >= MOST_DIRECTORIES && !seen.contains(&called) => {
                    errors.push(fail(&format!("after {MOST_DIRECTORIES} others; calls are followed no further")));
                }
                Some(called) => {
                    if seen.insert(called.clone()) {
                        left.push(called);
                    }
                }
            }
        }
    }
    errors.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    errors
}

/// Whether the source of a call is a directory of the same repository.
pub(super) fn is_local(source: &str) -> bool {
    source.starts_with("./") || source.starts_with("../")
}

/// The calls of local modules in a directory below the module. What else is wrong with its files is not told here.
fn local_calls(name: &str, directory: &str, tree: &SourceTree) -> Vec<(String, Place, String)> {
    let below = tree.directory(directory);
    let shown = if directory.is_empty() { name.to_owned() } else { format!("{name}/{directory}") };
    let (files, mut unsaid) = files::read(&shown, &below);
    let declarations: Vec<Declarations> = files
        .iter()
        .map(|file| match file.syntax {
            Syntax::Native => native::read(file, &mut unsaid),
            Syntax::Json => json::read(file, &mut unsaid),
        })
        .collect();
    let calls = merge::module_calls(declarations).into_iter();
    calls
        .filter_map(|(file, place, source)| Some((file, place, source.filter(|source| is_local(source))?)))
        .collect()
}

/// The directory that a source leads to from another, relative to the module; `None` outside of it.
fn below(directory: &str, source: &str) -> Option<String> {
    let mut names: Vec<&str> = directory.split('/').filter(|name| !name.is_empty()).collect();
    for name in source.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()?),
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

/// Whether a link is on the way: where it leads is for the engine to follow.
fn is_behind_link(tree: &SourceTree, directory: &str) -> bool {
    let ends = directory.match_indices('/').map(|(at, _)| at).chain([directory.len()]);
    ends.filter_map(|end| tree.entry(directory.get(..end)?))
        .any(|entry| matches!(entry, TreeEntry::Symlink { .. }))
}

fn holds_module(tree: &SourceTree, directory: &str) -> bool {
    tree.directory(directory).iter().any(|(path, _)| is_source(path))
}
