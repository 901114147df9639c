//! Deployments, in either database.

mod leases;
mod lifecycle;
#[cfg(feature = "postgres")]
mod listening;
mod listing;
mod logs;
mod plans;
mod reports;
mod reseal;
mod rows;
mod skew;
mod states;
mod taking;

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use rad_core::clock::Clock;
use rad_core::deployment::{
    Deployment, DeploymentError, DeploymentQuery, DeploymentStore, Lease, LeaseLimits, LeaseNews, LogChunk,
    NewDeployment, NewRun, Plan, Run, RunReport, RunStatus, STATE_VERSIONS, SecretValues, StateVersion,
    Target, Transition,
};
use rad_core::error::BackendError;
use rad_core::id::{AccountId, DeploymentId, RunId};
use rad_core::live::{News, Topic};
use rad_core::page::Page;
use rad_core::runner::{Output, PlannedChange, ResourceProgress};
use rad_core::seal::Keyring;
use rad_sql::{Database, sql};

use super::database::migrate;

/// What the key of a database is tried on.
const KEY_PROBE: &str = "runner_key";

/// A [`DeploymentStore`] in a SQLite file or a PostgreSQL database.
///
/// On PostgreSQL it hears what other processes change, over a connection of its own, for as long as it or a clone of it is there.
/// Of a SQLite file it hears what is changed through it and its clones.
#[derive(Debug, Clone)]
pub struct SqlDeployments {
    database: Database,
    key: Keyring,
    news: News,
    keep_states: NonZeroU32,
    skew: skew::Skew,
    #[cfg(feature = "postgres")]
    _listening: Option<Arc<listening::Listening>>,
}

impl SqlDeployments {
    /// The deployments in a database, which is brought to the schema of this release.
    ///
    /// # Errors
    /// [`WrongKey`](OpenError::WrongKey) if the database was encrypted with another key, or a failure of the database.
    pub async fn new(database: impl Into<Database>, key: Keyring) -> Result<Self, OpenError> {
        let database = database.into();
        migrate(&database).await?;
        let sealed = key.seal(KEY_PROBE, KEY_PROBE.as_bytes())?;
        let keep =
            sql("INSERT INTO runner_key (id, sealed) VALUES (1, $1) ON CONFLICT DO NOTHING").bind(sealed);
        keep.execute(&database, "keeping the proof of the key").await?;
        let row = sql("SELECT sealed FROM runner_key").one(&database, "reading the proof of the key").await?;
        let sealed: Vec<u8> = row.get("sealed")?;
        key.unseal(KEY_PROBE, &sealed).map_err(|_| OpenError::WrongKey)?;
        let news = News::default();
        Ok(Self {
            #[cfg(feature = "postgres")]
            _listening: listening::listen(&database, &news).await?.map(Arc::new),
            database,
            key,
            news,
            keep_states: STATE_VERSIONS,
            skew: skew::Skew::default(),
        })
    }

    /// Takes the times that it is given for those of this clock, instead of the operating system's: leases are kept by the
    /// clock of the database.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.skew = clock.into();
        self
    }

    /// Keeps so many versions of each state, instead of [`STATE_VERSIONS`].
    #[must_use]
    pub fn keep_states(mut self, versions: NonZeroU32) -> Self {
        self.keep_states = versions;
        self
    }
}

/// Why a store of deployments cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The database was encrypted with another key.
    #[error(
        "the database was encrypted with another key: give the platform the key it was started with first"
    )]
    WrongKey,
    /// The database failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

#[async_trait]
impl DeploymentStore for SqlDeployments {
    fn news(&self) -> &News {
        &self.news
    }

    async fn create(
        &self,
        new: NewDeployment,
        run: RunId,
        at: DateTime<Utc>,
    ) -> Result<(Deployment, Run), DeploymentError> {
        lifecycle::create(self, new, run, at).await
    }

    async fn add_run(&self, new: NewRun, at: DateTime<Utc>) -> Result<Run, DeploymentError> {
        lifecycle::add_run(self, new, at).await
    }

    async fn supersede(&self, new: NewRun, at: DateTime<Utc>) -> Result<Run, DeploymentError> {
        let (ended, run) = lifecycle::supersede(self, new, at).await?;
        ended.iter().for_each(|ended| self.news.tell_moved(ended));
        Ok(run)
    }

