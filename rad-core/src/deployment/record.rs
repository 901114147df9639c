//! What is kept of deployments and runs.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::state::{DeploymentStatus, IllegalTransition, RunStatus, Transition, Wait};
use crate::access::Publisher;
use crate::id::{AccountId, DeploymentId, ModuleId, RunId};
use crate::module::Values;
use crate::money::Credits;
use crate::runner::{Action, Diagnostic, Drift, Output, PlannedChange, ResourceProgress, Step};
use crate::source::{CommitId, Digest};

/// The values of sensitive variables, each a JSON text; encrypted wherever they are kept.
pub type SecretValues = BTreeMap<String, SecretString>;

/// What a deployment is made from, and with which values.
#[derive(Debug, Clone)]
pub struct Target {
    /// The commit.
    pub commit: CommitId,
    /// The digest its source is archived under.
    pub source: Digest,
    /// The values Terraform is given, sensitive ones left out.
    pub values: Values,
    /// The values of sensitive variables.
    pub secrets: SecretValues,
    /// Which modules must be deployed first.
    pub needs: Vec<String>,
    /// Whether the module lets its deployers purge.
    pub may_purge: bool,
}

/// A deployment to be stored.
#[derive(Debug, Clone)]
pub struct NewDeployment {
    /// Its id.
    pub id: DeploymentId,
    /// The id of the form it was submitted with: a second submission of the same form finds the first deployment.
    pub submission: Uuid,
    /// Who deploys.
    pub owner: AccountId,
    /// The module.
    pub module: ModuleId,
    /// Whose module it is.
    pub publisher: Publisher,
    /// The module's name when it was deployed.
    pub module_name: String,
    /// What it is made from.
    pub target: Target,
    /// What the module charges.
    pub cost: Credits,
    /// Whether only purchased credits may pay.
    pub purchased_only: bool,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Who deploys.
    pub owner: AccountId,
    /// The module.
    pub module: ModuleId,
    /// Whose module it is.
    pub publisher: Publisher,
    /// The module's name when it was deployed.
    pub module_name: String,
    /// The commit it is made from.
    pub commit: CommitId,
    /// The digest its source is archived under.
    pub source: Digest,
    /// The values Terraform is given, sensitive ones left out.
    pub values: Values,
    /// The names of the sensitive variables that have a value.
    pub secret_names: Vec<String>,
    /// What the module charged when it was deployed.
    pub cost: Credits,
    /// Whether only purchased credits may pay.
    pub purchased_only: bool,
    /// Which modules must be deployed first.
    pub needs: Vec<String>,
    /// Whether the module lets its deployers purge.
    pub may_purge: bool,
    /// How it stands; a check leaves that as it is.
    pub status: DeploymentStatus,
    /// Whether its latest apply or destroy stopped after it had begun to change resources: what exists is neither what was there
    /// before nor what was asked for.
    pub diverged: bool,
    /// When somebody asked to purge it.
    pub purge_asked: Option<DateTime<Utc>>,
    /// After a purge: the addresses of resources that may still exist.
    pub left: Vec<String>,
    /// The latest run that is no check.
    pub latest_run: RunId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its status last changed.
    pub updated_at: DateTime<Utc>,
}

/// A run to be stored.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// Its deployment.
    pub deployment: DeploymentId,
    /// What it does.
    pub action: Action,
    /// The credits it takes.
    pub cost: Credits,
    /// What it makes of the deployment; the deployment stays what it is until the run's apply begins.
    pub target: Option<Target>,
}

/// What is still to be done about a run's hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// The run goes on, or never held anything.
    Nothing,
    /// The run ended and its hold is to be captured or released.
    Owed,
    /// The hold is captured or released.
    Done,
}

