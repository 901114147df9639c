//! What posting tells about itself: metrics under the names that the crate's documentation lists.

use std::time::Instant;

use metrics::{counter, gauge, histogram};
use rad_core::ledger::LedgerError;

use super::Outcome;

/// How a group is posted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// From books that were kept, in one write.
    Kept,
    /// From accounts that were locked and read.
    Locked,
}

/// Tells how many posts wait or are under way.
pub(super) fn waiting(backend: &'static str, posts: usize) {
    gauge!("rad_ledger_posts_waiting", "backend" => backend).set(posts as f64);
}

/// Tells that a way was tried for some batches.
pub(super) fn way(backend: &'static str, way: Way) {
    let way = match way {
        Way::Kept => "kept",
        Way::Locked => "locked",
    };
    counter!("rad_ledger_writes_total", "backend" => backend, "way" => way).increment(1);
}

/// Tells that another writer was in between.
pub(super) fn conflict(backend: &'static str) {
    counter!("rad_ledger_conflicts_total", "backend" => backend).increment(1);
}

/// Tells what became of a group that began to be posted at some time.
pub(super) fn group(backend: &'static str, begun: Instant, outcomes: &[Outcome]) {
    histogram!("rad_ledger_group_seconds", "backend" => backend).record(begun.elapsed().as_secs_f64());
    let (mut posted, mut repeated, mut refused, mut failed) = (0, 0, 0, 0);
    for outcome in outcomes {
        match outcome {
            Ok(posts) => {
                let before = posts.iter().filter(|post| post.repeated).count() as u64;
                repeated += before;
                posted += posts.len() as u64 - before;
            }
            Err(LedgerError::Backend(_)) => failed += 1,
            Err(_) => refused += 1,
        }
    }
    histogram!("rad_ledger_group_posts", "backend" => backend).record((posted + repeated) as f64);
    for (outcome, count) in [("posted", posted), ("repeated", repeated)] {
        if count > 0 {
            counter!("rad_ledger_posts_total", "backend" => backend, "outcome" => outcome).increment(count);
        }
    }
    for (outcome, count) in [("refused", refused), ("failed", failed)] {
        if count > 0 {
            counter!("rad_ledger_batches_total", "backend" => backend, "outcome" => outcome).increment(count);
        }
    }
}
