//! What a run is to make of its deployment, what its plan would do, and what a person confirmed of it.

use chrono::{DateTime, Utc};
use rad_core::deployment::{
    DeploymentError, IllegalTransition, Lease, Plan, Run, SecretValues, Target, Transition, Wait,
};
use rad_core::error::BackendError;
use rad_core::id::{DeploymentId, RunId};
use rad_core::runner::PlannedChange;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::lifecycle::enter;
use super::rows::{Record, TargetRecord};
use super::{SqliteDeployments, listing};
use crate::store::sqlite::{begin, column, commit, corrupt, failed, json, json_text};

/// The most changes kept of a plan.
const CHANGES: usize = 10_000;

pub(super) async fn target(store: &SqliteDeployments, run: RunId) -> Result<Option<Target>, DeploymentError> {
    let row = sqlx::query("SELECT deployment, target, secrets FROM run_targets WHERE run = ?")
        .bind(run.as_bytes().as_slice())
        .fetch_optional(&store.pool)
        .await
        .map_err(failed("reading what a run is to make"))?;
    let Some(row) = row else {
        // None, or no such run.
        listing::run(store, run).await?;
        return Ok(None);
    };
    let deployment: DeploymentId = column::<&str>(&row, "deployment")?.parse().map_err(corrupt)?;
    let secrets: SecretValues = listing::unsealed_secrets(store, deployment, column(&row, "secrets")?)?;
    Ok(Some(json::<TargetRecord>(&row, "target")?.with(secrets)))
}

/// Makes a deployment what a leased run is to make of it, if it is to make something.
pub(super) async fn adopt_target(
    connection: &mut SqliteConnection,
    lease: &Lease,
) -> Result<(), DeploymentError> {
    let row = sqlx::query("SELECT target, secrets FROM run_targets WHERE run = ?")
        .bind(lease.run.as_bytes().as_slice())
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed("reading what a run is to make"))?;
    let Some(row) = row else { return Ok(()) };
    let now = sqlx::query("SELECT record FROM deployments WHERE id = ?")
        .bind(lease.deployment.as_str())
        .fetch_one(&mut *connection)
        .await
        .map_err(failed("reading a deployment"))?;
    let record = json::<Record>(&now, "record")?.with(json(&row, "target")?);
    sqlx::query("UPDATE deployments SET record = ?, secrets = ? WHERE id = ?")
        .bind(json_text(&record)?)
        .bind(column::<Vec<u8>>(&row, "secrets")?)
        .bind(lease.deployment.as_str())
        .execute(connection)
        .await
        .map_err(failed("making a deployment what its run makes of it"))?;
    Ok(())
}

pub(super) async fn plan(store: &SqliteDeployments, run: RunId) -> Result<Plan, DeploymentError> {
    let row = sqlx::query("SELECT changes, confirmed FROM run_plans WHERE run = ?")
        .bind(run.as_bytes().as_slice())
        .fetch_optional(&store.pool)
        .await
        .map_err(failed("reading a plan"))?;
    match row {
        Some(row) => Ok(read(&row)?),
        None => listing::run(store, run).await.map(|_| Plan::default()),
    }
}

pub(super) async fn keep_plan(
    connection: &mut SqliteConnection,
    run: RunId,
    changes: &[PlannedChange],
) -> Result<(), BackendError> {
    let upsert = "INSERT INTO run_plans (run, changes) VALUES (?, ?) \
                  ON CONFLICT (run) DO UPDATE SET changes = excluded.changes";
    sqlx::query(upsert)
        .bind(run.as_bytes().as_slice())
        .bind(json_text(&&changes[..changes.len().min(CHANGES)])?)
        .execute(connection)
        .await
        .map_err(failed("keeping a plan"))?;
    Ok(())
}

pub(super) async fn confirm(
    store: &SqliteDeployments,
    run: RunId,
    changes: &[PlannedChange],
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let mut transaction = begin(&store.pool).await?;
    let now = listing::find_run(&mut transaction, run).await?;
    if now.waits_for != Some(Wait::Confirmation) {
        return Err(IllegalTransition { status: now.status, transition: Transition::Queue }.into());
    }
    let upsert = "INSERT INTO run_plans (run, confirmed) VALUES (?, ?) \
                  ON CONFLICT (run) DO UPDATE SET confirmed = excluded.confirmed";
    sqlx::query(upsert)
        .bind(run.as_bytes().as_slice())
        .bind(json_text(&changes)?)
        .execute(&mut *transaction)
        .await
        .map_err(failed("keeping what was confirmed"))?;
    let run = enter(&mut transaction, &now, Transition::Queue, at).await?;
    commit(transaction).await?;
    Ok(run)
}

fn read(row: &SqliteRow) -> Result<Plan, BackendError> {
    let changes: Option<&str> = column(row, "changes")?;
    Ok(Plan {
        changes: changes.map(serde_json::from_str).transpose().map_err(corrupt)?,
        confirmed: json(row, "confirmed")?,
    })
}
