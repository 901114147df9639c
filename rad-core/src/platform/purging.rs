//! Purges: the wish is stored first, and whoever comes next carries it on.

use chrono::TimeDelta;

use super::acting::invalid;
use super::{Parts, PlatformError, settling};
use crate::deployment::{Deployment, DeploymentError, NewRun, Run, RunStatus};
use crate::id::RunId;
use crate::money::Credits;
use crate::runner::{Action, ChangeKind, ChangeStatus};

/// How long a run that a worker has may take to stop before its lease is broken: a heartbeat, the engine's grace period, and
/// time to save the last state.
const PATIENCE: TimeDelta = TimeDelta::seconds(45);

/// How many resources a refusal names.
const SHOWN: usize = 5;

/// Carries a purge that was asked for on, as far as it goes now: waits for the run that is being stopped, or puts the purge's run
/// in its place and queues it. Both the request and sweeps come here, in any order.
pub(super) async fn carry_on(parts: &Parts, deployment: &Deployment) -> Result<(), PlatformError> {
    let Some(asked) = deployment.purge_asked else { return Ok(()) };
    let now = parts.clock.now();
    let latest = parts.deployments.runs(deployment.id).await?.into_iter().next();
    match latest {
        Some(run) if run.action == Action::Purge => match run.status {
            RunStatus::Pending => settling::begin(parts, deployment, &run).await,
            _ => Ok(()),
        },
        Some(run) if run.status == RunStatus::Working && now < asked + PATIENCE => Ok(()),
        _ => {
            let new = NewRun {
                id: RunId::new(),
                deployment: deployment.id,
                action: Action::Purge,
                cost: Credits::ZERO,
                target: None,
            };
            match parts.deployments.supersede(new, now).await {
                Ok(run) => settling::begin(parts, deployment, &run).await,
                // Somebody else carries it on.
                Err(DeploymentError::Busy { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }
    }
}

/// Keeps which resources a purge that ended may have left: those that the state knows of, and those that were being made when the
/// run before it was stopped.
pub(super) async fn keep_left(parts: &Parts, deployment: &Deployment) -> Result<(), PlatformError> {
    let store = &parts.deployments;
    let runs = store.runs(deployment.id).await?;
    let known = store.state(deployment.id).await?.and_then(|state| parts.runner.resources(&state));
    let mut left = match known {
        Some(known) => known,
        None => ever_made(parts, &runs).await?,
    };
    if let Some(stopped) = runs.iter().find(|run| run.action != Action::Purge && run.action.applies()) {
        let cut_short = store.resources(stopped.id).await?.into_iter().filter(|resource| {
            resource.status == ChangeStatus::Started
                && matches!(resource.change, ChangeKind::Create | ChangeKind::Replace)
        });
        left.extend(cut_short.map(|resource| resource.address));
    }
    left.sort_unstable();
    left.dedup();
    Ok(store.keep_left(deployment.id, &left).await?)
}

/// Refuses a destroy that would take nothing away and call it done: a run made something, and its state was lost.
///
/// # Errors
/// [`Invalid`](PlatformError::Invalid) with what was made.
pub(super) async fn refuse_without_state(
    parts: &Parts,
    deployment: &Deployment,
) -> Result<(), PlatformError> {
    let store = &parts.deployments;
    if store.state(deployment.id).await?.is_some() {
        return Ok(());
    }
    let made = ever_made(parts, &store.runs(deployment.id).await?).await?;
    if made.is_empty() {
        return Ok(());
    }
    let (shown, more) = (made.iter().take(SHOWN), made.len().saturating_sub(SHOWN));
    let shown = shown.map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(invalid(format!(
        "the state of what it made was lost, so that nothing can be destroyed by it: look yourself for {shown}{more}, and \
         have it purged, which closes it with the list of what may be left"
    )))
}

/// Every resource that a run may have made: what may be left where there is no state, or nobody can read it.
async fn ever_made(parts: &Parts, runs: &[Run]) -> Result<Vec<String>, PlatformError> {
    let mut made = Vec::new();
    for run in runs.iter().filter(|run| !run.action.destroys()) {
        let resources = parts.deployments.resources(run.id).await?.into_iter();
        made.extend(resources.filter(|one| one.changed_something()).map(|resource| resource.address));
    }
    made.sort_unstable();
    made.dedup();
    Ok(made)
}
