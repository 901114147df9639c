//! The versions of states: one for each run that saved one, and one for each restored.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use rad_core::deployment::{DeploymentError, Lease, StateOrigin, StateVersion, state_serial, with_serial};
use rad_core::error::BackendError;
use rad_core::id::{AccountId, DeploymentId, RunId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::leases::under;
use super::{SqliteDeployments, listing};
use crate::store::sqlite::{begin, column, commit, corrupt, failed, id, time};

pub(super) async fn save(
    store: &SqliteDeployments,
    lease: &Lease,
    state: &Bytes,
    at: DateTime<Utc>,
) -> Result<(), DeploymentError> {
    let mut transaction = under(store, lease).await?;
    let last = last(&mut transaction, lease.deployment).await?;
    let origin = StateOrigin::Run { run: lease.run, epoch: lease.epoch };
    let number = match &last {
        Some(last) if last.origin == origin => last.number,
        Some(last) => last.number.saturating_add(1),
        None => 1,
    };
    let version =
        StateVersion { number, serial: serial(state), size: state.len() as u64, saved_at: at, origin };
    keep(store, transaction, lease.deployment, &version, state).await
}

pub(super) async fn restore(
    store: &SqliteDeployments,
    deployment: DeploymentId,
    from: u64,
    by: AccountId,
    at: DateTime<Utc>,
) -> Result<StateVersion, DeploymentError> {
    let old = version(store, deployment, from).await?;
    let mut transaction = begin(&store.pool).await?;
    let busy = "SELECT EXISTS (SELECT 1 FROM runs WHERE deployment = ?1 \
                AND status IN ('pending', 'waiting', 'queued', 'working')) \
                OR EXISTS (SELECT 1 FROM deployments WHERE id = ?1 AND purge_asked IS NOT NULL)";
    let busy: bool = sqlx::query_scalar(busy)
        .bind(deployment.as_str())
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed("looking for a run that goes on"))?;
    if busy {
        return Err(DeploymentError::Busy { deployment });
    }
    let highest: i64 = sqlx::query_scalar("SELECT max(serial) FROM deployment_states WHERE deployment = ?")
        .bind(deployment.as_str())
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed("reading the serial of a state"))?;
    let last = last(&mut transaction, deployment).await?.ok_or(DeploymentError::NotFound)?;
    let serial = u64::try_from(highest).map_err(corrupt)?.saturating_add(1);
    let state = with_serial(&old, serial).ok_or_else(|| corrupt("a version of a state is no state"))?;
    let version = StateVersion {
        number: last.number.saturating_add(1),
        serial,
        size: state.len() as u64,
        saved_at: at,
        origin: StateOrigin::Restored { from, by },
    };
    keep(store, transaction, deployment, &version, &state).await?;
    Ok(version)
}

/// The latest state.
pub(super) async fn latest(
    store: &SqliteDeployments,
    deployment: DeploymentId,
) -> Result<Option<Bytes>, DeploymentError> {
    let select = "SELECT sealed FROM deployment_states WHERE deployment = ? ORDER BY number DESC LIMIT 1";
    let sealed: Option<Vec<u8>> = sqlx::query_scalar(select)
        .bind(deployment.as_str())
        .fetch_optional(&store.pool)
        .await
        .map_err(failed("reading a state"))?;
    let Some(sealed) = sealed else {
        listing::exists(store, deployment).await?;
        return Ok(None);
    };
    Ok(Some(store.key.unseal(&place(deployment), &sealed)?.into()))
}

pub(super) async fn version(
    store: &SqliteDeployments,
    deployment: DeploymentId,
    number: u64,
) -> Result<Bytes, DeploymentError> {
    let sealed: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT sealed FROM deployment_states WHERE deployment = ? AND number = ?")
            .bind(deployment.as_str())
            .bind(i64::try_from(number).unwrap_or(i64::MAX))
            .fetch_optional(&store.pool)
            .await
            .map_err(failed("reading a state"))?;
    let sealed = sealed.ok_or(DeploymentError::NotFound)?;
    Ok(store.key.unseal(&place(deployment), &sealed)?.into())
}

