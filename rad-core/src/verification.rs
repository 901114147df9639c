//! Verifying a whole ledger: several accounts at a time, with a word on how far it is, and from where it stopped.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use rad_core::memory::MemoryLedger;
//! use rad_core::verification::{Verification, VerifyOptions, verify_all};
//!
//! let ledger = MemoryLedger::default();
//! // What an earlier run left half done begins with what was kept of it instead.
//! let so_far = Verification::default();
//! let keep = |so_far: &Verification| drop(serde_json::to_string(so_far));
//! let verification = verify_all(&ledger, so_far, &VerifyOptions::default(), keep).await?;
//! assert!(verification.is_done && verification.is_sound());
//! # Ok(())
//! # }
//! ```

use std::future::Future;

use serde::{Deserialize, Serialize};

use crate::concurrent::in_order;
use crate::id::AccountId;
use crate::ledger::{Finding, Ledger, LedgerError, TotalsFinding, Verified};

/// How many ranges are found out at a time.
const RANGES_LISTED: u32 = 16;

/// How far verifying a ledger has come and what it found: all that is needed to go on, after a restart too.
///
/// Accounts are verified in their order, each as it is when its turn comes. Verifying what was done is not repeated: an entry
/// that is posted to such an account meanwhile is left to the next verification.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verification {
    /// The last account that is done; none yet if absent.
    pub after: Option<AccountId>,
    /// Whether all accounts are done, and the totals after them.
    pub is_done: bool,
    /// How many accounts are done.
    pub accounts: u64,
    /// How many entries they have.
    pub entries: u64,
    /// What is wrong, in account order: [`VerifyOptions::most_findings`] at the most.
    pub findings: Vec<Finding>,
    /// How many more findings there are than are listed.
    pub more_findings: u64,
    /// The totals that are not those of the lines: 100 at the most.
    #[serde(default)]
    pub totals: Vec<TotalsFinding>,
}

impl Verification {
    /// Whether nothing is wrong as far as it has come.
    pub const fn is_sound(&self) -> bool {
        self.findings.is_empty() && self.more_findings == 0 && self.totals.is_empty()
    }

    fn add(&mut self, verified: Verified, most: usize) {
        let Verified { accounts, entries, findings } = verified;
        self.accounts = self.accounts.saturating_add(accounts);
        self.entries = self.entries.saturating_add(entries);
        for finding in findings {
            if self.findings.len() < most {
                self.findings.push(finding);
            } else {
                self.more_findings = self.more_findings.saturating_add(1);
            }
        }
    }
}

/// How to verify a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyOptions {
    /// How many ranges of accounts are verified at the same time, 1 at the least.
    pub side_by_side: usize,
    /// How many accounts a range has, 1 at the least: with those begun beside it, what is lost where verifying stops half-way.
    pub range: u32,
    /// How many findings are listed; the rest are counted.
    pub most_findings: usize,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self { side_by_side: 4, range: 500, most_findings: 1_000 }
    }
}

/// Verifies all accounts that `so_far` has not done yet, and then the totals that the ledger keeps; `progress` is told of every
/// range of accounts that is done.
///
/// # Errors
/// A failure of the ledger: what `progress` was told last is where to go on. What is stored wrong is a finding.
pub async fn verify_all(
    ledger: &(impl Ledger + ?Sized),
    so_far: Verification,
    options: &VerifyOptions,
    progress: impl FnMut(&Verification) + Send,
) -> Result<Verification, LedgerError> {
    in_ranges(ledger, so_far, options, progress, |after, to| ledger.verify_range(after, to)).await
}

/// Does something with all accounts, in ranges of which several are under way at the same time, and verifies the totals.
pub(crate) async fn in_ranges<'a, F>(
    ledger: &(impl Ledger + ?Sized),
    mut so_far: Verification,
    options: &VerifyOptions,
    mut progress: impl FnMut(&Verification) + Send,
    verify: impl Fn(Option<AccountId>, Option<AccountId>) -> F + Send,
) -> Result<Verification, LedgerError>
where
    F: Future<Output = Result<Verified, LedgerError>> + Send + 'a,
{
    if so_far.is_done {
        return Ok(so_far);
    }
    let range = options.range.max(1);
    let page = range.saturating_mul(RANGES_LISTED);
    loop {
        let accounts = ledger.accounts(so_far.after, page).await?;
        let is_last = accounts.len() < page as usize;
        let mut ends: Vec<Option<AccountId>> =
            accounts.chunks(range as usize).map(|chunk| chunk.last().copied()).collect();
        if is_last {
            // What has no account any more may still be there behind the last one.
            ends.pop();
            ends.push(None);
        }
        let starts: Vec<_> = std::iter::once(so_far.after).chain(ends.iter().copied()).collect();
        let verifying = starts.iter().zip(&ends).map(|(after, to)| verify(*after, *to));
        let mut done = ends.iter().copied();
        in_order(verifying, options.side_by_side, |verified| {
            so_far.add(verified, options.most_findings);
            so_far.after = done.next().flatten().or(accounts.last().copied()).or(so_far.after);
            progress(&so_far);
        })
        .await?;
        if is_last {
            break;
        }
    }
    so_far.totals = ledger.verify_totals().await?;
    so_far.is_done = true;
    progress(&so_far);
    Ok(so_far)
}
