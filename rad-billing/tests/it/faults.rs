//! What goes wrong below a file is told for what it is, leaves nothing half-written, and is over when its cause is.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rad_billing::{SqliteLedger, sqlite};
use rad_core::error::{BackendError, FailureKind};
use rad_core::id::AccountId;
use rad_core::ledger::{Ledger, LedgerError, Post};
use sqlx::sqlite::SqlitePoolOptions;

use crate::{award, database, hold};

/// Set for the process that has the directory to itself which is named there.
const DIR: &str = "RAD_BILLING_TEST_DIRECTORY";

/// Runs a test again as a process that sees a directory otherwise: bubblewrap's arguments say how.
fn run_again(test: &str, dir: &Path, arguments: &[&str]) {
    let output = Command::new("bwrap")
        .args(["--die-with-parent", "--dev-bind", "/", "/"])
        .args(arguments)
        .arg(dir)
        .args(arguments.contains(&"--ro-bind").then_some(dir))
        .arg("--")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DIR, dir)
        .output()
        .expect("bubblewrap is missing: `make test` installs it");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{text}", String::from_utf8_lossy(&output.stdout));
}

/// A batch over two accounts.
fn batch(accounts: [AccountId; 2], number: u64) -> [Post; 3] {
    let [one, two] = accounts;
    [award(one, number, 3), award(two, number, 3), hold(one, number + 1_000_000, 1)]
}

/// That so many batches are there, whole.
async fn has_batches(ledger: &SqliteLedger, accounts: [AccountId; 2], batches: u64) {
    for (account, entries) in accounts.into_iter().zip([2 * batches, batches]) {
        assert_eq!(ledger.state(account).await.unwrap().seq(), entries);
        assert_eq!(ledger.verify(account).await.unwrap(), []);
    }
}

async fn failure(ledger: &SqliteLedger, posts: &[Post]) -> BackendError {
    match ledger.post_batch(posts).await {
        Err(LedgerError::Backend(error)) => error,
        other => panic!("the post meets no failure: {other:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_posting_goes_on_after() {
    let test = "faults::a_full_disk_is_told_and_posting_goes_on_after";
    let Some(dir) = std::env::var_os(DIR) else {
        let dir = tempfile::tempdir().unwrap();
        // A file system of two megabytes.
        return run_again(test, dir.path(), &["--size", "2097152", "--tmpfs"]);
    };
    let dir = Path::new(&dir);
    let ledger = SqliteLedger::new(sqlite::open(&dir.join("rad.db")).await.unwrap());
    let accounts = [AccountId::new(), AccountId::new()];
    ledger.post_batch(&batch(accounts, 0)).await.unwrap();
    let ballast = dir.join("ballast");
    let mut size = 0;
    while std::fs::write(&ballast, vec![1; size]).is_ok() {
        size += 16 << 10;
    }
    let mut batches = 1;
    let error = loop {
        match ledger.post_batch(&batch(accounts, batches)).await {
            Ok(_) => batches += 1,
            Err(LedgerError::Backend(error)) => break error,
            Err(other) => panic!("{other:?}"),
        }
        assert!(batches < 10_000, "the disk is never full");
    };
    assert!(error.is_retryable(), "{error:?}");
    has_batches(&ledger, accounts, batches).await;
    std::fs::remove_file(ballast).unwrap();
    let posted = ledger.post_batch(&batch(accounts, batches)).await.unwrap();
    assert!(posted.iter().all(|posted| !posted.repeated), "what was told as failed is there");
    has_batches(&ledger, accounts, batches + 1).await;
}

#[tokio::test]
async fn a_read_only_medium_is_told_and_read() {
    let test = "faults::a_read_only_medium_is_told_and_read";
    let Some(dir) = std::env::var_os(DIR) else {
        let database = database().await.unwrap();
        let ledger = SqliteLedger::new(database.pool.clone());
        ledger.post_batch(&batch(ACCOUNTS, 0)).await.unwrap();
        database.pool.close().await;
        run_again(test, database.dir.path(), &["--ro-bind"]);
        let pool = sqlite::open(&database.dir.path().join("rad.db")).await.unwrap();
        let ledger = SqliteLedger::new(pool);
        ledger.post_batch(&batch(ACCOUNTS, 1)).await.unwrap();
        return has_batches(&ledger, ACCOUNTS, 2).await;
    };
    let path = Path::new(&dir).join("rad.db");
    sqlite::open(&path).await.expect_err("a file on a read-only medium is not opened for writing");
    let ledger = SqliteLedger::new(sqlite::open_read_only(&path).await.unwrap());
    let error = failure(&ledger, &batch(ACCOUNTS, 1)).await;
    assert_eq!(error.kind(), FailureKind::Permanent, "{error:?}");
    has_batches(&ledger, ACCOUNTS, 1).await;
}

const ACCOUNTS: [AccountId; 2] = [AccountId::from_bytes([1; 16]), AccountId::from_bytes([2; 16])];

#[tokio::test]
async fn an_exhausted_pool_keeps_readers_waiting_and_no_post() {
    let database = database().await.unwrap();
    let options = database.pool.connect_options().as_ref().clone();
    let small = SqlitePoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(1));
    let small = small.connect_with(options).await.unwrap();
    let ledger = SqliteLedger::new(small.clone());
    ledger.post_batch(&batch(ACCOUNTS, 0)).await.unwrap();
    let taken = small.acquire().await.unwrap();
    let error = ledger.state(ACCOUNTS[0]).await.unwrap_err();
    assert!(matches!(&error, LedgerError::Backend(error) if error.is_retryable()), "{error:?}");
    // Posting has connections of its own.
    ledger.post_batch(&batch(ACCOUNTS, 1)).await.unwrap();
    drop(taken);
    has_batches(&ledger, ACCOUNTS, 2).await;
}
