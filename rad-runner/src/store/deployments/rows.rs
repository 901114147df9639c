//! What the rows of deployments and runs mean.

use rad_core::access::Publisher;
use rad_core::deployment::{Deployment, DeploymentStatus, NewDeployment, Run, SecretValues, Target};
use rad_core::error::BackendError;
use rad_core::id::{AccountId, ModuleId, RunId};
use rad_core::module::Values;
use rad_core::money::Credits;
use rad_core::source::{CommitId, Digest};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;

use crate::store::sqlite::{column, corrupt, id, json, optional_time, optional_word, time, word};

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

pub(super) fn deployment(row: &SqliteRow) -> Result<Deployment, BackendError> {
    let record: Record = json(row, "record")?;
    Ok(Deployment {
        id: column::<&str>(row, "id")?.parse().map_err(corrupt)?,
        owner: AccountId::from_bytes(id(row, "owner")?),
        module: record.module,
        publisher: record.publisher,
        module_name: column(row, "module_name")?,
        commit: record.target.commit,
        source: record.target.source,
        values: record.target.values,
        secret_names: record.target.secret_names,
        cost: record.cost,
        purchased_only: record.purchased_only,
        needs: record.target.needs,
        may_purge: record.target.may_purge,
        status: DeploymentStatus::of(word(row, "action")?, word(row, "status")?),
        diverged: column(row, "diverged")?,
        purge_asked: optional_time(row, "purge_asked")?,
        left: json(row, "remains")?,
        latest_run: RunId::from_bytes(id(row, "latest_run")?),
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

pub(super) fn run(row: &SqliteRow) -> Result<Run, BackendError> {
    Ok(Run {
        id: RunId::from_bytes(id(row, "id")?),
        deployment: column::<&str>(row, "deployment")?.parse().map_err(corrupt)?,
        owner: AccountId::from_bytes(id(row, "owner")?),
        action: word(row, "action")?,
        status: word(row, "status")?,
        waits_for: optional_word(row, "waits_for")?,
        cancel_asked: column(row, "cancel_asked")?,
        step: optional_word(row, "step")?,
        cost: Credits::from_micros(column(row, "cost")?),
        settlement: word(row, "settlement")?,
        diagnostics: json(row, "diagnostics")?,
        created_at: time(row, "created_at")?,
        started_at: optional_time(row, "started_at")?,
        finished_at: optional_time(row, "finished_at")?,
    })
}
