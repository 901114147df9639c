//! An observer that notes what a run tells it.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use async_trait::async_trait;
use bytes::Bytes;

use crate::runner::{
    ChangeKind, ChangeStatus, Diagnostic, Drift, Output, PlannedChange, ResourceProgress, RunEvent,
    RunObserver, Step, StopReason,
};

/// Says which event is meant.
pub(super) type Event = Box<dyn Fn(&RunEvent) -> bool + Send + Sync>;

/// Notes every event; after some event it tells the run to stop, or its player to drop it.
#[derive(Default)]
pub(super) struct Notes {
    events: Mutex<Vec<RunEvent>>,
    /// The run is told to stop after this event.
    stop_after: Option<Event>,
    /// [`dropped`](Self::dropped) is ready after this event.
    drop_after: Option<Event>,
    /// Every event is refused.
    refuse: bool,
    stop: Signal,
    dropped: Signal,
}

#[async_trait]
impl RunObserver for Notes {
    async fn event(&self, event: RunEvent) -> Result<(), StopReason> {
        if self.refuse {
            return Err(StopReason::LeaseLost);
        }
        if self.stop_after.as_ref().is_some_and(|after| after(&event)) {
            self.stop.give();
        }
        if self.drop_after.as_ref().is_some_and(|after| after(&event)) {
            self.dropped.give();
        }
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        Ok(())
    }

    async fn stop(&self) -> StopReason {
        self.stop.wait().await;
        StopReason::Cancelled
    }
}

impl Notes {
    /// Tells the run to stop after an event.
    pub(super) fn stopping_after(event: Event) -> Self {
        Self { stop_after: Some(event), ..Self::default() }
    }

    /// Has the run dropped after an event.
    pub(super) fn dropping_after(event: Event) -> Self {
        Self { drop_after: Some(event), ..Self::default() }
    }

    /// Refuses every event.
    pub(super) fn refusing() -> Self {
        Self { refuse: true, ..Self::default() }
    }

    /// Waits for the event after which the run is dropped.
    pub(super) async fn dropped(&self) {
        self.dropped.wait().await;
    }

    pub(super) fn events(&self) -> Vec<RunEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn pick<T>(&self, pick: impl Fn(RunEvent) -> Option<T>) -> Vec<T> {
        self.events().into_iter().filter_map(pick).collect()
    }

    pub(super) fn log(&self) -> String {
        self.pick(|event| if let RunEvent::Log(text) = event { Some(text) } else { None }).concat()
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        self.pick(|event| if let RunEvent::Step(step) = event { Some(step) } else { None })
    }

    /// The plan, in the order of addresses.
    pub(super) fn plan(&self) -> Vec<PlannedChange> {
        let plans = self.pick(|event| if let RunEvent::Planned(plan) = event { Some(plan) } else { None });
        let mut plan = plans.into_iter().next_back().unwrap_or_default();
        plan.sort_unstable();
        plan
    }

    pub(super) fn state(&self) -> Option<Bytes> {
        self.pick(|event| if let RunEvent::State(state) = event { Some(state) } else { None }).pop()
    }

    /// What a check found.
    pub(super) fn drift(&self) -> Option<Vec<Drift>> {
        self.pick(|event| if let RunEvent::Drift(drift) = event { Some(drift) } else { None }).pop()
    }

    pub(super) fn resources(&self) -> Vec<ResourceProgress> {
        self.pick(|event| if let RunEvent::Resource(one) = event { Some(one) } else { None })
    }

    pub(super) fn outputs(&self) -> Vec<Output> {
        let all =
            self.pick(|event| if let RunEvent::Outputs(outputs) = event { Some(outputs) } else { None });
        all.into_iter().next_back().unwrap_or_default()
    }

    pub(super) fn diagnostics(&self) -> Vec<Diagnostic> {
        self.pick(|event| if let RunEvent::Diagnostic(one) = event { Some(one) } else { None })
    }

    pub(super) fn last_change(&self, address: &str) -> Option<(ChangeKind, ChangeStatus)> {
        self.pick(|event| match event {
            RunEvent::Resource(progress) if progress.address == address => {
                Some((progress.change, progress.status))
            }
            _ => None,
        })
        .pop()
    }
}

/// A signal that is given once and stays given.
#[derive(Default)]
struct Signal {
    state: Mutex<(bool, Vec<std::task::Waker>)>,
}

impl Signal {
    fn give(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        state.1.drain(..).for_each(std::task::Waker::wake);
    }

    async fn wait(&self) {
        let given = std::future::poll_fn(|context| {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.0 {
                return Poll::Ready(());
            }
            state.1.push(context.waker().clone());
            Poll::Pending
        });
        pin!(given).await;
    }
}
