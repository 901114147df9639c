//! Histories of any size, posted through the ledger as everybody posts.

use std::time::{Duration, Instant};

use rad_core::ledger::{Ledger, Post};
use rad_core::revenue::Entry;
use rad_core::simulation::{Histories, Simulation};

/// Posts of a batch.
const BATCH: usize = 500;

/// The market whose history has so many entries.
pub(crate) fn simulation(entries: u64) -> Simulation {
    Simulation { accounts: entries / 100, entries, seed: 1 }
}

/// Posts a simulated history, 100 entries an account, by so many callers, and gives how long it took.
pub(crate) async fn fill(
    ledger: &(impl Ledger + Clone + 'static),
    entries: u64,
    callers: u64,
) -> anyhow::Result<Duration> {
    let (begin, simulation) = (Instant::now(), simulation(entries));
    let share = simulation.accounts.div_ceil(callers);
    let mut posting = Vec::new();
    for caller in 0..callers {
        let ledger = ledger.clone();
        posting.push(tokio::spawn(async move {
            let market = simulation.market()?;
            // Whoever begins has the platform's own account, too.
            let mut histories = match callers {
                1 => market.histories(),
                _ => market.histories_of(caller * share..(caller + 1) * share),
            };
            while let Some(batch) = next_batch(&mut histories) {
                ledger.post_batch(&batch).await?;
            }
            anyhow::Ok(())
        }));
    }
    for caller in posting {
        caller.await??;
    }
    Ok(begin.elapsed())
}

fn next_batch(histories: &mut Histories<'_>) -> Option<Vec<Post>> {
    let next = || histories.step().map(|(entry, _)| post(entry));
    let batch: Vec<Post> = std::iter::from_fn(next).take(BATCH).collect();
    (!batch.is_empty()).then_some(batch)
}

fn post(entry: &Entry) -> Post {
    let Entry { account, key, at, actor, ref body, .. } = *entry;
    Post { account, key, at, actor, body: body.clone() }
}
