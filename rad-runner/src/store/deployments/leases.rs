//! Leases: who works on a run, and until when.

use chrono::{DateTime, Utc};
use rad_core::deployment::{DeploymentError, Lease, LeaseLimits, LeaseNews, Run, Transition};
use rad_core::error::BackendError;
use rad_core::id::RunId;
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::lifecycle::enter;
use super::{SqliteDeployments, listing, rows};
use crate::store::sqlite::{begin, column, commit, corrupt, failed, id};

/// The first queued run of the owner whose turn it is, among those with fewer working runs than `?1`; none where `?2` runs
/// work.
const NEXT: &str = "WITH \
    heads AS (SELECT owner, min(queued) AS queued FROM runs WHERE status = 'queued' GROUP BY owner), \
    busy AS (SELECT owner, count(*) AS runs FROM runs WHERE status = 'working' GROUP BY owner) \
    SELECT runs.* FROM heads \
    JOIN runs ON runs.owner = heads.owner AND runs.queued = heads.queued AND runs.status = 'queued' \
    LEFT JOIN busy ON busy.owner = heads.owner \
    LEFT JOIN lease_turns ON lease_turns.owner = heads.owner \
    WHERE coalesce(busy.runs, 0) < ?1 AND (SELECT coalesce(sum(runs), 0) FROM busy) < ?2 \
    ORDER BY coalesce(busy.runs, 0), coalesce(lease_turns.turn, 0), heads.queued LIMIT 1";

pub(super) async fn lease(
    store: &SqliteDeployments,
    worker: &str,
    limits: LeaseLimits,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Option<Lease>, DeploymentError> {
    // Asked outside a transaction first: workers ask often, and mostly there is nothing.
    let mut connection = store.pool.acquire().await.map_err(failed("looking for a run"))?;
    if next(&mut connection, limits).await?.is_none() {
        return Ok(None);
    }
    drop(connection);
    let mut transaction = begin(&store.pool).await?;
    let Some(run) = next(&mut transaction, limits).await? else {
        return Ok(None);
    };
    let update = "UPDATE runs SET worker = ?, epoch = epoch + 1, lease_until = ?, started_at = ?, step = NULL \
                  WHERE id = ?";
    sqlx::query(update)
        .bind(worker)
        .bind(until.timestamp_micros())
        .bind(now.timestamp_micros())
        .bind(run.id.as_bytes().as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(failed("leasing a run"))?;
    // Of a plan that waited for its confirmation.
    sqlx::query("DELETE FROM run_resources WHERE run = ?")
        .bind(run.id.as_bytes().as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(failed("leasing a run"))?;
    let turn = "INSERT INTO lease_turns (owner, turn) SELECT ?, coalesce(max(turn), 0) + 1 FROM lease_turns \
                WHERE true ON CONFLICT (owner) DO UPDATE SET turn = excluded.turn";
    sqlx::query(turn)
        .bind(run.owner.as_bytes().as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(failed("keeping whose turn it was"))?;
    enter(&mut transaction, &run, Transition::Lease, now).await?;
    let row = sqlx::query("SELECT id, deployment, worker, epoch FROM runs WHERE id = ?")
        .bind(run.id.as_bytes().as_slice())
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed("leasing a run"))?;
    let lease = read(&row)?;
    commit(transaction).await?;
    Ok(Some(lease))
}

/// The run that a worker is to take.
async fn next(connection: &mut SqliteConnection, limits: LeaseLimits) -> Result<Option<Run>, BackendError> {
    let most = |limit: Option<u32>| limit.map_or(i64::MAX, i64::from);
    let row = sqlx::query(NEXT)
        .bind(most(limits.per_owner))
        .bind(most(limits.total))
        .fetch_optional(connection)
        .await
        .map_err(failed("looking for a run"))?;
    row.as_ref().map(rows::run).transpose()
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
) -> Result<LeaseNews, DeploymentError> {
    let mut transaction = under(store, lease).await?;
    let cancel_asked =
        sqlx::query_scalar("UPDATE runs SET lease_until = ? WHERE id = ? RETURNING cancel_asked")
            .bind(until.timestamp_micros())
            .bind(lease.run.as_bytes().as_slice())
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed("lengthening a lease"))?;
    commit(transaction).await?;
    Ok(LeaseNews { cancel_asked })
}

pub(super) async fn interrupt_lapsed(
    store: &SqliteDeployments,
    now: DateTime<Utc>,
) -> Result<Vec<Run>, DeploymentError> {
    let select = "SELECT * FROM runs WHERE status = 'working' AND lease_until < ? ORDER BY seq";
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
        let run = rows::run(&row)?;
        interrupted.push(enter(&mut transaction, &run, Transition::Interrupt, now).await?);
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
    let run = listing::find_run(&mut transaction, lease.run).await?;
    let transition = if run.cancel_asked { transition.after_cancel_was_asked() } else { transition };
    let run = enter(&mut transaction, &run, transition, at).await?;
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
