//! Deployments in memory.

mod books;
mod moves;
mod states;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::deployment::{
    Deployment, DeploymentError, DeploymentQuery, DeploymentStatus, DeploymentStore, IllegalTransition,
    LOG_CUT, LOG_LIMIT, Lease, LeaseLimits, LeaseNews, LogChunk, NewDeployment, NewRun, Plan, Run, RunReport,
    RunStatus, STATE_VERSIONS, SecretValues, Settlement, StateVersion, Target, Transition,
};
use crate::id::{AccountId, DeploymentId, RunId};
use crate::live::{News, Topic};
use crate::page::{Cursor, Page};
use crate::runner::{Action, Output, PlannedChange, ResourceProgress};
use books::{Books, DeploymentRecord};

/// Keeps deployments, runs, logs and states in memory; gone with the process.
pub struct MemoryDeployments {
    books: Mutex<Books>,
    news: News,
    keep_states: NonZeroU32,
}

impl Default for MemoryDeployments {
    fn default() -> Self {
        Self { books: Mutex::default(), news: News::default(), keep_states: STATE_VERSIONS }
    }
}

impl MemoryDeployments {
    /// A store without deployments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps so many versions of each state.
    #[must_use]
    pub fn keep_states(mut self, versions: NonZeroU32) -> Self {
        self.keep_states = versions;
        self
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // A panic elsewhere leaves no half-made change: each call changes the books in one go.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryDeployments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDeployments").field("deployments", &self.books().deployments.len()).finish()
    }
}

#[async_trait]
impl DeploymentStore for MemoryDeployments {
    fn news(&self) -> &News {
        &self.news
    }

    async fn create(
        &self,
        new: NewDeployment,
        run: RunId,
        at: DateTime<Utc>,
    ) -> Result<(Deployment, Run), DeploymentError> {
        let mut books = self.books();
        let same = |record: &&DeploymentRecord| {
            record.submission == new.submission && record.deployment.owner == new.owner
        };
        if let Some(first) = books.deployments.values().find(same) {
            let deployment = first.deployment.clone();
            let run = books.runs_of(deployment.id).pop().ok_or(DeploymentError::NotFound)?;
            return Ok((deployment, run));
        }
        if books.deployments.contains_key(&new.id) {
            return Err(DeploymentError::IdTaken { deployment: new.id });
        }
        let (submission, secrets) = (new.submission, new.target.secrets.clone());
        let deployment = deployment_of(new, run, at);
        let first = NewRun {
            id: run,
            deployment: deployment.id,
            action: Action::Create,
            cost: deployment.cost,
            target: None,
        };
        let record = DeploymentRecord {
            deployment: deployment.clone(),
            submission,
            secrets,
            states: Vec::new(),
            outputs: Vec::new(),
        };
        books.deployments.insert(deployment.id, record);
        let run = books.insert_run(first, at)?;
        Ok((deployment, run))
    }

    async fn add_run(&self, new: NewRun, at: DateTime<Utc>) -> Result<Run, DeploymentError> {
        let mut books = self.books();
        books.check_idle(new.deployment)?;
        books.insert_run(new, at)
    }

    async fn supersede(&self, new: NewRun, at: DateTime<Utc>) -> Result<Run, DeploymentError> {
        let (ended, run) = self.books().supersede(new, at)?;
        ended.iter().for_each(|ended| self.news.tell_moved(ended));
        Ok(run)
    }

