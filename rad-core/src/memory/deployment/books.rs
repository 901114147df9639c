//! What a store in memory keeps, and the changes that keep it in order.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::deployment::{
    Deployment, DeploymentError, DeploymentStatus, Lease, Run, RunReport, RunStatus, SecretValues, Settlement,
};
use crate::id::{DeploymentId, RunId};
use crate::money::Credits;
use crate::runner::{Action, Diagnostic, Output, ResourceProgress};

/// The most diagnostics and resources kept of one run.
const REPORTED: usize = 10_000;

#[derive(Default)]
pub(super) struct Books {
    pub(super) deployments: BTreeMap<DeploymentId, DeploymentRecord>,
    pub(super) runs: BTreeMap<RunId, RunRecord>,
    /// Counts whatever needs an order: runs stored, runs queued, leases given.
    clock: u64,
}

pub(super) struct DeploymentRecord {
    pub(super) deployment: Deployment,
    pub(super) submission: Uuid,
    pub(super) secrets: SecretValues,
    pub(super) state: Option<Bytes>,
    pub(super) outputs: Vec<Output>,
}

pub(super) struct RunRecord {
    pub(super) run: Run,
    /// Where it stands among the runs of its store.
    pub(super) order: u64,
    /// Where it stands in the queue.
    pub(super) queued: u64,
    pub(super) lease: Option<(Lease, DateTime<Utc>)>,
    pub(super) resources: Vec<ResourceProgress>,
    pub(super) log: Vec<u8>,
    pub(super) log_cut: bool,
}

impl Books {
    pub(super) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    pub(super) fn deployment(&self, id: DeploymentId) -> Result<&DeploymentRecord, DeploymentError> {
        self.deployments.get(&id).ok_or(DeploymentError::NotFound)
    }

    pub(super) fn deployment_mut(
        &mut self,
        id: DeploymentId,
    ) -> Result<&mut DeploymentRecord, DeploymentError> {
        self.deployments.get_mut(&id).ok_or(DeploymentError::NotFound)
    }

    pub(super) fn run(&self, id: RunId) -> Result<&RunRecord, DeploymentError> {
        self.runs.get(&id).ok_or(DeploymentError::NotFound)
    }

    pub(super) fn run_mut(&mut self, id: RunId) -> Result<&mut RunRecord, DeploymentError> {
        self.runs.get_mut(&id).ok_or(DeploymentError::NotFound)
    }

    pub(super) fn is_pending(&self, id: RunId) -> bool {
        self.runs.get(&id).is_some_and(|record| record.run.status == RunStatus::Pending)
    }

    /// The run under a lease that still holds.
    pub(super) fn leased(&mut self, lease: &Lease) -> Result<&mut RunRecord, DeploymentError> {
        let record = self.run_mut(lease.run)?;
        let holds = record.run.status == RunStatus::Working
            && record.lease.as_ref().is_some_and(|(held, _)| held == lease);
        if holds { Ok(record) } else { Err(DeploymentError::LeaseLost) }
    }

    /// Runs that `wanted` picks, oldest first.
    pub(super) fn select(&self, limit: u32, wanted: impl Fn(&RunRecord) -> bool) -> Vec<Run> {
        let mut found: Vec<&RunRecord> = self.runs.values().filter(|record| wanted(record)).collect();
        found.sort_by_key(|record| record.order);
        found.into_iter().take(limit as usize).map(|record| record.run.clone()).collect()
    }

    /// The runs of a deployment, newest first.
    pub(super) fn runs_of(&self, deployment: DeploymentId) -> Vec<Run> {
        let mut runs = self.select(u32::MAX, |record| record.run.deployment == deployment);
        runs.reverse();
        runs
    }

    pub(super) fn insert_run(
        &mut self,
        deployment: &Deployment,
        id: RunId,
        action: Action,
        cost: Credits,
        at: DateTime<Utc>,
    ) -> Run {
        let run = Run {
            id,
            deployment: deployment.id,
            owner: deployment.owner,
            action,
            status: RunStatus::Pending,
            step: None,
            cost,
            settlement: Settlement::Nothing,
            diagnostics: Vec::new(),
            created_at: at,
            started_at: None,
            finished_at: None,
        };
        let record = RunRecord {
            run: run.clone(),
            order: self.tick(),
            queued: 0,
            lease: None,
            resources: Vec::new(),
            log: Vec::new(),
            log_cut: false,
        };
        self.runs.insert(id, record);
        run
    }

    /// Makes `run` the latest of its deployment, which then stands as the run does.
    pub(super) fn follow(&mut self, run: &Run, at: DateTime<Utc>) {
        if let Some(record) = self.deployments.get_mut(&run.deployment) {
            record.deployment.latest_run = run.id;
            record.deployment.status = DeploymentStatus::of(run.action, run.status);
            record.deployment.updated_at = at;
        }
    }
}

impl RunRecord {
    pub(super) fn enter(&mut self, status: RunStatus, at: DateTime<Utc>) {
        self.run.status = status;
        if status.is_final() {
            self.run.finished_at = Some(at);
            self.run.settlement = Settlement::Owed;
        }
    }

    pub(super) fn take(&mut self, report: &RunReport) {
        self.run.step = report.step.or(self.run.step);
        let room = REPORTED.saturating_sub(self.run.diagnostics.len());
        let added = report.diagnostics.iter().take(room).cloned();
        self.run.diagnostics.extend(added.collect::<Vec<Diagnostic>>());
        for progress in &report.resources {
            if self.resources.len() == REPORTED {
                break;
            }
            match self.resources.iter_mut().find(|known| known.address == progress.address) {
                Some(known) => known.clone_from(progress),
                None => self.resources.push(progress.clone()),
            }
        }
    }
}
