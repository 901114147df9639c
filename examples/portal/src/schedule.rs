//! What is done again and again for as long as the portal is open.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// Does `work` now and every `period` from then on, until `until`: what has begun by then goes on to its end, and what comes
/// late moves what follows.
pub(crate) async fn repeat<W: Future<Output = ()>>(
    period: Duration,
    until: impl Future<Output = ()>,
    mut work: impl FnMut() -> W,
) {
    let mut due = interval(period);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(until);
    loop {
        tokio::select! {
            () = &mut until => return,
            _ = due.tick() => work().await,
        }
    }
}
