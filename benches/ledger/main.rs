//! Measures the ledgers beside what they are to beat, on one server and one disk in one run, and prints ratios.
//!
//! `make bench-ledger` runs it with everything it needs; `README.md` of this directory's parent says how it
//! measures.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

mod books;
mod latency;
mod lots;
mod pages;
mod pgbench;
mod posting;
mod sqlite;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use rad_billing::{PostgresLedger, postgres};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection as _, Executor as _};

use crate::pgbench::Pgbench;
use crate::posting::{Accounts, Work};
use crate::table::Table;

/// Accounts that callers post to.
const ACCOUNTS: usize = 1_000;

/// Measures the ledgers.
#[derive(Debug, Parser)]
struct Options {
    /// The server, as somebody who may create databases; everything is made in new ones.
    #[arg(long, env = "RAD_TEST_POSTGRES_URL", hide_env_values = true)]
    postgres: String,
    /// The directory of PostgreSQL's programs.
    #[arg(long, env = "RAD_TEST_POSTGRES_BIN")]
    programs: PathBuf,
    /// Seconds of every measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often each is measured, beside the other in turn; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// Entries of the large history that pages and `verify` are measured on.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    entries: u64,
    /// Entries of the small one that it is compared with.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    few: u64,
    /// Where the SQLite files go: on a disk, not in memory.
    #[arg(long, default_value = "target")]
    dir: PathBuf,
    /// Whether the server prints the plan of every page, once.
    #[arg(long)]
    explain: bool,
    /// What to measure; everything otherwise.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
}

/// A part of the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Posts to PostgreSQL, beside pgbench.
    Posts,
    /// How long posts take at half of what the server can do.
    Latency,
    /// Posts to SQLite, beside a bare loop.
    Sqlite,
    /// Posts to an account with many open lots, to both.
    Lots,
    /// Pages, `verify` and bytes on the disk.
    Pages,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let wants = |part| options.only.is_empty() || options.only.contains(&part);
    if wants(Part::Posts) {
        posts(&options).await?;
    }
    if wants(Part::Latency) {
        let ledger = PostgresLedger::new(open(&database(&options, "latency").await?).await?);
        latency::run(ledger, ACCOUNTS, Duration::from_secs(options.seconds)).await?;
    }
    if wants(Part::Sqlite) {
        sqlite::run(&options.dir, ACCOUNTS, Duration::from_secs(options.seconds), options.rounds).await?;
    }
    if wants(Part::Lots) {
        lots::run(&options.dir, &open(&database(&options, "lots").await?).await?).await?;
    }
    if wants(Part::Pages) {
        let few = open(&database(&options, "few").await?).await?;
        let many = open(&database(&options, "many").await?).await?;
        pages::run((few, options.few), (many, options.entries), options.explain).await?;
    }
    Ok(())
}

/// Posts of several callers, each beside pgbench with as many clients.
async fn posts(options: &Options) -> anyhow::Result<()> {
    let address = database(options, "posts").await?;
    let pool = open(&address).await?;
    durable(&pool).await?;
    let ledger = PostgresLedger::new(pool);
    let accounts = Accounts::open(&ledger, ACCOUNTS).await?;
    let hot = Accounts::open(&ledger, 1).await?;
    let pgbench = Pgbench::prepare(&options.programs, &database(options, "pgbench").await?, ACCOUNTS).await?;
    let time = Duration::from_secs(options.seconds);

    let mut table =
        Table::new("Posts a second to PostgreSQL, fsync and synchronous_commit on, beside pgbench:");
    let mut singles = Vec::new();
    for callers in [1, 8, 32] {
        let (mut ours, mut theirs, mut deployments) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            ours.push(accounts.posts_per_second(&ledger, Work::Debits, callers, time).await?);
            theirs.push(pgbench.posts_per_second(callers, ACCOUNTS, time).await?);
            deployments.push(accounts.posts_per_second(&ledger, Work::Deployments, callers, time).await?);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        let target = (callers == 32).then_some(1.0);
        table.beside(&format!("{callers} callers, {ACCOUNTS} accounts"), ours, theirs, target);
        table.beside("  the same, holds and captures in turn", median(deployments), theirs, None);
        singles.push(ours);
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        ours.push(hot.posts_per_second(&ledger, Work::Debits, 32, time).await?);
        theirs.push(pgbench.posts_per_second(32, 1, time).await?);
    }
    table.beside("32 callers, one hot account", median(ours), median(theirs), Some(5.0));
    table.print();

    let mut table = Table::new("Posts a second in batches of 1,000, beside single posts:");
    let mut batches = Vec::new();
    for _ in 0..options.rounds {
        batches.push(accounts.posts_per_second(&ledger, Work::Batches(1_000), 1, time).await?);
    }
    let batches = median(batches);
    for (callers, single) in [1, 8, 32].into_iter().zip(singles) {
        let target = (callers == 1).then_some(8.0);
        table.beside(&format!("one caller, beside {callers} who post singly"), batches, single, target);
    }
    table.print();
    Ok(())
}

/// A new database on the server, by its address.
async fn database(options: &Options, name: &str) -> anyhow::Result<String> {
    let mut server = PgConnection::connect(&options.postgres).await.context("cannot reach the server")?;
    let name = format!("bench_{name}_{}", std::process::id());
    server.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
    let (server, _) = options.postgres.rsplit_once('/').context("the address names no database")?;
    Ok(format!("{server}/{name}"))
}

async fn open(address: &str) -> anyhow::Result<PgPool> {
    Ok(postgres::open(&address.to_owned().into()).await?)
}

/// That commits are on the disk when they return: otherwise nothing that is measured means anything.
async fn durable(pool: &PgPool) -> anyhow::Result<()> {
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        let is: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(pool).await?;
        anyhow::ensure!(is == "on", "{setting} is {is}");
    }
    Ok(())
}

/// The middle of what was measured.
fn median(mut measured: Vec<f64>) -> f64 {
    measured.sort_by(f64::total_cmp);
    measured.get(measured.len() / 2).copied().unwrap_or(f64::NAN)
}
