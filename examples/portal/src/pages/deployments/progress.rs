//! How far a run has come.

use rad_core::deployment::{DeploymentStatus, Run, Wait};
use rad_core::runner::{ChangeKind, ChangeStatus, ResourceProgress, Step};
use serde::Serialize;

/// How far a run has come, for the page and for its events.
#[derive(Debug, Serialize)]
pub(in crate::pages) struct ProgressView {
    /// How the deployment stands by it; a check says nothing of that.
    status: Option<&'static str>,
    pub(super) step: &'static str,
    live: bool,
    /// Whether it waits for a person to confirm its plan: then the page has something to ask.
    asks: bool,
    pub(super) done: usize,
    pub(super) total: usize,
    pub(super) resources: Vec<ResourceView>,
}

#[derive(Debug, Serialize)]
pub(in crate::pages) struct ResourceView {
    pub(super) address: String,
    pub(super) change: &'static str,
    pub(super) status: &'static str,
    pub(super) seconds: Option<u64>,
}

impl ProgressView {
    pub(in crate::pages) fn of(run: &Run, resources: &[ResourceProgress]) -> Self {
        let changed = || resources.iter().filter(|resource| resource.change != ChangeKind::Read);
        Self {
            status: DeploymentStatus::of(run.action, run.status).map(DeploymentStatus::as_str),
            step: match run.step {
                _ if run.status.is_final() => "",
                _ if run.waits_for == Some(Wait::Confirmation) => "waits to be confirmed",
                _ if run.cancel_asked => "stopping",
                Some(Step::Init) => "fetching providers",
                Some(Step::Plan) if !run.action.applies() => "looking at what exists",
                Some(Step::Plan) => "planning",
                Some(Step::Apply) if run.action.destroys() => "destroying",
                Some(Step::Apply) => "applying",
                _ => "",
            },
            live: !run.status.is_final(),
            asks: run.waits_for == Some(Wait::Confirmation),
            done: changed().filter(|resource| resource.status == ChangeStatus::Complete).count(),
            total: changed().count(),
            resources: resources.iter().map(resource_view).collect(),
        }
    }

    pub(super) fn bar_max(&self) -> usize {
        self.total.max(1)
    }

    pub(super) fn failed(&self) -> bool {
        self.resources.iter().any(|resource| resource.status == "failed")
    }
}

fn resource_view(resource: &ResourceProgress) -> ResourceView {
    ResourceView {
        address: resource.address.clone(),
        change: change(resource.change),
        status: match resource.status {
            ChangeStatus::Planned => "planned",
            ChangeStatus::Started => "started",
            ChangeStatus::Complete => "done",
            ChangeStatus::Errored => "failed",
        },
        seconds: resource.elapsed_seconds,
    }
}

/// What happens to a resource, in a word.
pub(super) fn change(change: ChangeKind) -> &'static str {
    match change {
        ChangeKind::Create => "create",
        ChangeKind::Update => "update",
        ChangeKind::Replace => "replace",
        ChangeKind::Delete => "destroy",
        ChangeKind::Read => "read",
        _ => "change",
    }
}
