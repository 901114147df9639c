//! The contract, and agreement with the engine.

use rad_billing::{PostgresLedger, postgres};
use rad_core::conformance::ledger;
use rad_core::error::FailureKind;
use rad_core::id::AccountId;
use rad_core::ledger::{Ledger, LedgerError, LedgerExt, Posted};

use super::pool;
use crate::export::{self, reads_one_moment};
use crate::ledger::{any_history_is_replayed, callers_go_away, runtime};
use crate::{award, hold, stale};

#[tokio::test]
async fn ledger_keeps_the_contract() {
    ledger::all(&super::ledger().await).await;
}

#[test]
fn any_history_is_posted_as_the_engine_replays_it() {
    let runtime = runtime();
    let [one, two] = runtime.block_on(two_ledgers());
    any_history_is_replayed(&runtime, [&one, &two], 40);
}

/// Two ledgers on one database, as two processes have them.
async fn two_ledgers() -> [PostgresLedger; 2] {
    let address = super::address().await;
    let open = async || PostgresLedger::new(postgres::open(&address).await.unwrap());
    [open().await, open().await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_ledgers_on_one_database_see_what_the_other_posts() {
    let [one, two] = two_ledgers().await;
    stale::all(&one, &two).await;
}

#[tokio::test]
async fn a_caller_who_goes_away_neither_loses_nor_doubles_a_post() {
    callers_go_away(&super::ledger().await).await;
}

#[tokio::test]
async fn a_ledger_opened_again_goes_on_where_it_was() {
    let pool = pool().await;
    let account = AccountId::new();
    let first: Posted = PostgresLedger::new(pool.clone()).post(award(account, 0, 10)).await.unwrap();
    let ledger = PostgresLedger::new(pool);
    ledger.post(hold(account, 1, 4)).await.unwrap();
    let again = ledger.post(award(account, 0, 10)).await.unwrap();
    assert_eq!(again, Posted { repeated: true, ..first.clone() });
    assert!(matches!(ledger.post(award(account, 0, 11)).await, Err(LedgerError::KeyReused { .. })));
    let balance = ledger.balance(account, first.entry.at).await.unwrap();
    assert_eq!((balance.spendable().to_string(), balance.held().to_string()), ("6".into(), "4".into()));
}

#[tokio::test]
async fn a_post_that_cannot_be_stored_takes_no_other_along() {
    let ledger = super::ledger().await;
    // The ids end alike, so that all wait in one lane and are posted as one group.
    let account = |n: u8| AccountId::from_bytes([[n + 1; 15].as_slice(), &[0]].concat().try_into().unwrap());
    let posting: Vec<_> = (0..20)
        .map(|n| {
            let ledger = ledger.clone();
            let mut post = award(account(n), 0, 1);
            if n == 7 {
                post.at = chrono::DateTime::<chrono::Utc>::MIN_UTC;
            }
            tokio::spawn(async move { ledger.post(post).await })
        })
        .collect();
    for (n, posted) in posting.into_iter().enumerate() {
        match posted.await.unwrap() {
            Ok(posted) => assert_eq!((posted.entry.seq, n == 7), (1, false)),
            Err(LedgerError::Backend(error)) => {
                assert_eq!((error.kind(), n), (FailureKind::Permanent, 7), "{error:?}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(ledger.accounts(None, 100).await.unwrap().len(), 19);
}

#[tokio::test]
async fn a_drained_ledger_has_settled_what_it_took_and_takes_no_more() {
    let ledger = super::ledger().await;
    let account = AccountId::new();
    let posting: Vec<_> = (0..200)
        .map(|n| {
            let ledger = ledger.clone();
            tokio::spawn(async move { ledger.post(award(account, n, 1)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    ledger.drain().await;
    let seq = ledger.state(account).await.unwrap().seq();
    let mut posted = 0;
    for result in posting {
        match result.await.unwrap() {
            Ok(_) => posted += 1,
            Err(LedgerError::Backend(error)) => assert!(error.is_retryable(), "{error:?}"),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(seq, posted, "what was taken was settled before the drain was over");
    let refused = ledger.post(award(account, 1_000, 1)).await;
    assert!(matches!(refused, Err(LedgerError::Backend(error)) if error.is_retryable()));
    assert_eq!(ledger.verify(account).await.unwrap(), []);
}

#[tokio::test]
async fn an_export_reads_one_moment_whatever_is_posted_meanwhile() {
    let ledger = super::ledger().await;
    let wanted = export::fill(&ledger).await;
    reads_one_moment(ledger.export().await.unwrap(), &ledger, &wanted).await;
}
