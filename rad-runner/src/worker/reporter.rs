//! From a run to the store: reports gathered for a moment and written together, states at once.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rad_core::deployment::{DeploymentError, Lease, RunReport};
use rad_core::platform::{Operations, Told};
use rad_core::runner::{RunEvent, RunObserver, Step, StopReason};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// How long reports are gathered that come close after each other.
const GATHERED: Duration = Duration::from_millis(50);

/// How much of the log is gathered before the run has to wait for the store.
const LOG_GATHERED: usize = 256 * 1024;

/// The observer of a leased run.
#[derive(Debug)]
pub(super) struct Reporter<'a> {
    operations: &'a Operations,
    lease: &'a Lease,
    gathered: Mutex<Gathered>,
    /// How much of what comes is in the store already.
    told: Mutex<Told>,
    /// Held while reports are written, so that they are written in order.
    writing: tokio::sync::Mutex<()>,
    news: Notify,
    stop: watch::Sender<Option<StopReason>>,
}

/// What is not written yet.
#[derive(Debug, Default)]
struct Gathered {
    state: Option<Bytes>,
    report: RunReport,
    log: Vec<u8>,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(operations: &'a Operations, lease: &'a Lease) -> Self {
        Self {
            operations,
            lease,
            gathered: Mutex::default(),
            told: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            news: Notify::new(),
            stop: watch::Sender::new(None),
        }
    }

    /// Leaves out the beginning of what the run tells: it is in the store already.
    pub(super) fn leave_out(&self, told: Told) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    /// Tells the run to stop; the first reason counts, unless the lease is lost.
    pub(super) fn tell_to_stop(&self, reason: StopReason) {
        self.stop.send_if_modified(|told| {
            let counts = told.is_none() || reason == StopReason::LeaseLost && *told != Some(reason);
            if counts {
                *told = Some(reason);
            }
            counts
        });
    }

    /// Waits until the lease is lost.
    pub(super) async fn lease_is_lost(&self) {
        let mut told = self.stop.subscribe();
        if told.wait_for(|told| *told == Some(StopReason::LeaseLost)).await.is_err() {
            // The sender lives as long as this reporter.
            std::future::pending().await
        }
    }

    /// Why the run was told to stop, if it was.
    pub(super) fn told_to_stop(&self) -> Option<StopReason> {
        *self.stop.borrow()
    }

    /// Writes what is gathered until the run is over.
    pub(super) async fn keep_writing(&self, mut over: watch::Receiver<bool>) {
        // What comes after a silence is written at once.
        let mut free = Instant::now();
        loop {
            tokio::select! {
                _ = over.wait_for(|over| *over) => return,
                () = self.news.notified() => {}
            }
            sleep_until(free).await;
            free = Instant::now() + GATHERED;
            if !self.write().await {
                // The store is away for a moment; nothing is lost, and the run waits when it has much to say.
                sleep(GATHERED * 10).await;
                self.news.notify_one();
            }
        }
    }

    /// Writes what is gathered; whether nothing is left to write. Once the lease is lost nothing is, and a store that does not
    /// answer is not waited for.
    pub(super) async fn write(&self) -> bool {
        tokio::select! {
            all = self.write_out() => all,
            () = self.lease_is_lost() => true,
        }
    }

    async fn write_out(&self) -> bool {
        let _in_order = self.writing.lock().await;
        let Gathered { state, report, log } = mem::take(&mut *self.gathered());
        // The state first: it is what cannot be had again.
        let mut left = Gathered::default();
        if let Some(state) = state
            && !self.done(self.operations.save_state(self.lease, &state).await)
        {
            left.state = Some(state);
        }
        if report != RunReport::default() && !self.done(self.operations.record(self.lease, &report).await) {
            left.report = report;
        }
        if !log.is_empty() && !self.done(self.operations.append_log(self.lease, &log).await) {
            left.log = log;
        }
        let all = left.is_empty();
        if !all {
            self.gathered().put_before(left);
        }
        all
    }

    /// Has everything written, however long the store is away: what a deployment becomes is kept before the engine makes it
    /// so. A run that is to stop meanwhile does not go on.
    async fn written_before_it_goes_on(&self) -> Result<(), StopReason> {
        while !self.write().await && self.told_to_stop().is_none() {
            sleep(GATHERED * 10).await;
        }
        self.told_to_stop().map_or(Ok(()), Err)
    }

    /// Whether a write needs no second try. Those under a lost lease never succeed; the run stops.
    fn done<T>(&self, written: Result<T, DeploymentError>) -> bool {
        match written {
            Ok(_) => true,
            Err(DeploymentError::Backend(error)) if error.is_retryable() => {
                tracing::warn!(run = %self.lease.run, %error, "a report waits for the store");
                false
            }
            Err(DeploymentError::LeaseLost) => {
                self.tell_to_stop(StopReason::LeaseLost);
                true
            }
            Err(error) => {
                tracing::error!(run = %self.lease.run, %error, "a report cannot be stored");
                true
            }
        }
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RunObserver for Reporter<'_> {
    async fn event(&self, event: RunEvent) -> Result<(), StopReason> {
        let applies = event == RunEvent::Step(Step::Apply);
        let news = untold(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner), event);
        if let Some(event) = news {
            let urgent = self.gathered().take(event);
            self.news.notify_one();
            if applies {
                return self.written_before_it_goes_on().await;
            }
            if urgent {
                self.write().await;
            }
        }
        match self.told_to_stop() {
            Some(StopReason::LeaseLost) => Err(StopReason::LeaseLost),
            // Told to stop for other reasons, a run still has things to say.
            _ => Ok(()),
        }
    }

