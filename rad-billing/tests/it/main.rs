//! Behaviour of rad-billing on real database files.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod backends;
mod checkpoints;
mod export;
mod faults;
mod ledger;
mod load;
#[cfg(feature = "postgres")]
mod postgres;
mod restoring;
mod sandbox;
mod sharing;
mod sql_split;
mod stale;
mod tampering;
mod totals;

use chrono::DateTime;
use rad_billing::sqlite;
use rad_core::id::AccountId;
use rad_core::ledger::Post;
use rad_core::money::{Amount, Credits};
use rad_core::revenue::{Body, Bucket, BurnOrder, EntryKey, Grant, Hold, LotSource};
use rad_sql::testing::TestDatabase;
use sqlx::SqlitePool;

/// A database file of its own for a test.
struct Database {
    pool: SqlitePool,
    dir: tempfile::TempDir,
}

async fn database() -> Result<Database, Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let pool = sqlite::open(&dir.path().join("rad.db")).await?;
    Ok(Database { pool, dir })
}

/// A database of either kind for a test, with the tables of this crate.
async fn one_of_each() -> Vec<TestDatabase> {
    let databases = rad_sql::testing::one_of_each().await.unwrap();
    for test in &databases {
        rad_billing::migrate(&test.database).await.unwrap();
    }
    databases
}

/// So many whole credits, awarded; posts of the same number have the same key.
fn award(account: AccountId, number: u64, credits: i64) -> Post {
    let credits = Credits::from_micros(credits * 1_000_000);
    let (source, bucket) = (LotSource::AdminAward, Bucket::Awarded);
    let grant =
        Grant { source, bucket, credits, cost: Amount::ZERO, paid: None, expires: None, reference: None };
    post(account, number, Body::Grant(grant))
}

fn hold(account: AccountId, number: u64, credits: i64) -> Post {
    let amount = Credits::from_micros(credits * 1_000_000);
    let hold = Hold { amount, burn: BurnOrder::AwardedFirst, expires: None, deployment: None, module: None };
    post(account, number, Body::Hold(hold))
}

fn post(account: AccountId, number: u64, body: Body) -> Post {
    let key = EntryKey::derive("test", &[&number.to_be_bytes()]);
    Post { account, key, at: DateTime::UNIX_EPOCH, actor: None, body }
}
