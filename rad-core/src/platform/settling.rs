//! Where runs and credits meet: holding before a run, settling after it. Every step can be repeated.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Parts, PlatformError, purging, sharing};
use crate::access::Role;
use crate::catalog::CatalogError;
use crate::deployment::{Deployment, DeploymentError, DeploymentStatus, Run, RunStatus, Transition};
use crate::directory::{Account, DirectoryError};
use crate::id::{AccountId, RunId};
use crate::ledger::{LedgerError, LedgerExt, Post};
use crate::money::Credits;
use crate::notify::Notice;
use crate::revenue::{Body, BurnOrder, Capture, ChargeTerms, EntryKey, Hold, Release};
use crate::runner::Action;

/// Carries a pending run on: parks it where modules it needs are missing, otherwise holds its fee and queues it. A
/// refused one is taken away. Both the request that stored the run and a sweep after it come here, in any order.
pub(super) async fn begin(parts: &Parts, deployment: &Deployment, run: &Run) -> Result<(), PlatformError> {
    let store = &parts.deployments;
    if !unmet_needs(parts, deployment, run).await?.is_empty() {
        return match store.advance(run.id, Transition::Park, parts.clock.now()).await {
            // Whoever carries the same run on was faster.
            Ok(_) | Err(DeploymentError::Illegal(_)) => Ok(()),
            Err(error) => Err(error.into()),
        };
    }
    match hold_and_queue(parts, deployment, run).await {
        Err(refusal) if refusal.backend().is_none() => match store.discard(run.id).await {
            Ok(()) | Err(DeploymentError::NotFound) => {
                // Whoever carried the same run on may have been faster with its hold, and may be gone.
                settle_hold(parts, deployment, run).await?;
                Err(refusal)
            }
            Err(DeploymentError::Illegal(_)) => Ok(()),
            Err(error) => Err(error.into()),
        },
        other => other,
    }
}

