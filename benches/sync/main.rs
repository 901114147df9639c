//! Measures syncs of a large repository over the API of GitHub: calls, time and memory, beside a bare HCL parse of the same
//! files. The API is a server on this machine; `README.md` of this directory's parent says how it measures.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

#[path = "../rounds.rs"]
mod rounds;
mod server;
mod shop;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use rad_core::module::discover;
use rad_core::platform::Actor;
use rad_core::repo::RepoSource as _;
use rad_core::source::SourceTree;
use rad_github::GitHub;
use rad_github::local::{TreeLimits, read_path};
use secrecy::SecretString;

use crate::rounds::fastest;
use crate::server::Server;

/// Measures syncs of a large repository.
#[derive(Debug, Parser)]
struct Options {
    /// The directory whose modules are repeated until there are enough.
    #[arg(default_value = "examples/modules")]
    modules: PathBuf,
    /// How many modules the repository has.
    #[arg(long, default_value_t = 500)]
    number: usize,
    /// How often each thing is measured; the fastest counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let tree = repeated(&options.modules, options.number)?;
    let texts: Vec<&str> = tree
        .iter()
        .filter(|(path, _)| path.ends_with(".tf"))
        .filter_map(|(path, _)| std::str::from_utf8(tree.file(path)?).ok())
        .collect();
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    let server = Server::start(&tree).await?;
    println!(
        "{} modules, {} files in native syntax of {:.2} MB, an archive of {:.2} MB; fastest of {}:",
        options.number,
        texts.len(),
        bytes as f64 / 1e6,
        server.packed() as f64 / 1e6,
        options.rounds
    );
    let bare = fastest(options.rounds, || {
        texts.iter().for_each(|text| drop(black_box(hcl_edit::parser::parse_body(text))));
        anyhow::Ok(())
    })?;
    println!("  {:<36} {:8.1} ms", "a bare parse by the hcl-edit crate", millis(bare));

    let before = peak_memory()?;
    let (mut whole, mut unchanged) = (Duration::MAX, Duration::MAX);
    for _ in 0..options.rounds {
        let github = GitHub::builder().api(server.address()).build()?;
        let (elapsed, calls) = sync(&github, &server, options.number).await?;
        ensure!(calls == 2, "a sync is two calls, not {calls}");
        whole = whole.min(elapsed);
        // The second one learns the tag that the third is asked with.
        sync(&github, &server, options.number).await?;
        let start = Instant::now();
        let head = github.head(server.access(&token()), None).await?;
        let elapsed = start.elapsed();
        ensure!(!head.branch.is_empty() && server.calls() == 1, "an unchanged repository is one call");
        unchanged = unchanged.min(elapsed);
    }
    row("a sync: read, unpacked, manifests", whole, Some(bare), "2 calls");
    row("unchanged", unchanged, None, "1 call, conditional");
    println!("  peak memory beyond what was there before: {:.1} MB", (peak_memory()? - before) as f64 / 1e6);
    pages(&options, &server, tree, bare).await
}

/// The Publish page of a platform, which keeps what it read in a SQLite file.
async fn pages(
    options: &Options,
    server: &Server,
    mut tree: SourceTree,
    bare: Duration,
) -> anyhow::Result<()> {
    let (directory, token) = (tempfile::tempdir()?, token());
    let before = peak_memory()?;
    let (mut first, mut unchanged, mut changed) = (Duration::MAX, Duration::MAX, Duration::MAX);
    let modules: Vec<String> = tree.directories().map(str::to_owned).collect();
    for round in 0..options.rounds {
        let github = GitHub::builder().api(server.address()).build()?;
        let file = directory.path().join(format!("{round}.db"));
        let admin = shop::admin(github, &file, server.access(&token).repository, &token).await?;
        // Connecting read the tree.
        first = first.min(grid(&admin, server, options.number, 1).await?);
        unchanged = unchanged.min(grid(&admin, server, 0, 1).await?);
        for module in modules.iter().take(3) {
            tree.insert_file(format!("{module}/changed.tf"), format!("# in round {round}\n"))?;
            server.push(&tree)?;
            changed = changed.min(grid(&admin, server, 1, 2).await?);
        }
    }
    row("the first page: manifests, kept", first, Some(bare), "1 call more than connecting");
    row("the page, unchanged", unchanged, Some(bare), "1 call, conditional; none parsed");
    row("the page, one module changed", changed, Some(bare), "2 calls; 1 parsed");
    println!("  peak memory beyond what was there before: {:.1} MB", (peak_memory()? - before) as f64 / 1e6);
    Ok(())
}

/// Shows the page, for which so many modules must be parsed and so many calls made.
async fn grid(admin: &Actor, server: &Server, parsed: usize, calls: usize) -> anyhow::Result<Duration> {
    server.calls();
    let start = Instant::now();
    let grid = admin.module_grid().await?;
    let elapsed = start.elapsed();
    let was = (grid.parsed, server.calls());
    ensure!(was == (parsed, calls), "{was:?} modules were parsed and calls made, not {:?}", (parsed, calls));
    Ok(elapsed)
}

fn row(what: &str, elapsed: Duration, bare: Option<Duration>, calls: &str) {
    let ratio =
        bare.map_or_else(String::new, |bare| format!("{:.2} ×", elapsed.as_secs_f64() / bare.as_secs_f64()));
    println!("  {what:<36} {:8.1} ms {ratio:>10}   {calls}", millis(elapsed));
}

/// Reads the head, the tree and every manifest; gives how long that took, and the calls.
async fn sync(github: &GitHub, server: &Server, number: usize) -> anyhow::Result<(Duration, usize)> {
    let token = token();
    server.calls();
    let start = Instant::now();
    let repo = server.access(&token);
    let head = github.head(repo, None).await?;
    let tree = github.tree(repo, &head.commit, "").await?;
    let found = discover(&tree).len();
    let elapsed = start.elapsed();
    ensure!(found == number, "{found} modules were found of {number}");
    Ok((elapsed, server.calls()))
}

fn token() -> SecretString {
    "ghp_bench".into()
}

/// A tree of `number` modules, those of a directory over and over.
fn repeated(directory: &Path, number: usize) -> anyhow::Result<SourceTree> {
    let samples = read_path(directory, None, "", &TreeLimits::default())?.tree;
    let names: Vec<&str> = samples.directories().collect();
    ensure!(!names.is_empty(), "there is no module in {}", directory.display());
    let mut tree = SourceTree::default();
    for (place, name) in names.iter().cycle().take(number).enumerate() {
        for (path, entry) in samples.directory(name).iter() {
            tree.insert(format!("{name}-{place}/{path}"), entry.clone())?;
        }
    }
    Ok(tree)
}

/// The most memory that this process ever had, in bytes.
fn peak_memory() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("peak memory is measured on Linux")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes: u64 =
        line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).context("no VmHWM")?;
    Ok(kibibytes * 1024)
}

fn millis(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1e3
}