    async fn advance(
        &self,
        run: RunId,
        transition: Transition,
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError> {
        let run = self.books().advance(run, transition, at)?;
        self.news.tell_moved(&run);
        Ok(run)
    }

    async fn cancel(&self, run: RunId, at: DateTime<Utc>) -> Result<Run, DeploymentError> {
        let run = self.books().cancel(run, at)?;
        self.news.tell_moved(&run);
        Ok(run)
    }

    async fn confirm(
        &self,
        run: RunId,
        changes: &[PlannedChange],
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError> {
        let run = self.books().confirm(run, changes, at)?;
        self.news.tell_moved(&run);
        Ok(run)
    }

    async fn discard(&self, run: RunId) -> Result<(), DeploymentError> {
        let mut books = self.books();
        let status = books.run(run)?.run.status;
        if status != RunStatus::Pending {
            return Err(IllegalTransition { status, transition: Transition::Cancel }.into());
        }
        let deployment = books.run(run)?.run.deployment;
        books.runs.remove(&run);
        if books.runs_of(deployment).is_empty() {
            books.deployments.remove(&deployment);
        }
        Ok(())
    }

    async fn deployment(&self, id: DeploymentId) -> Result<Deployment, DeploymentError> {
        Ok(self.books().deployment(id)?.deployment.clone())
    }

    async fn secrets(&self, id: DeploymentId) -> Result<SecretValues, DeploymentError> {
        Ok(self.books().deployment(id)?.secrets.clone())
    }

    async fn list(&self, query: &DeploymentQuery) -> Result<Page<Deployment>, DeploymentError> {
        let books = self.books();
        let text = query.text.to_lowercase();
        let after = query.after.as_ref().map(Cursor::as_str);
        let mut found: Vec<&Deployment> = books
            .deployments
            .values()
            .map(|record| &record.deployment)
            .filter(|deployment| !books.is_pending(deployment.latest_run))
            .filter(|deployment| query.owner.is_none_or(|owner| owner == deployment.owner))
            .filter(|deployment| query.deleted || deployment.status != DeploymentStatus::Deleted)
            .filter(|deployment| {
                deployment.module_name.to_lowercase().contains(&text)
                    || deployment.id.as_str().contains(&text)
            })
            .filter(|deployment| after.is_none_or(|after| place(deployment).as_str() < after))
            .collect();
        found.sort_by_cached_key(|deployment| std::cmp::Reverse(place(deployment)));
        let limit = query.limit.clamp(1, 200) as usize;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|last| Cursor::new(place(last)));
        Ok(Page::one_way(found.into_iter().cloned().collect(), next))
    }

    async fn run(&self, id: RunId) -> Result<Run, DeploymentError> {
        Ok(self.books().run(id)?.run.clone())
    }

    async fn target(&self, run: RunId) -> Result<Option<Target>, DeploymentError> {
        Ok(self.books().run(run)?.target.clone())
    }

    async fn plan(&self, run: RunId) -> Result<Plan, DeploymentError> {
        Ok(self.books().run(run)?.plan.clone())
    }

    async fn runs(&self, deployment: DeploymentId) -> Result<Vec<Run>, DeploymentError> {
        Ok(self.books().runs_of(deployment))
    }

    async fn runs_in(&self, status: RunStatus, limit: u32) -> Result<Vec<Run>, DeploymentError> {
        Ok(self.books().select(limit, |record| record.run.status == status))
    }

    async fn lease(
        &self,
        worker: &str,
        limits: LeaseLimits,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Option<Lease>, DeploymentError> {
        let lease = self.books().lease(worker, limits, now, until)?;
        if let Some(lease) = &lease {
            self.news.tell(Topic::Run(lease.run));
            self.news.tell(Topic::Deployments);
        }
        Ok(lease)
    }

    async fn leases(&self, worker: &str) -> Result<Vec<Lease>, DeploymentError> {
        let books = self.books();
        let held = books.runs.values().filter(|record| record.run.status == RunStatus::Working);
        let leases = held.filter_map(|record| record.lease.as_ref().map(|(lease, _)| lease));
        Ok(leases.filter(|lease| lease.worker == worker).cloned().collect())
    }

    async fn renew(&self, lease: &Lease, until: DateTime<Utc>) -> Result<LeaseNews, DeploymentError> {
        let mut books = self.books();
        let record = books.leased(lease)?;
        record.lease = Some((lease.clone(), until));
        Ok(LeaseNews { cancel_asked: record.run.cancel_asked })
    }

    async fn interrupt_lapsed(&self, now: DateTime<Utc>) -> Result<Vec<Run>, DeploymentError> {
        let interrupted = self.books().interrupt_lapsed(now)?;
        interrupted.iter().for_each(|run| self.news.tell_moved(run));
        Ok(interrupted)
    }

    async fn finish(
        &self,
        lease: &Lease,
        transition: Transition,
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError> {
        let run = self.books().finish(lease, transition, at)?;
        self.news.tell_moved(&run);
        Ok(run)
    }

    async fn give_back(
        &self,
        lease: &Lease,
        not_before: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) -> Result<Run, DeploymentError> {
        let run = self.books().give_back(lease, not_before, at)?;
        self.news.tell_moved(&run);
        Ok(run)
    }

    async fn unsettled(&self, limit: u32) -> Result<Vec<Run>, DeploymentError> {
        Ok(self.books().select(limit, |record| record.run.settlement == Settlement::Owed))
    }

    async fn settled(&self, run: RunId) -> Result<(), DeploymentError> {
        let mut books = self.books();
        let run = &mut books.run_mut(run)?.run;
        if run.settlement == Settlement::Owed {
            run.settlement = Settlement::Done;
        }
        self.news.tell(Topic::Run(run.id));
        Ok(())
    }

    async fn ask_purge(&self, deployment: DeploymentId, at: DateTime<Utc>) -> Result<(), DeploymentError> {
        let mut books = self.books();
        books.deployment_mut(deployment)?.deployment.purge_asked.get_or_insert(at);
        if let Some(live) = books.live_run(deployment).filter(|live| live.status == RunStatus::Working) {
            books.run_mut(live.id)?.run.cancel_asked |= live.action != Action::Purge;
            self.news.tell(Topic::Run(live.id));
        }
        Ok(())
    }

    async fn purges(&self, limit: u32) -> Result<Vec<Deployment>, DeploymentError> {
        let books = self.books();
        let asked = books.deployments.values().map(|record| &record.deployment).filter(|deployment| {
            let latest = books.runs.get(&deployment.latest_run).map(|record| record.run.action);
            deployment.purge_asked.is_some() && latest != Some(Action::Purge)
        });
        Ok(asked.take(limit as usize).cloned().collect())
    }

    async fn keep_left(&self, deployment: DeploymentId, left: &[String]) -> Result<(), DeploymentError> {
        self.books().deployment_mut(deployment)?.deployment.left = left.to_vec();
        Ok(())
    }

    async fn record(&self, lease: &Lease, report: &RunReport) -> Result<(), DeploymentError> {
        self.books().take(lease, report)?;
        self.news.tell(Topic::Run(lease.run));
        Ok(())
    }

    async fn resources(&self, run: RunId) -> Result<Vec<ResourceProgress>, DeploymentError> {
        Ok(self.books().run(run)?.resources.clone())
    }

    async fn append_log(&self, lease: &Lease, bytes: &[u8]) -> Result<u64, DeploymentError> {
        let mut books = self.books();
        let record = books.leased(lease)?;
        let room = LOG_LIMIT.saturating_sub(record.log.len() as u64);
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        if !record.log_cut {
            record.log.extend_from_slice(&bytes[..fits]);
            if fits < bytes.len() {
                record.log.extend_from_slice(LOG_CUT.as_bytes());
                record.log_cut = true;
            }
        }
        self.news.tell(Topic::Run(lease.run));
        Ok(record.log.len() as u64)
    }

    async fn log(&self, run: RunId, offset: u64, limit: u32) -> Result<LogChunk, DeploymentError> {
        let books = self.books();
        let record = books.run(run)?;
        let len = record.log.len();
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(len);
        let to = from.saturating_add(limit as usize).min(len);
        let complete = to == len && record.run.status.is_final();
        Ok(LogChunk { bytes: Bytes::copy_from_slice(&record.log[from..to]), next: to as u64, complete })
    }

    async fn save_state(
        &self,
        lease: &Lease,
        state: &Bytes,
        at: DateTime<Utc>,
    ) -> Result<(), DeploymentError> {
        self.books().save_state(lease, state, at, self.keep_states)
    }

    async fn state(&self, deployment: DeploymentId) -> Result<Option<Bytes>, DeploymentError> {
        Ok(self.books().deployment(deployment)?.states.last().map(|(_, state)| state.clone()))
    }

    async fn state_versions(&self, deployment: DeploymentId) -> Result<Vec<StateVersion>, DeploymentError> {
        let books = self.books();
        let newest_first = books.deployment(deployment)?.states.iter().rev();
        Ok(newest_first.map(|(version, _)| version.clone()).collect())
    }

    async fn state_version(&self, deployment: DeploymentId, number: u64) -> Result<Bytes, DeploymentError> {
        self.books().deployment(deployment)?.state(number)
    }

    async fn restore_state(
        &self,
        deployment: DeploymentId,
        number: u64,
        by: AccountId,
        at: DateTime<Utc>,
    ) -> Result<StateVersion, DeploymentError> {
        self.books().restore_state(deployment, number, by, at, self.keep_states)
    }

    async fn outputs(&self, deployment: DeploymentId) -> Result<Vec<Output>, DeploymentError> {
        Ok(self.books().deployment(deployment)?.outputs.clone())
    }

    async fn deployed(&self, owner: AccountId, modules: &[String]) -> Result<Vec<String>, DeploymentError> {
        let books = self.books();
        let stands = |record: &DeploymentRecord| {
            let runs = books.runs_of(record.deployment.id);
            let counts = |run: &&Run| {
                run.action.applies() && run.status == RunStatus::Success
                    || run.action == Action::Purge && run.status.is_final()
            };
            runs.iter().find(counts).is_some_and(|run| !run.action.destroys())
        };
        let has = |module: &&String| {
            books.deployments.values().any(|record| {
                let deployment = &record.deployment;
                deployment.owner == owner && deployment.module_name == **module && stands(record)
            })
        };
        Ok(modules.iter().filter(has).cloned().collect())
    }
}

fn deployment_of(new: NewDeployment, run: RunId, at: DateTime<Utc>) -> Deployment {
    Deployment {
        id: new.id,
        owner: new.owner,
        module: new.module,
        publisher: new.publisher,
        module_name: new.module_name,
        commit: new.target.commit,
        source: new.target.source,
        values: new.target.values,
        secret_names: new.target.secrets.into_keys().collect(),
        cost: new.cost,
        purchased_only: new.purchased_only,
        needs: new.target.needs,
        may_purge: new.target.may_purge,
        status: DeploymentStatus::Run(RunStatus::Pending),
        diverged: false,
        purge_asked: None,
        left: Vec::new(),
        latest_run: run,
        created_at: at,
        updated_at: at,
    }
}

/// Where a deployment stands in the listing: texts that compare as the deployments follow each other.
fn place(deployment: &Deployment) -> String {
    format!("{:020}:{}", deployment.created_at.timestamp_micros(), deployment.id)
}
