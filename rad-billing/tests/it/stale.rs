//! What one process knows of an account is outdated as soon as another posts to it; nobody is told what is no longer true.

use chrono::{DateTime, TimeDelta};
use rad_billing::{SqliteLedger, sqlite};
use rad_core::id::AccountId;
use rad_core::ledger::{Ledger, LedgerError, LedgerExt, Post, Posted};
use rad_core::money::Credits;
use rad_core::revenue::{Body, Release, Violation};

use crate::{award, database, hold, post};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_ledgers_on_one_file_see_what_the_other_posts() {
    let database = database().await.unwrap();
    let other = sqlite::open(&database.dir.path().join("rad.db")).await.unwrap();
    all(&SqliteLedger::new(database.pool.clone()), &SqliteLedger::new(other)).await;
}

/// Everything that two ledgers on one database must see of each other.
pub(crate) async fn all(one: &dyn Ledger, two: &dyn Ledger) {
    takes_turns(one, two).await;
    refuses_what_another_has_spent(one, two).await;
    takes_what_another_made_possible(one, two).await;
    knows_keys_of_another(one, two).await;
    knows_settled_holds_of_another(one, two).await;
    refuses_a_batch_beside_others(one, two).await;
    keeps_time_when_a_clock_goes_backwards(one, two).await;
}

async fn must(ledger: &dyn Ledger, post: Post) -> Posted {
    let posted = ledger.post(post).await.unwrap();
    assert!(!posted.repeated);
    posted
}

async fn refused(ledger: &dyn Ledger, post: Post) -> Violation {
    match ledger.post(post).await {
        Err(LedgerError::Refused { index: 0, violation }) => violation,
        other => panic!("it is not refused: {other:?}"),
    }
}

fn whole(credits: i64) -> Credits {
    Credits::from_micros(credits * 1_000_000)
}

async fn takes_turns(one: &dyn Ledger, two: &dyn Ledger) {
    let account = AccountId::new();
    for number in 0..20 {
        let (first, second) = if number % 3 == 0 { (two, one) } else { (one, two) };
        assert_eq!(must(first, award(account, number, 1)).await.entry.seq, number + 1);
        assert_eq!(second.state(account).await.unwrap().seq(), number + 1);
    }
    assert_eq!(one.verify(account).await.unwrap(), []);
}

async fn refuses_what_another_has_spent(one: &dyn Ledger, two: &dyn Ledger) {
    let account = AccountId::new();
    must(one, award(account, 0, 10)).await;
    must(two, hold(account, 1, 8)).await;
    let wanted = Violation::InsufficientTotal { needed: whole(8), available: whole(2) };
    assert_eq!(refused(one, hold(account, 2, 8)).await, wanted);
    assert_eq!(refused(two, hold(account, 3, 8)).await, wanted);
    assert_eq!(one.verify(account).await.unwrap(), []);
}

async fn takes_what_another_made_possible(one: &dyn Ledger, two: &dyn Ledger) {
    let account = AccountId::new();
    for number in (0..40).step_by(2) {
        // Each knows the account before it learns that it is not enough.
        must(one, award(account, number + 1_000, 1)).await;
        let available = one.balance(account, DateTime::UNIX_EPOCH).await.unwrap().spendable();
        let wanted = hold(account, number, 5);
        let refusal = Violation::InsufficientTotal { needed: whole(5), available };
        if available < whole(5) {
            assert_eq!(refused(one, wanted.clone()).await, refusal);
            assert_eq!(refused(two, wanted.clone()).await, refusal);
        }
        must(two, award(account, number + 1, 5)).await;
        let held = must(one, wanted.clone()).await;
        let again = two.post(wanted).await.unwrap();
        assert_eq!(again, Posted { repeated: true, ..held });
    }
    assert_eq!(two.verify(account).await.unwrap(), []);
}

