//! The contract of [`Checkpoints`], and what verifying finds of a ledger that was tampered with.
//!
//! [`all`] runs the part that needs nothing but a ledger; [`attacks`] needs a way to tamper with what it keeps.

pub mod attacks;

use chrono::{DateTime, TimeDelta, Utc};

use super::ledger::Scene;
use super::{must, side_by_side};
use crate::checkpoint::{
    Checkpoints, CheckpointsExt, FullVerification, Head, HeadNow, PublicKey, SignedCheckpoint, SignedHead,
    SigningKey, verify_with_checkpoints,
};
use crate::id::AccountId;
use crate::revenue::EntryId;
use crate::verification::VerifyOptions;

/// Runs what needs nothing but a ledger to which nobody else posts.
///
/// # Panics
/// If the contract is broken.
pub async fn all(ledger: &dyn Checkpoints) {
    reads_the_heads_of_one_moment(ledger).await;
    keeps_what_changed(ledger).await;
    knows_the_hashes_of_entries(ledger).await;
    gives_each_number_once(ledger).await;
    signs_nothing_new_where_nothing_changed(ledger).await;
    finds_nothing_where_nobody_tampered(ledger).await;
}

/// The heads of all accounts come in account order, and without what is posted while they are read.
///
/// # Panics
/// If the contract is broken.
pub async fn reads_the_heads_of_one_moment(ledger: &dyn Checkpoints) {
    let mut scene = Scene::new(ledger);
    let first = scene.award(1).await;
    let mut heads = must("reading heads can begin", ledger.heads().await);
    let mut all: Vec<HeadNow> = must("heads can be read", heads.next_page().await);
    scene.award(2).await;
    Scene::new(ledger).award(3).await;
    loop {
        let page = must("heads can be read", heads.next_page().await);
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    assert!(all.is_sorted_by(|a, b| a.head.account < b.head.account), "heads are in account order");
    let own = all.iter().find(|now| now.head.account == scene.account);
    let head = Head { account: scene.account, seq: 1, hash: first.hash };
    let expected = HeadNow { head, signed: None };
    assert_eq!(own, Some(&expected), "a head is the last entry as it was when reading began");
}

/// With a checkpoint the heads that changed are kept, and those of all accounts can be put together again.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_what_changed(ledger: &dyn Checkpoints) {
    let (mut one, mut other) = (Scene::new(ledger), Scene::new(ledger));
    one.award(1).await;
    let kept_still = other.award(1).await;
    let first = checkpoint(ledger).await.checkpoint;
    let changed = one.award(2).await;
    let second = checkpoint(ledger).await;
    let number = second.checkpoint.number;
    assert_eq!(number, first.number + 1, "checkpoints are numbered without a gap");
    assert_eq!(second.checkpoint.accounts, first.accounts, "a checkpoint counts the accounts");
    assert_eq!(second.checkpoint.entries, first.entries + 1, "a checkpoint counts the entries");
    assert_eq!(must("the newest is known", ledger.last_checkpoint().await), Some(second));

    let changes = must("changes can be listed", ledger.changes(number, None, 10).await);
    let head = Head { account: one.account, seq: 2, hash: changed.hash };
    assert_eq!(changes, [head], "the heads that changed are kept");
    let at = |account| before(account);
    let all = must("heads can be listed", ledger.heads_at(number, at(other.account), 1).await);
    let still = Head { account: other.account, seq: 1, hash: kept_still.hash };
    assert_eq!(all, [still], "a head that did not change is that of an earlier checkpoint");
    let earlier = must("heads can be listed", ledger.heads_at(first.number, at(one.account), 1).await);
    assert_eq!(
        earlier.first().map(|head| head.seq),
        Some(1),
        "later heads are not those of an earlier checkpoint"
    );

    let place = before(one.account).map(|account| (account, u64::MAX));
    let signed = must("all heads can be listed", ledger.signed_heads(place, Some(one.account), 10).await);
    let signed: Vec<_> = signed.iter().map(|signed| (signed.checkpoint, signed.head.seq)).collect();
    assert_eq!(
        signed,
        [(first.number, 1), (number, 2)],
        "all heads that were signed of an account are listed"
    );
    let rest = ledger.signed_heads(Some((one.account, first.number)), Some(one.account), 10).await;
    let rest = must("a list goes on", rest);
    assert_eq!(
        rest,
        [SignedHead { checkpoint: number, head }],
        "a list begins after the place that is named"
    );
    let listed = must("checkpoints can be listed", ledger.checkpoints(first.number, 10).await);
    assert_eq!(listed, [second], "checkpoints are listed by number, as they were signed");
}

