//! What runs report: steps, resources, diagnostics, outputs and states.

use rad_core::deployment::{DeploymentError, Lease, RunReport};
use rad_core::error::BackendError;
use rad_core::id::{DeploymentId, RunId};
use rad_core::runner::{Diagnostic, Output, ResourceProgress, Step};
use sqlx::SqliteConnection;

use super::leases::under;
use super::{SqliteDeployments, listing, plans};
use crate::store::sqlite::{column, commit, corrupt, failed, json_text, word, word_of};

/// The most diagnostics kept of one run.
const DIAGNOSTICS: usize = 1_000;

pub(super) async fn record(
    store: &SqliteDeployments,
    lease: &Lease,
    report: &RunReport,
) -> Result<(), DeploymentError> {
    let mut transaction = under(store, lease).await?;
    if let Some(step) = report.step {
        sqlx::query("UPDATE runs SET step = ? WHERE id = ?")
            .bind(word_of(step)?)
            .bind(lease.run.as_bytes().as_slice())
            .execute(&mut *transaction)
            .await
            .map_err(failed("keeping a step"))?;
        if step == Step::Apply {
            plans::adopt_target(&mut transaction, lease).await?;
        }
    }
    if let Some(plan) = &report.plan {
        plans::keep_plan(&mut transaction, lease.run, plan).await?;
    }
    for progress in &report.resources {
        keep_progress(&mut transaction, lease.run, progress).await?;
    }
    if !report.diagnostics.is_empty() {
        keep_diagnostics(&mut transaction, lease.run, &report.diagnostics).await?;
    }
    if let Some(outputs) = &report.outputs {
        let plain = json_text(outputs)?;
        let sealed = store.key.seal(&outputs_place(lease.deployment), plain.as_bytes())?;
        sqlx::query("UPDATE deployments SET outputs = ? WHERE id = ?")
            .bind(sealed)
            .bind(lease.deployment.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(failed("keeping outputs"))?;
    }
    Ok(commit(transaction).await?)
}

pub(super) async fn resources(
    store: &SqliteDeployments,
    run: RunId,
) -> Result<Vec<ResourceProgress>, DeploymentError> {
    let found =
        sqlx::query("SELECT address, change, status, elapsed FROM run_resources WHERE run = ? ORDER BY seq")
            .bind(run.as_bytes().as_slice())
            .fetch_all(&store.pool)
            .await
            .map_err(failed("reading resources"))?;
    if found.is_empty() {
        // None yet, or no such run.
        listing::run(store, run).await?;
    }
    let read = |row: &sqlx::sqlite::SqliteRow| {
        let elapsed: Option<i64> = column(row, "elapsed")?;
        Ok(ResourceProgress {
            address: column(row, "address")?,
            change: word(row, "change")?,
            status: word(row, "status")?,
            elapsed_seconds: elapsed.map(u64::try_from).transpose().map_err(corrupt)?,
        })
    };
    Ok(found.iter().map(read).collect::<Result<_, BackendError>>()?)
}

pub(super) async fn outputs(
    store: &SqliteDeployments,
    deployment: DeploymentId,
) -> Result<Vec<Output>, DeploymentError> {
    let sealed: Option<Option<Vec<u8>>> = sqlx::query_scalar("SELECT outputs FROM deployments WHERE id = ?")
        .bind(deployment.as_str())
        .fetch_optional(&store.pool)
        .await
        .map_err(failed("reading outputs"))?;
    let Some(sealed) = sealed.ok_or(DeploymentError::NotFound)? else {
        return Ok(Vec::new());
    };
    let plain = store.key.unseal(&outputs_place(deployment), &sealed)?;
    Ok(serde_json::from_slice(&plain).map_err(corrupt)?)
}

async fn keep_progress(
    connection: &mut SqliteConnection,
    run: RunId,
    progress: &ResourceProgress,
) -> Result<(), BackendError> {
    let elapsed = progress.elapsed_seconds.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
    let upsert = "INSERT INTO run_resources (run, address, change, status, elapsed) VALUES (?, ?, ?, ?, ?) \
                  ON CONFLICT (run, address) DO UPDATE \
                  SET change = excluded.change, status = excluded.status, elapsed = excluded.elapsed";
    sqlx::query(upsert)
        .bind(run.as_bytes().as_slice())
        .bind(&progress.address)
        .bind(word_of(progress.change)?)
        .bind(word_of(progress.status)?)
        .bind(elapsed)
        .execute(connection)
        .await
        .map_err(failed("keeping the progress of a resource"))?;
    Ok(())
}

async fn keep_diagnostics(
    connection: &mut SqliteConnection,
    run: RunId,
    added: &[Diagnostic],
) -> Result<(), BackendError> {
    let known: String = sqlx::query_scalar("SELECT diagnostics FROM runs WHERE id = ?")
        .bind(run.as_bytes().as_slice())
        .fetch_one(&mut *connection)
        .await
        .map_err(failed("reading diagnostics"))?;
    let mut all: Vec<Diagnostic> = serde_json::from_str(&known).map_err(corrupt)?;
    all.extend_from_slice(added);
    all.truncate(DIAGNOSTICS);
    sqlx::query("UPDATE runs SET diagnostics = ? WHERE id = ?")
        .bind(json_text(&all)?)
        .bind(run.as_bytes().as_slice())
        .execute(connection)
        .await
        .map_err(failed("keeping diagnostics"))?;
    Ok(())
}

/// Where outputs are sealed for.
pub(super) fn outputs_place(deployment: DeploymentId) -> String {
    format!("outputs:{deployment}")
}
