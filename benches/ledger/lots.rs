//! What an account with many open lots costs those who post to it.

use std::path::Path;
use std::time::Instant;

use rad_billing::{PostgresLedger, SqliteLedger, sqlite};
use rad_core::id::AccountId;
use rad_core::ledger::{Ledger, LedgerExt as _, Post};
use rad_core::money::{Amount, Credits};
use rad_core::revenue::{Body, Bucket, Grant, LotSource, ProjectDebit};
use sqlx::postgres::PgPool;

use crate::median;
use crate::posting::post;
use crate::table::Table;

/// How many lots the one account has open, and the other.
const FEW: usize = 100;
const MANY: usize = 100_000;

/// How often an account is posted to; the median counts.
const POSTS: usize = 101;
const COLD: usize = 5;

/// What a post costs more with many lots, at the most.
const MOST_GROWTH: f64 = 1.5;

pub(crate) async fn run(dir: &Path, pool: &PgPool) -> anyhow::Result<()> {
    let mut table =
        Table::new(format!("A post to an account with {FEW} and with {MANY} open lots, microseconds:"));
    let postgres = || PostgresLedger::new(pool.clone());
    measure(&mut table, "PostgreSQL", postgres).await?;
    let dir = tempfile::tempdir_in(dir)?;
    let pool = sqlite::open(&dir.path().join("lots.db")).await?;
    measure(&mut table, "SQLite", || SqliteLedger::new(pool.clone())).await?;
    table.print();
    Ok(())
}

async fn measure<L: Ledger>(
    table: &mut Table,
    database: &str,
    process: impl Fn() -> L,
) -> anyhow::Result<()> {
    let (mut kept, mut cold) = (Vec::new(), Vec::new());
    for lots in [FEW, MANY] {
        let account = with_lots(&process(), lots).await?;
        let ledger = process();
        ledger.post(debit(account)).await?;
        let mut times = Vec::new();
        for _ in 0..POSTS {
            times.push(time_of_post(&ledger, account).await?);
        }
        kept.push(median(times));
        let mut times = Vec::new();
        for _ in 0..COLD {
            times.push(time_of_post(&process(), account).await?);
        }
        cold.push(median(times));
    }
    let target = Some(MOST_GROWTH);
    table.growth(&format!("{database}, its book kept"), kept[0], kept[1], target);
    table.growth(&format!("{database}, the first of a process"), cold[0], cold[1], None);
    Ok(())
}

/// An account with so many lots of a thousand credits.
async fn with_lots(ledger: &impl Ledger, lots: usize) -> anyhow::Result<AccountId> {
    let account = AccountId::new();
    let grant = Body::Grant(Grant {
        source: LotSource::AdminAward,
        bucket: Bucket::Awarded,
        credits: Credits::from_micros(1_000_000_000),
        cost: Amount::ZERO,
        paid: None,
        expires: None,
        reference: None,
    });
    let posts: Vec<Post> = (0..lots).map(|_| post(account, grant.clone())).collect();
    for posts in posts.chunks(500) {
        ledger.post_batch(posts).await?;
    }
    Ok(account)
}

/// How many microseconds a small debit takes until it is acknowledged.
async fn time_of_post(ledger: &impl Ledger, account: AccountId) -> anyhow::Result<f64> {
    let (post, begin) = (debit(account), Instant::now());
    ledger.post(post).await?;
    Ok(begin.elapsed().as_secs_f64() * 1e6)
}

fn debit(account: AccountId) -> Post {
    let amount = Credits::from_micros(1_000_000);
    post(account, Body::ProjectDebit(ProjectDebit { amount, project: [1; 16], deployment: None }))
}
