//! What the rows of deployments and runs mean.

use rad_core::access::Publisher;
use rad_core::deployment::{Deployment, DeploymentStatus, NewDeployment, Run, SecretValues, Target};
use rad_core::error::BackendError;
use rad_core::id::ModuleId;
use rad_core::module::Values;
use rad_core::money::Credits;
use rad_core::source::{CommitId, Digest};
use rad_sql::Row;
use serde::{Deserialize, Serialize};

use crate::store::database::corrupt;

/// What a deployment is made from and what it cost, as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    module: ModuleId,
    publisher: Publisher,
    cost: Credits,
    purchased_only: bool,
    #[serde(flatten)]
    target: TargetRecord,
}

/// What a deployment is made from, as it is stored, without its secrets.
#[derive(Serialize, Deserialize)]
pub(super) struct TargetRecord {
    commit: CommitId,
    source: Digest,
    values: Values,
    secret_names: Vec<String>,
    needs: Vec<String>,
    may_purge: bool,
}

impl Record {
    pub(super) fn of(new: &NewDeployment) -> Self {
        Self {
            module: new.module,
            publisher: new.publisher,
            cost: new.cost,
            purchased_only: new.purchased_only,
            target: TargetRecord::of(&new.target),
        }
    }

    /// The record of a deployment that a run made something else of.
    pub(super) fn with(self, target: TargetRecord) -> Self {
        Self { target, ..self }
    }
}

impl TargetRecord {
    pub(super) fn of(target: &Target) -> Self {
        Self {
            commit: target.commit.clone(),
            source: target.source,
            values: target.values.clone(),
            secret_names: target.secrets.keys().cloned().collect(),
            needs: target.needs.clone(),
            may_purge: target.may_purge,
        }
    }

    /// The target with its secrets, which are stored apart.
    pub(super) fn with(self, secrets: SecretValues) -> Target {
        Target {
            commit: self.commit,
            source: self.source,
            values: self.values,
            secrets,
            needs: self.needs,
            may_purge: self.may_purge,
        }
    }
}

pub(super) fn deployment(row: &Row) -> Result<Deployment, BackendError> {
    let record: Record = row.json("record")?;
    let status = DeploymentStatus::of(row.word("action")?, row.word("status")?);
    Ok(Deployment {
        id: row.get("id")?,
        owner: row.get("owner")?,
        module: record.module,
        publisher: record.publisher,
        module_name: row.get("module_name")?,
        commit: record.target.commit,
        source: record.target.source,
        values: record.target.values,
        secret_names: record.target.secret_names,
        cost: record.cost,
        purchased_only: record.purchased_only,
        needs: record.target.needs,
        may_purge: record.target.may_purge,
        status: status.ok_or_else(|| corrupt("a check is no deployment's latest run"))?,
        diverged: row.get("diverged")?,
        purge_asked: row.get("purge_asked")?,
        left: row.json("remains")?,
        latest_run: row.get("latest_run")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

pub(super) fn run(row: &Row) -> Result<Run, BackendError> {
    Ok(Run {
        id: row.get("id")?,
        deployment: row.get("deployment")?,
        owner: row.get("owner")?,
        action: row.word("action")?,
        status: row.word("status")?,
        waits_for: row.word("waits_for")?,
        cancel_asked: row.get("cancel_asked")?,
        attempts: row.get("attempts")?,
        step: row.word("step")?,
        cost: row.get("cost")?,
        settlement: row.word("settlement")?,
        diagnostics: row.json("diagnostics")?,
        created_at: row.get("created_at")?,
        started_at: row.get("started_at")?,
        finished_at: row.get("finished_at")?,
    })
}
