//! An intent posted twice happens once.

use chrono::TimeDelta;
use proptest::prelude::*;
use rad_core::ledger::{EntryQuery, Ledger, LedgerError, LedgerExt, Post, Posted};
use rad_core::memory::MemoryLedger;
use rad_core::revenue::{Body, Entry, Expiry};
use rad_core::strategies::{History, cases, histories};

use super::{CASES, FINANCE};

proptest! {
    #![proptest_config(cases(CASES / 4))]

    #[test]
    fn a_key_posted_again_changes_nothing(
        history in histories(1..40),
        again in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4_u8), 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(posts_again(&history, &again))?;
    }
}

/// What to post a second time: after which entry, which one of those so far, and how.
type Again = (prop::sample::Index, prop::sample::Index, u8);

async fn posts_again(history: &History, again: &[Again]) -> Result<(), TestCaseError> {
    let (once, twice) = (MemoryLedger::default(), MemoryLedger::default());
    let mut first: Vec<Posted> = Vec::new();
    for (place, entry) in history.entries.iter().enumerate() {
        first.push(once.post(intent(entry)).await.unwrap());
        twice.post(intent(entry)).await.unwrap();
        for (_, which, how) in again.iter().filter(|(when, ..)| when.index(history.entries.len()) == place) {
            let original = &first[which.index(first.len())];
            let mut repeat = intent(&original.entry);
            // A retry comes later, and alone or with others.
            repeat.at += TimeDelta::days(1);
            match how {
                0 => prop_assert_eq!(repeated(twice.post(repeat).await.unwrap()), original.clone()),
                1 => {
                    let batch = twice.post_batch(&[repeat.clone(), repeat]).await.unwrap();
                    for posted in batch {
                        prop_assert_eq!(repeated(posted), original.clone());
                    }
                }
                2 => refused(&twice, Post { body: Body::Expiry(Expiry { lot: u64::MAX }), ..repeat }).await?,
                _ => refused(&twice, Post { actor: Some(FINANCE), ..repeat }).await?,
            }
        }
    }
    let account = history.account;
    prop_assert_eq!(once.state(account).await.unwrap(), twice.state(account).await.unwrap());
    let all = EntryQuery { oldest_first: true, ..EntryQuery::new(account) };
    prop_assert_eq!(twice.entries(&all).await.unwrap().items, first);
    prop_assert_eq!(twice.verify(account).await.unwrap(), []);
    Ok(())
}

fn intent(entry: &Entry) -> Post {
    let Entry { account, at, key, actor, body, .. } = entry.clone();
    Post { account, key, at, actor, body }
}

/// What was found again, as it was posted first.
fn repeated(posted: Posted) -> Posted {
    assert!(posted.repeated, "it was there before");
    Posted { repeated: false, ..posted }
}

async fn refused(ledger: &MemoryLedger, other: Post) -> Result<(), TestCaseError> {
    let key = other.key;
    match ledger.post(other).await {
        Err(LedgerError::KeyReused { index: 0, key: named }) if named == key => Ok(()),
        outcome => Err(TestCaseError::fail(format!("other content under the key: {outcome:?}"))),
    }
}