/// Holds a pending or waiting run's fee, and queues it.
pub(super) async fn hold_and_queue(
    parts: &Parts,
    deployment: &Deployment,
    run: &Run,
) -> Result<(), PlatformError> {
    let now = parts.clock.now();
    // Where credits were switched off since the run was stored, it is free.
    if run.cost > Credits::ZERO && parts.settings.current().await?.settings.enable_credits {
        let hold = Hold {
            amount: run.cost,
            burn: BurnOrder::of_module(deployment.purchased_only),
            expires: None,
            deployment: Some(deployment.id),
            module: Some(deployment.module),
        };
        let post = Post {
            account: deployment.owner,
            key: hold_key(run.id),
            at: now,
            actor: None,
            body: Body::Hold(hold),
        };
        parts.ledger.post(post).await?;
    }
    match parts.deployments.advance(run.id, Transition::Queue, now).await {
        // It was cancelled meanwhile, and perhaps settled before the hold was there.
        Err(DeploymentError::Illegal(refused)) if refused.status.is_final() => {
            let ended = parts.deployments.run(run.id).await?;
            settle_hold(parts, deployment, &ended).await
        }
        // Another request of the same submission queued it: its hold is this one's.
        Ok(_) | Err(DeploymentError::Illegal(_)) => Ok(()),
        Err(DeploymentError::NotFound) => {
            settle_hold(parts, deployment, run).await?;
            Err(PlatformError::NotFound { what: "run" })
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether a run's fee is held, or was.
pub(super) async fn is_held(parts: &Parts, run: &Run) -> Result<bool, PlatformError> {
    Ok(run.cost > Credits::ZERO && parts.ledger.by_key(run.owner, hold_key(run.id)).await?.is_some())
}

/// Of the modules a run needs, those its owner has not deployed.
pub(super) async fn unmet_needs(
    parts: &Parts,
    deployment: &Deployment,
    run: &Run,
) -> Result<Vec<String>, PlatformError> {
    let needs = match run.action {
        Action::Create => deployment.needs.clone(),
        Action::Update => {
            parts.deployments.target(run.id).await?.map(|target| target.needs).unwrap_or_default()
        }
        Action::Delete | Action::Purge | Action::Check => Vec::new(),
    };
    unmet(parts, deployment.owner, &needs).await
}

/// Of some modules, those that an owner has not deployed.
pub(super) async fn unmet(
    parts: &Parts,
    owner: AccountId,
    needs: &[String],
) -> Result<Vec<String>, PlatformError> {
    if needs.is_empty() {
        return Ok(Vec::new());
    }
    let met = parts.deployments.deployed(owner, needs).await?;
    Ok(needs.iter().filter(|need| !met.contains(need)).cloned().collect())
}

/// Settles a run that has just ended; what fails is left to the next sweep.
pub(super) async fn settle_or_leave(parts: &Parts, run: &Run) {
    if let Err(error) = settle(parts, run).await {
        tracing::warn!(run = %run.id, %error, "a run could not be settled, the next sweep will");
    }
}

/// Captures or releases the hold of an ended run, tells the owner, and marks the run settled.
pub(super) async fn settle(parts: &Parts, run: &Run) -> Result<(), PlatformError> {
    let deployment = parts.deployments.deployment(run.deployment).await?;
    if run.cost > Credits::ZERO {
        settle_hold(parts, &deployment, run).await?;
    }
    if run.action == Action::Purge {
        purging::keep_left(parts, &deployment).await?;
    }
    if run.action == Action::Create && run.status == RunStatus::Success {
        match parts.catalog.count_deployment(deployment.module, deployment.id).await {
            // A listing that is no more has no statistics, and its charge stands.
            Ok(()) | Err(CatalogError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let id = deployment.id;
    let notice = match (DeploymentStatus::of(run.action, run.status), run.status) {
        // Whoever asked for a check looks at what it finds.
        (None, _) => None,
        (Some(DeploymentStatus::Deleted), _) => Some(Notice::DeploymentDeleted { deployment: id }),
        (_, RunStatus::Success) => Some(Notice::DeploymentSucceeded { deployment: id }),
        // Whoever cancelled it knows.
        (_, RunStatus::Cancelled) => None,
        _ => Some(Notice::DeploymentFailed { deployment: id }),
    };
    if let Some(notice) = notice {
        let at = parts.clock.now();
        parts.notifier.notify(run.owner, &notice_key(run.id), &notice, at).await?;
    }
    parts.deployments.settled(run.id).await?;
    Ok(())
}

/// Captures the hold of a run that succeeded, and releases that of any other, once; where it has none, there is nothing to do.
async fn settle_hold(parts: &Parts, deployment: &Deployment, run: &Run) -> Result<(), PlatformError> {
    let Some(hold) = parts.ledger.by_key(run.owner, hold_key(run.id)).await? else {
        return Ok(());
    };
    let hold = hold.entry;
    let key = settle_key(run.id);
    if parts.ledger.by_key(run.owner, key).await?.is_some() {
        return Ok(());
    }
    let (body, at) = if run.status == RunStatus::Success {
        let (terms, at) = charge_terms(parts, deployment, hold.at).await?;
        let terms = Arc::new(terms);
        let capture = Capture { hold: hold.seq, amount: run.cost, deployment: deployment.id, terms };
        (Body::Capture(capture), at)
    } else {
        (Body::Release(Release { hold: hold.seq }), parts.clock.now())
    };
    let post = Post { account: run.owner, key, at, actor: None, body };
    match parts.ledger.post(post).await {
        // Settled meanwhile, perhaps at other rates: the first settlement stands.
        Ok(_) | Err(LedgerError::KeyReused { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The names and rates a charge is bound to that cannot be before `earliest`, and the time from which on these are right.
async fn charge_terms(
    parts: &Parts,
    deployment: &Deployment,
    earliest: DateTime<Utc>,
) -> Result<(ChargeTerms, DateTime<Utc>), PlatformError> {
    let owner = present(parts.directory.account(deployment.owner).await)?;
    let agent = match owner.and_then(|owner| owner.referred_by).filter(|agent| *agent != deployment.owner) {
        Some(referrer) => present(parts.directory.account(referrer).await)?
            .filter(|account| account.roles.has(Role::Agent))
            .map(|account| account.id),
        None => None,
    };
    // Last, so that little time passes between reading the rules and posting the charge.
    let (rules, at) = sharing::rules_in_force(parts, earliest).await?;
    let publisher = deployment.publisher.partner();
    Ok((rules.terms(deployment.module, deployment.commit.clone(), publisher, agent), at))
}

/// An account, or none where it is gone: that must not keep a charge from being settled.
fn present(found: Result<Account, DirectoryError>) -> Result<Option<Account>, PlatformError> {
    match found {
        Ok(account) => Ok(Some(account)),
        Err(DirectoryError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Tells the owner that a run waits for a confirmation: once for each plan that does, whoever tells it first.
pub(super) async fn tell_that_it_asks(parts: &Parts, run: &Run) -> Result<(), PlatformError> {
    // Each plan is made by a worker that took the run anew.
    let taken = run.started_at.unwrap_or(run.created_at).timestamp_micros();
    let key = format!("confirm:{}:{taken}", run.id);
    let notice = Notice::ConfirmationAsked { deployment: run.deployment };
    Ok(parts.notifier.notify(run.owner, &key, &notice, parts.clock.now()).await?)
}

/// The key of what the owner is told about a run's end: told once, by whoever tells it first.
pub(super) fn notice_key(run: RunId) -> String {
    format!("run:{run}")
}

fn settle_key(run: RunId) -> EntryKey {
    EntryKey::derive("settle", &[run.as_bytes()])
}

fn hold_key(run: RunId) -> EntryKey {
    EntryKey::derive("hold", &[run.as_bytes()])
}
