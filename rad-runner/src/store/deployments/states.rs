//! The versions of states: one for each run that saved one, and one for each restored.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use rad_core::deployment::{DeploymentError, Lease, StateOrigin, StateVersion, state_serial, with_serial};
use rad_core::error::BackendError;
use rad_core::id::{AccountId, DeploymentId};
use rad_sql::{Row, Transaction, sql};

use super::taking::{take_idle, take_under};
use super::{SqlDeployments, listing};
use crate::store::database::corrupt;

pub(super) async fn save(
    store: &SqlDeployments,
    lease: &Lease,
    state: &Bytes,
    at: DateTime<Utc>,
) -> Result<(), DeploymentError> {
    let mut transaction = take_under(store, lease).await?;
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
    store: &SqlDeployments,
    deployment: DeploymentId,
    from: u64,
    by: AccountId,
    at: DateTime<Utc>,
) -> Result<StateVersion, DeploymentError> {
    let old = version(store, deployment, from).await?;
    let mut transaction = take_idle(store, deployment).await?;
    let highest =
        sql("SELECT max(serial) AS serial FROM deployment_states WHERE deployment = $1").bind(deployment);
    let highest: u64 = highest.one(&mut transaction, "reading the serial of a state").await?.get("serial")?;
    let last = last(&mut transaction, deployment).await?.ok_or(DeploymentError::NotFound)?;
    let serial = highest.saturating_add(1);
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
    store: &SqlDeployments,
    deployment: DeploymentId,
) -> Result<Option<Bytes>, DeploymentError> {
    let find = sql("SELECT sealed FROM deployment_states WHERE deployment = $1 ORDER BY number DESC LIMIT 1");
    let Some(row) = find.bind(deployment).optional(&store.database, "reading a state").await? else {
        listing::exists(store, deployment).await?;
        return Ok(None);
    };
    Ok(Some(unsealed(store, deployment, &row)?))
}

pub(super) async fn version(
    store: &SqlDeployments,
    deployment: DeploymentId,
    number: u64,
) -> Result<Bytes, DeploymentError> {
    let find = sql("SELECT sealed FROM deployment_states WHERE deployment = $1 AND number = $2");
    let row = find.bind(deployment).bind(number).optional(&store.database, "reading a state").await?;
    Ok(unsealed(store, deployment, &row.ok_or(DeploymentError::NotFound)?)?)
}

pub(super) async fn versions(
    store: &SqlDeployments,
    deployment: DeploymentId,
) -> Result<Vec<StateVersion>, DeploymentError> {
    let list = sql(VERSIONS).bind(deployment).bind(i64::MAX);
    let found = list.rows(&store.database, "listing the versions of a state").await?;
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
const VERSIONS: &str = "SELECT number, serial, size, saved_at, run, epoch, restored_from, restored_by
                        FROM deployment_states WHERE deployment = $1 ORDER BY number DESC LIMIT $2";

async fn last(
    transaction: &mut Transaction,
    deployment: DeploymentId,
) -> Result<Option<StateVersion>, BackendError> {
    let find = sql(VERSIONS).bind(deployment).bind(1_i64);
    let found = find.optional(transaction, "reading the latest version of a state").await?;
    found.as_ref().map(read).transpose()
}

/// Writes a version, in place of one with the same number, and forgets the oldest.
async fn keep(
    store: &SqlDeployments,
    mut transaction: Transaction,
    deployment: DeploymentId,
    version: &StateVersion,
    state: &[u8],
) -> Result<(), DeploymentError> {
    let during = "keeping a state";
    let (run, restored) = match &version.origin {
        StateOrigin::Run { run, epoch } => (Some((*run, *epoch)), None),
        StateOrigin::Restored { from, by } => (None, Some((*from, *by))),
    };
    sql("INSERT INTO deployment_states
             (deployment, number, sealed, serial, size, saved_at, run, epoch, restored_from, restored_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (deployment, number) DO UPDATE SET
             sealed = excluded.sealed, serial = excluded.serial, size = excluded.size, saved_at = excluded.saved_at")
    .bind(deployment)
    .bind(version.number)
    .bind(store.key.seal(&place(deployment), state)?)
    .bind(version.serial)
    .bind(version.size)
    .bind(version.saved_at)
    .bind(run.map(|(run, _)| run))
    .bind(run.map(|(_, epoch)| epoch))
    .bind(restored.map(|(from, _)| from))
    .bind(restored.map(|(_, by)| by))
    .execute(&mut transaction, during)
    .await?;
    let oldest = version.number.saturating_sub(store.keep_states.get().into());
    let forget = sql("DELETE FROM deployment_states WHERE deployment = $1 AND number <= $2");
    forget
        .bind(deployment)
        .bind(oldest)
        .execute(&mut transaction, "forgetting the oldest version of a state")
        .await?;
    Ok(transaction.commit(during).await?)
}

fn unsealed(store: &SqlDeployments, deployment: DeploymentId, row: &Row) -> Result<Bytes, BackendError> {
    let sealed: Vec<u8> = row.get("sealed")?;
    Ok(store.key.unseal(&place(deployment), &sealed)?.into())
}

fn read(row: &Row) -> Result<StateVersion, BackendError> {
    let origin = match row.get("restored_from")? {
        None => StateOrigin::Run { run: row.get("run")?, epoch: row.get("epoch")? },
        Some(from) => StateOrigin::Restored { from, by: row.get("restored_by")? },
    };
    Ok(StateVersion {
        number: row.get("number")?,
        serial: row.get("serial")?,
        size: row.get("size")?,
        saved_at: row.get("saved_at")?,
        origin,
    })
}

fn serial(state: &[u8]) -> u64 {
    state_serial(state).unwrap_or_default()
}
