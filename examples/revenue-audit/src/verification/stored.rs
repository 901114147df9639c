//! What a database keeps beside its entries: revenue lines, heads, lots, holds and charges. The ledger itself compares them
//! with the entries, account by account.

use std::collections::BTreeSet;
use std::sync::Arc;

use rad_core::checkpoint::Checkpoints;
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{self, LedgerError};
use tokio::task::JoinSet;

use super::{Finding, Verification, Wrong};
use crate::progress::Progress;

/// Accounts that are verified side by side.
const SIDE_BY_SIDE: usize = 4;

/// Accounts that are listed at a time.
const PAGE: u32 = 1_000;

/// Adds what the ledger finds wrong with the accounts in which the replay found nothing, up to `most` findings in all.
///
/// # Errors
/// A failure of the database; what is stored wrong is a finding.
pub async fn add_stored(
    verification: &mut Verification,
    ledger: &Arc<dyn Checkpoints>,
    most: usize,
) -> Result<(), BackendError> {
    let known: BTreeSet<AccountId> = verification.findings.iter().map(|finding| finding.account).collect();
    let expected = verification.checked.accounts.saturating_add(1);
    let (mut running, mut found, mut progress) = (JoinSet::new(), Vec::new(), Progress::new());
    let mut after = None;
    loop {
        let page = ledger.accounts(after, PAGE).await.map_err(failure)?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        for account in page.into_iter().filter(|account| !known.contains(account)) {
            if running.len() >= SIDE_BY_SIDE {
                found.extend(next(&mut running).await?);
            }
            let ledger = Arc::clone(ledger);
            running.spawn(async move { ledger.verify(account).await });
            verification.checked.stored += 1;
            progress.note_of(|| Some((verification.checked.stored, expected)));
        }
    }
    while !running.is_empty() {
        found.extend(next(&mut running).await?);
    }
    // Side by side they come in any order.
    found.sort_by_key(|finding| (finding.account, finding.seq));
    for ledger::Finding { account, seq, problem } in found {
        let wrong = Wrong::Stored { problem };
        verification.add(Finding { account, seq: seq.unwrap_or(0), line: None, wrong }, most);
    }
    Ok(())
}

type Verified = Result<Vec<ledger::Finding>, LedgerError>;

async fn next(running: &mut JoinSet<Verified>) -> Result<Vec<ledger::Finding>, BackendError> {
    match running.join_next().await {
        None => Ok(Vec::new()),
        Some(Ok(verified)) => verified.map_err(failure),
        Some(Err(error)) => Err(BackendError::unavailable("verifying an account", error)),
    }
}

/// What of the database failed.
pub(crate) fn failure(error: LedgerError) -> BackendError {
    match error {
        LedgerError::Backend(error) => error,
        other => BackendError::permanent("verifying an account", other),
    }
}
