//! Posting: numbers, hashes, effects, keys, batches, refusals.

use std::sync::Arc;

use chrono::TimeDelta;

use super::{Scene, award, purchase, whole};
use crate::conformance::{must, must_fail};
use crate::ledger::{Ledger, LedgerError, LedgerExt, Post, Posted};
use crate::revenue::{
    Adjustment, Body, Bucket, Capture, Freeze, ProjectDebit, Reason, Refund, Release, Reversal,
    ReversalCause, Unfreeze, Violation,
};

/// Entries are numbered 1, 2, 3 …; each has the hash of its content and all before it; time never runs backwards.
///
/// # Panics
/// If the contract is broken.
pub async fn numbers_and_chains_entries(ledger: &dyn Ledger) {
    let mut scene = Scene::new(ledger);
    for n in 1..=3 {
        assert_eq!(scene.award(n).await.entry.seq, n.unsigned_abs(), "numbers begin at 1 and have no gap");
    }
    let mut early = scene.draft(None, award(1));
    early.at -= TimeDelta::days(1);
    let posted = must("an entry of a clock that was set back is posted", ledger.post(early.clone()).await);
    scene.check(&early, &posted);
    let mut fine = scene.draft(None, award(1));
    fine.at += TimeDelta::nanoseconds(999);
    let posted = must("an entry of a finer clock is posted", ledger.post(fine.clone()).await);
    assert_eq!(posted.entry.at, scene.now(), "times are cut to microseconds");
    scene.check(&fine, &posted);
    scene.settle().await;
}

/// Every kind of entry does what the engine says, and is stored and read back unchanged.
///
/// # Panics
/// If the contract is broken.
pub async fn does_what_the_engine_does(ledger: &dyn Ledger) {
    let mut scene = Scene::new(ledger);
    let admin = Some(scene.admin);
    let reason = must("a reason", Reason::new("the module did not start"));
    let mut posted = vec![scene.award(30).await, scene.buy(100, 1_000).await];
    let lot = posted[1].entry.seq;
    let hold = scene.hold(70).await;
    posted.push(scene.capture(hold, 60).await);
    let charge = posted[2].entry.seq;
    let hold = scene.hold(5).await;
    posted.push(scene.post(None, Body::Release(Release { hold })).await);
    let refund = Refund { charge, amount: whole(40), reason: reason.clone() };
    posted.push(scene.post(admin, Body::Refund(refund)).await);
    posted.push(scene.charge(50).await);
    posted.push(scene.post(None, Body::Freeze(Freeze { lot })).await);
    posted.push(scene.post(None, Body::Unfreeze(Unfreeze { lot })).await);
    let reversal = Reversal { lot, amount: whole(100), cause: ReversalCause::DisputeLost };
    posted.push(scene.post(None, Body::Reversal(reversal)).await);
    posted.push(scene.buy(50, 600).await);
    let debit = ProjectDebit { amount: whole(500), project: [7; 16], deployment: Some(scene.deployment) };
    posted.push(scene.post(None, Body::ProjectDebit(debit)).await);
    posted.push(scene.buy(1_000, 9_999).await);
    for amount in [whole(3), whole(-2)] {
        let adjustment = Adjustment { bucket: Bucket::Purchased, amount, reason: reason.clone() };
        posted.push(scene.post(admin, Body::Adjustment(adjustment)).await);
    }
    scene.settle().await;

    let stored = scene.entries().await;
    for posted in posted {
        let place = usize::try_from(posted.entry.seq).unwrap_or_default() - 1;
        assert_eq!(stored.get(place), Some(&posted), "what is listed is what was posted");
        let found = ledger.by_key(scene.account, posted.entry.key).await;
        let found = must("an entry can be looked for by its key", found);
        assert_eq!(found, Some(posted), "an entry is found by its key, as it was posted");
    }
}

