//! What the rows of deployments and runs mean.

use rad_core::access::Publisher;
use rad_core::deployment::{Deployment, DeploymentStatus, NewDeployment, Run};
use rad_core::error::BackendError;
use rad_core::id::{AccountId, ModuleId, RunId};
use rad_core::module::Values;
use rad_core::money::Credits;
use rad_core::source::{CommitId, Digest};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;

use crate::store::sqlite::{column, corrupt, id, json, optional_time, optional_word, time, word};

/// What never changes of a deployment, as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    module: ModuleId,
    publisher: Publisher,
    commit: CommitId,
    source: Digest,
    values: Values,
    secret_names: Vec<String>,
    cost: Credits,
    purchased_only: bool,
    needs: Vec<String>,
}

impl Record {
    pub(super) fn of(new: &NewDeployment) -> Self {
        Self {
            module: new.module,
            publisher: new.publisher,
            commit: new.commit.clone(),
            source: new.source,
            values: new.values.clone(),
            secret_names: new.secrets.keys().cloned().collect(),
            cost: new.cost,
            purchased_only: new.purchased_only,
            needs: new.needs.clone(),
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
        commit: record.commit,
        source: record.source,
        values: record.values,
        secret_names: record.secret_names,
        cost: record.cost,
        purchased_only: record.purchased_only,
        needs: record.needs,
        status: DeploymentStatus::of(word(row, "action")?, word(row, "status")?),
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
        step: optional_word(row, "step")?,
        cost: Credits::from_micros(column(row, "cost")?),
        settlement: word(row, "settlement")?,
        diagnostics: json(row, "diagnostics")?,
        created_at: time(row, "created_at")?,
        started_at: optional_time(row, "started_at")?,
        finished_at: optional_time(row, "finished_at")?,
    })
}
