//! What runs report: steps, resources, diagnostics, outputs and states.

use rad_core::deployment::{DeploymentError, Lease, RunReport};
use rad_core::error::BackendError;
use rad_core::id::{DeploymentId, RunId};
use rad_core::runner::{Diagnostic, Output, ResourceProgress, Step};
use rad_sql::{Row, Transaction, json, sql, word};

use super::taking::take_under;
use super::{SqlDeployments, listing, plans};
use crate::store::database::corrupt;

/// The most diagnostics kept of one run.
const DIAGNOSTICS: usize = 1_000;

pub(super) async fn record(
    store: &SqlDeployments,
    lease: &Lease,
    report: &RunReport,
) -> Result<(), DeploymentError> {
    let mut transaction = take_under(store, lease).await?;
    if let Some(step) = report.step {
        let keep = sql("UPDATE runs SET step = $1 WHERE id = $2").bind(word(step)?).bind(lease.run);
        keep.execute(&mut transaction, "keeping a step").await?;
        if step == Step::Apply {
            plans::adopt_target(&mut transaction, lease).await?;
        }
    }
    if let Some(plan) = &report.plan {
        plans::keep_plan(&mut transaction, lease.run, plan).await?;
    }
    if let Some(drift) = &report.drift {
        plans::keep_drift(&mut transaction, lease.run, drift).await?;
    }
    for progress in &report.resources {
        keep_progress(&mut transaction, lease.run, progress).await?;
    }
    if !report.diagnostics.is_empty() {
        keep_diagnostics(&mut transaction, lease.run, &report.diagnostics).await?;
    }
    if let Some(outputs) = &report.outputs {
        let plain = json(outputs)?;
        let sealed = store.key.seal(&outputs_place(lease.deployment), plain.as_bytes())?;
        let keep =
            sql("UPDATE deployments SET outputs = $1 WHERE id = $2").bind(sealed).bind(lease.deployment);
        keep.execute(&mut transaction, "keeping outputs").await?;
    }
    Ok(transaction.commit("keeping a report").await?)
}

pub(super) async fn resources(
    store: &SqlDeployments,
    run: RunId,
) -> Result<Vec<ResourceProgress>, DeploymentError> {
    let list = sql("SELECT address, change, status, elapsed FROM run_resources WHERE run = $1 ORDER BY seq");
    let found = list.bind(run).rows(&store.database, "reading resources").await?;
    if found.is_empty() {
        // None yet, or no such run.
        listing::find_run(&store.database, run).await?;
    }
    let read = |row: &Row| {
        Ok(ResourceProgress {
            address: row.get("address")?,
            change: row.word("change")?,
            status: row.word("status")?,
            elapsed_seconds: row.get("elapsed")?,
        })
    };
    Ok(found.iter().map(read).collect::<Result<_, BackendError>>()?)
}

pub(super) async fn outputs(
    store: &SqlDeployments,
    deployment: DeploymentId,
) -> Result<Vec<Output>, DeploymentError> {
    let find = sql("SELECT outputs FROM deployments WHERE id = $1").bind(deployment);
    let row = find.optional(&store.database, "reading outputs").await?;
    let Some(sealed) = row.ok_or(DeploymentError::NotFound)?.get::<Option<Vec<u8>>>("outputs")? else {
        return Ok(Vec::new());
    };
    let plain = store.key.unseal(&outputs_place(deployment), &sealed)?;
    Ok(serde_json::from_slice(&plain).map_err(corrupt)?)
}

async fn keep_progress(
    transaction: &mut Transaction,
    run: RunId,
    progress: &ResourceProgress,
) -> Result<(), BackendError> {
    sql("INSERT INTO run_resources (run, address, change, status, elapsed) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (run, address) DO UPDATE
         SET change = excluded.change, status = excluded.status, elapsed = excluded.elapsed")
    .bind(run)
    .bind(&progress.address)
    .bind(word(progress.change)?)
    .bind(word(progress.status)?)
    .bind(progress.elapsed_seconds)
    .execute(transaction, "keeping the progress of a resource")
    .await
    .map(drop)
}

async fn keep_diagnostics(
    transaction: &mut Transaction,
    run: RunId,
    added: &[Diagnostic],
) -> Result<(), BackendError> {
    let find = sql("SELECT diagnostics FROM runs WHERE id = $1").bind(run);
    let row = find.one(&mut *transaction, "reading diagnostics").await?;
    let mut all: Vec<Diagnostic> = row.json("diagnostics")?;
    all.extend_from_slice(added);
    all.truncate(DIAGNOSTICS);
    let keep = sql("UPDATE runs SET diagnostics = $1 WHERE id = $2").bind(json(&all)?).bind(run);
    keep.execute(transaction, "keeping diagnostics").await.map(drop)
}

/// Where outputs are sealed for.
pub(super) fn outputs_place(deployment: DeploymentId) -> String {
    format!("outputs:{deployment}")
}