async fn knows_keys_of_another(one: &dyn Ledger, two: &dyn Ledger) {
    let account = AccountId::new();
    must(one, award(account, 0, 10)).await;
    for number in 1..10 {
        let first = must(two, hold(account, number, 1)).await;
        let again = one.post(hold(account, number, 1)).await.unwrap();
        assert_eq!(again, Posted { repeated: true, ..first });
        let other = one.post(hold(account, number, 2)).await;
        assert!(matches!(&other, Err(LedgerError::KeyReused { index: 0, .. })), "{other:?}");
        // In a batch with something new: what is there stays, the rest is posted.
        let batch = [hold(account, number, 1), award(account, number + 100, 1)];
        let posted = one.post_batch(&batch).await.unwrap();
        assert_eq!(posted.iter().map(|posted| posted.repeated).collect::<Vec<_>>(), [true, false]);
    }
    assert_eq!(two.verify(account).await.unwrap(), []);
}

async fn knows_settled_holds_of_another(one: &dyn Ledger, two: &dyn Ledger) {
    let account = AccountId::new();
    must(one, award(account, 0, 10)).await;
    let held = must(one, hold(account, 1, 10)).await.entry.seq;
    let release = |number| post(account, number, Body::Release(Release { hold: held }));
    must(two, release(2)).await;
    assert_eq!(refused(one, release(3)).await, Violation::HoldSettled { hold: held });
    must(one, hold(account, 4, 10)).await;
    assert_eq!(
        refused(two, hold(account, 5, 1)).await,
        Violation::InsufficientTotal { needed: whole(1), available: Credits::ZERO }
    );
    assert_eq!(one.verify(account).await.unwrap(), []);
}

async fn keeps_time_when_a_clock_goes_backwards(one: &dyn Ledger, two: &dyn Ledger) {
    let account = AccountId::new();
    let second = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
    let mut lapsing = award(account, 0, 10);
    if let Body::Grant(grant) = &mut lapsing.body {
        grant.expires = Some(second(100));
    }
    must(one, lapsing).await;
    must(two, Post { at: second(200), ..award(account, 1, 1) }).await;
    // By the clock of this one, the first credits still have half a minute.
    let wanted = Post { at: second(70), ..hold(account, 2, 5) };
    assert_eq!(
        refused(one, wanted).await,
        Violation::InsufficientTotal { needed: whole(5), available: whole(1) }
    );
    for (number, at) in [(3, 150), (4, 300), (5, -1_000)] {
        let ledger = if number % 2 == 0 { one } else { two };
        let posted = must(ledger, Post { at: second(at), ..award(account, number, 1) }).await;
        assert_eq!(posted.entry.at, second(at.max(if number == 3 { 200 } else { 300 })));
    }
    assert_eq!(one.verify(account).await.unwrap(), []);
}

/// Batches that are refused half way, posted at once with others to the same accounts: those are whole, these leave nothing.
async fn refuses_a_batch_beside_others(one: &dyn Ledger, two: &dyn Ledger) {
    let accounts = [AccountId::new(), AccountId::new()];
    let mut batches = Vec::new();
    for number in 0..30_u64 {
        let (first, second) = (accounts[number as usize % 2], accounts[(number as usize + 1) % 2]);
        batches.push(match number % 3 {
            0 => vec![
                award(first, number, 1),
                award(second, number, 1_000),
                hold(first, number + 100, 1_000_000),
            ],
            1 => vec![award(first, number, 2)],
            _ => vec![award(second, number, 3), award(first, number, 3)],
        });
    }
    let posting = batches.iter().enumerate().map(|(number, batch)| {
        let ledger = if number % 2 == 0 { one } else { two };
        async move {
            loop {
                match ledger.post_batch(batch).await {
                    Err(LedgerError::Backend(error)) if error.is_retryable() => {
                        tokio::task::yield_now().await
                    }
                    settled => return settled,
                }
            }
        }
    });
    let settled = futures_util::future::join_all(posting).await;
    for (number, settled) in settled.into_iter().enumerate() {
        match settled {
            Ok(posted) => assert_eq!((number % 3 == 0, posted.len()), (false, batches[number].len())),
            Err(LedgerError::Refused { index, violation }) => {
                assert_eq!((number % 3, index), (0, 2), "{violation:?}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    for account in accounts {
        // Ten single awards in turns, and ten batches of two over both.
        assert_eq!(one.state(account).await.unwrap().seq(), 15);
        let spendable = two.balance(account, DateTime::UNIX_EPOCH).await.unwrap().spendable();
        assert_eq!(spendable, whole(5 * 2 + 10 * 3));
        assert_eq!(one.verify(account).await.unwrap(), []);
    }
}
