//! Reading deployments and runs.

use std::collections::BTreeMap;

use rad_core::deployment::{Deployment, DeploymentError, DeploymentQuery, Run, RunStatus, SecretValues};
use rad_core::error::BackendError;
use rad_core::id::{AccountId, DeploymentId, RunId};
use rad_core::page::{Cursor, Page};
use secrecy::SecretString;
use sqlx::{QueryBuilder, SqliteConnection};

use super::lifecycle::secrets_place;
use super::{SqliteDeployments, rows};
use crate::store::sqlite::{corrupt, failed, word_of};

/// The most deployments on a page.
const PAGE: u32 = 200;

pub(super) async fn deployment(
    store: &SqliteDeployments,
    id: DeploymentId,
) -> Result<Deployment, DeploymentError> {
    let mut connection = store.pool.acquire().await.map_err(failed("reading a deployment"))?;
    find(&mut connection, id).await?.ok_or(DeploymentError::NotFound)
}

pub(super) async fn secrets(
    store: &SqliteDeployments,
    id: DeploymentId,
) -> Result<SecretValues, DeploymentError> {
    let sealed: Option<Vec<u8>> = sqlx::query_scalar("SELECT secrets FROM deployments WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(&store.pool)
        .await
        .map_err(failed("reading secrets"))?;
    Ok(unsealed_secrets(store, id, sealed.ok_or(DeploymentError::NotFound)?)?)
}

/// The secrets of a deployment, or of a run of it.
pub(super) fn unsealed_secrets(
    store: &SqliteDeployments,
    id: DeploymentId,
    sealed: Vec<u8>,
) -> Result<SecretValues, BackendError> {
    let plain = store.key.unseal(&secrets_place(id), &sealed)?;
    let secrets: BTreeMap<String, String> = serde_json::from_slice(&plain).map_err(corrupt)?;
    Ok(secrets.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect())
}

pub(super) async fn list(
    store: &SqliteDeployments,
    query: &DeploymentQuery,
) -> Result<Page<Deployment>, DeploymentError> {
    let limit = query.limit.clamp(1, PAGE);
    let mut sql = QueryBuilder::new("SELECT * FROM deployments WHERE status <> 'pending'");
    if let Some(owner) = query.owner {
        sql.push(" AND owner = ").push_bind(owner.as_bytes().to_vec());
    }
    if !query.text.is_empty() {
        sql.push(" AND instr(search, ").push_bind(query.text.to_lowercase()).push(") > 0");
    }
    if !query.deleted {
        sql.push(" AND NOT (action = 'delete' AND status = 'success')");
        sql.push(" AND NOT (action = 'purge' AND status NOT IN ('pending', 'waiting', 'queued', 'working'))");
    }
    if let Some((at, id)) = query.after.as_ref().and_then(place) {
        sql.push(" AND (created_at, id) < (").push_bind(at).push(", ").push_bind(id).push(")");
    }
    sql.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(limit + 1);
    let found = sql.build().fetch_all(&store.pool).await.map_err(failed("listing deployments"))?;
    let items = found.iter().take(limit as usize).map(rows::deployment);
    let items: Vec<Deployment> = items.collect::<Result<_, BackendError>>()?;
    let more = found.len() > items.len();
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| Cursor::new(format!("{}:{}", last.created_at.timestamp_micros(), last.id)));
    Ok(Page::one_way(items, next))
}

pub(super) async fn run(store: &SqliteDeployments, id: RunId) -> Result<Run, DeploymentError> {
    let mut connection = store.pool.acquire().await.map_err(failed("reading a run"))?;
    find_run(&mut connection, id).await
}

pub(super) async fn runs(
    store: &SqliteDeployments,
    deployment: DeploymentId,
) -> Result<Vec<Run>, DeploymentError> {
    let found = sqlx::query("SELECT * FROM runs WHERE deployment = ? ORDER BY seq DESC")
        .bind(deployment.as_str())
        .fetch_all(&store.pool)
        .await
        .map_err(failed("reading runs"))?;
    Ok(found.iter().map(rows::run).collect::<Result<_, _>>()?)
}

