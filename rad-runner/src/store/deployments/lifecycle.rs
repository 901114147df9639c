//! Storing deployments and runs, and moving runs along the state machine.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rad_core::deployment::{
    Deployment, DeploymentError, IllegalTransition, NewDeployment, Run, RunStatus, SecretValues, Settlement,
    Transition,
};
use rad_core::error::BackendError;
use rad_core::id::{DeploymentId, RunId};
use rad_core::money::Credits;
use rad_core::runner::Action;
use secrecy::ExposeSecret;
use sqlx::SqliteConnection;

use super::rows::{self, Record};
use super::{SqliteDeployments, listing};
use crate::store::sqlite::{begin, commit, failed, json_text, word_of};

pub(super) async fn create(
    store: &SqliteDeployments,
    new: NewDeployment,
    run: RunId,
    at: DateTime<Utc>,
) -> Result<(Deployment, Run), DeploymentError> {
    let mut transaction = begin(&store.pool).await?;
    let first = sqlx::query("SELECT * FROM deployments WHERE owner = ? AND submission = ?")
        .bind(new.owner.as_bytes().as_slice())
        .bind(new.submission.as_bytes().as_slice())
        .fetch_optional(&mut *transaction)
        .await
        .map_err(failed("looking for a submission"))?;
    if let Some(row) = first {
        let deployment = rows::deployment(&row)?;
        let run = first_run(&mut transaction, deployment.id).await?;
        return Ok((deployment, run));
    }
    if listing::find(&mut transaction, new.id).await?.is_some() {
        return Err(DeploymentError::IdTaken { deployment: new.id });
    }
    insert(store, &mut transaction, &new, run, at).await?;
    insert_run(&mut transaction, new.id, run, Action::Create, new.cost, at).await?;
    let stored = listing::find(&mut transaction, new.id).await?.ok_or(DeploymentError::NotFound)?;
    let run = listing::find_run(&mut transaction, run).await?;
    commit(transaction).await?;
    Ok((stored, run))
}

pub(super) async fn add_run(
    store: &SqliteDeployments,
    deployment: DeploymentId,
    run: RunId,
    action: Action,
    cost: Credits,
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let mut transaction = begin(&store.pool).await?;
    listing::find(&mut transaction, deployment).await?.ok_or(DeploymentError::NotFound)?;
    let live =
        "SELECT 1 FROM runs WHERE deployment = ? AND status IN ('pending', 'waiting', 'queued', 'working')";
    let live = sqlx::query(live)
        .bind(deployment.as_str())
        .fetch_optional(&mut *transaction)
        .await
        .map_err(failed("looking for a live run"))?;
    if live.is_some() {
        return Err(DeploymentError::Busy { deployment });
    }
    insert_run(&mut transaction, deployment, run, action, cost, at).await?;
    let run = listing::find_run(&mut transaction, run).await?;
    commit(transaction).await?;
    Ok(run)
}

pub(super) async fn advance(
    store: &SqliteDeployments,
    run: RunId,
    transition: Transition,
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let mut transaction = begin(&store.pool).await?;
    let status = listing::find_run(&mut transaction, run).await?.status;
    if status == RunStatus::Working || transition == Transition::Lease {
        return Err(IllegalTransition { status, transition }.into());
    }
    let next = status.after(transition)?;
    if next == RunStatus::Queued {
        sqlx::query("UPDATE runs SET queued = (SELECT coalesce(max(queued), 0) + 1 FROM runs) WHERE id = ?")
            .bind(run.as_bytes().as_slice())
            .execute(&mut *transaction)
            .await
            .map_err(failed("queueing a run"))?;
    }
    let run = enter(&mut transaction, run, next, at).await?;
    commit(transaction).await?;
    Ok(run)
}