/// One attempt of a deployment to reach a state.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its id; the key of its hold.
    pub id: RunId,
    /// Its deployment.
    pub deployment: DeploymentId,
    /// The deployment's owner.
    pub owner: AccountId,
    /// What it does.
    pub action: Action,
    /// How it stands.
    pub status: RunStatus,
    /// What it waits for while it is waiting.
    pub waits_for: Option<Wait>,
    /// Whether a person asked to cancel it while a worker had it.
    pub cancel_asked: bool,
    /// How often a worker gave it back because the platform could not begin it.
    pub attempts: u32,
    /// The step the engine is in or was in last.
    pub step: Option<Step>,
    /// The credits it holds or held; zero for runs that cost nothing.
    pub cost: Credits,
    /// What is still to be done about its hold.
    pub settlement: Settlement,
    /// What the engine or the platform had to say, masked.
    pub diagnostics: Vec<Diagnostic>,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// When a worker took it, last.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Run {
    /// Refuses what [`advance`](super::DeploymentStore::advance) does not do: moving a run that a worker has, leasing one, and
    /// queueing one that waits for a confirmation.
    ///
    /// # Errors
    /// [`IllegalTransition`].
    pub fn check_advance(&self, transition: Transition) -> Result<(), IllegalTransition> {
        let unconfirmed = self.waits_for == Some(Wait::Confirmation) && transition == Transition::Queue;
        if self.status == RunStatus::Working || transition == Transition::Lease || unconfirmed {
            return Err(IllegalTransition { status: self.status, transition });
        }
        Ok(())
    }
}

/// What a run planned, and what of it was confirmed; of a check, what it found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The changes of its latest plan; `None` before there is one.
    pub changes: Option<Vec<PlannedChange>>,
    /// What a check found that is not what the state says; `None` for other runs, and before it is found.
    pub drift: Option<Vec<Drift>>,
    /// What a person confirmed that it destroys or replaces.
    pub confirmed: Vec<PlannedChange>,
}

impl Plan {
    /// What the latest plan destroys or replaces.
    pub fn takes_away(&self) -> Vec<PlannedChange> {
        self.changes.iter().flatten().filter(|change| change.destroys()).cloned().collect()
    }

    /// Stands for [`takes_away`](Self::takes_away), so that a person confirms exactly what they saw.
    pub fn digest(&self) -> Digest {
        let mut text = String::new();
        for PlannedChange { address, change } in self.takes_away() {
            // Addresses hold no line feeds outside of quoted keys, where they are escaped.
            text.push_str(&format!("{change:?} {address}\n"));
        }
        Digest::of(text.as_bytes())
    }
}

/// A worker's hold on a run. Every write under a lease carries its epoch; a lapsed one writes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// Its deployment.
    pub deployment: DeploymentId,
    /// The worker.
    pub worker: String,
    /// The fencing token: higher than that of every lease before it on the same run.
    pub epoch: u64,
}

/// What a worker hears when it lengthens a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeaseNews {
    /// A person asked to cancel the run: the worker stops it.
    pub cancel_asked: bool,
}

/// What a worker reports of a run in one write.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunReport {
    /// The step that began. [`Step::Apply`] makes the run's [`Target`] the deployment's.
    pub step: Option<Step>,
    /// The plan, replacing the one before.
    pub plan: Option<Vec<PlannedChange>>,
    /// What a check found, replacing what was found before.
    pub drift: Option<Vec<Drift>>,
    /// Resources that got further; each replaces what was known of its address.
    pub resources: Vec<ResourceProgress>,
    /// Diagnostics to add.
    pub diagnostics: Vec<Diagnostic>,
    /// The outputs after an apply, replacing those before.
    pub outputs: Option<Vec<Output>>,
}

/// How many bytes of a run's log are kept.
pub const LOG_LIMIT: u64 = 16 * 1024 * 1024;

/// What stands at the end of a log that was cut at [`LOG_LIMIT`].
pub const LOG_CUT: &str = "\n[The log is longer than 16 MiB: the rest was not kept.]\n";

/// A piece of a run's log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogChunk {
    /// The bytes, UTF-8 except where a chunk's end cuts a character.
    pub bytes: Bytes,
    /// The offset of the first byte after these.
    pub next: u64,
    /// Whether the run has ended and nothing follows.
    pub complete: bool,
}
