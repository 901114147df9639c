//! The process that carries runs out: leases them, has the runner do them, keeps what they report, ends them.
//!
//! A worker that is killed leaves runs that seem to go on. Restarted under the same name, it carries on those whose
//! engines do go on without it; of the others it saves the states that their engines had written last, and ends them as
//! interrupted, before it takes any new one. If it never comes back, its leases lapse and another worker's sweep ends
//! them. No run is ever done twice.

mod carrier;
mod config;
mod reporter;

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use rad_core::deployment::{DeploymentError, Lease, Run};
use rad_core::platform::{Operations, PlatformError, SweepReport};
use rad_core::runner::RunOutcome;
use tokio::sync::watch;
use tokio::task::{self, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use carrier::{Beginning, carry};
pub use config::{WorkerConfig, WorkerConfigBuilder, WorkerConfigError, stable_name};

/// How long a worker waits before it tries again to take up what the last process left.
const AGAIN: Duration = Duration::from_millis(500);

/// Carries runs out until it is told to shut down.
#[derive(Debug)]
pub struct Worker {
    operations: Operations,
    config: WorkerConfig,
}

impl Worker {
    /// A worker for a platform.
    ///
    /// # Errors
    /// [`WorkerConfigError`] naming the field that is wrong.
    pub fn new(operations: Operations, config: WorkerConfig) -> Result<Self, WorkerConfigError> {
        config.check()?;
        Ok(Self { operations, config })
    }

    /// Works until `shutdown` is ready; then takes no more runs, gives those under way the time it is set up with,
    /// interrupts what still goes on (and leaves alone what goes on without it), and returns when all have ended.
    ///
    /// A failure of the store is logged and tried again; it ends nothing.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let closing = watch::Sender::new(false);
        let mut runs = Runs::default();
        let mut recovered = false;
        while !recovered {
            match self.recover(&mut runs, &closing).await {
                Ok(()) => recovered = true,
                Err(error) => {
                    tracing::warn!(error = told(&error), "what the last process left cannot be taken up yet");
                    tokio::select! {
                        () = &mut shutdown => return self.close(runs, &closing).await,
                        () = sleep(AGAIN) => {}
                    }
                }
            }
        }
        // Before it first looks: what is queued after that is told.
        let mut queue = self.operations.queue_news();
        let mut sweeps = interval(self.config.sweep);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.take(&mut runs, &closing).await;
            tokio::select! {
                () = &mut shutdown => break,
                _ = sweeps.tick() => self.sweep(&runs).await,
                () = queue.changed() => {}
                () = sleep(self.config.poll) => {}
                () = self.reap(&mut runs), if !runs.tasks.is_empty() => {}
            }
        }
        self.close(runs, &closing).await;
    }

    /// Gives the runs under way the time they have left, and stops what then still goes on.
    async fn close(&self, mut runs: Runs, closing: &watch::Sender<bool>) {
        if timeout(self.config.shutdown_grace, self.drain(&mut runs)).await.is_err() {
            tracing::info!(runs = runs.tasks.len(), "interrupting the runs that still go on");
            closing.send_replace(true);
            self.drain(&mut runs).await;
        }
    }

    /// Takes up what a killed process of this name left: carries on the runs whose engines go on; of the others, saves
    /// the states their engines had written, ends them as interrupted, and clears their directories.
    async fn recover(&self, runs: &mut Runs, closing: &watch::Sender<bool>) -> Result<(), PlatformError> {
        let mut left = self.operations.leases(&self.config.name).await?;
        left.retain(|lease| runs.leases.values().all(|carried| carried.run != lease.run));
        let mut lost = Vec::new();
        // Those that go on first: to end the others takes time, and leases lapse.
        for lease in left {
            match self.operations.runner().continues(lease.run).await? {
                true => self.carry(runs, closing, lease, Beginning::CarriedOn),
                false => lost.push(lease),
            }
        }
        for lease in lost {
            match self.interrupt(&lease).await {
                // A sweep was faster: it ended the run.
                Ok(_) | Err(PlatformError::Deployment(DeploymentError::LeaseLost)) => {}
                Err(error) => return Err(error),
            }
        }
        if let Err(error) = self.operations.runner().clear().await {
            tracing::warn!(error = told(&error), "the directories of ended runs could not be cleared");
        }
        Ok(())
    }

    fn carry(&self, runs: &mut Runs, closing: &watch::Sender<bool>, lease: Lease, beginning: Beginning) {
        let operations = self.operations.clone();
        let carried = carry(operations, self.config.clone(), closing.subscribe(), lease.clone(), beginning);
        runs.leases.insert(runs.tasks.spawn(carried).id(), lease);
    }

    /// Ends a run that a killed process left, with the last state it wrote.
    async fn interrupt(&self, lease: &Lease) -> Result<Run, PlatformError> {
        if let Some(state) = self.operations.salvage(lease).await? {
            self.operations.save_state(lease, &state).await?;
        }
        let said = "\nThe platform was stopped while this run went on. What exists is in the saved state.\n";
        self.operations.append_log(lease, said.as_bytes()).await?;
        let run = self.operations.finish(lease, RunOutcome::Stopped).await?;
        tracing::warn!(run = %lease.run, deployment = %lease.deployment, "ended a run that was left behind");
        Ok(run)
    }

    /// Leases runs until it has as many as it may.
    async fn take(&self, runs: &mut Runs, closing: &watch::Sender<bool>) {
        while runs.tasks.len() < self.config.concurrency {
            match self.operations.lease(&self.config.name, self.config.most_runs, self.config.lease).await {
                Ok(Some(lease)) => self.carry(runs, closing, lease, Beginning::Taken),
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
