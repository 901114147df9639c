//! Measuring by rounds.

use std::time::{Duration, Instant};

/// Does `work` as often as asked, and gives how long the fastest round took.
pub(crate) fn fastest<E>(rounds: u32, mut work: impl FnMut() -> Result<(), E>) -> Result<Duration, E> {
    let mut elapsed = Duration::MAX;
    for _ in 0..rounds {
        let start = Instant::now();
        work()?;
        elapsed = elapsed.min(start.elapsed());
    }
    Ok(elapsed)
}