pub(super) async fn versions(
    store: &SqliteDeployments,
    deployment: DeploymentId,
) -> Result<Vec<StateVersion>, DeploymentError> {
    let found = sqlx::query(VERSIONS)
        .bind(deployment.as_str())
        .bind(i64::MAX)
        .fetch_all(&store.pool)
        .await
        .map_err(failed("listing the versions of a state"))?;
    if found.is_empty() {
        listing::exists(store, deployment).await?;
    }
    Ok(found.iter().map(read).collect::<Result<_, _>>()?)
}

/// Where a state is sealed for.
pub(super) fn place(deployment: DeploymentId) -> String {
    format!("state:{deployment}")
}

/// All of the latest versions but the states themselves.
const VERSIONS: &str = "SELECT number, serial, size, saved_at, run, epoch, restored_from, restored_by \
                        FROM deployment_states WHERE deployment = ? ORDER BY number DESC LIMIT ?";

async fn last(
    connection: &mut SqliteConnection,
    deployment: DeploymentId,
) -> Result<Option<StateVersion>, BackendError> {
    let found = sqlx::query(VERSIONS)
        .bind(deployment.as_str())
        .bind(1)
        .fetch_optional(connection)
        .await
        .map_err(failed("reading the latest version of a state"))?;
    found.as_ref().map(read).transpose()
}

/// Writes a version, in place of one with the same number, and forgets the oldest.
async fn keep(
    store: &SqliteDeployments,
    mut transaction: Transaction<'static, Sqlite>,
    deployment: DeploymentId,
    version: &StateVersion,
    state: &[u8],
) -> Result<(), DeploymentError> {
    let number = |number: u64| i64::try_from(number).map_err(corrupt);
    let (run, restored) = match &version.origin {
        StateOrigin::Run { run, epoch } => (Some((run, number(*epoch)?)), None),
        StateOrigin::Restored { from, by } => (None, Some((number(*from)?, by))),
    };
    let replace = "INSERT OR REPLACE INTO deployment_states \
                   (deployment, number, sealed, serial, size, saved_at, run, epoch, restored_from, restored_by) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    sqlx::query(replace)
        .bind(deployment.as_str())
        .bind(number(version.number)?)
        .bind(store.key.seal(&place(deployment), state)?)
        .bind(number(version.serial)?)
        .bind(number(version.size)?)
        .bind(version.saved_at.timestamp_micros())
        .bind(run.map(|(run, _)| run.as_bytes().to_vec()))
        .bind(run.map(|(_, epoch)| epoch))
        .bind(restored.map(|(from, _)| from))
        .bind(restored.map(|(_, by)| by.as_bytes().to_vec()))
        .execute(&mut *transaction)
        .await
        .map_err(failed("keeping a state"))?;
    sqlx::query("DELETE FROM deployment_states WHERE deployment = ? AND number <= ?")
        .bind(deployment.as_str())
        .bind(number(version.number)?.saturating_sub(i64::from(store.keep_states.get())))
        .execute(&mut *transaction)
        .await
        .map_err(failed("forgetting the oldest version of a state"))?;
    Ok(commit(transaction).await?)
}

fn read(row: &SqliteRow) -> Result<StateVersion, BackendError> {
    let number = |name| u64::try_from(column::<i64>(row, name)?).map_err(corrupt);
    let restored: Option<i64> = column(row, "restored_from")?;
    let origin = match restored {
        None => StateOrigin::Run { run: RunId::from_bytes(id(row, "run")?), epoch: number("epoch")? },
        Some(_) => StateOrigin::Restored {
            from: number("restored_from")?,
            by: AccountId::from_bytes(id(row, "restored_by")?),
        },
    };
    Ok(StateVersion {
        number: number("number")?,
        serial: number("serial")?,
        size: number("size")?,
        saved_at: time(row, "saved_at")?,
        origin,
    })
}

fn serial(state: &[u8]) -> u64 {
    state_serial(state).unwrap_or_default()
}
