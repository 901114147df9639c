//! Leases: who works on a run, and until when.

use chrono::{DateTime, Utc};
use rad_core::deployment::{DeploymentError, Lease, LeaseLimits, LeaseNews, Run, Transition};
use rad_core::error::BackendError;
use rad_core::id::RunId;
use rad_sql::{On, Row, Transaction, sql};

use super::lifecycle::enter;
use super::taking::{take_of_run, take_under};
use super::{SqlDeployments, listing, rows};

const LEASING: &str = "leasing a run";

/// The first queued run of the owner whose turn it is, among those with fewer working runs than `$1`; none where `$2` runs
/// work. Those that wait for another attempt are left out until `$3`.
const NEXT: &str = "WITH
    ready AS (SELECT * FROM runs WHERE status = 'queued' AND (not_before IS NULL OR not_before <= $3)),
    heads AS (SELECT owner, min(queued) AS queued FROM ready GROUP BY owner),
    busy AS (SELECT owner, count(*) AS runs FROM runs WHERE status = 'working' GROUP BY owner)
    SELECT ready.* FROM heads
    JOIN ready ON ready.owner = heads.owner AND ready.queued = heads.queued
    JOIN deployments ON deployments.id = ready.deployment
    LEFT JOIN busy ON busy.owner = heads.owner
    LEFT JOIN lease_turns ON lease_turns.owner = heads.owner
    WHERE coalesce(busy.runs, 0) < $1 AND (SELECT coalesce(sum(runs), 0) FROM busy) < $2
    ORDER BY coalesce(busy.runs, 0), coalesce(lease_turns.turn, 0), heads.queued, ready.seq LIMIT 1";

