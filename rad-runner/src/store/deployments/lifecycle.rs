//! Storing deployments and runs, and moving runs along the state machine.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rad_core::deployment::{
    Deployment, DeploymentError, IllegalTransition, NewDeployment, NewRun, Run, RunStatus, SecretValues,
    Settlement, Transition, Wait,
};
use rad_core::error::BackendError;
use rad_core::id::{DeploymentId, RunId};
use rad_core::runner::Action;
use secrecy::ExposeSecret;
use sqlx::SqliteConnection;

use super::rows::{self, Record, TargetRecord};
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
    let first = NewRun { id: run, deployment: new.id, action: Action::Create, cost: new.cost, target: None };
    insert_run(store, &mut transaction, &first, at).await?;
    let stored = listing::find(&mut transaction, new.id).await?.ok_or(DeploymentError::NotFound)?;
    let run = listing::find_run(&mut transaction, run).await?;
    commit(transaction).await?;
    Ok((stored, run))
}

pub(super) async fn add_run(
    store: &SqliteDeployments,
    new: NewRun,
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let mut transaction = begin(&store.pool).await?;
    let of = listing::find(&mut transaction, new.deployment).await?.ok_or(DeploymentError::NotFound)?;
    if of.purge_asked.is_some() || live_run(&mut transaction, of.id).await?.is_some() {
        return Err(DeploymentError::Busy { deployment: of.id });
    }
    insert_run(store, &mut transaction, &new, at).await?;
    let run = listing::find_run(&mut transaction, new.id).await?;
    commit(transaction).await?;
    Ok(run)
}

/// Stores a run in place of one that goes on; gives that one, and the new one.
pub(super) async fn supersede(
    store: &SqliteDeployments,
    new: NewRun,
    at: DateTime<Utc>,
) -> Result<(Option<Run>, Run), DeploymentError> {
    let mut transaction = begin(&store.pool).await?;
    let of = listing::find(&mut transaction, new.deployment).await?.ok_or(DeploymentError::NotFound)?;
    let mut ended = None;
    if let Some(live) = live_run(&mut transaction, of.id).await? {
        if live.action == Action::Purge {
            return Err(DeploymentError::Busy { deployment: of.id });
        }
        let ends = match live.status {
            RunStatus::Working => Transition::Interrupt,
            _ => Transition::Cancel,
        };
        ended = Some(enter(&mut transaction, &live, ends, at).await?);
    }
    insert_run(store, &mut transaction, &new, at).await?;
    let run = listing::find_run(&mut transaction, new.id).await?;
    commit(transaction).await?;
    Ok((ended, run))
}

pub(super) async fn advance(
    store: &SqliteDeployments,
    run: RunId,
    transition: Transition,
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let mut transaction = begin(&store.pool).await?;
    let now = listing::find_run(&mut transaction, run).await?;
    let unconfirmed = now.waits_for == Some(Wait::Confirmation) && transition == Transition::Queue;
    if now.status == RunStatus::Working || transition == Transition::Lease || unconfirmed {
        return Err(IllegalTransition { status: now.status, transition }.into());
    }
    let run = enter(&mut transaction, &now, transition, at).await?;
    commit(transaction).await?;
    Ok(run)
}

pub(super) async fn cancel(
    store: &SqliteDeployments,
    run: RunId,
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let mut transaction = begin(&store.pool).await?;
    let now = listing::find_run(&mut transaction, run).await?;
    let run = if now.status == RunStatus::Working {
        ask_to_cancel(&mut transaction, run).await?;
        Run { cancel_asked: true, ..now }
    } else {
        enter(&mut transaction, &now, Transition::Cancel, at).await?
    };
    commit(transaction).await?;
    Ok(run)
}

