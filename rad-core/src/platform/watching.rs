//! Watching repositories: each is looked at now and then without being told, so that catalogues stay honest without webhooks.

use chrono::{DateTime, TimeDelta, Utc};

use super::syncing::Followed;
use super::{Actor, Operations, Parts, PlatformError, RepoNews};
use crate::repo::{RepoConnection, RepoError};
use crate::watch::{SyncRecord, Watch};

/// Repositories looked at in one go.
const AT_ONCE: u32 = 20;
/// A look that takes longer than this is taken up by another process.
const LONGEST_LOOK: TimeDelta = TimeDelta::minutes(15);
/// The longest wait for a repository that cannot be read.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(6);

/// What looking at repositories did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WatchReport {
    /// Repositories that were looked at.
    pub looked: usize,
    /// Those that could not be read.
    pub failed: usize,
    /// What following them did, together.
    pub followed: Followed,
}

impl Operations {
    /// Looks at the connected repositories that are due, each `every` so often: a conditional request while nothing changed.
    /// What is seen is acted on as by [`follow_repository`](Self::follow_repository). One that cannot be read is looked at
    /// less and less often, up to every 6 hours, and the publisher is told why.
    ///
    /// # Errors
    /// A failure of the platform's own backends, after all were looked at; those of a repository are kept with its watch.
    pub async fn watch_repositories(&self, every: TimeDelta) -> Result<WatchReport, PlatformError> {
        let (parts, now) = (&self.parts, self.parts.clock.now());
        let (mut report, mut failure) = (WatchReport::default(), None);
        for watch in parts.watches.due(now, now + LONGEST_LOOK, AT_ONCE).await? {
            let Some(connection) = parts.directory.connection(watch.publisher).await? else {
                parts.watches.end(watch.publisher).await?;
                continue;
            };
            let watch = parts.watch_of(watch, &connection).await?;
            report.looked += 1;
            let looked = match parts.look(watch.clone(), &connection, &RepoNews::Changed).await {
                Ok((watch, Followed { withdrawn, updated, kept })) => {
                    report.followed.withdrawn += withdrawn;
                    report.followed.updated += updated;
                    report.followed.kept += kept;
                    Watch { next_at: parts.clock.now() + every, ..watch }
                }
                // It is looked at again when its time is over; the others are not kept waiting.
                Err(error) if is_own(&error) => {
                    failure.get_or_insert(error);
                    continue;
                }
                Err(error) => {
                    report.failed += 1;
                    tracing::info!(publisher = %watch.publisher, %error, "a repository could not be looked at");
                    failed(watch, &error, parts.clock.now(), every)
                }
            };
            parts.watches.looked(&looked).await?;
        }
        failure.map_or(Ok(report), Err)
    }
}

impl Parts {
    /// The watch, begun anew where something else was connected and a process ended before that was watched.
    pub(super) async fn watch_of(
        &self,
        watch: Watch,
        connection: &RepoConnection,
    ) -> Result<Watch, PlatformError> {
        if watch.connection == *connection {
            return Ok(watch);
        }
        let watch = Watch::anew(watch.publisher, connection.clone(), watch.next_at);
        self.watches.begin(&watch).await?;
        Ok(watch)
    }
}

/// Whether it is a backend of the platform that failed, and not the repository.
fn is_own(error: &PlatformError) -> bool {
    error.backend().is_some() && !matches!(error, PlatformError::Repo(_))
}

/// A watch after a look that failed.
fn failed(mut watch: Watch, error: &PlatformError, now: DateTime<Utc>, every: TimeDelta) -> Watch {
    watch.last.failures = watch.last.failures.saturating_add(1);
    watch.last.problem = Some(match error.backend() {
        Some(_) => "the repository could not be reached".to_owned(),
        None => error.to_string(),
    });
    let wait = 1_i32.checked_shl(watch.last.failures.min(16)).and_then(|factor| every.checked_mul(factor));
    let soonest = now + wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
    watch.next_at = match error {
        PlatformError::Repo(RepoError::RateLimited { until }) => soonest.max(*until),
        _ => soonest,
    };
    watch
}

impl Actor {
    /// How the connected repository is watched; `None` while none is connected.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish.
    pub async fn watch(&self) -> Result<Option<Watch>, PlatformError> {
        Ok(self.parts.watches.watch(self.publishes_as()?).await?)
    }

    /// Switches auto-update: whether published modules that changed are published anew as soon as that is seen. It is off until
    /// switched on, and off again for another connection.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish, [`NotConnected`](PlatformError::NotConnected).
    pub async fn set_auto_update(&self, on: bool) -> Result<(), PlatformError> {
        let publisher = self.publishes_as()?;
        if self.parts.directory.connection(publisher).await?.is_none() {
            return Err(PlatformError::NotConnected);
        }
        Ok(self.parts.watches.set_auto_update(publisher, on, self.parts.clock.now()).await?)
    }

    /// The latest syncs of the catalogue that the account publishes, those that came by themselves among them, at most `limit`.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish.
    pub async fn syncs(&self, limit: u32) -> Result<Vec<SyncRecord>, PlatformError> {
        Ok(self.parts.watches.syncs(self.publishes_as()?, limit).await?)
    }
}