pub(super) async fn lease(
    store: &SqlDeployments,
    worker: &str,
    limits: LeaseLimits,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Option<Lease>, DeploymentError> {
    // Asked outside a transaction first: workers ask often, and mostly there is nothing.
    if next(&store.database, limits, now, false).await?.is_none() {
        return Ok(None);
    }
    let mut transaction = store.database.begin().await?;
    if limits != LeaseLimits::default() {
        // Who counts what works must not have others begin meanwhile.
        transaction.lock("leases").await?;
    }
    let Some(run) = next(&mut transaction, limits, now, true).await? else {
        return Ok(None);
    };
    // Its deployment is ours now; somebody may have moved it on just before.
    let run = listing::find_run(&mut transaction, run.id).await?;
    if run.status.after(Transition::Lease).is_err() {
        return Ok(None);
    }
    let leased =
        sql("UPDATE runs SET worker = $1, epoch = epoch + 1, lease_until = $2, started_at = $3, step = NULL
         WHERE id = $4 RETURNING id, deployment, worker, epoch");
    let leased = leased.bind(worker).bind(until).bind(now).bind(run.id);
    let lease = read(&leased.one(&mut transaction, LEASING).await?)?;
    // Of a plan that waited for its confirmation.
    let clear = sql("DELETE FROM run_resources WHERE run = $1").bind(run.id);
    clear.execute(&mut transaction, LEASING).await?;
    let turn =
        sql("INSERT INTO lease_turns (owner, turn) SELECT $1, coalesce(max(turn), 0) + 1 FROM lease_turns
         WHERE true ON CONFLICT (owner) DO UPDATE SET turn = excluded.turn");
    turn.bind(run.owner).execute(&mut transaction, "keeping whose turn it was").await?;
    enter(&mut transaction, &run, Transition::Lease, now).await?;
    transaction.commit(LEASING).await?;
    Ok(Some(lease))
}

/// The run that a worker is to take; `taking` it leaves out those that others are at.
async fn next(
    on: impl Into<On<'_>>,
    limits: LeaseLimits,
    now: DateTime<Utc>,
    taking: bool,
) -> Result<Option<Run>, BackendError> {
    let most = |limit: Option<u32>| limit.map_or(i64::MAX, i64::from);
    let mut find = sql(NEXT).bind(most(limits.per_owner)).bind(most(limits.total)).bind(now);
    if taking {
        find = find.skip_locked("deployments");
    }
    find.optional(on, "looking for a run").await?.as_ref().map(rows::run).transpose()
}

pub(super) async fn leases(store: &SqlDeployments, worker: &str) -> Result<Vec<Lease>, DeploymentError> {
    let list = sql("SELECT id, deployment, worker, epoch FROM runs WHERE status = 'working' AND worker = $1");
    let found = list.bind(worker).rows(&store.database, "reading a worker's leases").await?;
    Ok(found.iter().map(read).collect::<Result<_, _>>()?)
}

pub(super) async fn renew(
    store: &SqlDeployments,
    lease: &Lease,
    until: DateTime<Utc>,
) -> Result<LeaseNews, DeploymentError> {
    let during = "lengthening a lease";
    let mut transaction = take_under(store, lease).await?;
    let update = sql("UPDATE runs SET lease_until = $1 WHERE id = $2 RETURNING cancel_asked");
    let row = update.bind(until).bind(lease.run).one(&mut transaction, during).await?;
    transaction.commit(during).await?;
    Ok(LeaseNews { cancel_asked: row.get("cancel_asked")? })
}

/// Ends the runs whose leases lapsed before `lapsed` by the database's clock, at `now` by the platform's.
pub(super) async fn interrupt_lapsed(
    store: &SqlDeployments,
    lapsed: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<Run>, DeploymentError> {
    let list =
        sql("SELECT id FROM runs WHERE status = 'working' AND lease_until < $1 ORDER BY seq").bind(lapsed);
    let (mut interrupted, mut failure) = (Vec::new(), None);
    for row in list.rows(&store.database, "looking for lapsed leases").await? {
        match interrupt(store, row.get("id")?, lapsed, now).await {
            Ok(ended) => interrupted.extend(ended),
            // The others do not wait for it.
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(interrupted), Err)
}

/// Ends a run whose lease has lapsed, unless its worker lengthened or ended it just before.
async fn interrupt(
    store: &SqlDeployments,
    run: RunId,
    lapsed: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<Run>, DeploymentError> {
    let mut transaction = take_of_run(store, run).await?;
    let still = sql("SELECT 1 FROM runs WHERE id = $1 AND status = 'working' AND lease_until < $2");
    if !still.bind(run).bind(lapsed).finds(&mut transaction, "looking at a lapsed lease").await? {
        return Ok(None);
    }
    let run = listing::find_run(&mut transaction, run).await?;
    let ended = enter(&mut transaction, &run, Transition::Interrupt, now).await?;
    transaction.commit("interrupting a run").await?;
    Ok(Some(ended))
}

pub(super) async fn finish(
    store: &SqlDeployments,
    lease: &Lease,
    transition: Transition,
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let mut transaction = take_under(store, lease).await?;
    let run = leave(&mut transaction, lease, transition, at).await?;
    transaction.commit("ending a run").await?;
    Ok(run)
}

pub(super) async fn give_back(
    store: &SqlDeployments,
    lease: &Lease,
    not_before: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let during = "giving a run back";
    let mut transaction = take_under(store, lease).await?;
    let attempt = u32::from(not_before.is_some());
    let update = sql("UPDATE runs SET attempts = attempts + $1, not_before = $2 WHERE id = $3");
    update.bind(attempt).bind(not_before).bind(lease.run).execute(&mut transaction, during).await?;
    let run = leave(&mut transaction, lease, Transition::GiveBack, at).await?;
    transaction.commit(during).await?;
    Ok(run)
}

/// Moves a leased run on as its worker says, or as a person did who asked to cancel it.
async fn leave(
    transaction: &mut Transaction,
    lease: &Lease,
    transition: Transition,
    at: DateTime<Utc>,
) -> Result<Run, DeploymentError> {
    let run = listing::find_run(&mut *transaction, lease.run).await?;
    let transition = if run.cancel_asked { transition.after_cancel_was_asked() } else { transition };
    enter(transaction, &run, transition, at).await
}

fn read(row: &Row) -> Result<Lease, BackendError> {
    Ok(Lease {
        run: row.get("id")?,
        deployment: row.get("deployment")?,
        worker: row.get("worker")?,
        epoch: row.get("epoch")?,
    })
}
