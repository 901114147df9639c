//! What a run is to make of its deployment, what its plan would do or its check found, and what a person confirmed of it.

use chrono::{DateTime, Utc};
use rad_core::deployment::{DeploymentError, IllegalTransition, Lease, Plan, Run, Target, Transition, Wait};
use rad_core::error::BackendError;
use rad_core::id::RunId;
use rad_core::runner::{Drift, MOST_RESOURCES, PlannedChange};
use rad_sql::{Row, Transaction, json, sql};
use serde::de::DeserializeOwned;

use super::lifecycle::enter;
use super::rows::{Record, TargetRecord};
use super::taking::take_of_run;
use super::{SqlDeployments, listing};
use crate::store::database::corrupt;

pub(super) async fn target(store: &SqlDeployments, run: RunId) -> Result<Option<Target>, DeploymentError> {
    let find = sql("SELECT deployment, target, secrets FROM run_targets WHERE run = $1").bind(run);
    let Some(row) = find.optional(&store.database, "reading what a run is to make").await? else {
        // None, or no such run.
        listing::find_run(&store.database, run).await?;
        return Ok(None);
    };
    let sealed: Vec<u8> = row.get("secrets")?;
    let secrets = listing::unsealed_secrets(store, row.get("deployment")?, &sealed)?;
    Ok(Some(row.json::<TargetRecord>("target")?.with(secrets)))
}

/// Makes a deployment what a leased run is to make of it, if it is to make something.
pub(super) async fn adopt_target(
    transaction: &mut Transaction,
    lease: &Lease,
) -> Result<(), DeploymentError> {
    let find = sql("SELECT target, secrets FROM run_targets WHERE run = $1").bind(lease.run);
    let Some(row) = find.optional(&mut *transaction, "reading what a run is to make").await? else {
        return Ok(());
    };
    let find = sql("SELECT record FROM deployments WHERE id = $1").bind(lease.deployment);
    let now = find.one(&mut *transaction, "reading a deployment").await?;
    let record = now.json::<Record>("record")?.with(row.json("target")?);
    sql("UPDATE deployments SET record = $1, secrets = $2 WHERE id = $3")
        .bind(json(&record)?)
        .bind(row.get::<Vec<u8>>("secrets")?)
        .bind(lease.deployment)
        .execute(transaction, "making a deployment what its run makes of it")
        .await?;
    Ok(())
}

pub(super) async fn plan(store: &SqlDeployments, run: RunId) -> Result<Plan, DeploymentError> {
    let find = sql("SELECT changes, drift, confirmed FROM run_plans WHERE run = $1").bind(run);
    match find.optional(&store.database, "reading a plan").await? {
        Some(row) => Ok(read(&row)?),
        None => listing::find_run(&store.database, run).await.map(|_| Plan::default()),
    }
}

pub(super) async fn keep_plan(
    transaction: &mut Transaction,
    run: RunId,
    changes: &[PlannedChange],
) -> Result<(), BackendError> {
    sql("INSERT INTO run_plans (run, changes) VALUES ($1, $2)
         ON CONFLICT (run) DO UPDATE SET changes = excluded.changes")
    .bind(run)
    .bind(json(&&changes[..changes.len().min(MOST_RESOURCES)])?)
    .execute(transaction, "keeping a plan")
    .await
    .map(drop)
}

pub(super) async fn keep_drift(
    transaction: &mut Transaction,
    run: RunId,
    drift: &[Drift],
) -> Result<(), BackendError> {
    sql("INSERT INTO run_plans (run, drift) VALUES ($1, $2) ON CONFLICT (run) DO UPDATE SET drift = excluded.drift")
        .bind(run)
        .bind(json(&&drift[..drift.len().min(MOST_RESOURCES)])?)
        .execute(transaction, "keeping what a check found")
        .await
        .map(drop)
}

pub(super) async fn confirm(
    store: &SqlDeployments,
    run: RunId,
    changes: &[PlannedChange],
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let during = "keeping what was confirmed";
    let mut transaction = take_of_run(store, run).await?;
    let now = listing::find_run(&mut transaction, run).await?;
    if now.waits_for != Some(Wait::Confirmation) {
        return Err(IllegalTransition { status: now.status, transition: Transition::Queue }.into());
    }
    sql("INSERT INTO run_plans (run, confirmed) VALUES ($1, $2)
         ON CONFLICT (run) DO UPDATE SET confirmed = excluded.confirmed")
    .bind(run)
    .bind(json(&changes)?)
    .execute(&mut transaction, during)
    .await?;
    let run = enter(&mut transaction, &now, Transition::Queue, at).await?;
    transaction.commit(during).await?;
    Ok(run)
}

fn read(row: &Row) -> Result<Plan, BackendError> {
    Ok(Plan {
        changes: maybe(row, "changes")?,
        drift: maybe(row, "drift")?,
        confirmed: row.json("confirmed")?,
    })
}

/// What a column holds as JSON, if it holds something.
fn maybe<T: DeserializeOwned>(row: &Row, column: &'static str) -> Result<Option<T>, BackendError> {
    let text: Option<String> = row.get(column)?;
    text.as_deref().map(serde_json::from_str).transpose().map_err(corrupt)
}
