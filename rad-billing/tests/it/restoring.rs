//! A backup that was made while somebody posts is whole when it is restored, and what it lacks can be posted again.

use std::collections::BTreeSet;

use chrono::DateTime;
use rad_billing::{SqliteLedger, sqlite};
use rad_core::checkpoint::{Checkpoints, CheckpointsExt, NotExtended, SignedHead, SigningKey, compare};
use rad_core::conformance::ledger::revenue;
use rad_core::id::AccountId;
use rad_core::ledger::{LedgerExt, Post};
use rad_core::verification::{Verification, VerifyOptions, verify_all};
use tokio::sync::oneshot;

use crate::{award, database, hold};

/// How many accounts are posted to in turn, and how often.
const ACCOUNTS: u64 = 5;
const POSTS: u64 = 400;

/// After how many posts the backup begins.
const BEFORE: usize = 40;

#[tokio::test]
async fn a_file_that_was_copied_while_in_use_comes_back() {
    let database = database().await.unwrap();
    let copy = database.dir.path().join("backup.db");
    let back_up = async {
        let copied = sqlx::query("VACUUM INTO ?").bind(copy.to_str()).execute(&database.pool).await;
        copied.unwrap();
    };
    let restore = async || SqliteLedger::new(sqlite::open(&copy).await.unwrap());
    comes_back(&SqliteLedger::new(database.pool.clone()), back_up, restore).await;
}

/// Posts to a ledger and backs it up meanwhile; then what `restore` makes of the backup has to be sound, to lack nothing
/// but the end, and to be the same ledger after everything was posted again.
pub(crate) async fn comes_back<L: Checkpoints>(
    ledger: &L,
    back_up: impl Future<Output = ()>,
    restore: impl AsyncFnOnce() -> L,
) {
    revenue::books_back_what_is_refunded(ledger).await;
    let accounts: Vec<AccountId> = (0..ACCOUNTS).map(|_| AccountId::new()).collect();
    let posts: Vec<Post> = accounts.iter().cycle().zip(0..POSTS).map(post).collect();
    let (begin, begun) = oneshot::channel();
    let posting = async {
        let (before, after) = posts.split_at(BEFORE);
        post_all(ledger, before).await;
        begin.send(()).unwrap();
        post_all(ledger, after).await;
    };
    let backing_up = async {
        begun.await.unwrap();
        back_up.await;
    };
    tokio::join!(posting, backing_up);
    // Whatever the backup saw, it did not see these.
    let late: Vec<Post> = accounts.iter().map(|account| award(*account, POSTS, 1)).collect();
    assert_eq!(post_all(ledger, &late).await, 0);
    let signed = signed(ledger).await;

    let restored = restore().await;
    let found = verified(&restored).await;
    assert!(found.entries < verified(ledger).await.entries, "the backup lacks what came after it");
    let differences = compare(&restored, &signed).await.unwrap();
    let lacking: BTreeSet<AccountId> = differences.iter().map(|difference| difference.account).collect();
    assert_eq!(lacking, accounts.iter().copied().collect(), "{differences:?}");
    for difference in differences {
        match difference.what {
            NotExtended::CutOff { last, .. } => {
                assert_eq!(restored.state(difference.account).await.unwrap().seq(), last);
            }
            other => panic!("a backup is a beginning of the ledger: {other}"),
        }
    }
    let repeated = post_all(&restored, &posts).await + post_all(&restored, &late).await;
    assert!((BEFORE..posts.len() + late.len()).contains(&repeated), "{repeated} posts were there already");
    assert_eq!(compare(&restored, &signed).await.unwrap(), []);
    assert_eq!(verified(&restored).await, verified(ledger).await);
}

/// First credits to spend, then holds.
fn post((account, number): (&AccountId, u64)) -> Post {
    match number < ACCOUNTS {
        true => award(*account, number, 1_000),
        false => hold(*account, number, 1),
    }
}

/// Posts one by one. How many had been posted before.
async fn post_all(ledger: &impl Checkpoints, posts: &[Post]) -> usize {
    let mut repeated = 0;
    for post in posts {
        repeated += usize::from(ledger.post(post.clone()).await.unwrap().repeated);
    }
    repeated
}

/// The heads of all accounts, as a checkpoint that is kept elsewhere has them.
async fn signed(ledger: &impl Checkpoints) -> Vec<SignedHead> {
    let key = SigningKey::from_hex(&"0b".repeat(32).into()).unwrap();
    let made = ledger.checkpoint(&key, DateTime::UNIX_EPOCH).await.unwrap();
    let checkpoint = made.checkpoint.number;
    let heads = ledger.heads_at(checkpoint, None, SignedHead::MOST).await.unwrap();
    heads.into_iter().map(|head| SignedHead { checkpoint, head }).collect()
}

/// Verifies everything: nothing may be found.
async fn verified(ledger: &impl Checkpoints) -> Verification {
    let verified = verify_all(ledger, Verification::default(), &VerifyOptions::default(), |_| {}).await;
    let verified = verified.unwrap();
    assert_eq!(verified.findings, []);
    verified
}
