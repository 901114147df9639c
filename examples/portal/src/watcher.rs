//! Looks at connected repositories now and then, so that the catalogue stays honest without webhooks.

use std::future::Future;
use std::time::Duration;

use chrono::TimeDelta;
use rad_core::platform::{Followed, Operations, WatchReport};

use crate::schedule::repeat;

/// How often it is asked which repositories are due.
const ASKED: Duration = Duration::from_secs(15);

/// Looks at each repository `every` so often, until `until`.
pub(crate) async fn watch(operations: Operations, every: TimeDelta, until: impl Future<Output = ()>) {
    repeat(ASKED, until, || look(&operations, every)).await;
}

async fn look(operations: &Operations, every: TimeDelta) {
    match operations.watch_repositories(every).await {
        Ok(WatchReport { looked, failed, followed }) if failed > 0 || followed != Followed::default() => {
            let Followed { withdrawn, updated, kept } = followed;
            tracing::info!(looked, failed, withdrawn, updated, kept, "repositories were looked at");
        }
        Ok(_) => {}
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "it is not known which repositories are due; the next look asks again");
        }
    }
}
