//! What a store in memory keeps, and the changes that keep it in order.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::deployment::{
    Deployment, DeploymentError, DeploymentStatus, Lease, NewRun, Plan, Run, RunReport, RunStatus,
    SecretValues, Settlement, StateVersion, Target,
};
use crate::id::{AccountId, DeploymentId, RunId};
use crate::runner::{Diagnostic, MOST_RESOURCES, Output, ResourceProgress, Step};

/// The most diagnostics kept of one run.
const DIAGNOSTICS: usize = 1_000;

#[derive(Default)]
pub(super) struct Books {
    pub(super) deployments: BTreeMap<DeploymentId, DeploymentRecord>,
    pub(super) runs: BTreeMap<RunId, RunRecord>,
    /// When an owner was given a lease last.
    pub(super) turns: BTreeMap<AccountId, u64>,
    /// Counts whatever needs an order: runs stored, runs queued, leases given.
    clock: u64,
}

pub(super) struct DeploymentRecord {
    pub(super) deployment: Deployment,
    pub(super) submission: Uuid,
    pub(super) secrets: SecretValues,
    /// Oldest first.
    pub(super) states: Vec<(StateVersion, Bytes)>,
    pub(super) outputs: Vec<Output>,
}

pub(super) struct RunRecord {
    pub(super) run: Run,
    /// Where it stands among the runs of its store.
    pub(super) order: u64,
    /// Where it stands in the queue.
    pub(super) queued: u64,
    pub(super) lease: Option<(Lease, DateTime<Utc>)>,
    /// When another attempt may begin.
    pub(super) not_before: Option<DateTime<Utc>>,
    pub(super) target: Option<Target>,
    pub(super) plan: Plan,
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

    pub(super) fn insert_run(&mut self, new: NewRun, at: DateTime<Utc>) -> Result<Run, DeploymentError> {
        let run = Run {
            id: new.id,
            deployment: new.deployment,
            owner: self.deployment(new.deployment)?.deployment.owner,
            action: new.action,
            status: RunStatus::Pending,
            waits_for: None,
            cancel_asked: false,
            attempts: 0,
            step: None,
            cost: new.cost,
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
            not_before: None,
            target: new.target,
            plan: Plan::default(),
            resources: Vec::new(),
            log: Vec::new(),
            log_cut: false,
        };
        self.runs.insert(run.id, record);
        Ok(run)
    }

    /// Keeps what a leased run reports.
    pub(super) fn take(&mut self, lease: &Lease, report: &RunReport) -> Result<(), DeploymentError> {
        let record = self.leased(lease)?;
        record.take(report);
        let target = record.target.clone().filter(|_| report.step == Some(Step::Apply));
        let of = self.deployment_mut(lease.deployment)?;
        if let Some(outputs) = &report.outputs {
            of.outputs.clone_from(outputs);
        }
        if let Some(target) = target {
            of.become_of(target);
        }
        Ok(())
    }
}

impl DeploymentRecord {
    /// Makes the deployment what a run makes of it.
    fn become_of(&mut self, target: Target) {
        let deployment = &mut self.deployment;
        deployment.commit = target.commit;
        deployment.source = target.source;
        deployment.values = target.values;
        deployment.secret_names = target.secrets.keys().cloned().collect();
        deployment.needs = target.needs;
        deployment.may_purge = target.may_purge;
        self.secrets = target.secrets;
    }

    /// Has the deployment stand as a run does, which becomes its latest; a check leaves it as it stands.
    pub(super) fn follow(&mut self, run: &Run, changed_something: bool, at: DateTime<Utc>) {
        let Some(status) = DeploymentStatus::of(run.action, run.status) else { return };
        let deployment = &mut self.deployment;
        deployment.latest_run = run.id;
        deployment.status = status;
        deployment.updated_at = at;
        if run.status == RunStatus::Success {
            deployment.diverged = false;
        } else if run.status.is_final() && changed_something {
            deployment.diverged = true;
        }
    }
}

impl RunRecord {
    /// Whether the run began to change something.
    pub(super) fn changed_something(&self) -> bool {
        self.resources.iter().any(ResourceProgress::changed_something)
    }

    fn take(&mut self, report: &RunReport) {
        self.run.step = report.step.or(self.run.step);
        if let Some(plan) = &report.plan {
            self.plan.changes = Some(plan.iter().take(MOST_RESOURCES).cloned().collect());
        }
        if let Some(drift) = &report.drift {
            self.plan.drift = Some(drift.iter().take(MOST_RESOURCES).cloned().collect());
        }
        let room = DIAGNOSTICS.saturating_sub(self.run.diagnostics.len());
        let added = report.diagnostics.iter().take(room).cloned();
        self.run.diagnostics.extend(added.collect::<Vec<Diagnostic>>());
        for progress in &report.resources {
            if self.resources.len() == MOST_RESOURCES {
                break;
            }
            match self.resources.iter_mut().find(|known| known.address == progress.address) {
                Some(known) => known.clone_from(progress),
                None => self.resources.push(progress.clone()),
            }
        }
    }
}
