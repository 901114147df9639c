//! The process that carries runs out: leases them, has the runner do them, keeps what they report, ends them.
//!
//! A worker that is killed leaves runs that seem to go on. Restarted under the same name, it saves the states that its
//! engines had written last and ends those runs as interrupted, before it takes any new one; if it never comes back, its
//! leases lapse and another worker's sweep ends them. No run is ever done twice.

mod carrier;
mod config;
mod reporter;

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rad_core::deployment::{DeploymentError, Lease, Run};
use rad_core::platform::{Operations, PlatformError, SweepReport};
use rad_core::runner::RunOutcome;
use tokio::sync::{Notify, watch};
use tokio::task::{self, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use carrier::carry;
pub use config::{WorkerConfig, WorkerConfigBuilder, WorkerConfigError, stable_name};

/// How long a worker waits before it tries again to take up what the last process left.
const AGAIN: Duration = Duration::from_millis(500);

/// Carries runs out until it is told to shut down.
#[derive(Debug)]
pub struct Worker {
    operations: Operations,
    config: WorkerConfig,
    waker: Arc<Notify>,
}

impl Worker {
    /// A worker for a platform.
    ///
    /// # Errors
    /// [`WorkerConfigError`] naming the field that is wrong.
    pub fn new(operations: Operations, config: WorkerConfig) -> Result<Self, WorkerConfigError> {
        config.check()?;
        Ok(Self { operations, config, waker: Arc::new(Notify::new()) })
    }

    /// Wakes the worker: `notify_one` after a run was queued has it taken at once.
    pub fn waker(&self) -> Arc<Notify> {
        Arc::clone(&self.waker)
    }

    /// Works until `shutdown` is ready; then takes no more runs, gives those under way the time it is set up with,
    /// interrupts what still goes on, and returns when all have ended.
    ///
    /// A failure of the store is logged and tried again; it ends nothing.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        while let Err(error) = self.recover().await {
            tracing::warn!(error = told(&error), "what the last process left cannot be taken up yet");
            tokio::select! {
                () = &mut shutdown => return,
                () = sleep(AGAIN) => {}
            }
        }
        let closing = watch::Sender::new(false);
        let mut runs = Runs::default();
        let mut sweeps = interval(self.config.sweep);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.take(&mut runs, &closing.subscribe()).await;
            tokio::select! {
                () = &mut shutdown => break,
                _ = sweeps.tick() => self.sweep(&runs).await,
                () = self.waker.notified() => {}
                () = sleep(self.config.poll) => {}
                () = self.reap(&mut runs), if !runs.tasks.is_empty() => {}
            }
        }
        if timeout(self.config.shutdown_grace, self.drain(&mut runs)).await.is_err() {
            tracing::info!(runs = runs.tasks.len(), "interrupting the runs that still go on");
            closing.send_replace(true);
            self.drain(&mut runs).await;
        }
    }

    /// Takes up what a killed process of this name left: saves the states its engines had written, ends its runs as
    /// interrupted, clears their directories. [`run`](Self::run) begins with it.
    ///
    /// # Errors
    /// A failure of a backend; what was done until then stays done.
    pub async fn recover(&self) -> Result<Vec<Run>, PlatformError> {
        let mut interrupted = Vec::new();
        for lease in self.operations.leases(&self.config.name).await? {
            match self.interrupt(&lease).await {
                Ok(run) => interrupted.push(run),
                // A sweep was faster: it ended the run.
                Err(PlatformError::Deployment(DeploymentError::LeaseLost)) => {}
                Err(error) => return Err(error),
            }
        }
        if let Err(error) = self.operations.runner().clear().await {
            tracing::warn!(error = told(&error), "the directories of ended runs could not be cleared");
        }
        Ok(interrupted)
    }

    /// Ends a run that a killed process left, with the last state it wrote.
    async fn interrupt(&self, lease: &Lease) -> Result<Run, PlatformError> {
        if let Some(state) = self.operations.runner().salvage(lease.run).await? {
            self.operations.save_state(lease, &state).await?;
        }
        let said = "\nThe platform was stopped while this run went on. What exists is in the saved state.\n";
        self.operations.append_log(lease, said.as_bytes()).await?;
        let run = self.operations.finish(lease, RunOutcome::Stopped).await?;
        tracing::warn!(run = %lease.run, deployment = %lease.deployment, "ended a run that was left behind");
        Ok(run)
    }

    /// Leases runs until it has as many as it may.
    async fn take(&self, runs: &mut Runs, closing: &watch::Receiver<bool>) {
        while runs.tasks.len() < self.config.concurrency {
            match self.operations.lease(&self.config.name, self.config.lease).await {
                Ok(Some(lease)) => {
                    let operations = self.operations.clone();
                    let carried = carry(operations, self.config.clone(), closing.clone(), lease.clone());
                    runs.leases.insert(runs.tasks.spawn(carried).id(), lease);
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(error = told(&error), "no run can be leased now");
                    return;
                }
            }
        }
    }

    /// Sweeps, its own leases lengthened first: after the machine slept they all have lapsed, and yet are held.
    async fn sweep(&self, runs: &Runs) {
        for lease in runs.leases.values() {
            if let Err(error) = self.operations.renew(lease, self.config.lease).await {
                tracing::debug!(run = %lease.run, %error, "a lease is not lengthened before a sweep");
            }
        }
        match self.operations.sweep().await {
            Ok(done) if done != SweepReport::default() => tracing::info!(?done, "swept"),
            Ok(_) => {}
            Err(error) => tracing::warn!(error = told(&error), "a sweep did not come to its end"),
        }
    }

    /// Waits until the task of a run has ended. A run whose task panicked ends with what its engine wrote.
    async fn reap(&self, runs: &mut Runs) {
        let Some(ended) = runs.tasks.join_next_with_id().await else {
            return;
        };
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let lease = runs.leases.remove(&id);
        if let (Err(error), Some(lease)) = (ended, lease) {
            tracing::error!(run = %lease.run, %error, "the task of a run did not come to its end");
            if let Err(error) = self.interrupt(&lease).await {
                tracing::warn!(run = %lease.run, error = told(&error), "its lease is left to lapse");
            }
        }
    }

    async fn drain(&self, runs: &mut Runs) {
        while !runs.tasks.is_empty() {
            self.reap(runs).await;
        }
    }
}

/// The runs under way.
#[derive(Debug, Default)]
struct Runs {
    tasks: JoinSet<()>,
    leases: HashMap<task::Id, Lease>,
}

/// An error with all its causes, for the log.
fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
