//! A [`Runner`] that has each run done by a Job of a Kubernetes cluster.
//!
//! The Job's pod has two containers. In the *engine*'s, module code runs; it sees no token and nothing of the platform.
//! In the *keeper*'s nothing but a script of the platform runs: it stores every complete state in Secrets, which outlive
//! the pod, its node and the worker. Terraform's own `kubernetes` backend would do that, too, but from inside the
//! engine's container: module code would hold a token that reads the Secrets of others, and a state of more than 1 MiB
//! would be lost.
//!
//! The pod goes on without the worker that made it. A worker that is restarted under the same name finds the Job, reads
//! its log from the start, and carries the run on.

mod cluster;
mod config;
mod follow;
mod kept;
mod log;
mod manifest;
mod package;
mod verdict;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use rad_core::error::BackendError;
use rad_core::id::RunId;
use rad_core::runner::{Engine, RunEvent, RunJob, RunObserver, RunOutcome, Runner, RunnerError, StopReason};

pub use config::{KubernetesConfig, KubernetesConfigBuilder};
pub use kube::Client;

use super::report::Report;
use super::state::State;
use super::{ConfigError, Credentials, granted, nothing_to_destroy};
use cluster::{Cluster, Whose};
use follow::Follower;
use package::PackError;

/// Carries out runs as Jobs of a cluster.
///
/// ```no_run
/// use rad_runner::kubernetes::{Client, KubernetesConfig, KubernetesRunner};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let config = KubernetesConfig::builder("worker-1", "rad-runs", "ghcr.io/opentofu/opentofu:1.10.6")
///     .engine("OpenTofu", "1.10.6")
///     .build()?;
/// // From inside the cluster, or by the operator's kubeconfig.
/// let runner = KubernetesRunner::new(Client::try_default().await?, config)?;
/// # Ok(())
/// # }
/// ```
pub struct KubernetesRunner {
    config: KubernetesConfig,
    cluster: Cluster,
    credentials: Option<Arc<dyn Credentials>>,
    /// Runs that this process follows or will follow: their Jobs are not cleared.
    spared: Mutex<BTreeSet<RunId>>,
    /// Runs whose state was given out: it is cleared.
    salvaged: Mutex<BTreeSet<RunId>>,
}

impl std::fmt::Debug for KubernetesRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubernetesRunner").field("config", &self.config).finish_non_exhaustive()
    }
}

impl KubernetesRunner {
    /// A runner on a cluster. The client's user needs what the README's Role `rad-worker` grants.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field that is wrong.
    pub fn new(client: Client, config: KubernetesConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let cluster = Cluster::new(client, &config.namespace);
        Ok(Self { config, cluster, credentials: None, spared: Mutex::default(), salvaged: Mutex::default() })
    }

    /// Gives the engine of each run what `credentials` grants it, in Secrets that vanish with its Job; without, none are
    /// given.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Arc<dyn Credentials>) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Makes the Job of a run; `Err(outcome)` within if the module cannot be run.
    async fn start(
        &self,
        job: &RunJob,
        observer: &dyn RunObserver,
    ) -> Result<Result<(), RunOutcome>, BackendError> {
        let granted = granted(self.credentials.as_ref(), job).await?;
        let inputs = match package::pack(job, &granted) {
            Ok(inputs) => inputs,
            Err(PackError::Module(diagnostic)) => {
                let mut report = Report::new(job, observer, self.config.log_limit);
                report.diagnose(diagnostic).await;
                return Ok(Err(RunOutcome::Failure));
            }
            Err(PackError::Machinery(error)) => return Err(error),
        };
        self.cluster.create(&manifest::job(&self.config, job, &inputs)?).await?;
        let Some(made) = self.cluster.job(job.run).await? else {
            return Err(BackendError::unavailable("making a Job", "it was deleted at once"));
        };
        if is_suspended(&made) {
            for (index, input) in inputs.iter().enumerate() {
                let secret = manifest::input(&self.config, job, &made, index, input);
                self.cluster.put(&manifest::input_name(job.run, index), &secret).await?;
            }
            self.cluster.begin(job.run).await?;
        }
        Ok(Ok(()))
    }

    /// What is masked in the log of a run besides its values: what its Job was given, by whichever process.
    async fn masked(&self, run: RunId) -> Result<Vec<String>, BackendError> {
        let secret = self.cluster.secret(&manifest::input_name(run, 0)).await?;
        let data = secret.and_then(|secret| secret.data).unwrap_or_default();
        let Some(content) = data.get(package::CONTENT) else { return Ok(Vec::new()) };
        package::masked(&content.0)
            .ok_or_else(|| BackendError::corrupt("reading what is masked in a log", "it is no list"))
    }

