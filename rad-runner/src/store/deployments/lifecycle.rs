//! Storing deployments and runs, and moving runs along the state machine.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rad_core::deployment::{
    Deployment, DeploymentError, IllegalTransition, NewDeployment, NewRun, Run, RunStatus, SecretValues,
    Settlement, Transition,
};
use rad_core::error::BackendError;
use rad_core::id::{DeploymentId, RunId};
use rad_core::runner::Action;
use rad_sql::{Transaction, json, sql, word};
use secrecy::ExposeSecret;

use super::rows::{self, Record, TargetRecord};
use super::taking::{take, take_idle, take_of_run};
use super::{SqlDeployments, listing};

pub(super) async fn create(
    store: &SqlDeployments,
    new: NewDeployment,
    run: RunId,
    at: DateTime<Utc>,
) -> Result<(Deployment, Run), DeploymentError> {
    let mut transaction = store.database.begin().await?;
    transaction.lock(&format!("submission {}", new.submission)).await?;
    let find = sql("SELECT * FROM deployments WHERE owner = $1 AND submission = $2");
    let find = find.bind(new.owner).bind(new.submission.as_bytes().as_slice());
    if let Some(row) = find.optional(&mut transaction, "looking for a submission").await? {
        let deployment = rows::deployment(&row)?;
        let first = sql("SELECT * FROM runs WHERE deployment = $1 ORDER BY seq LIMIT 1").bind(deployment.id);
        let first = first.optional(&mut transaction, "looking for a run").await?;
        return Ok((deployment, rows::run(&first.ok_or(DeploymentError::NotFound)?)?));
    }
    let Some(stored) = insert(store, &mut transaction, &new, run, at).await? else {
        return Err(DeploymentError::IdTaken { deployment: new.id });
    };
    let first = NewRun { id: run, deployment: new.id, action: Action::Create, cost: new.cost, target: None };
    let run = insert_run(store, &mut transaction, &first, at).await?;
    transaction.commit("storing a deployment").await?;
    Ok((stored, run))
}

pub(super) async fn add_run(
    store: &SqlDeployments,
    new: NewRun,
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let mut transaction = take_idle(store, new.deployment).await?;
    let run = insert_run(store, &mut transaction, &new, at).await?;
    transaction.commit("storing a run").await?;
    Ok(run)
}

/// Stores a run in place of one that goes on; gives that one, and the new one.
pub(super) async fn supersede(
    store: &SqlDeployments,
    new: NewRun,
    at: DateTime<Utc>,
) -> Result<(Option<Run>, Run), DeploymentError> {
    let mut transaction = take(store, new.deployment).await?;
    let mut ended = None;
    if let Some(live) = live_run(&mut transaction, new.deployment).await? {
        if live.action == Action::Purge {
            return Err(DeploymentError::Busy { deployment: new.deployment });
        }
        let ends = Transition::superseding(live.status);
        ended = Some(enter(&mut transaction, &live, ends, at).await?);
    }
    let run = insert_run(store, &mut transaction, &new, at).await?;
    transaction.commit("storing a run").await?;
    Ok((ended, run))
}

pub(super) async fn advance(
    store: &SqlDeployments,
    run: RunId,
    transition: Transition,
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let mut transaction = take_of_run(store, run).await?;
    let now = listing::find_run(&mut transaction, run).await?;
    now.check_advance(transition)?;
    let run = enter(&mut transaction, &now, transition, at).await?;
    transaction.commit("moving a run on").await?;
    Ok(run)
}

pub(super) async fn cancel(
    store: &SqlDeployments,
    run: RunId,
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let mut transaction = take_of_run(store, run).await?;
    let now = listing::find_run(&mut transaction, run).await?;
    let run = if now.status == RunStatus::Working {
        ask_to_cancel(&mut transaction, run).await?;
        Run { cancel_asked: true, ..now }
    } else {
        enter(&mut transaction, &now, Transition::Cancel, at).await?
    };
    transaction.commit("cancelling a run").await?;
    Ok(run)
}