/// Keeps the wish for a purge; gives the run that is to stop for it.
pub(super) async fn ask_purge(
    store: &SqliteDeployments,
    deployment: DeploymentId,
    at: DateTime<Utc>,
) -> Result<Option<RunId>, DeploymentError> {
    let mut transaction = begin(&store.pool).await?;
    let update = "UPDATE deployments SET purge_asked = coalesce(purge_asked, ?) WHERE id = ?";
    let asked = sqlx::query(update)
        .bind(at.timestamp_micros())
        .bind(deployment.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(failed("asking for a purge"))?;
    if asked.rows_affected() == 0 {
        return Err(DeploymentError::NotFound);
    }
    let live = live_run(&mut transaction, deployment).await?;
    let stopping = live.filter(|run| run.status == RunStatus::Working && run.action != Action::Purge);
    if let Some(run) = &stopping {
        ask_to_cancel(&mut transaction, run.id).await?;
    }
    commit(transaction).await?;
    Ok(stopping.map(|run| run.id))
}

pub(super) async fn keep_left(
    store: &SqliteDeployments,
    deployment: DeploymentId,
    left: &[String],
) -> Result<(), DeploymentError> {
    let kept = sqlx::query("UPDATE deployments SET remains = ? WHERE id = ?")
        .bind(json_text(&left)?)
        .bind(deployment.as_str())
        .execute(&store.pool)
        .await
        .map_err(failed("keeping what a purge left"))?;
    if kept.rows_affected() == 0 { Err(DeploymentError::NotFound) } else { Ok(()) }
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

/// Moves a run on, and its deployment with it; a run that ended is to be settled.
pub(super) async fn enter(
    connection: &mut SqliteConnection,
    run: &Run,
    transition: Transition,
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let status = run.status.after(transition)?;
    let ended = status.is_final();
    if status == RunStatus::Queued {
        sqlx::query("UPDATE runs SET queued = (SELECT coalesce(max(queued), 0) + 1 FROM runs) WHERE id = ?")
            .bind(run.id.as_bytes().as_slice())
            .execute(&mut *connection)
            .await
            .map_err(failed("queueing a run"))?;
    }
    let update = "UPDATE runs SET status = ?, waits_for = ?, \
                  finished_at = CASE WHEN ? THEN ? ELSE finished_at END, \
                  settlement = CASE WHEN ? THEN ? ELSE settlement END WHERE id = ?";
    sqlx::query(update)
        .bind(word_of(status)?)
        .bind(transition.waits_for().map(word_of).transpose()?)
        .bind(ended)
        .bind(at.timestamp_micros())
        .bind(ended)
        .bind(word_of(Settlement::Owed)?)
        .bind(run.id.as_bytes().as_slice())
        .execute(&mut *connection)
        .await
        .map_err(failed("moving a run on"))?;
    let run = listing::find_run(connection, run.id).await?;
    follow(connection, &run, at).await?;
    Ok(run)
}

/// Has a deployment stand as a run of it does, which becomes its latest.
async fn follow(connection: &mut SqliteConnection, run: &Run, at: DateTime<Utc>) -> Result<(), BackendError> {
    let update = "UPDATE deployments SET latest_run = ?1, action = ?2, status = ?3, updated_at = ?4, \
                  diverged = CASE WHEN ?5 THEN 0 WHEN ?6 AND EXISTS (SELECT 1 FROM run_resources \
                  WHERE run = ?1 AND change <> 'read' AND status <> 'planned') THEN 1 ELSE diverged END WHERE id = ?7";
    sqlx::query(update)
        .bind(run.id.as_bytes().as_slice())
        .bind(word_of(run.action)?)
        .bind(word_of(run.status)?)
        .bind(at.timestamp_micros())
        .bind(run.status == RunStatus::Success)
        .bind(run.status.is_final())
        .bind(run.deployment.as_str())
        .execute(connection)
        .await
        .map_err(failed("moving a deployment on"))?;
    Ok(())
}

/// The run of a deployment that goes on.
async fn live_run(
    connection: &mut SqliteConnection,
    deployment: DeploymentId,
) -> Result<Option<Run>, BackendError> {
    let live =
        "SELECT * FROM runs WHERE deployment = ? AND status IN ('pending', 'waiting', 'queued', 'working')";
    let live = sqlx::query(live)
        .bind(deployment.as_str())
        .fetch_optional(connection)
        .await
        .map_err(failed("looking for a live run"))?;
    live.as_ref().map(rows::run).transpose()
}

async fn ask_to_cancel(connection: &mut SqliteConnection, run: RunId) -> Result<(), BackendError> {
    sqlx::query("UPDATE runs SET cancel_asked = 1 WHERE id = ?")
        .bind(run.as_bytes().as_slice())
        .execute(connection)
        .await
        .map_err(failed("asking to cancel a run"))?;
    Ok(())
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
    let secrets = store.key.seal(&secrets_place(new.id), &plain(&new.target.secrets)?)?;
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
    store: &SqliteDeployments,
    connection: &mut SqliteConnection,
    new: &NewRun,
    at: DateTime<Utc>,
) -> Result<(), BackendError> {
    let insert = "INSERT INTO runs (id, deployment, owner, action, status, cost, settlement, created_at) \
                  SELECT ?, id, owner, ?, ?, ?, ?, ? FROM deployments WHERE id = ?";
    sqlx::query(insert)
        .bind(new.id.as_bytes().as_slice())
        .bind(word_of(new.action)?)
        .bind(word_of(RunStatus::Pending)?)
        .bind(new.cost.micros())
        .bind(word_of(Settlement::Nothing)?)
        .bind(at.timestamp_micros())
        .bind(new.deployment.as_str())
        .execute(&mut *connection)
        .await
        .map_err(failed("storing a run"))?;
    if let Some(target) = &new.target {
        let secrets = store.key.seal(&secrets_place(new.deployment), &plain(&target.secrets)?)?;
        sqlx::query("INSERT INTO run_targets (run, deployment, target, secrets) VALUES (?, ?, ?, ?)")
            .bind(new.id.as_bytes().as_slice())
            .bind(new.deployment.as_str())
            .bind(json_text(&TargetRecord::of(target))?)
            .bind(secrets)
            .execute(connection)
            .await
            .map_err(failed("storing what a run is to make"))?;
    }
    Ok(())
}

/// Where secrets are sealed for: a deployment's, and those of its runs that may become its own.
pub(super) fn secrets_place(deployment: DeploymentId) -> String {
    format!("secrets:{deployment}")
}

fn plain(secrets: &SecretValues) -> Result<Vec<u8>, BackendError> {
    let exposed: BTreeMap<&str, &str> =
        secrets.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
    serde_json::to_vec(&exposed).map_err(|error| BackendError::permanent("writing secrets", error))
}
