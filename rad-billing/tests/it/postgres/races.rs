//! Many who post at once, through several ledgers as several processes do.

use std::collections::HashSet;

use rad_billing::{PostgresLedger, postgres};
use rad_core::id::AccountId;
use rad_core::ledger::{EntryQuery, Ledger, LedgerError, LedgerExt, Post};
use rad_core::money::Credits;
use rad_core::revenue::{Body, Release, Violation};

use super::address;
use crate::ledger::never_overdrawn;
use crate::{award, hold, post};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_ledgers_on_one_database_never_overdraw() {
    let address = address().await;
    for _ in 0..5 {
        let one = PostgresLedger::new(postgres::open(&address).await.unwrap());
        let two = PostgresLedger::new(postgres::open(&address).await.unwrap());
        never_overdrawn([one, two]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_of_many_ledgers_to_few_accounts_keep_the_books_in_order() {
    const ACCOUNTS: usize = 5;
    const TASKS: u64 = 24;
    const POSTS: u64 = 20;
    let address = address().await;
    let mut ledgers = Vec::new();
    for _ in 0..3 {
        ledgers.push(PostgresLedger::new(postgres::open(&address).await.unwrap()));
    }
    let accounts: Vec<AccountId> = (0..ACCOUNTS).map(|_| AccountId::new()).collect();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (ledger, accounts) = (ledgers[task as usize % 3].clone(), accounts.clone());
            tokio::spawn(async move {
                let mut granted = 0;
                for n in 0..POSTS {
                    granted += post_something(&ledger, &accounts, task * POSTS + n).await;
                }
                granted
            })
        })
        .collect();
    let mut granted = 0;
    for task in tasks {
        granted += task.await.unwrap();
    }
    let mut found = Credits::ZERO;
    for account in accounts {
        assert_eq!(ledgers[0].verify(account).await.unwrap(), []);
        found = found.checked_add(all_credits(&ledgers[0], account).await).unwrap();
    }
    assert_eq!(found, Credits::from_micros(granted * 1_000_000), "every credit granted is there, once");
}

/// Posts by number to some of the accounts, as callers do who retry what may help; gives the credits granted.
async fn post_something(ledger: &PostgresLedger, accounts: &[AccountId], number: u64) -> i64 {
    let account = |shift: u64| accounts[((number * 7 + shift) % accounts.len() as u64) as usize];
    let batch: Vec<Post> = match number % 4 {
        0 => vec![award(account(0), number, 3)],
        1 => vec![award(account(0), number, 1), award(account(3), number, 2), award(account(1), number, 4)],
        2 => vec![hold(account(0), number, 2)],
        _ => {
            let known = ledger.state(account(0)).await.unwrap();
            let Some(open) = known.holds().next() else { return 0 };
            vec![post(account(0), number, Body::Release(Release { hold: open.id }))]
        }
    };
    loop {
        match ledger.post_batch(&batch).await {
            Ok(posted) => {
                let again = ledger.post_batch(&batch).await.unwrap();
                assert!(again.iter().all(|posted| posted.repeated));
                assert!(posted.iter().all(|posted| !posted.repeated));
                return if number.is_multiple_of(4) {
                    3
                } else if number % 4 == 1 {
                    7
                } else {
                    0
                };
            }
            Err(LedgerError::Backend(error)) if error.is_retryable() => {}
            Err(LedgerError::Refused { violation, .. }) => {
                let raced =
                    matches!(violation, Violation::InsufficientTotal { .. } | Violation::HoldSettled { .. });
                assert!(raced, "{violation:?}");
                return 0;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Credits an account has, open or held; checks its numbers and keys on the way.
async fn all_credits(ledger: &PostgresLedger, account: AccountId) -> Credits {
    let query = EntryQuery {
        account,
        category: None,
        deployment: None,
        oldest_first: true,
        after: None,
        limit: EntryQuery::MOST,
    };
    let page = ledger.entries(&query).await.unwrap();
    assert_eq!(page.next, None);
    let numbers: Vec<u64> = page.items.iter().map(|posted| posted.entry.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "numbers have no gap");
    let keys: HashSet<_> = page.items.iter().map(|posted| posted.entry.key).collect();
    assert_eq!(keys.len(), numbers.len(), "no key is there twice");
    let balance = ledger.balance(account, chrono::DateTime::UNIX_EPOCH).await.unwrap();
    balance.spendable().checked_add(balance.held()).unwrap()
}
