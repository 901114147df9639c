//! Carrying one leased run from its job to its end.

use std::time::Duration;

use rad_core::deployment::{DeploymentError, Lease, LeaseNews};
use rad_core::platform::{Operations, PlatformError, Told};
use rad_core::runner::{Diagnostic, RunEvent, RunJob, RunObserver, RunOutcome, RunnerError, StopReason};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::config::WorkerConfig;
use super::reporter::Reporter;
use super::told;

/// How long a worker waits before it tries again what the store could not do.
const AGAIN: Duration = Duration::from_millis(500);

/// How long a worker waits with a look at what it is told of a run.
const LOOK: Duration = Duration::from_millis(200);

/// The part of a lease for which it has to be lengthened yet, so that the engine is dead when another process may end the run:
/// one such part before its end the lease counts as lost and the engine is killed, and half-way to the end whatever is left of
/// the run is given up.
const MARGIN: u32 = 5;
const LAST_PART: u32 = 2 * MARGIN;

/// How often something is tried before a run is given up and its lease left to lapse.
const TRIES: u32 = 20;

/// Why a run was not carried out, and whether another attempt may do better.
#[derive(Debug)]
struct Undone {
    reason: Diagnostic,
    again: bool,
}

/// How a worker comes to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// It took it from the queue.
    Taken,
    /// The worker before it left it, and its engine goes on.
    CarriedOn,
}