pub(super) async fn discard(store: &SqliteDeployments, run: RunId) -> Result<(), DeploymentError> {
    let mut transaction = begin(&store.pool).await?;
    let stored = listing::find_run(&mut transaction, run).await?;
    if stored.status != RunStatus::Pending {
        let status = stored.status;
        return Err(IllegalTransition { status, transition: Transition::Cancel }.into());
    }
    sqlx::query("DELETE FROM runs WHERE id = ?")
        .bind(run.as_bytes().as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(failed("removing a run"))?;
    let orphan =
        "DELETE FROM deployments WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM runs WHERE deployment = ?1)";
    sqlx::query(orphan)
        .bind(stored.deployment.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(failed("removing a deployment"))?;
    Ok(commit(transaction).await?)
}

pub(super) async fn settled(store: &SqliteDeployments, run: RunId) -> Result<(), DeploymentError> {
    let update = "UPDATE runs SET settlement = CASE settlement WHEN 'owed' THEN 'done' ELSE settlement END WHERE id = ?";
    let done = sqlx::query(update)
        .bind(run.as_bytes().as_slice())
        .execute(&store.pool)
        .await
        .map_err(failed("marking a run as settled"))?;
    if done.rows_affected() == 0 { Err(DeploymentError::NotFound) } else { Ok(()) }
}

/// Gives a run its next status, which its deployment then has too; a run that ended is to be settled.
pub(super) async fn enter(
    connection: &mut SqliteConnection,
    run: RunId,
    status: RunStatus,
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let ended = status.is_final();
    let update = "UPDATE runs SET status = ?, \
                  finished_at = CASE WHEN ? THEN ? ELSE finished_at END, \
                  settlement = CASE WHEN ? THEN ? ELSE settlement END WHERE id = ?";
    sqlx::query(update)
        .bind(word_of(status)?)
        .bind(ended)
        .bind(at.timestamp_micros())
        .bind(ended)
        .bind(word_of(Settlement::Owed)?)
        .bind(run.as_bytes().as_slice())
        .execute(&mut *connection)
        .await
        .map_err(failed("moving a run on"))?;
    let run = listing::find_run(connection, run).await?;
    sqlx::query("UPDATE deployments SET latest_run = ?, action = ?, status = ?, updated_at = ? WHERE id = ?")
        .bind(run.id.as_bytes().as_slice())
        .bind(word_of(run.action)?)
        .bind(word_of(status)?)
        .bind(at.timestamp_micros())
        .bind(run.deployment.as_str())
        .execute(connection)
        .await
        .map_err(failed("moving a deployment on"))?;
    Ok(run)
}

async fn first_run(
    connection: &mut SqliteConnection,
    deployment: DeploymentId,
) -> Result<Run, DeploymentError> {
    let row = sqlx::query("SELECT * FROM runs WHERE deployment = ? ORDER BY seq LIMIT 1")
        .bind(deployment.as_str())
        .fetch_optional(connection)
        .await
        .map_err(failed("looking for a run"))?;
    Ok(rows::run(&row.ok_or(DeploymentError::NotFound)?)?)
}

async fn insert(
    store: &SqliteDeployments,
    connection: &mut SqliteConnection,
    new: &NewDeployment,
    run: RunId,
    at: DateTime<Utc>,
) -> Result<(), BackendError> {
    let secrets = store.key.seal(&secrets_place(new.id), &plain(&new.secrets)?)?;
    let insert = "INSERT INTO deployments (id, owner, submission, module_name, record, search, secrets, latest_run, \
                  action, status, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    sqlx::query(insert)
        .bind(new.id.as_str())
        .bind(new.owner.as_bytes().as_slice())
        .bind(new.submission.as_bytes().as_slice())
        .bind(&new.module_name)
        .bind(json_text(&Record::of(new))?)
        .bind(format!("{}\n{}", new.module_name.to_lowercase(), new.id))
        .bind(secrets)
        .bind(run.as_bytes().as_slice())
        .bind(word_of(Action::Create)?)
        .bind(word_of(RunStatus::Pending)?)
        .bind(at.timestamp_micros())
        .bind(at.timestamp_micros())
        .execute(connection)
        .await
        .map_err(failed("storing a deployment"))?;
    Ok(())
}

async fn insert_run(
    connection: &mut SqliteConnection,
    deployment: DeploymentId,
    run: RunId,
    action: Action,
    cost: Credits,
    at: DateTime<Utc>,
) -> Result<(), BackendError> {
    let insert = "INSERT INTO runs (id, deployment, owner, action, status, cost, settlement, created_at) \
                  SELECT ?, id, owner, ?, ?, ?, ?, ? FROM deployments WHERE id = ?";
    sqlx::query(insert)
        .bind(run.as_bytes().as_slice())
        .bind(word_of(action)?)
        .bind(word_of(RunStatus::Pending)?)
        .bind(cost.micros())
        .bind(word_of(Settlement::Nothing)?)
        .bind(at.timestamp_micros())
        .bind(deployment.as_str())
        .execute(connection)
        .await
        .map_err(failed("storing a run"))?;
    Ok(())
}

/// Where secrets are sealed for.
pub(super) fn secrets_place(deployment: DeploymentId) -> String {
    format!("secrets:{deployment}")
}

fn plain(secrets: &SecretValues) -> Result<Vec<u8>, BackendError> {
    let exposed: BTreeMap<&str, &str> =
        secrets.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
    serde_json::to_vec(&exposed).map_err(|error| BackendError::permanent("writing secrets", error))
}
