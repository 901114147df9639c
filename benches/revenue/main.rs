//! Measures the revenue engine beside a bare pass over the same entries, DuckDB and Polars, and prints ratios.
//!
//! `make bench-revenue` runs it with everything it needs; `README.md` of this directory's parent says how it
//! measures.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

mod beside;
mod columns;
mod engine;
mod measure;
mod plain;
#[path = "../rounds.rs"]
mod rounds;
mod stream;

use std::path::PathBuf;

use clap::Parser;
use rad_core::simulation::Simulation;

use crate::beside::Beside;
use crate::columns::ChargedBy;
use crate::measure::{Measured, row};

/// Measures the revenue engine.
#[derive(Debug, Parser)]
struct Options {
    /// How many entries the largest history has; a hundredth of it is the number of accounts.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    entries: u64,
    /// How often each thing is measured; the fastest counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// The Python with DuckDB and Polars; without it they are left out.
    #[arg(long)]
    python: Option<PathBuf>,
    /// Whether to stream the largest history from a CSV file too, which takes about 4 GB for 10 M entries.
    #[arg(long)]
    stream: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let sizes = [10_000, 100_000, 1_000_000, 10_000_000].into_iter().filter(|size| *size < options.entries);
    println!("Replaying, lot by lot, shares summed per module, one thread:");
    for entries in sizes.chain([options.entries]) {
        let market = Simulation { accounts: entries / 100, entries, seed: 1 };
        let books = engine::Books::of(market)?;
        let rounds = options.rounds.max(u32::try_from(1_000_000 / entries)?);
        let replay = books.replay(rounds)?;
        row(&format!("{entries} entries, {} accounts", entries / 100), replay, None);
        if entries == options.entries {
            largest(&options, &books, replay)?;
        }
    }
    plain(&options)
}

/// What is measured on the largest history only.
fn largest(options: &Options, books: &engine::Books, replay: Measured) -> anyhow::Result<()> {
    println!("\nThe same {} entries:", options.entries);
    row("rad, one thread", replay, None);
    row("rad, one thread, keeping every effect", books.effects(options.rounds)?, Some(replay));
    let two = books.two_threads(options.rounds)?;
    row("rad, two threads", two, Some(replay));
    row("one pass that sums the columns", books.floor(options.rounds)?, Some(replay));
    beside(options, books, ChargedBy::Captures, replay)?;
    println!("\n{:.2} times faster on two threads", replay.ratio_to(two));
    println!("{} bytes of memory for an account's compact state", books.bytes_of_compact_states()?);
    if options.stream {
        stream::run(Simulation { accounts: options.entries / 100, entries: options.entries, seed: 1 })?;
    }
    Ok(())
}

/// The question that window functions can answer as exactly as we do.
fn plain(options: &Options) -> anyhow::Result<()> {
    let market = Simulation { accounts: options.entries / 100, entries: options.entries, seed: 1 };
    let books = engine::Books::plain(market)?;
    println!("\nGrants, holds and whole captures, {} entries:", books.entries().len());
    let replay = books.replay(options.rounds)?;
    row("rad, one thread", replay, None);
    row("rad, two threads", books.two_threads(options.rounds)?, Some(replay));
    row("one pass that sums the columns", books.floor(options.rounds)?, Some(replay));
    beside(options, &books, ChargedBy::Holds, replay)
}

/// DuckDB and Polars over the same entries.
fn beside(
    options: &Options,
    books: &engine::Books,
    charged_by: ChargedBy,
    replay: Measured,
) -> anyhow::Result<()> {
    let Some(python) = &options.python else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let modules = columns::write(books.entries(), charged_by, dir.path())?;
    let beside = Beside::run(python, dir.path(), options.rounds)?;
    row("DuckDB, one thread: two buckets", beside.duckdb, Some(replay));
    row("Polars, one thread: two buckets", beside.polars, Some(replay));
    if charged_by == ChargedBy::Holds {
        books.splits_as(&beside.split, &modules)?;
        println!("  All three split every module's charges the same, to the millionth of a credit.");
    }
    Ok(())
}
