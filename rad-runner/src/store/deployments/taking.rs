//! Transactions that have one deployment for themselves.
//!
//! The row of a deployment is the lock of everything about it: whoever changes its runs has taken it first, and takes no other.
//! So nobody waits for anybody in a circle, and what a transaction reads of a deployment is so until it commits.

use rad_core::deployment::{DeploymentError, Lease};
use rad_core::id::{DeploymentId, RunId};
use rad_sql::{Statement, Transaction, sql};

use super::SqlDeployments;

/// A transaction that has a deployment.
///
/// # Errors
/// [`NotFound`](DeploymentError::NotFound).
pub(super) async fn take(store: &SqlDeployments, id: DeploymentId) -> Result<Transaction, DeploymentError> {
    taken(store, sql("SELECT 1 FROM deployments WHERE id = $1").bind(id)).await
}

/// A transaction that has a deployment of which no run goes on, and that nobody asked to purge.
///
/// # Errors
/// [`Busy`](DeploymentError::Busy), [`NotFound`](DeploymentError::NotFound).
pub(super) async fn take_idle(
    store: &SqlDeployments,
    deployment: DeploymentId,
) -> Result<Transaction, DeploymentError> {
    let mut transaction = take(store, deployment).await?;
    let busy = sql(
        "SELECT 1 FROM deployments WHERE id = $1 AND (purge_asked IS NOT NULL OR EXISTS (SELECT 1 FROM runs
             WHERE deployment = $1 AND status IN ('pending', 'waiting', 'queued', 'working')))",
    );
    if busy.bind(deployment).finds(&mut transaction, "looking for a run that goes on").await? {
        return Err(DeploymentError::Busy { deployment });
    }
    Ok(transaction)
}

/// A transaction that has the deployment of a run.
///
/// # Errors
/// [`NotFound`](DeploymentError::NotFound).
pub(super) async fn take_of_run(store: &SqlDeployments, run: RunId) -> Result<Transaction, DeploymentError> {
    let of = "SELECT 1 FROM deployments WHERE id = (SELECT deployment FROM runs WHERE id = $1)";
    taken(store, sql(of).bind(run)).await
}

/// A transaction in which a lease holds to its end.
///
/// # Errors
/// [`LeaseLost`](DeploymentError::LeaseLost).
pub(super) async fn take_under(
    store: &SqlDeployments,
    lease: &Lease,
) -> Result<Transaction, DeploymentError> {
    let mut transaction = match take(store, lease.deployment).await {
        Err(DeploymentError::NotFound) => return Err(DeploymentError::LeaseLost),
        taken => taken?,
    };
    let holds = sql("SELECT 1 FROM runs
         WHERE id = $1 AND deployment = $2 AND status = 'working' AND worker = $3 AND epoch = $4")
    .bind(lease.run)
    .bind(lease.deployment)
    .bind(&lease.worker)
    .bind(lease.epoch)
    .finds(&mut transaction, "checking a lease")
    .await?;
    if holds { Ok(transaction) } else { Err(DeploymentError::LeaseLost) }
}

async fn taken(store: &SqlDeployments, find: Statement) -> Result<Transaction, DeploymentError> {
    let mut transaction = store.database.begin().await?;
    let found = find.for_update().finds(&mut transaction, "taking a deployment").await?;
    if found { Ok(transaction) } else { Err(DeploymentError::NotFound) }
}