/// The same post again gives the first result, whatever happened since; other content under its key is refused.
///
/// # Panics
/// If the contract is broken.
pub async fn posts_an_intent_once(ledger: &dyn Ledger) {
    let mut scene = Scene::new(ledger);
    let post = scene.draft(None, purchase(10, 100));
    let first = must("an entry is posted", ledger.post(post.clone()).await);
    scene.check(&post, &first);
    scene.charge(10).await;

    let repeated = Posted { repeated: true, ..first.clone() };
    let later = Post { at: post.at + TimeDelta::hours(1), ..post.clone() };
    for again in [post.clone(), later] {
        let again = must("the same post again is no error", ledger.post(again).await);
        assert_eq!(again, repeated, "the same post again gives the first result and says so");
    }
    let fresh = scene.draft(None, award(5));
    let batch = [fresh.clone(), post.clone(), fresh.clone()];
    let both = must("a batch with a repetition is posted", ledger.post_batch(&batch).await);
    scene.check(&fresh, &both[0]);
    assert_eq!(both[1], repeated, "a repetition in a batch gives the first result");
    let again = Posted { repeated: true, ..both[0].clone() };
    assert_eq!(both[2], again, "a repetition inside a batch gives the result of the first in it");

    let other = Post { body: purchase(10, 101), ..post.clone() };
    let by_another = Post { actor: Some(scene.admin), ..post.clone() };
    for content in [other, by_another] {
        let batch = [scene.draft(None, award(1)), content];
        match must_fail("other content under a key in use", ledger.post_batch(&batch).await) {
            LedgerError::KeyReused { index: 1, key } if key == post.key => {}
            wrong => panic!("other content under a key in use is KeyReused, with place and key: {wrong:?}"),
        }
    }
    let mut elsewhere = Scene::new(ledger);
    let same_key = Post { key: post.key, ..elsewhere.draft(None, award(1)) };
    let posted = must("a key of another account is free", ledger.post(same_key.clone()).await);
    elsewhere.check(&same_key, &posted);
    scene.settle().await;
}

/// A batch is posted whole, in order, over several accounts, or not at all.
///
/// # Panics
/// If the contract is broken.
pub async fn posts_batches_whole_or_not_at_all(ledger: &dyn Ledger) {
    let (mut one, mut two) = (Scene::new(ledger), Scene::new(ledger));
    let hold = one.hold_body(40);
    let good = [
        one.draft(None, award(10)),
        two.draft(None, award(20)),
        one.draft(None, purchase(30, 300)),
        one.draft(None, hold),
    ];
    let posted = must("a batch is posted", ledger.post_batch(&good).await);
    assert_eq!(posted.len(), good.len(), "a batch has one result for each entry, in order");
    for (post, posted) in good.iter().zip(&posted) {
        let scene = if post.account == one.account { &mut one } else { &mut two };
        scene.check(post, posted);
    }
    assert_eq!(must("an empty batch is posted", ledger.post_batch(&[]).await), [], "nothing posts nothing");

    let too_much = two.hold_body(26);
    let bad = [
        one.draft(None, award(1)),
        two.draft(None, award(5)),
        two.draft(None, too_much),
        one.draft(None, award(2)),
    ];
    match must_fail("a batch with an entry the engine refuses", ledger.post_batch(&bad).await) {
        LedgerError::Refused { index: 2, violation: Violation::InsufficientTotal { needed, available } } => {
            assert_eq!((needed, available), (whole(26), whole(25)), "the batch sees its own entries");
        }
        wrong => panic!("the refusal says why, and where in the batch: {wrong:?}"),
    }
    for post in &bad {
        let found = must("a key can be looked for", ledger.by_key(post.account, post.key).await);
        assert_eq!(found, None, "of a refused batch nothing is posted");
    }
    one.settle().await;
    two.settle().await;
}

/// A refusal is the engine's, and leaves no trace: the next entry has the number, and the key is free.
///
/// # Panics
/// If the contract is broken.
pub async fn refuses_without_a_trace(ledger: &dyn Ledger) {
    let mut scene = Scene::new(ledger);
    let too_early = Body::Release(Release { hold: 1 });
    let post = scene.draft(None, too_early);
    let refusal = must_fail("a release without a hold", ledger.post(post.clone()).await);
    assert_eq!(refusal.violation(), Some(&Violation::UnknownHold { hold: 1 }), "a refusal is the engine's");
    scene.settle().await;

    let free = Post { body: award(10), ..post };
    let posted = must("the key of a refused post is free", ledger.post(free.clone()).await);
    scene.check(&free, &posted);
    let hold = scene.hold_body(11);
    let refused = scene.draft(None, hold);
    let refusal = must_fail("a hold of more than there is", ledger.post(refused).await);
    let wanted = Violation::InsufficientTotal { needed: whole(11), available: whole(10) };
    assert_eq!(refusal.violation(), Some(&wanted), "a refusal names what is needed and what is there");
    let hold = scene.hold(10).await;
    assert_eq!(hold, 2, "a refused entry takes no number");
    let capture =
        Capture { hold, amount: whole(11), deployment: scene.deployment, terms: Arc::new(scene.terms()) };
    let refused = scene.draft(None, Body::Capture(capture));
    let refusal = must_fail("a capture of more than is held", ledger.post(refused).await);
    assert!(
        matches!(refusal.violation(), Some(Violation::ExceedsHold { .. })),
        "captures are bounded: {refusal:?}"
    );
    scene.settle().await;
}