/// Carries a run to its end. `closing` turns true when the worker has no more time for it: then a run whose engine goes
/// on without it is left to the next worker of the same name.
pub(super) async fn carry(
    operations: Operations,
    config: WorkerConfig,
    closing: watch::Receiver<bool>,
    lease: Lease,
    beginning: Beginning,
) {
    tracing::info!(run = %lease.run, deployment = %lease.deployment, ?beginning, "a run begins");
    let reporter = Reporter::new(&operations, &lease);
    let over = watch::Sender::new(false);
    let left = Notify::new();
    // Side by side, and each to its own end: a write that is dropped half-way would lose what it was to write.
    let (ended, (), (), (), ()) = tokio::join!(
        async {
            let ended = tokio::select! {
                ended = work(&operations, &config, &lease, &reporter, beginning) => Some(ended),
                // What it has not written, it tells again to the next worker.
                () = left.notified() => None,
                // Its engine dies with it, whatever it waits for.
                () = async { reporter.lease_is_lost().await; sleep(config.lease / LAST_PART).await } => None,
            };
            over.send_replace(true);
            ended
        },
        keep_lease(&operations, &config, &lease, &reporter, over.subscribe()),
        heed_wishes(&operations, &lease, &reporter, over.subscribe()),
        reporter.keep_writing(over.subscribe()),
        async {
            if closes(closing, over.subscribe()).await {
                match operations.runner().continues(lease.run).await {
                    Ok(true) => left.notify_one(),
                    _ => reporter.tell_to_stop(StopReason::ShuttingDown),
                }
            }
        },
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
    match ended {
        Some(ended) => end(&operations, &lease, ended, reporter.told_to_stop()).await,
        None => tracing::info!(run = %lease.run, "a run is left to go on"),
    }
}

/// Has the runner do the run; `Err` with what to tell the person if the platform could not.
async fn work(
    operations: &Operations,
    config: &WorkerConfig,
    lease: &Lease,
    reporter: &Reporter<'_>,
    beginning: Beginning,
) -> Result<RunOutcome, Undone> {
    let fresh = beginning == Beginning::Taken;
    let (job, already) = prepared(operations, config, lease, beginning).await.map_err(|error| {
        tracing::error!(run = %lease.run, error = told(&error), "a run cannot be prepared");
        let reason = Diagnostic::error("The platform could not prepare the run", error.to_string());
        Undone { reason, again: fresh && passes(&error) }
    })?;
    reporter.leave_out(already);
    let runner = operations.runner();
    match runner.run(job, reporter).await {
        Ok(outcome) => Ok(outcome),
        Err(error) => {
            tracing::error!(run = %lease.run, error = told(&error), "a run cannot be carried out");
            // What the engine wrote before the machinery around it failed.
            if let Ok(Some(state)) = operations.salvage(lease).await {
                let _ = reporter.event(RunEvent::State(state)).await;
            }
            let again = match &error {
                // Another worker may have one.
                RunnerError::NoEngine { .. } => fresh,
                RunnerError::Backend(error) => fresh && error.is_retryable(),
                _ => false,
            };
            let reason = Diagnostic::error("The platform could not carry out the run", error.to_string());
            Err(Undone { reason, again })
        }
    }
}

/// The job of a run, and how much of it was told already.
async fn prepared(
    operations: &Operations,
    config: &WorkerConfig,
    lease: &Lease,
    beginning: Beginning,
) -> Result<(RunJob, Told), PlatformError> {
    let prepare = async || {
        let told = match beginning {
            Beginning::Taken => Told::default(),
            Beginning::CarriedOn => operations.told(lease).await?,
        };
        Ok((operations.job(lease, config.limits, config.purge_limit).await?, told))
    };
    let mut tries = 0;
    loop {
        tries += 1;
        match prepare().await {
            Err(error) if tries < TRIES && passes(&error) => sleep(AGAIN).await,
            made => return made,
        }
    }
}

async fn end(
    operations: &Operations,
    lease: &Lease,
    ended: Result<RunOutcome, Undone>,
    stopped: Option<StopReason>,
) {
    for _ in 0..TRIES {
        let run = match &ended {
            Ok(RunOutcome::Stopped) if stopped == Some(StopReason::ShuttingDown) => {
                operations.hand_over(lease).await
            }
            Ok(outcome) => operations.finish(lease, *outcome).await,
            Err(Undone { reason, again: true }) => operations.give_back(lease, reason.clone()).await,
            Err(Undone { reason, .. }) => operations.fail(lease, reason.clone()).await,
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

/// Lengthens the lease until the run is over; a lost one stops the run, and so does a person who cancels it. One that cannot be
/// lengthened in time counts as lost before it lapses, also where the store does not answer at all.
async fn keep_lease(
    operations: &Operations,
    config: &WorkerConfig,
    lease: &Lease,
    reporter: &Reporter<'_>,
    mut over: watch::Receiver<bool>,
) {
    let counts_for = config.lease - config.lease / MARGIN;
    let mut counts_until = Instant::now() + counts_for;
    let mut pause = config.heartbeat;
    loop {
        tokio::select! {
            _ = over.wait_for(|over| *over) => return,
            () = sleep(pause) => {}
        }
        let asked = Instant::now();
        // Also asked after a long sleep: the store says whether the lease is lost.
        let patience =
            counts_until.saturating_duration_since(asked).clamp(AGAIN, config.heartbeat.max(AGAIN));
        match timeout(patience, operations.renew(lease, config.lease)).await {
            Ok(Ok(news)) => {
                counts_until = asked + counts_for;
                pause = config.heartbeat;
                if news.cancel_asked {
                    reporter.tell_to_stop(StopReason::Cancelled);
                }
                continue;
            }
            Ok(Err(error @ DeploymentError::Backend(_))) => {
                tracing::warn!(run = %lease.run, error = told(&error), "a lease could not be lengthened");
            }
            Err(_) => {
                tracing::warn!(run = %lease.run, "a lease could not be lengthened: the store does not answer")
            }
            Ok(Err(error)) => {
                tracing::warn!(run = %lease.run, error = told(&error), "a lease is lost");
                return reporter.tell_to_stop(StopReason::LeaseLost);
            }
        }
        if Instant::now() >= counts_until {
            tracing::warn!(run = %lease.run, "a lease is given up before it lapses");
            return reporter.tell_to_stop(StopReason::LeaseLost);
        }
        pause = AGAIN.min(counts_until.saturating_duration_since(Instant::now()));
    }
}

/// Stops the run soon after a person cancelled it or broke its lease, without waiting for a heartbeat. What is told of a run
/// is mostly its own progress: it is looked at now and then.
async fn heed_wishes(
    operations: &Operations,
    lease: &Lease,
    reporter: &Reporter<'_>,
    mut over: watch::Receiver<bool>,
) {
    let mut news = operations.run_news(lease.run);
    loop {
        let told = async {
            news.changed().await;
            sleep(LOOK).await;
        };
        tokio::select! {
            _ = over.wait_for(|over| *over) => return,
            () = told => {}
        }
        match operations.wishes(lease).await {
            Ok(LeaseNews { cancel_asked: true }) => return reporter.tell_to_stop(StopReason::Cancelled),
            Err(DeploymentError::LeaseLost) => return reporter.tell_to_stop(StopReason::LeaseLost),
            // The next news, or a heartbeat at the latest.
            Ok(_) | Err(_) => {}
        }
    }
}

/// Waits until the worker has no more time for the run, or the run is over; whether it is the former.
async fn closes(mut closing: watch::Receiver<bool>, mut over: watch::Receiver<bool>) -> bool {
    tokio::select! {
        _ = over.wait_for(|over| *over) => false,
        // An error: the worker itself is gone.
        _ = closing.wait_for(|closing| *closing) => true,
    }
}

/// Whether the same call may succeed later.
fn passes(error: &PlatformError) -> bool {
    error.backend().is_some_and(rad_core::error::BackendError::is_retryable)
}
