//! Measures reading manifests beside a bare HCL parse of the same files and python-hcl2, and compares what is read.
//!
//! `make bench-manifest ARGS="PATH[//SUB_DIR] …"` runs it with everything it needs; `README.md` of this directory's parent
//! says how it measures.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

mod beside;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Parser;
use rad_core::module::{FoundModule, discover};
use rad_core::source::{SourceTree, TreeEntry};
use rad_github::local::{TreeLimits, read_path};

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
    let texts: Vec<&str> = sources.iter().flat_map(native_texts).collect();
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    println!(
        "\n{} files of {:.2} MB in native syntax, fastest of {}:",
        texts.len(),
        mega(bytes),
        options.rounds
    );
    let mut refused = 0;
    let bare = fastest(options.rounds, || refused = texts.iter().filter(|text| !parses(text)).count());
    row("a bare parse by the hcl-edit crate", bare, bytes, None);
    if refused > 0 {
        println!(
            "    ({refused} of them it refuses and stops at: line breaks where only Terraform takes them)"
        );
    }
    let ours = fastest(options.rounds, || {
        sources.iter().for_each(|source| drop(black_box(discover(&source.tree))));
    });
    row("rad: whole manifests", ours, bytes, Some(bare));
    match &options.python {
        Some(python) => beside::compare(python, &sources, bare),
        None => Ok(()),
    }
}

fn read(name: &str) -> anyhow::Result<Source> {
    let (path, sub_dir) = name.split_once("//").unwrap_or((name, ""));
    let path = Path::new(path);
    let bare = !path.join(".git").exists() && path.join("HEAD").exists();
    let tree = read_path(path, bare.then_some("HEAD"), sub_dir, &TreeLimits::default())?.tree;
    let modules = discover(&tree);
    ensure!(!modules.is_empty(), "there is no module in {name}");
    Ok(Source { name: name.to_owned(), tree, modules })
}

/// The files in native syntax that the manifests are read from.
fn native_texts(source: &Source) -> impl Iterator<Item = &str> {
    source.tree.iter().filter_map(|(path, entry)| {
        let is_source = path.ends_with(".tf") && path.matches('/').count() == 1 && !path.contains("/.");
        match entry {
            TreeEntry::File { bytes, .. } if is_source => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    })
}

fn parses(text: &str) -> bool {
    black_box(hcl_edit::parser::parse_body(text.trim_start_matches('\u{feff}'))).is_ok()
}

fn fastest(rounds: u32, mut work: impl FnMut()) -> Duration {
    let mut elapsed = Duration::MAX;
    for _ in 0..rounds {
        let start = Instant::now();
        work();
        elapsed = elapsed.min(start.elapsed());
    }
    elapsed
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
