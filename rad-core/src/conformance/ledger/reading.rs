//! Reading entries and accounts.

use super::Scene;
use crate::conformance::must;
use crate::id::{AccountId, DeploymentId};
use crate::ledger::{Category, EntryQuery, Ledger, LedgerExt, Posted};
use crate::money::Credits;
use crate::page::Page;
use crate::revenue::{AccountState, Body, EntryKey, Reason, Refund, Release};

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
    let second = list(ledger, &EntryQuery { after: first.next, ..forwards.clone() }).await;
    assert_eq!(numbers(&second), [3, 4], "a page begins where the last one ended");
    let third = list(ledger, &EntryQuery { after: second.next, ..forwards }).await;
    assert_eq!(numbers(&third), [5, 6], "entries appended meanwhile are met");
    assert_eq!(third.next, None, "the last page says so, even if it is full");

    let backwards = EntryQuery { oldest_first: false, limit: 4, ..scene.query() };
    let first = list(ledger, &backwards).await;
    assert_eq!(numbers(&first), [6, 5, 4, 3], "the newest come first otherwise");
    scene.award(7).await;
    let second = list(ledger, &EntryQuery { after: first.next, ..backwards }).await;
    assert_eq!(numbers(&second), [2, 1], "entries appended meanwhile do not move the page");
    assert_eq!(second.next, None, "the last page says so");
}

/// The filters keep exactly the entries of a category or a deployment, whatever names it.
///
/// # Panics
/// If the contract is broken.
pub async fn filters_entries(ledger: &dyn Ledger) {
    let mut scene = Scene::new(ledger);
    scene.award(30).await;
    scene.buy(100, 1_000).await;
    let charge = scene.charge(60).await.entry.seq;
    let first = scene.deployment;
    scene.deployment = DeploymentId::new();
    let hold = scene.hold(10).await;
    scene.post(None, Body::Release(Release { hold })).await;
    let reason = must("a reason", Reason::new("a courtesy"));
    let refund = Refund { charge, amount: super::whole(60), reason };
    scene.post(Some(scene.admin), Body::Refund(refund)).await;

    for (category, wanted) in [
        (Category::Grant, vec![1]),
        (Category::Purchase, vec![2]),
        (Category::Deployment, vec![3, 4, 5, 6, 7]),
        (Category::Project, vec![]),
    ] {
        let page = list(ledger, &EntryQuery { category: Some(category), ..scene.query() }).await;
        assert_eq!(numbers(&page), wanted, "the filter keeps exactly the entries of {category:?}");
    }
    for (deployment, wanted) in
        [(first, vec![3, 4, 7]), (scene.deployment, vec![5, 6]), (DeploymentId::new(), vec![])]
    {
        let query = EntryQuery { deployment: Some(deployment), ..scene.query() };
        let page = list(ledger, &query).await;
        assert_eq!(
            numbers(&page),
            wanted,
            "a deployment has its holds, and the charges, releases and refunds that follow from them"
        );
        let query = EntryQuery { category: Some(Category::Grant), ..query };
        assert_eq!(list(ledger, &query).await, Page::default(), "every condition that is set must hold");
    }
    let short =
        EntryQuery { category: Some(Category::Deployment), limit: 2, oldest_first: false, ..scene.query() };
    let page = list(ledger, &short).await;
    assert_eq!(numbers(&page), [7, 6], "a filtered page is as long as its limit");
    let page = list(ledger, &EntryQuery { after: page.next, ..short }).await;
    assert_eq!(numbers(&page), [5, 4], "and goes on where it ended");
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

async fn list(ledger: &dyn Ledger, query: &EntryQuery) -> Page<Posted> {
    must("entries can be listed", ledger.entries(query).await)
}

fn numbers(page: &Page<Posted>) -> Vec<u64> {
    page.items.iter().map(|posted| posted.entry.seq).collect()
}
