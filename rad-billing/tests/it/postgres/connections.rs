//! Connections that break lose nothing that was acknowledged, and double nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rad_billing::{PostgresLedger, postgres};
use rad_core::id::AccountId;
use rad_core::ledger::{Ledger, LedgerError, LedgerExt, Post, Posted};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor};
use tokio::task::JoinHandle;

use super::proxy::{Cut, Proxy};
use super::{address, server};
use crate::{award, hold};

/// A database of its own, so that all its connections can be cut; and a way to cut them.
async fn own_database() -> (SecretString, PgPool, String) {
    let name = format!("test_{}", AccountId::new().to_string().replace('-', "_"));
    let admin = PgPoolOptions::new().max_connections(1).connect(&server()).await.unwrap();
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let (server, _) =
        server().rsplit_once('/').map(|(server, name)| (server.to_owned(), name.len())).unwrap();
    (format!("{server}/{name}").into(), admin, name)
}

const TASKS: u64 = 8;
const POSTS: u64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_is_told_and_the_same_post_again_settles_it() {
    let (address, admin, database) = own_database().await;
    let ledger = PostgresLedger::new(postgres::open(&address).await.unwrap());
    let (account, settled) = (AccountId::new(), Arc::new(AtomicU64::new(0)));
    let posting: Vec<_> = (0..TASKS)
        .map(|task| {
            let (ledger, settled) = (ledger.clone(), Arc::clone(&settled));
            tokio::spawn(async move {
                let mut broken = 0;
                for number in (0..POSTS).map(|n| task * POSTS + n) {
                    while let Err(error) = ledger.post(award(account, number, 1)).await {
                        assert!(matches!(&error, LedgerError::Backend(e) if e.is_retryable()), "{error:?}");
                        broken += 1;
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    settled.fetch_add(1, Ordering::Relaxed);
                }
                broken
            })
        })
        .collect();
    // Each time some more are settled, everything is cut.
    for more in (0..TASKS * POSTS).step_by(20).skip(1) {
        while settled.load(Ordering::Relaxed) < more && !posting.iter().any(JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
            .bind(&database)
            .execute(&admin)
            .await
            .unwrap();
    }
    let mut broken = 0;
    for task in posting {
        broken += task.await.unwrap();
    }
    assert!(broken > 0, "no post met a broken connection");
    // The pool's connections were cut once more; what is read now finds its way back, too.
    let state = loop {
        match ledger.state(account).await {
            Ok(state) => break state,
            Err(error) => assert!(matches!(&error, LedgerError::Backend(e) if e.is_retryable()), "{error:?}"),
        }
    };
    assert_eq!(state.seq(), TASKS * POSTS, "every post is there, once");
    assert_eq!(ledger.verify(account).await.unwrap(), []);
}

/// The address of a database by way of a proxy.
async fn by_proxy() -> (SecretString, Proxy) {
    let address = address().await;
    let (user, rest) = address.expose_secret().split_once('@').unwrap();
    let (server, database) = rest.split_once('/').unwrap();
    let proxy = Proxy::to(server.to_owned());
    (format!("{user}@{}/{database}", proxy.address()).into(), proxy)
}

/// Wherever a connection is cut while a batch is posted, before or after the server got what was sent, its commit included: the
/// batch is there whole or not at all, and the same again settles it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_at_any_moment_of_a_post_leaves_all_or_nothing() {
    let (address, proxy) = by_proxy().await;
    let ledger = PostgresLedger::new(postgres::open(&address).await.unwrap());
    let accounts = [AccountId::new(), AccountId::new()];
    let batch = |number| {
        [award(accounts[0], number, 2), award(accounts[1], number, 1), hold(accounts[0], number + 1_000, 1)]
    };
    let (mut number, mut told) = (0, [0, 0]);
    for arrives in [false, true] {
        for after in 0.. {
            // Between two batches, so that what is known of the accounts is as in the middle of a day.
            ledger.post_batch(&batch(number)).await.unwrap();
            proxy.cut(Cut { after, arrives });
            let first = ledger.post_batch(&batch(number + 1)).await;
            let was_cut = proxy.has_cut();
            if let Err(error) = &first {
                assert!(matches!(error, LedgerError::Backend(e) if e.is_retryable()), "{after}: {error:?}");
                told[usize::from(arrives)] += 1;
            }
            let posted = settle(&ledger, &batch(number + 1)).await;
            let numbers: Vec<u64> = posted.iter().map(|posted| posted.entry.seq).collect();
            assert_eq!(numbers, [2 * number + 3, number + 2, 2 * number + 4], "cut after {after}, {arrives}");
            number += 2;
            if !was_cut {
                break;
            }
        }
    }
    assert!(told[0] > 0 && told[1] > 0, "nobody was told of a connection that was cut: {told:?}");
    for account in accounts {
        assert_eq!(ledger.verify(account).await.unwrap(), []);
    }
}

/// Posts until it is settled, and once more, which changes nothing.
async fn settle(ledger: &PostgresLedger, batch: &[Post]) -> Vec<Posted> {
    loop {
        match ledger.post_batch(batch).await {
            Ok(mut posted) => {
                posted.iter_mut().for_each(|posted| posted.repeated = true);
                assert_eq!(ledger.post_batch(batch).await.unwrap(), posted);
                return posted;
            }
            Err(LedgerError::Backend(error)) if error.is_retryable() => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verifying_that_is_given_up_half_way_spoils_no_connection() {
    let ledger = super::ledger().await;
    let account = AccountId::new();
    let awards: Vec<Post> = (0..3_000).map(|number| award(account, number, 1)).collect();
    ledger.post_batch(&awards).await.unwrap();
    for micros in (0..20_000).step_by(1_000) {
        let whole = ledger.verify_range(None, None);
        drop(tokio::time::timeout(Duration::from_micros(micros), whole).await);
        // Whoever has the connection next gets the answer to what it asked.
        assert_eq!(ledger.accounts(None, 2).await.unwrap(), [account]);
    }
    assert_eq!(ledger.verify(account).await.unwrap(), []);
}