    async fn advance(
        &self,
        run: RunId,
        transition: Transition,
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError> {
        let run = lifecycle::advance(self, run, transition, at).await?;
        self.news.tell_moved(&run);
        Ok(run)
    }

    async fn cancel(&self, run: RunId, at: DateTime<Utc>) -> Result<Run, DeploymentError> {
        let run = lifecycle::cancel(self, run, at).await?;
        self.news.tell_moved(&run);
        Ok(run)
    }

    async fn confirm(
        &self,
        run: RunId,
        changes: &[PlannedChange],
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError> {
        let run = plans::confirm(self, run, changes, at).await?;
        self.news.tell_moved(&run);
        Ok(run)
    }

    async fn discard(&self, run: RunId) -> Result<(), DeploymentError> {
        lifecycle::discard(self, run).await
    }

    async fn deployment(&self, id: DeploymentId) -> Result<Deployment, DeploymentError> {
        listing::find(&self.database, id).await
    }

    async fn secrets(&self, id: DeploymentId) -> Result<SecretValues, DeploymentError> {
        listing::secrets(self, id).await
    }

    async fn list(&self, query: &DeploymentQuery) -> Result<Page<Deployment>, DeploymentError> {
        listing::list(self, query).await
    }

    async fn run(&self, id: RunId) -> Result<Run, DeploymentError> {
        listing::find_run(&self.database, id).await
    }

    async fn target(&self, run: RunId) -> Result<Option<Target>, DeploymentError> {
        plans::target(self, run).await
    }

    async fn plan(&self, run: RunId) -> Result<Plan, DeploymentError> {
        plans::plan(self, run).await
    }

    async fn runs(&self, deployment: DeploymentId) -> Result<Vec<Run>, DeploymentError> {
        listing::runs(self, deployment).await
    }

    async fn runs_in(&self, status: RunStatus, limit: u32) -> Result<Vec<Run>, DeploymentError> {
        listing::runs_in(self, status, limit).await
    }

    async fn lease(
        &self,
        worker: &str,
        limits: LeaseLimits,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Option<Lease>, DeploymentError> {
        let until = self.skew.by_database(&self.database, until).await?;
        let lease = leases::lease(self, worker, limits, now, until).await?;
        if let Some(lease) = &lease {
            self.news.tell(Topic::Run(lease.run));
            self.news.tell(Topic::Deployments);
        }
        Ok(lease)
    }

    async fn leases(&self, worker: &str) -> Result<Vec<Lease>, DeploymentError> {
        leases::leases(self, worker).await
    }

    async fn renew(&self, lease: &Lease, until: DateTime<Utc>) -> Result<LeaseNews, DeploymentError> {
        let until = self.skew.by_database(&self.database, until).await?;
        leases::renew(self, lease, until).await
    }

    async fn interrupt_lapsed(&self, now: DateTime<Utc>) -> Result<Vec<Run>, DeploymentError> {
        let lapsed = self.skew.by_database(&self.database, now).await?;
        let interrupted = leases::interrupt_lapsed(self, lapsed, now).await?;
        interrupted.iter().for_each(|run| self.news.tell_moved(run));
        Ok(interrupted)
    }

    async fn finish(
        &self,
        lease: &Lease,
        transition: Transition,
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError> {
        let run = leases::finish(self, lease, transition, at).await?;
        self.news.tell_moved(&run);
        Ok(run)
    }

    async fn give_back(
        &self,
        lease: &Lease,
        not_before: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError> {
        let run = leases::give_back(self, lease, not_before, at).await?;
        self.news.tell_moved(&run);
        Ok(run)
    }

    async fn unsettled(&self, limit: u32) -> Result<Vec<Run>, DeploymentError> {
        listing::unsettled(self, limit).await
    }

    async fn settled(&self, run: RunId) -> Result<(), DeploymentError> {
        lifecycle::settled(self, run).await?;
        self.news.tell(Topic::Run(run));
        Ok(())
    }

    async fn ask_purge(&self, deployment: DeploymentId, at: DateTime<Utc>) -> Result<(), DeploymentError> {
        if let Some(stopping) = lifecycle::ask_purge(self, deployment, at).await? {
            self.news.tell(Topic::Run(stopping));
        }
        Ok(())
    }

    async fn purges(&self, limit: u32) -> Result<Vec<Deployment>, DeploymentError> {
        listing::purges(self, limit).await
    }

    async fn keep_left(&self, deployment: DeploymentId, left: &[String]) -> Result<(), DeploymentError> {
        lifecycle::keep_left(self, deployment, left).await
    }

    async fn record(&self, lease: &Lease, report: &RunReport) -> Result<(), DeploymentError> {
        reports::record(self, lease, report).await?;
        self.news.tell(Topic::Run(lease.run));
        Ok(())
    }

    async fn resources(&self, run: RunId) -> Result<Vec<ResourceProgress>, DeploymentError> {
        reports::resources(self, run).await
    }

    async fn append_log(&self, lease: &Lease, bytes: &[u8]) -> Result<u64, DeploymentError> {
        let length = logs::append(self, lease, bytes).await?;
        self.news.tell(Topic::Run(lease.run));
        Ok(length)
    }

    async fn log(&self, run: RunId, offset: u64, limit: u32) -> Result<LogChunk, DeploymentError> {
        logs::read(self, run, offset, limit).await
    }

    async fn save_state(
        &self,
        lease: &Lease,
        state: &Bytes,
        at: DateTime<Utc>,
    ) -> Result<(), DeploymentError> {
        states::save(self, lease, state, at).await
    }

    async fn state(&self, deployment: DeploymentId) -> Result<Option<Bytes>, DeploymentError> {
        states::latest(self, deployment).await
    }

    async fn state_versions(&self, deployment: DeploymentId) -> Result<Vec<StateVersion>, DeploymentError> {
        states::versions(self, deployment).await
    }

    async fn state_version(&self, deployment: DeploymentId, number: u64) -> Result<Bytes, DeploymentError> {
        states::version(self, deployment, number).await
    }

    async fn restore_state(
        &self,
        deployment: DeploymentId,
        number: u64,
        by: AccountId,
        at: DateTime<Utc>,
    ) -> Result<StateVersion, DeploymentError> {
        states::restore(self, deployment, number, by, at).await
    }

    async fn outputs(&self, deployment: DeploymentId) -> Result<Vec<Output>, DeploymentError> {
        reports::outputs(self, deployment).await
    }

    async fn deployed(&self, owner: AccountId, modules: &[String]) -> Result<Vec<String>, DeploymentError> {
        listing::deployed(self, owner, modules).await
    }
}
