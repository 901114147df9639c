//! The ledger in a file, beside a bare loop that inserts and commits on the same disk.

use std::path::Path;
use std::time::{Duration, Instant};

use rad_billing::{SqliteLedger, sqlite};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use crate::posting::{Accounts, Work};
use crate::table::Table;
use crate::{books, median};

/// Entries of which the bytes on the disk are counted.
const ENTRIES: u64 = 100_000;

pub(crate) async fn run(dir: &Path, accounts: usize, time: Duration, rounds: u32) -> anyhow::Result<()> {
    let dir = tempfile::tempdir_in(dir)?;
    let ledger = SqliteLedger::new(sqlite::open(&dir.path().join("ledger.db")).await?);
    let accounts = Accounts::open(&ledger, accounts).await?;
    let options = SqliteConnectOptions::new()
        .filename(dir.path().join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut bare = options.connect().await?;
    bare.execute(
        "CREATE TABLE entries (account INTEGER NOT NULL, key BLOB NOT NULL, at INTEGER NOT NULL,
             amount INTEGER NOT NULL, balance_after INTEGER NOT NULL, body TEXT NOT NULL, UNIQUE (account, key)) STRICT",
    )
    .await?;
    let mut table =
        Table::new("Posts a second to SQLite, synchronous = FULL, beside a bare INSERT and COMMIT loop:");
    let (mut theirs, mut ours) = (Vec::new(), [Vec::new(), Vec::new(), Vec::new()]);
    let works = [(1, Work::Debits), (32, Work::Debits), (32, Work::Deployments)];
    for _ in 0..rounds {
        theirs.push(bare_loop(&mut bare, time).await?);
        for ((callers, work), measured) in works.into_iter().zip(&mut ours) {
            measured.push(accounts.posts_per_second(&ledger, work, callers, time).await?);
        }
    }
    bare.close().await?;
    let theirs = median(theirs);
    let names = ["1 caller", "32 callers", "32 callers, holds and captures in turn"];
    for ((name, ours), target) in names.into_iter().zip(ours).zip([None, Some(5.0), None]) {
        table.beside(name, median(ours), theirs, target);
    }
    table.print();

    let path = dir.path().join("history.db");
    let ledger = SqliteLedger::new(sqlite::open(&path).await?);
    let filled = books::fill(&ledger, ENTRIES, 1).await?;
    drop(ledger);
    let mut table = Table::new(format!("A history of {ENTRIES} entries in a file:"));
    table.figure("posted in batches", ENTRIES as f64 / filled.as_secs_f64(), "entries/s", None);
    table.figure(
        "on the disk",
        std::fs::metadata(&path)?.len() as f64 / ENTRIES as f64,
        "bytes an entry",
        None,
    );
    table.print();
    Ok(())
}

async fn bare_loop(connection: &mut SqliteConnection, time: Duration) -> anyhow::Result<f64> {
    let (begin, mut posts) = (Instant::now(), 0_i64);
    while begin.elapsed() < time {
        sqlx::query("INSERT INTO entries VALUES (?, ?, ?, 1, ?, 'project_debit')")
            .bind(fastrand::i64(1..=1_000))
            .bind(fastrand::u128(..).to_be_bytes().to_vec())
            .bind(1_770_000_000_000_000 + posts)
            .bind(1_000_000 - posts)
            .execute(&mut *connection)
            .await?;
        posts += 1;
    }
    Ok(posts as f64 / begin.elapsed().as_secs_f64())
}
