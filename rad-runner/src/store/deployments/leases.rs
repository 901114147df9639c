//! Leases: who works on a run, and until when.

use chrono::{DateTime, Utc};
use rad_core::deployment::{DeploymentError, Lease, Run, RunStatus, Transition};
use rad_core::error::BackendError;
use rad_core::id::RunId;
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::SqliteDeployments;
use super::lifecycle::enter;
use crate::store::sqlite::{begin, column, commit, corrupt, failed, id};

pub(super) async fn lease(
    store: &SqliteDeployments,
    worker: &str,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Option<Lease>, DeploymentError> {
    // Asked outside a transaction first: workers ask often, and mostly there is nothing.
    let next = "SELECT id FROM runs WHERE status = 'queued' ORDER BY queued LIMIT 1";
    if sqlx::query(next).fetch_optional(&store.pool).await.map_err(failed("looking for a run"))?.is_none() {
        return Ok(None);
    }
    let mut transaction = begin(&store.pool).await?;
    let row =
        sqlx::query(next).fetch_optional(&mut *transaction).await.map_err(failed("looking for a run"))?;
    let Some(row) = row else {
        return Ok(None);
    };
    let run = RunId::from_bytes(id(&row, "id")?);
    let update =
        "UPDATE runs SET worker = ?, epoch = epoch + 1, lease_until = ?, started_at = ? WHERE id = ?";
    sqlx::query(update)
        .bind(worker)
        .bind(until.timestamp_micros())
        .bind(now.timestamp_micros())
        .bind(run.as_bytes().as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(failed("leasing a run"))?;
    enter(&mut transaction, run, RunStatus::Working, now).await?;
    let row = sqlx::query("SELECT id, deployment, worker, epoch FROM runs WHERE id = ?")
        .bind(run.as_bytes().as_slice())
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed("leasing a run"))?;
    let lease = read(&row)?;
    commit(transaction).await?;
    Ok(Some(lease))
}

pub(super) async fn leases(store: &SqliteDeployments, worker: &str) -> Result<Vec<Lease>, DeploymentError> {
    let select = "SELECT id, deployment, worker, epoch FROM runs WHERE status = 'working' AND worker = ?";
    let found = sqlx::query(select)
        .bind(worker)
        .fetch_all(&store.pool)
        .await
        .map_err(failed("reading a worker's leases"))?;
    Ok(found.iter().map(read).collect::<Result<_, BackendError>>()?)
}

pub(super) async fn renew(
    store: &SqliteDeployments,
    lease: &Lease,
    until: DateTime<Utc>,
) -> Result<(), DeploymentError> {
    let mut transaction = under(store, lease).await?;
    sqlx::query("UPDATE runs SET lease_until = ? WHERE id = ?")
        .bind(until.timestamp_micros())
        .bind(lease.run.as_bytes().as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(failed("lengthening a lease"))?;
    Ok(commit(transaction).await?)
}

pub(super) async fn interrupt_lapsed(
    store: &SqliteDeployments,
    now: DateTime<Utc>,
) -> Result<Vec<Run>, DeploymentError> {
    let select = "SELECT id FROM runs WHERE status = 'working' AND lease_until < ? ORDER BY seq";
    let lapsed = async |connection: &mut SqliteConnection| {
        let found = sqlx::query(select).bind(now.timestamp_micros()).fetch_all(connection).await;
        found.map_err(failed("looking for lapsed leases"))
    };
    // As in [`lease`]: a sweep looks every second, and mostly there is nothing.
    let mut connection = store.pool.acquire().await.map_err(failed("looking for lapsed leases"))?;
    if lapsed(&mut connection).await?.is_empty() {
        return Ok(Vec::new());
    }
    drop(connection);
    let mut transaction = begin(&store.pool).await?;
    let mut interrupted = Vec::new();
    for row in lapsed(&mut transaction).await? {
        let run = RunId::from_bytes(id(&row, "id")?);
        interrupted.push(enter(&mut transaction, run, RunStatus::Interrupted, now).await?);
    }
    commit(transaction).await?;
    Ok(interrupted)
}

pub(super) async fn finish(
    store: &SqliteDeployments,
    lease: &Lease,
    transition: Transition,
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let mut transaction = under(store, lease).await?;
    let next = RunStatus::Working.after(transition)?;
    let run = enter(&mut transaction, lease.run, next, at).await?;
    commit(transaction).await?;
    Ok(run)
}

/// A transaction in which the lease holds to its end.
pub(super) async fn under(
    store: &SqliteDeployments,
    lease: &Lease,
) -> Result<Transaction<'static, Sqlite>, DeploymentError> {
    let mut transaction = begin(&store.pool).await?;
    let select = "SELECT 1 FROM runs WHERE id = ? AND deployment = ? AND status = 'working' AND worker = ? AND epoch = ?";
    let holds = sqlx::query(select)
        .bind(lease.run.as_bytes().as_slice())
        .bind(lease.deployment.as_str())
        .bind(&lease.worker)
        .bind(i64::try_from(lease.epoch).unwrap_or(i64::MAX))
        .fetch_optional(&mut *transaction)
        .await
        .map_err(failed("checking a lease"))?;
    holds.map(|_| transaction).ok_or(DeploymentError::LeaseLost)
}

fn read(row: &SqliteRow) -> Result<Lease, BackendError> {
    Ok(Lease {
        run: RunId::from_bytes(id(row, "id")?),
        deployment: column::<&str>(row, "deployment")?.parse().map_err(corrupt)?,
        worker: column(row, "worker")?,
        epoch: u64::try_from(column::<i64>(row, "epoch")?).map_err(corrupt)?,
    })
}