    async fn stop(&self) -> StopReason {
        let mut told = self.stop.subscribe();
        match told.wait_for(Option::is_some).await.map(|reason| *reason) {
            Ok(Some(reason)) => reason,
            // The sender lives as long as this reporter.
            _ => std::future::pending().await,
        }
    }
}

/// What of an event is not among what was told; counts down what was. Lines are counted, not bytes: a line is as long as
/// what is masked in it.
fn untold(told: &mut Told, event: RunEvent) -> Option<RunEvent> {
    match event {
        RunEvent::Log(text) if told.lines > 0 => {
            let mut new = text.as_str();
            while told.lines > 0
                && let Some((_, rest)) = new.split_once('\n')
            {
                new = rest;
                told.lines -= 1;
            }
            (!new.is_empty()).then(|| RunEvent::Log(new.to_owned()))
        }
        RunEvent::Diagnostic(_) if told.diagnostics > 0 => {
            told.diagnostics -= 1;
            None
        }
        news => Some(news),
    }
}

impl Gathered {
    /// Gathers an event; whether it cannot wait.
    fn take(&mut self, event: RunEvent) -> bool {
        match event {
            RunEvent::Step(step) => self.report.step = Some(step),
            RunEvent::Log(text) => self.log.extend_from_slice(text.as_bytes()),
            RunEvent::Diagnostic(diagnostic) => self.report.diagnostics.push(diagnostic),
            RunEvent::Planned(plan) => self.report.plan = Some(plan),
            RunEvent::Drift(drift) => self.report.drift = Some(drift),
            RunEvent::Outputs(outputs) => self.report.outputs = Some(outputs),
            RunEvent::State(state) => self.state = Some(state),
            RunEvent::Resource(progress) => {
                let known = self.report.resources.iter_mut().find(|one| one.address == progress.address);
                match known {
                    Some(known) => *known = progress,
                    None => self.report.resources.push(progress),
                }
            }
            other => tracing::warn!(?other, "an event that this worker does not know"),
        }
        self.state.is_some() || self.log.len() > LOG_GATHERED
    }

    /// Puts back what could not be written, before what came since.
    fn put_before(&mut self, mut left: Self) {
        let since = mem::take(self);
        left.state = since.state.or(left.state);
        left.log.extend(since.log);
        left.report.step = since.report.step.or(left.report.step);
        left.report.plan = since.report.plan.or(left.report.plan);
        left.report.drift = since.report.drift.or(left.report.drift);
        left.report.outputs = since.report.outputs.or(left.report.outputs);
        left.report.diagnostics.extend(since.report.diagnostics);
        for progress in since.report.resources {
            left.take(RunEvent::Resource(progress));
        }
        *self = left;
    }

    fn is_empty(&self) -> bool {
        self.state.is_none() && self.log.is_empty() && self.report == RunReport::default()
    }
}

#[cfg(test)]
mod tests {
    use rad_core::runner::{ChangeKind, ChangeStatus, Diagnostic, ResourceProgress, Step};

    use super::*;

    fn progress(address: &str, status: ChangeStatus) -> RunEvent {
        let change = ChangeKind::Create;
        RunEvent::Resource(ResourceProgress {
            address: address.into(),
            change,
            status,
            elapsed_seconds: None,
        })
    }

    #[test]
    fn what_was_told_is_left_out() {
        let mut told = Told { lines: 3, diagnostics: 1 };
        let log = |text: &str| RunEvent::Log(text.to_owned());
        let diagnostic = || RunEvent::Diagnostic(Diagnostic::error("no", ""));
        assert_eq!(untold(&mut told, log("1\n2\n")), None);
        assert_eq!(untold(&mut told, RunEvent::Step(Step::Plan)), Some(RunEvent::Step(Step::Plan)));
        assert_eq!(untold(&mut told, diagnostic()), None);
        assert_eq!(untold(&mut told, log("3\n4\n5\n")), Some(log("4\n5\n")));
        assert_eq!(untold(&mut told, diagnostic()), Some(diagnostic()));
        assert_eq!(untold(&mut told, log("6\n")), Some(log("6\n")));
    }

    #[test]
    fn what_could_not_be_written_comes_before_what_came_since() {
        let mut left = Gathered::default();
        assert!(!left.take(RunEvent::Log("one\n".into())));
        assert!(left.take(RunEvent::State(Bytes::from_static(b"1"))), "a state cannot wait");
        left.take(RunEvent::Step(Step::Plan));
        left.take(progress("a", ChangeStatus::Planned));
        let mut gathered = Gathered::default();
        gathered.take(RunEvent::Log("two\n".into()));
        gathered.take(progress("b", ChangeStatus::Planned));
        gathered.take(progress("a", ChangeStatus::Complete));
        gathered.put_before(left);
        assert_eq!(gathered.log, b"one\ntwo\n");
        assert_eq!(gathered.state.as_deref(), Some(&b"1"[..]));
        assert_eq!(gathered.report.step, Some(Step::Plan));
        let resources: Vec<_> =
            gathered.report.resources.iter().map(|one| (&*one.address, one.status)).collect();
        assert_eq!(resources, [("a", ChangeStatus::Complete), ("b", ChangeStatus::Planned)]);
        assert!(!gathered.is_empty() && Gathered::default().is_empty());
    }
}
