//! Reading entries and accounts.

use super::Scene;
use crate::conformance::{must, must_fail};
use crate::id::AccountId;
use crate::ledger::{EntryQuery, Ledger, LedgerError, LedgerExt, Posted, RevenueQuery};
use crate::money::Credits;
use crate::page::{Cursor, Page};
use crate::revenue::{AccountState, EntryKey};

/// An account without entries has an empty state, no entries, and nothing wrong with it.
///
/// # Panics
/// If the contract is broken.
pub async fn knows_nothing_of_accounts_without_entries(ledger: &dyn Ledger) {
    let scene = Scene::new(ledger);
    let state = must("the state of nobody can be read", ledger.state(scene.account).await);
    assert_eq!(state, AccountState::new(scene.account), "an account without entries has an empty state");
    let balance = must("the balance of nobody can be read", ledger.balance(scene.account, scene.now()).await);
    assert_eq!(balance.spendable(), Credits::ZERO, "an account without entries has no credits");
    assert_eq!(scene.entries().await, [], "an account without entries lists none");
    let found = ledger.by_key(scene.account, EntryKey::derive("nothing", &[])).await;
    assert_eq!(must("a key can be looked for", found), None, "a key that was never used is not found");
    scene.settle().await;
}

/// Pages go both ways, and neither repeats nor skips while entries are appended.
///
/// # Panics
/// If the contract is broken.
pub async fn pages_entries_both_ways(ledger: &dyn Ledger) {
    let mut scene = Scene::new(ledger);
    for n in 1..=5 {
        scene.award(n).await;
    }
    let forwards = EntryQuery { limit: 2, ..scene.query() };
    let first = list(ledger, &forwards).await;
    assert_eq!(numbers(&first), [1, 2], "the oldest come first where that is asked for");
    scene.award(6).await;
    let second = list(ledger, &EntryQuery { page: first.next, ..forwards.clone() }).await;
    assert_eq!(numbers(&second), [3, 4], "a page begins where the last one ended");
    let third = list(ledger, &EntryQuery { page: second.next, ..forwards }).await;
    assert_eq!(numbers(&third), [5, 6], "entries appended meanwhile are met");
    assert_eq!(third.next, None, "the last page says so, even if it is full");

    let again = list(ledger, &EntryQuery { page: third.previous, ..scene.query() }).await;
    assert_eq!(
        numbers(&again),
        [1, 2, 3, 4],
        "a page before ends where the next one begins, whatever its length"
    );
    assert_eq!(again.previous, None, "the first page says so, whichever way it was come to");
    let again = list(ledger, &EntryQuery { page: again.next, ..scene.query() }).await;
    assert_eq!(numbers(&again), [5, 6], "and goes on to where it came from");

    let backwards = EntryQuery { oldest_first: false, limit: 4, ..scene.query() };
    let first = list(ledger, &backwards).await;
    assert_eq!(numbers(&first), [6, 5, 4, 3], "the newest come first otherwise");
    assert_eq!(first.previous, None, "the first page says so");
    scene.award(7).await;
    let second = list(ledger, &EntryQuery { page: first.next, ..backwards.clone() }).await;
    assert_eq!(numbers(&second), [2, 1], "entries appended meanwhile do not move the page");
    assert_eq!(second.next, None, "the last page says so");
    let first = list(ledger, &EntryQuery { page: second.previous, ..backwards.clone() }).await;
    assert_eq!(numbers(&first), [6, 5, 4, 3], "the page before is the one that led there");
    let newest = list(ledger, &EntryQuery { page: first.previous, ..backwards }).await;
    assert_eq!(numbers(&newest), [7], "entries appended meanwhile are before it");
    assert_eq!(newest.previous, None, "until there are no more");
}

/// A cursor that no page gave is refused, and never taken for the first page.
///
/// # Panics
/// If the contract is broken.
pub async fn refuses_cursors_of_nobody(ledger: &dyn Ledger) {
    let mut scene = Scene::new(ledger);
    scene.award(1).await;
    for text in ["", "1", "after-", "after-x", "after- 1", "after-+1", "before-1 ", "between-1", "%"] {
        let page = Some(Cursor::new(text));
        let refusal = ledger.entries(&EntryQuery { page: page.clone(), ..scene.query() }).await;
        let refusal = must_fail("a cursor of entries that nobody gave", refusal);
        assert!(matches!(refusal, LedgerError::BadCursor(_)), "a bad cursor says so: {refusal:?}");
        let refusal = ledger.revenue(&RevenueQuery { page, limit: 1, ..RevenueQuery::default() }).await;
        let refusal = must_fail("a cursor of revenue that nobody gave", refusal);
        assert!(matches!(refusal, LedgerError::BadCursor(_)), "a bad cursor says so: {refusal:?}");
    }
}

/// Accounts with entries are listed in the order of their ids, page by page.
///
/// # Panics
/// If the contract is broken.
pub async fn lists_accounts(ledger: &dyn Ledger) {
    let mut wanted = Vec::new();
    for _ in 0..5 {
        let mut scene = Scene::new(ledger);
        scene.award(1).await;
        wanted.push(scene.account);
    }
    let mut empty = Scene::new(ledger);
    let hold = empty.hold_body(1);
    let refused = empty.draft(None, hold);
    assert!(ledger.post(refused).await.is_err(), "a hold on nothing is refused");
    wanted.sort();
    let mut found: Vec<AccountId> = Vec::new();
    loop {
        let page = must("accounts can be listed", ledger.accounts(found.last().copied(), 2).await);
        assert!(page.len() <= 2, "a page of accounts is cut at its limit");
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert!(found.is_sorted(), "accounts are listed in the order of their ids");
    assert!(!found.contains(&empty.account), "an account without entries is not listed");
    found.retain(|account| wanted.contains(account));
    assert_eq!(found, wanted, "every account with entries is listed once");
}

pub(super) async fn list(ledger: &dyn Ledger, query: &EntryQuery) -> Page<Posted> {
    must("entries can be listed", ledger.entries(query).await)
}

pub(super) fn numbers(page: &Page<Posted>) -> Vec<u64> {
    page.items.iter().map(|posted| posted.entry.seq).collect()
}
