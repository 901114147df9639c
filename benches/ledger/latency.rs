//! How long a post takes while the server has half of the work it can do.

use std::time::{Duration, Instant};

use rad_billing::PostgresLedger;
use rad_core::ledger::LedgerExt as _;

use crate::posting::{Accounts, Work};
use crate::table::Table;

/// Callers at full load.
const CALLERS: u64 = 32;

pub(crate) async fn run(ledger: PostgresLedger, accounts: usize, time: Duration) -> anyhow::Result<()> {
    let accounts = Accounts::open(&ledger, accounts).await?;
    let most = accounts.posts_per_second(&ledger, Work::Debits, CALLERS, time).await?;
    let rate = most / 2.0;
    let mut times = at_rate(&ledger, &accounts, rate, time).await?;
    times.sort_unstable();
    let percentile = |part: f64| {
        let place = (times.len() as f64 * part) as usize;
        times.get(place.min(times.len().saturating_sub(1))).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    let mut table =
        Table::new(format!("How long a post to PostgreSQL takes at half load, {rate:.0} posts a second:"));
    for (name, part) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        table.figure(name, percentile(part), "ms", None);
    }
    table.print();
    Ok(())
}

/// Posts at moments fixed beforehand, whatever became of those before, and gives how long after its moment each was answered.
async fn at_rate(
    ledger: &PostgresLedger,
    accounts: &Accounts,
    rate: f64,
    time: Duration,
) -> anyhow::Result<Vec<Duration>> {
    let (begin, mut random) = (Instant::now(), fastrand::Rng::new());
    let mut posting = Vec::new();
    for number in 0..(rate * time.as_secs_f64()) as u64 {
        let due = begin + Duration::from_secs_f64(number as f64 / rate);
        if due > Instant::now() {
            tokio::time::sleep_until(due.into()).await;
        }
        let (ledger, post) = (ledger.clone(), accounts.debit(&mut random)?);
        // A clock that wakes by the millisecond is not the server's fault.
        let due = due.max(Instant::now());
        posting.push(tokio::spawn(async move { ledger.post(post).await.map(|_| due.elapsed()) }));
    }
    let mut times = Vec::with_capacity(posting.len());
    for post in posting {
        times.push(post.await??);
    }
    Ok(times)
}