/// Keeps the wish for a purge; gives the run that is to stop for it.
pub(super) async fn ask_purge(
    store: &SqlDeployments,
    deployment: DeploymentId,
    at: DateTime<Utc>,
) -> Result<Option<RunId>, DeploymentError> {
    let during = "asking for a purge";
    let mut transaction = take(store, deployment).await?;
    let ask = sql("UPDATE deployments SET purge_asked = coalesce(purge_asked, $1) WHERE id = $2");
    ask.bind(at).bind(deployment).execute(&mut transaction, during).await?;
    let live = live_run(&mut transaction, deployment).await?;
    let stopping = live.filter(|run| run.status == RunStatus::Working && run.action != Action::Purge);
    if let Some(run) = &stopping {
        ask_to_cancel(&mut transaction, run.id).await?;
    }
    transaction.commit(during).await?;
    Ok(stopping.map(|run| run.id))
}

pub(super) async fn keep_left(
    store: &SqlDeployments,
    deployment: DeploymentId,
    left: &[String],
) -> Result<(), DeploymentError> {
    let update = sql("UPDATE deployments SET remains = $1 WHERE id = $2").bind(json(&left)?).bind(deployment);
    let kept = update.execute(&store.database, "keeping what a purge left").await?;
    if kept == 0 { Err(DeploymentError::NotFound) } else { Ok(()) }
}

pub(super) async fn discard(store: &SqlDeployments, run: RunId) -> Result<(), DeploymentError> {
    let during = "removing a run";
    let mut transaction = take_of_run(store, run).await?;
    let stored = listing::find_run(&mut transaction, run).await?;
    if stored.status != RunStatus::Pending {
        let status = stored.status;
        return Err(IllegalTransition { status, transition: Transition::Cancel }.into());
    }
    sql("DELETE FROM runs WHERE id = $1").bind(run).execute(&mut transaction, during).await?;
    let orphan = sql(
        "DELETE FROM deployments WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM runs WHERE deployment = $1)",
    );
    orphan.bind(stored.deployment).execute(&mut transaction, during).await?;
    Ok(transaction.commit(during).await?)
}

pub(super) async fn settled(store: &SqlDeployments, run: RunId) -> Result<(), DeploymentError> {
    let update = sql(
        "UPDATE runs SET settlement = CASE settlement WHEN 'owed' THEN 'done' ELSE settlement END WHERE id = $1",
    );
    let done = update.bind(run).execute(&store.database, "marking a run as settled").await?;
    if done == 0 { Err(DeploymentError::NotFound) } else { Ok(()) }
}

