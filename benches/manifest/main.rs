//! Measures reading manifests beside a bare HCL parse of the same files and python-hcl2, and compares what is read.
//!
//! `make bench-manifest ARGS="PATH[//SUB_DIR] …"` runs it with everything it needs; `README.md` of this directory's parent
//! says how it measures.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

mod beside;
#[path = "../rounds.rs"]
mod rounds;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use clap::Parser;
use rad_core::module::{FoundModule, Manifest, discover};
use rad_core::source::{SourceTree, TreeEntry};
use rad_github::local::{TreeLimits, read_path};

use crate::rounds::fastest;

/// Measures reading manifests.
#[derive(Debug, Parser)]
struct Options {
    /// Directories or Git repositories; after `//` the directory that holds the modules.
    #[arg(required = true, value_name = "PATH[//SUB_DIR]")]
    sources: Vec<String>,
    /// How often each thing is measured; the fastest counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// The Python with python-hcl2; without it it is left out, and nothing is compared.
    #[arg(long)]
    python: Option<PathBuf>,
}

/// What one source holds.
struct Source {
    name: String,
    tree: SourceTree,
    modules: Vec<FoundModule>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let sources = options.sources.iter().map(|name| read(name)).collect::<anyhow::Result<Vec<_>>>()?;
    for source in &sources {
        let valid = source.modules.iter().filter_map(|module| module.outcome.as_ref().ok());
        let variables: usize = valid.clone().map(|manifest| manifest.variables.len()).sum();
        let (all, valid) = (source.modules.len(), valid.count());
        println!("{:<64} {all:4} modules, {} invalid, {variables} variables", source.name, all - valid);
    }
    let directories = sources
        .iter()
        .flat_map(|source| source.modules.iter().map(|module| source.tree.directory(&module.name)));
    let directories: Vec<SourceTree> = directories.collect();
    let files = directories.iter().flat_map(native_files);
    let texts: Vec<&str> = files.filter_map(|(_, bytes)| std::str::from_utf8(bytes).ok()).collect();
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    println!(
        "\n{} files of {:.2} MB in native syntax, fastest of {}:",
        texts.len(),
        mega(bytes),
        options.rounds
    );
    let mut refused = 0;
    let bare = fastest(options.rounds, || {
        refused = texts.iter().filter(|text| !parses(text)).count();
        anyhow::Ok(())
    })?;
    row("a bare parse by the hcl-edit crate", bare, bytes, None);
    if refused > 0 {
        println!(
            "    ({refused} of them it refuses and stops at: line breaks where only Terraform takes them)"
        );
    }
    let ours = fastest(options.rounds, || {
        sources.iter().for_each(|source| drop(black_box(discover(&source.tree))));
        anyhow::Ok(())
    })?;
    row("rad: whole manifests", ours, bytes, Some(bare));
    match &options.python {
        Some(python) => beside::compare(python, &sources, bare),
        None => Ok(()),
    }
}

fn read(name: &str) -> anyhow::Result<Source> {
    let (path, sub_dir) = name.split_once("//").unwrap_or((name, ""));
    let tree = read_path(Path::new(path), None, sub_dir, &TreeLimits::default())?.tree;
    let mut modules = discover(&tree);
    // What is compared is what a module's own files declare, wherever the modules are that it calls.
    for module in modules.iter_mut().filter(|module| module.outcome.is_err()) {
        module.outcome = Manifest::read(&module.name, &tree.directory(&module.name));
    }
    ensure!(!modules.is_empty(), "there is no module in {name}");
    Ok(Source { name: name.to_owned(), tree, modules })
}

/// The files in native syntax that Terraform reads of a module's directory, by name; links within it are followed once.
fn native_files(directory: &SourceTree) -> impl Iterator<Item = (&str, &[u8])> {
    let native = directory
        .iter()
        .filter(|(path, _)| path.ends_with(".tf") && !path.contains('/') && !path.starts_with('.'));
    native.filter_map(|(path, entry)| {
        let bytes = match entry {
            TreeEntry::File { bytes, .. } => bytes,
            TreeEntry::Symlink { target } => directory.file(target)?,
        };
        Some((path, bytes.as_ref()))
    })
}

fn parses(text: &str) -> bool {
    black_box(hcl_edit::parser::parse_body(text.trim_start_matches('\u{feff}'))).is_ok()
}

/// Prints what was measured and, beside `base`, how many times as long it took.
fn row(name: &str, elapsed: Duration, bytes: usize, base: Option<Duration>) {
    let ratio =
        base.map_or_else(String::new, |base| format!("{:8.2} ×", elapsed.as_secs_f64() / base.as_secs_f64()));
    println!("  {name:<44} {:8.2} MB/s {ratio}", mega(bytes) / elapsed.as_secs_f64());
}

fn mega(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