pub(super) async fn runs_in(
    store: &SqliteDeployments,
    status: RunStatus,
    limit: u32,
) -> Result<Vec<Run>, DeploymentError> {
    let found = sqlx::query("SELECT * FROM runs WHERE status = ? ORDER BY seq LIMIT ?")
        .bind(word_of(status)?)
        .bind(limit)
        .fetch_all(&store.pool)
        .await
        .map_err(failed("reading runs"))?;
    Ok(found.iter().map(rows::run).collect::<Result<_, _>>()?)
}

pub(super) async fn unsettled(store: &SqliteDeployments, limit: u32) -> Result<Vec<Run>, DeploymentError> {
    let found = sqlx::query("SELECT * FROM runs WHERE settlement = 'owed' ORDER BY seq LIMIT ?")
        .bind(limit)
        .fetch_all(&store.pool)
        .await
        .map_err(failed("reading unsettled runs"))?;
    Ok(found.iter().map(rows::run).collect::<Result<_, _>>()?)
}

pub(super) async fn purges(
    store: &SqliteDeployments,
    limit: u32,
) -> Result<Vec<Deployment>, DeploymentError> {
    let select = "SELECT * FROM deployments WHERE purge_asked IS NOT NULL AND action <> 'purge' \
                  ORDER BY purge_asked LIMIT ?";
    let found = sqlx::query(select)
        .bind(limit)
        .fetch_all(&store.pool)
        .await
        .map_err(failed("reading what is to be purged"))?;
    Ok(found.iter().map(rows::deployment).collect::<Result<_, _>>()?)
}

pub(super) async fn deployed(
    store: &SqliteDeployments,
    owner: AccountId,
    modules: &[String],
) -> Result<Vec<String>, DeploymentError> {
    // A purge counts however it ended.
    let select = "SELECT 1 FROM deployments d WHERE d.owner = ? AND d.module_name = ? AND \
                  (SELECT r.action FROM runs r WHERE r.deployment = d.id AND (r.status = 'success' OR r.action = 'purge' \
                  AND r.status NOT IN ('pending', 'waiting', 'queued', 'working')) \
                  ORDER BY r.seq DESC LIMIT 1) IN ('create', 'update') LIMIT 1";
    let mut met = Vec::new();
    for module in modules {
        let found = sqlx::query(select)
            .bind(owner.as_bytes().as_slice())
            .bind(module)
            .fetch_optional(&store.pool)
            .await
            .map_err(failed("looking for a deployed module"))?;
        met.extend(found.map(|_| module.clone()));
    }
    Ok(met)
}

/// A deployment, inside a transaction.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    id: DeploymentId,
) -> Result<Option<Deployment>, BackendError> {
    let row = sqlx::query("SELECT * FROM deployments WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(failed("reading a deployment"))?;
    row.as_ref().map(rows::deployment).transpose()
}

/// A run, inside a transaction.
pub(super) async fn find_run(connection: &mut SqliteConnection, id: RunId) -> Result<Run, DeploymentError> {
    let row = sqlx::query("SELECT * FROM runs WHERE id = ?")
        .bind(id.as_bytes().as_slice())
        .fetch_optional(connection)
        .await
        .map_err(failed("reading a run"))?;
    Ok(rows::run(&row.ok_or(DeploymentError::NotFound)?)?)
}

/// Refuses deployments that are not there.
pub(super) async fn exists(store: &SqliteDeployments, id: DeploymentId) -> Result<(), DeploymentError> {
    let found = sqlx::query("SELECT 1 FROM deployments WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(&store.pool)
        .await
        .map_err(failed("looking for a deployment"))?;
    found.map(|_| ()).ok_or(DeploymentError::NotFound)
}

/// The place in the listing that a cursor names.
fn place(cursor: &Cursor) -> Option<(i64, String)> {
    let (at, id) = cursor.as_str().split_once(':')?;
    Some((at.parse().ok()?, id.to_owned()))
}