/// The hashes of entries come in the order asked for, with gaps where there is no such entry.
///
/// # Panics
/// If the contract is broken.
pub async fn knows_the_hashes_of_entries(ledger: &dyn Checkpoints) {
    let mut scene = Scene::new(ledger);
    let account = scene.account;
    let (first, second) = (scene.award(1).await, scene.award(2).await);
    let entries = [3, 2, 0, 1].map(|seq| EntryId { account, seq });
    let hashes = must("hashes can be read", ledger.hashes(&entries).await);
    assert_eq!(
        hashes,
        [None, Some(second.hash), None, Some(first.hash)],
        "hashes are in the order asked for"
    );
    assert_eq!(must("nothing can be asked for", ledger.hashes(&[]).await), []);
}

/// Of checkpoints made at the same time each has a number of its own, and a number is kept once.
///
/// # Panics
/// If the contract is broken.
pub async fn gives_each_number_once(ledger: &dyn Checkpoints) {
    Scene::new(ledger).award(1).await;
    let before = checkpoint(ledger).await.checkpoint.number;
    let made = side_by_side((0..3).map(|_| checkpoint(ledger))).await;
    let mut numbers: Vec<u64> = made.iter().map(|made| made.checkpoint.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [before + 1, before + 2, before + 3], "each has a number of its own");
    let again = must("a number that is taken is no failure", ledger.keep(&made[0], &[]).await);
    assert!(!again, "a number is kept once");
    let mut far = made[0].checkpoint;
    far.number = before + 9;
    let far = must("a gap is no failure", ledger.keep(&far.sign(&key()), &[]).await);
    assert!(!far, "only the next number is kept");
}

/// A schedule signs nothing while nothing is posted.
///
/// # Panics
/// If the contract is broken.
pub async fn signs_nothing_new_where_nothing_changed(ledger: &dyn Checkpoints) {
    Scene::new(ledger).award(1).await;
    let made = must("a change is signed", ledger.checkpoint_changes(&key(), now()).await);
    assert!(made.is_some(), "a change is signed");
    let none = must("no change is no failure", ledger.checkpoint_changes(&key(), now()).await);
    assert_eq!(none, None, "nothing is signed twice");
    let earlier = now() - TimeDelta::days(1);
    let next = must("one can be asked for", ledger.checkpoint(&key(), earlier).await);
    let last = made.map(|made| (made.checkpoint.at, made.hash()));
    let follows = Some((next.checkpoint.at, next.checkpoint.previous));
    assert_eq!(follows, last, "a checkpoint follows the last one, and its time never runs backwards");
}

/// A ledger that grew since its checkpoints extends them, however often verifying stops.
///
/// # Panics
/// If the contract is broken.
pub async fn finds_nothing_where_nobody_tampered(ledger: &dyn Checkpoints) {
    for _ in 0..3 {
        Scene::new(ledger).award(1).await;
    }
    checkpoint(ledger).await;
    let keys = keys(ledger).await;
    let mut steps = vec![FullVerification::default()];
    let options = VerifyOptions { side_by_side: 1, range: 2, ..VerifyOptions::default() };
    let keep = |step: &FullVerification| steps.push(step.clone());
    let so_far = FullVerification::default();
    let whole = verify_with_checkpoints(ledger, &keys, so_far, &options, keep).await;
    let whole = must("a ledger can be verified", whole);
    assert!(whole.is_sound() && whole.books.is_done, "nothing is found: {whole:?}");
    assert!(whole.checkpoints.last.is_some(), "the newest checkpoint is told");
    for step in steps {
        let rest = verify_with_checkpoints(ledger, &keys, step, &options, |_| {}).await;
        assert_eq!(must("verifying can go on", rest), whole, "going on comes to the same");
    }
}

/// Verifies everything.
async fn verify(ledger: &dyn Checkpoints, keys: &[PublicKey]) -> FullVerification {
    let options = VerifyOptions { range: 2, ..VerifyOptions::default() };
    let so_far = FullVerification::default();
    must("a ledger can be verified", verify_with_checkpoints(ledger, keys, so_far, &options, |_| {}).await)
}

/// The keys of all checkpoints that are there: a ledger in use may have others' than the suite's.
async fn keys(ledger: &dyn Checkpoints) -> Vec<PublicKey> {
    let (mut keys, mut after) = (vec![key().public()], 0);
    loop {
        let page = must("checkpoints can be listed", ledger.checkpoints(after, 100).await);
        let Some(last) = page.last() else { return keys };
        after = last.checkpoint.number;
        keys.extend(page.iter().map(|signed| signed.key));
    }
}

async fn checkpoint(ledger: &dyn Checkpoints) -> SignedCheckpoint {
    must("a checkpoint can be made", ledger.checkpoint(&key(), now()).await)
}

fn key() -> SigningKey {
    must("32 bytes are a key", SigningKey::from_hex(&"c0".repeat(32).into()))
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_780_000_000_123_456).unwrap_or_default()
}

/// What lists begin after so that this account is their first; ids next to each other are not in use.
fn before(account: AccountId) -> Option<AccountId> {
    let number = u128::from_be_bytes(*account.as_bytes());
    Some(AccountId::from_bytes(number.saturating_sub(1).to_be_bytes()))
}
