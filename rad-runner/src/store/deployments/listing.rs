//! Reading deployments and runs.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rad_core::deployment::{Deployment, DeploymentError, DeploymentQuery, Run, RunStatus, SecretValues};
use rad_core::error::BackendError;
use rad_core::id::{AccountId, DeploymentId, RunId};
use rad_core::page::{Cursor, Page};
use rad_sql::{On, Statement, sql, word};
use secrecy::SecretString;

use super::lifecycle::secrets_place;
use super::{SqlDeployments, rows};
use crate::store::database::corrupt;

/// The most deployments on a page.
const PAGE: u32 = 200;

pub(super) async fn secrets(
    store: &SqlDeployments,
    id: DeploymentId,
) -> Result<SecretValues, DeploymentError> {
    let find = sql("SELECT secrets FROM deployments WHERE id = $1").bind(id);
    let row = find.optional(&store.database, "reading secrets").await?;
    let sealed: Vec<u8> = row.ok_or(DeploymentError::NotFound)?.get("secrets")?;
    Ok(unsealed_secrets(store, id, &sealed)?)
}

/// The secrets of a deployment, or of a run of it.
pub(super) fn unsealed_secrets(
    store: &SqlDeployments,
    id: DeploymentId,
    sealed: &[u8],
) -> Result<SecretValues, BackendError> {
    let plain = store.key.unseal(&secrets_place(id), sealed)?;
    let secrets: BTreeMap<String, String> = serde_json::from_slice(&plain).map_err(corrupt)?;
    Ok(secrets.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect())
}

pub(super) async fn list(
    store: &SqlDeployments,
    query: &DeploymentQuery,
) -> Result<Page<Deployment>, DeploymentError> {
    let limit = query.limit.clamp(1, PAGE);
    let mut list = sql("SELECT * FROM deployments WHERE status <> 'pending'");
    if let Some(owner) = query.owner {
        list.push(" AND owner = ").push_bind(owner);
    }
    if !query.text.is_empty() {
        list.push(" AND instr(search, ").push_bind(query.text.to_lowercase()).push(") > 0");
    }
    if !query.deleted {
        list.push(" AND NOT (action = 'delete' AND status = 'success')");
        list.push(
            " AND NOT (action = 'purge' AND status NOT IN ('pending', 'waiting', 'queued', 'working'))",
        );
    }
    if let Some((at, id)) = query.after.as_ref().and_then(place) {
        list.push(" AND (created_at, id) < (").push_bind(at).push(", ").push_bind(id).push(")");
    }
    list.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(limit + 1);
    let found = list.rows(&store.database, "listing deployments").await?;
    let items = found.iter().take(limit as usize).map(rows::deployment);
    let items: Vec<Deployment> = items.collect::<Result<_, _>>()?;
    let more = found.len() > items.len();
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| Cursor::new(format!("{}:{}", last.created_at.timestamp_micros(), last.id)));
    Ok(Page::one_way(items, next))
}

pub(super) async fn runs(
    store: &SqlDeployments,
    deployment: DeploymentId,
) -> Result<Vec<Run>, DeploymentError> {
    runs_of(store, sql("SELECT * FROM runs WHERE deployment = $1 ORDER BY seq DESC").bind(deployment)).await
}

pub(super) async fn runs_in(
    store: &SqlDeployments,
    status: RunStatus,
    limit: u32,
) -> Result<Vec<Run>, DeploymentError> {
    let list = sql("SELECT * FROM runs WHERE status = $1 ORDER BY seq LIMIT $2");
    runs_of(store, list.bind(word(status)?).bind(limit)).await
}

pub(super) async fn unsettled(store: &SqlDeployments, limit: u32) -> Result<Vec<Run>, DeploymentError> {
    runs_of(store, sql("SELECT * FROM runs WHERE settlement = 'owed' ORDER BY seq LIMIT $1").bind(limit))
        .await
}

async fn runs_of(store: &SqlDeployments, list: Statement) -> Result<Vec<Run>, DeploymentError> {
    let found = list.rows(&store.database, "reading runs").await?;
    Ok(found.iter().map(rows::run).collect::<Result<_, _>>()?)
}

pub(super) async fn purges(store: &SqlDeployments, limit: u32) -> Result<Vec<Deployment>, DeploymentError> {
    let list = sql("SELECT * FROM deployments WHERE purge_asked IS NOT NULL AND action <> 'purge'
         ORDER BY purge_asked LIMIT $1");
    let found = list.bind(limit).rows(&store.database, "reading what is to be purged").await?;
    Ok(found.iter().map(rows::deployment).collect::<Result<_, _>>()?)
}

pub(super) async fn deployed(
    store: &SqlDeployments,
    owner: AccountId,
    modules: &[String],
) -> Result<Vec<String>, DeploymentError> {
    let mut met = Vec::new();
    for module in modules {
        // A purge counts however it ended.
        let find = sql("SELECT 1 FROM deployments d WHERE d.owner = $1 AND d.module_name = $2 AND
             (SELECT r.action FROM runs r WHERE r.deployment = d.id AND (r.status = 'success' AND r.action <> 'check' OR r.action = 'purge'
             AND r.status NOT IN ('pending', 'waiting', 'queued', 'working'))
             ORDER BY r.seq DESC LIMIT 1) IN ('create', 'update') LIMIT 1");
        let find = find.bind(owner).bind(module);
        if find.finds(&store.database, "looking for a deployed module").await? {
            met.push(module.clone());
        }
    }
    Ok(met)
}

/// A deployment, for itself or inside a transaction.
pub(super) async fn find(on: impl Into<On<'_>>, id: DeploymentId) -> Result<Deployment, DeploymentError> {
    let find = sql("SELECT * FROM deployments WHERE id = $1").bind(id);
    let row = find.optional(on, "reading a deployment").await?;
    Ok(rows::deployment(&row.ok_or(DeploymentError::NotFound)?)?)
}

/// A run, for itself or inside a transaction.
pub(super) async fn find_run(on: impl Into<On<'_>>, id: RunId) -> Result<Run, DeploymentError> {
    let find = sql("SELECT * FROM runs WHERE id = $1").bind(id);
    let row = find.optional(on, "reading a run").await?;
    Ok(rows::run(&row.ok_or(DeploymentError::NotFound)?)?)
}

/// Refuses deployments that are not there.
pub(super) async fn exists(store: &SqlDeployments, id: DeploymentId) -> Result<(), DeploymentError> {
    let find = sql("SELECT 1 FROM deployments WHERE id = $1").bind(id);
    let found = find.finds(&store.database, "looking for a deployment").await?;
    if found { Ok(()) } else { Err(DeploymentError::NotFound) }
}

/// The place in the listing that a cursor names.
fn place(cursor: &Cursor) -> Option<(DateTime<Utc>, String)> {
    let (at, id) = cursor.as_str().split_once(':')?;
    Some((DateTime::from_timestamp_micros(at.parse().ok()?)?, id.to_owned()))
}