/// Moves a run on, and its deployment with it; a run that ended is to be settled.
pub(super) async fn enter(
    transaction: &mut Transaction,
    run: &Run,
    transition: Transition,
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let status = run.status.after(transition)?;
    let ended = status.is_final();
    if status == RunStatus::Queued {
        // Runs that are queued at the same moment may have the same place; then the older one comes first.
        let queue =
            sql("UPDATE runs SET queued = (SELECT coalesce(max(queued), 0) + 1 FROM runs) WHERE id = $1");
        queue.bind(run.id).execute(&mut *transaction, "queueing a run").await?;
    }
    let moved = sql("UPDATE runs SET status = $1, waits_for = $2,
             finished_at = CASE WHEN $3 THEN $4 ELSE finished_at END,
             settlement = CASE WHEN $3 THEN $5 ELSE settlement END WHERE id = $6 RETURNING *")
    .bind(word(status)?)
    .bind(transition.waits_for().map(word).transpose()?)
    .bind(ended)
    .bind(at)
    .bind(word(Settlement::Owed)?)
    .bind(run.id)
    .one(&mut *transaction, "moving a run on")
    .await?;
    let run = rows::run(&moved)?;
    follow(transaction, &run, at).await?;
    Ok(run)
}

/// Has a deployment stand as a run of it does, which becomes its latest; a check leaves it as it stands.
async fn follow(transaction: &mut Transaction, run: &Run, at: DateTime<Utc>) -> Result<(), BackendError> {
    if !run.action.applies() {
        return Ok(());
    }
    sql("UPDATE deployments SET latest_run = $1, action = $2, status = $3, updated_at = $4,
             diverged = CASE WHEN $5 THEN FALSE WHEN $6 AND EXISTS (SELECT 1 FROM run_resources
                 WHERE run = $1 AND change <> 'read' AND status <> 'planned') THEN TRUE ELSE diverged END
         WHERE id = $7")
    .bind(run.id)
    .bind(word(run.action)?)
    .bind(word(run.status)?)
    .bind(at)
    .bind(run.status == RunStatus::Success)
    .bind(run.status.is_final())
    .bind(run.deployment)
    .execute(transaction, "moving a deployment on")
    .await?;
    Ok(())
}

/// The run of a deployment that goes on.
async fn live_run(
    transaction: &mut Transaction,
    deployment: DeploymentId,
) -> Result<Option<Run>, BackendError> {
    let find = sql(
        "SELECT * FROM runs WHERE deployment = $1 AND status IN ('pending', 'waiting', 'queued', 'working')",
    );
    let live = find.bind(deployment).optional(transaction, "looking for a live run").await?;
    live.as_ref().map(rows::run).transpose()
}

async fn ask_to_cancel(transaction: &mut Transaction, run: RunId) -> Result<(), BackendError> {
    let ask = sql("UPDATE runs SET cancel_asked = TRUE WHERE id = $1").bind(run);
    ask.execute(transaction, "asking to cancel a run").await.map(drop)
}

/// Stores a deployment; none if its id is taken.
async fn insert(
    store: &SqlDeployments,
    transaction: &mut Transaction,
    new: &NewDeployment,
    run: RunId,
    at: DateTime<Utc>,
) -> Result<Option<Deployment>, BackendError> {
    let secrets = store.key.seal(&secrets_place(new.id), &plain(&new.target.secrets)?)?;
    let stored = sql(
        "INSERT INTO deployments (id, owner, submission, module_name, record, search, secrets, latest_run, action,
             status, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) ON CONFLICT (id) DO NOTHING RETURNING *",
    )
    .bind(new.id)
    .bind(new.owner)
    .bind(new.submission.as_bytes().as_slice())
    .bind(&new.module_name)
    .bind(json(&Record::of(new))?)
    .bind(format!("{}\n{}", new.module_name.to_lowercase(), new.id))
    .bind(secrets)
    .bind(run)
    .bind(word(Action::Create)?)
    .bind(word(RunStatus::Pending)?)
    .bind(at)
    .optional(transaction, "storing a deployment")
    .await?;
    stored.as_ref().map(rows::deployment).transpose()
}

async fn insert_run(
    store: &SqlDeployments,
    transaction: &mut Transaction,
    new: &NewRun,
    at: DateTime<Utc>,
) -> Result<Run, BackendError> {
    let stored = sql("INSERT INTO runs (id, deployment, owner, action, status, cost, settlement, created_at)
         SELECT $1, id, owner, $2, $3, $4, $5, $6 FROM deployments WHERE id = $7 RETURNING *")
    .bind(new.id)
    .bind(word(new.action)?)
    .bind(word(RunStatus::Pending)?)
    .bind(new.cost)
    .bind(word(Settlement::Nothing)?)
    .bind(at)
    .bind(new.deployment)
    .one(&mut *transaction, "storing a run")
    .await?;
    if let Some(target) = &new.target {
        let secrets = store.key.seal(&secrets_place(new.deployment), &plain(&target.secrets)?)?;
        sql("INSERT INTO run_targets (run, deployment, target, secrets) VALUES ($1, $2, $3, $4)")
            .bind(new.id)
            .bind(new.deployment)
            .bind(json(&TargetRecord::of(target))?)
            .bind(secrets)
            .execute(transaction, "storing what a run is to make")
            .await?;
    }
    rows::run(&stored)
}

/// Where secrets are sealed for: a deployment's, and those of its runs that may become its own.
pub(super) fn secrets_place(deployment: DeploymentId) -> String {
    format!("secrets:{deployment}")
}

fn plain(secrets: &SecretValues) -> Result<Vec<u8>, BackendError> {
    let exposed: BTreeMap<&str, &str> =
        secrets.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
    serde_json::to_vec(&exposed).map_err(|error| BackendError::permanent("writing secrets", error))
}