    /// Ends whatever earlier runs of the deployment still do: no two engines work on one deployment. A state that they
    /// left and nobody has read is reported, and this run begins there. Gives the Secrets that are not needed once it has
    /// begun.
    async fn succeed(
        &self,
        job: &mut RunJob,
        observer: &dyn RunObserver,
    ) -> Result<Result<Vec<Secret>, StopReason>, BackendError> {
        let whose = Whose::Deployment(job.deployment);
        for earlier in self.cluster.jobs_of(whose).await? {
            if let Some(run) = run_of(&earlier).filter(|run| *run != job.run && !is_finished(&earlier)) {
                tracing::warn!(%run, deployment = %job.deployment, "ending the Job of a run that was given up");
                self.cluster.delete(run).await?;
                self.cluster.gone(run, patience(&self.config)).await?;
            }
        }
        let mut left = self.cluster.states(whose).await?;
        left.retain(|secret| secret.owner_references().is_empty());
        if let Some(newest) = kept::newest(&left)
            && job.state.as_ref().is_none_or(|state| State::serial_of(state) < State::serial_of(&newest))
        {
            tracing::warn!(runs = ?kept::runs(&left), "a state that nobody had read is taken up");
            if let Err(reason) = observer.event(RunEvent::State(newest.clone())).await {
                return Ok(Err(reason));
            }
            job.state = Some(newest);
        }
        Ok(Ok(left))
    }

    /// Tidies up after a run: what it left vanishes with its Job, or at once if that is gone.
    async fn tidy(&self, run: RunId) -> Result<(), BackendError> {
        match self.cluster.job(run).await? {
            Some(job) => self.cluster.hand_over(run, &job).await,
            None => self.cluster.forget(&self.cluster.states(Whose::Run(run)).await?).await,
        }
    }

    fn spared(&self) -> MutexGuard<'_, BTreeSet<RunId>> {
        self.spared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn salvaged(&self) -> MutexGuard<'_, BTreeSet<RunId>> {
        self.salvaged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Runner for KubernetesRunner {
    async fn engine(&self) -> Result<Engine, RunnerError> {
        Ok(self.config.engine.clone())
    }

    async fn run(&self, mut job: RunJob, observer: &dyn RunObserver) -> Result<RunOutcome, RunnerError> {
        let run = job.run;
        let made = self.cluster.job(run).await?;
        let mut left = Vec::new();
        if made.is_none() {
            left = match self.succeed(&mut job, observer).await? {
                Ok(left) => left,
                Err(_) => return Ok(RunOutcome::Stopped),
            };
            if let Some(outcome) = nothing_to_destroy(&job, observer).await {
                return Ok(outcome);
            }
        }
        self.spared().insert(run);
        if made.as_ref().is_none_or(is_suspended)
            && let Err(outcome) = self.start(&job, observer).await?
        {
            self.cluster.delete(run).await?;
            self.spared().remove(&run);
            return Ok(outcome);
        }
        self.cluster.forget(&left).await?;
        let masked = self.masked(run).await?;
        let follower = Follower::new(&self.cluster, &self.config, &job, observer);
        let followed = follower.hiding(&masked).run().await?;
        // The state of a run whose lease was lost waits for the deployment's next run.
        if followed.state_taken
            && let Err(error) = self.tidy(run).await
        {
            tracing::warn!(%run, %error, "what a run left on the cluster could not be tidied up");
        }
        self.spared().remove(&run);
        Ok(followed.outcome)
    }

    fn resources(&self, state: &[u8]) -> Option<Vec<String>> {
        State::parse(state).map(State::addresses)
    }

    async fn continues(&self, run: RunId) -> Result<bool, RunnerError> {
        let Some(job) = self.cluster.job(run).await? else { return Ok(false) };
        if job.metadata.deletion_timestamp.is_some() {
            return Ok(false);
        }
        // Without the beginning of its log, nobody knows which lines were told before.
        for pod in self.cluster.pods(run).await? {
            let start = self.cluster.log_start(&pod.name_any(), follow::START).await?;
            if start.is_some_and(|start| !start.is_empty() && !follow::is_whole(&start)) {
                return Ok(false);
            }
        }
        self.spared().insert(run);
        Ok(true)
    }

    async fn salvage(&self, run: RunId) -> Result<Option<Bytes>, RunnerError> {
        self.cluster.delete(run).await?;
        self.cluster.gone(run, patience(&self.config)).await?;
        let state = kept::newest(&self.cluster.states(Whose::Run(run)).await?);
        self.spared().remove(&run);
        self.salvaged().insert(run);
        Ok(state)
    }

    async fn clear(&self) -> Result<(), RunnerError> {
        let salvaged = std::mem::take(&mut *self.salvaged());
        for run in salvaged {
            self.cluster.forget(&self.cluster.states(Whose::Run(run)).await?).await?;
        }
        for job in self.cluster.jobs_of(Whose::Instance(&self.config.instance)).await? {
            let Some(run) = run_of(&job) else { continue };
            let spared = self.spared().contains(&run);
            if !spared && !is_finished(&job) {
                self.cluster.delete(run).await?;
            }
        }
        Ok(())
    }
}

/// How long a pod may take to end: the engine's grace, the keeper's, and what the cluster needs itself.
fn patience(config: &KubernetesConfig) -> Duration {
    config.grace + Duration::from_secs(90)
}

fn run_of(job: &Job) -> Option<RunId> {
    job.labels().get(manifest::RUN)?.parse().ok()
}

fn is_suspended(job: &Job) -> bool {
    job.spec.as_ref().is_some_and(|spec| spec.suspend == Some(true))
}

fn is_finished(job: &Job) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|one| matches!(&*one.type_, "Complete" | "Failed") && one.status == "True")
}
