//! Carrying one leased run from its job to its end.

use std::time::Duration;

use rad_core::deployment::{DeploymentError, Lease};
use rad_core::platform::{Operations, PlatformError};
use rad_core::runner::{Diagnostic, RunEvent, RunJob, RunObserver, RunOutcome, StopReason};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::config::WorkerConfig;
use super::reporter::Reporter;
use super::told;

/// How long a worker waits before it tries again what the store could not do.
const AGAIN: Duration = Duration::from_millis(500);

/// How often something is tried before a run is given up and its lease left to lapse.
const TRIES: u32 = 20;

/// Carries a run to its end. `closing` turns true when the worker has no more time for it.
pub(super) async fn carry(
    operations: Operations,
    config: WorkerConfig,
    closing: watch::Receiver<bool>,
    lease: Lease,
) {
    tracing::info!(run = %lease.run, deployment = %lease.deployment, "a run begins");
    let reporter = Reporter::new(&operations, &lease);
    let over = watch::Sender::new(false);
    // Side by side, and each to its own end: a write that is dropped half-way would lose what it was to write.
    let (ended, (), (), ()) = tokio::join!(
        async {
            let ended = work(&operations, &config, &lease, &reporter).await;
            over.send_replace(true);
            ended
        },
        keep_lease(&operations, &config, &lease, &reporter, over.subscribe()),
        reporter.keep_writing(over.subscribe()),
        heed_closing(closing, &reporter, over.subscribe()),
    );
    for _ in 0..TRIES {
        if reporter.write().await {
            break;
        }
        sleep(AGAIN).await;
    }
    if reporter.told_to_stop() == Some(StopReason::LeaseLost) {
        tracing::warn!(run = %lease.run, "the lease of a run was lost: another process ends it");
        return;
    }
    end(&operations, &lease, ended).await;
}

/// Has the runner do the run; `Err` with what to tell the person if the platform could not.
async fn work(
    operations: &Operations,
    config: &WorkerConfig,
    lease: &Lease,
    observer: &dyn RunObserver,
) -> Result<RunOutcome, Diagnostic> {
    let job = job(operations, config, lease).await.map_err(|error| {
        tracing::error!(run = %lease.run, error = told(&error), "a run cannot be prepared");
        Diagnostic::error("The platform could not prepare the run", error.to_string())
    })?;
    let runner = operations.runner();
    match runner.run(job, observer).await {
        Ok(outcome) => Ok(outcome),
        Err(error) => {
            tracing::error!(run = %lease.run, error = told(&error), "a run cannot be carried out");
            // What the engine wrote before the machinery around it failed.
            if let Ok(Some(state)) = runner.salvage(lease.run).await {
                let _ = observer.event(RunEvent::State(state)).await;
            }
            Err(Diagnostic::error("The platform could not carry out the run", error.to_string()))
        }
    }
}

async fn job(operations: &Operations, config: &WorkerConfig, lease: &Lease) -> Result<RunJob, PlatformError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match operations.job(lease, config.time_limit).await {
            Err(error) if tries < TRIES && passes(&error) => sleep(AGAIN).await,
            made => return made,
        }
    }
}

async fn end(operations: &Operations, lease: &Lease, ended: Result<RunOutcome, Diagnostic>) {
    for _ in 0..TRIES {
        let run = match &ended {
            Ok(outcome) => operations.finish(lease, *outcome).await,
            Err(reason) => operations.fail(lease, reason.clone()).await,
        };
        match run {
            Ok(run) => return tracing::info!(run = %run.id, status = %run.status, "a run ended"),
            Err(error) if passes(&error) => sleep(AGAIN).await,
            Err(error) => {
                return tracing::warn!(run = %lease.run, error = told(&error), "a run could not be ended");
            }
        }
    }
    tracing::warn!(run = %lease.run, "a run could not be ended: its lease is left to lapse");
}

/// Lengthens the lease until the run is over; a lost one stops the run.
async fn keep_lease(
    operations: &Operations,
    config: &WorkerConfig,
    lease: &Lease,
    reporter: &Reporter<'_>,
    mut over: watch::Receiver<bool>,
) {
    let mut lapses = Instant::now() + config.lease;
    loop {
        tokio::select! {
            _ = over.wait_for(|over| *over) => return,
            () = sleep(config.heartbeat) => {}
        }
        let asked = Instant::now();
        match operations.renew(lease, config.lease).await {
            Ok(()) => lapses = asked + config.lease,
            Err(DeploymentError::Backend(error)) if Instant::now() < lapses => {
                tracing::warn!(run = %lease.run, error = told(&error), "a lease could not be lengthened");
            }
            Err(error) => {
                tracing::warn!(run = %lease.run, error = told(&error), "a lease is lost");
                return reporter.tell_to_stop(StopReason::LeaseLost);
            }
        }
    }
}

/// Stops the run when the worker closes.
async fn heed_closing(
    mut closing: watch::Receiver<bool>,
    reporter: &Reporter<'_>,
    mut over: watch::Receiver<bool>,
) {
    tokio::select! {
        _ = over.wait_for(|over| *over) => {}
        // An error: the worker itself is gone.
        _ = closing.wait_for(|closing| *closing) => reporter.tell_to_stop(StopReason::ShuttingDown),
    }
}

/// Whether the same call may succeed later.
fn passes(error: &PlatformError) -> bool {
    error.backend().is_some_and(rad_core::error::BackendError::is_retryable)
}
