//! Verifying a ledger as a whole.

use super::Scene;
use crate::conformance::must;
use crate::id::AccountId;
use crate::ledger::{Ledger, Verified};
use crate::verification::{Verification, VerifyOptions, verify_all};

/// A range has its last account and not the one before its first; ranges that meet have every account once.
///
/// # Panics
/// If the contract is broken.
pub async fn verifies_ranges(ledger: &dyn Ledger) {
    let mut accounts = Vec::new();
    for n in 1..=3 {
        let mut scene = Scene::new(ledger);
        for _ in 0..n {
            scene.award(1).await;
        }
        accounts.push(scene.account);
    }
    // Ids of one moment are in no order.
    accounts.sort_unstable();
    let [first, second, third] = accounts[..] else { return };
    let sum = |ranges: &[Verified]| -> (u64, u64) {
        (ranges.iter().map(|range| range.accounts).sum(), ranges.iter().map(|range| range.entries).sum())
    };
    let parts =
        [range(ledger, Some(first), Some(second)).await, range(ledger, Some(second), Some(third)).await];
    let whole = range(ledger, Some(first), Some(third)).await;
    assert!(parts.iter().all(|part| part.accounts >= 1), "a range has its last account");
    assert_eq!(sum(&parts), sum(&[whole]), "ranges that meet have every account once");
    let none = range(ledger, Some(third), Some(third)).await;
    assert_eq!(none, Verified::default(), "a range does not have the account before its first");
}

async fn range(ledger: &dyn Ledger, after: Option<AccountId>, to: Option<AccountId>) -> Verified {
    let verified = must("a range can be verified", ledger.verify_range(after, to).await);
    assert_eq!(verified.findings, [], "nothing is found in accounts nobody tampered with");
    verified
}

/// However many accounts are verified at a time, and however often it stops, all are verified once. Nobody else may post
/// meanwhile.
///
/// # Panics
/// If the contract is broken.
pub async fn verifies_all_from_where_it_stopped(ledger: &dyn Ledger) {
    for _ in 0..5 {
        Scene::new(ledger).award(1).await;
    }
    let (mut accounts, mut entries, mut after) = (0, 0, None);
    while let [account] = must("accounts can be listed", ledger.accounts(after, 1).await)[..] {
        accounts += 1;
        entries += must("the state can be read", ledger.state(account).await).seq();
        after = Some(account);
    }
    let options = VerifyOptions { side_by_side: 2, range: 2, ..VerifyOptions::default() };
    let mut steps = vec![Verification::default()];
    let keep = |step: &Verification| steps.push(step.clone());
    let all =
        must("a ledger can be verified", verify_all(ledger, Verification::default(), &options, keep).await);
    assert!(all.is_done && all.is_sound(), "nothing is found in a ledger nobody tampered with");
    assert_eq!(
        (all.accounts, all.entries, all.after),
        (accounts, entries, after),
        "all accounts are verified once"
    );
    for step in steps {
        let rest = verify_all(ledger, step, &options, |_| {}).await;
        assert_eq!(must("verifying can go on", rest), all, "going on comes to the same");
    }
}
