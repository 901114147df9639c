//! Many callers at once.

use super::{Scene, award, whole};
use crate::conformance::{must, side_by_side};
use crate::ledger::{Ledger, LedgerError, LedgerExt, Post, Posted};
use crate::revenue::Violation;

/// Of racing holds on a balance that is enough for some, exactly those succeed.
///
/// # Panics
/// If the contract is broken.
pub async fn never_overdraws(ledger: &dyn Ledger) {
    let mut scene = Scene::new(ledger);
    scene.award(25).await;
    scene.buy(48, 480).await;
    let holds: Vec<Post> = (0..24)
        .map(|_| {
            let body = scene.hold_body(10);
            scene.draft(None, body)
        })
        .collect();
    let mut held = Vec::new();
    for result in side_by_side(holds.iter().map(|post| ledger.post(post.clone()))).await {
        match result {
            Ok(posted) => held.push(posted),
            Err(LedgerError::Refused { violation: Violation::InsufficientTotal { .. }, .. }) => {}
            Err(other) => panic!("the losers of a race are told that it is not enough: {other:?}"),
        }
    }
    assert_eq!(held.len(), 7, "73 credits are enough for exactly seven holds of 10");
    follow(&mut scene, &holds, held);
    let balance = must("the balance can be read", ledger.balance(scene.account, scene.now()).await);
    assert_eq!((balance.spendable(), balance.held()), (whole(3), whole(70)), "nothing is held twice");
    scene.settle().await;
}

/// Of racing posts of one intent one is posted, and all get its result.
///
/// # Panics
/// If the contract is broken.
pub async fn posts_racing_repeats_once(ledger: &dyn Ledger) {
    let mut scene = Scene::new(ledger);
    let post = scene.draft(None, award(10));
    let results = side_by_side((0..16).map(|_| ledger.post(post.clone()))).await;
    let results: Vec<Posted> =
        results.into_iter().map(|result| must("a racing repetition is no error", result)).collect();
    let (repeated, first): (Vec<Posted>, Vec<Posted>) =
        results.into_iter().partition(|posted| posted.repeated);
    assert_eq!(first.len(), 1, "one of racing posts of an intent is posted");
    scene.check(&post, &first[0]);
    let same = Posted { repeated: true, ..first[0].clone() };
    assert!(repeated.iter().all(|posted| *posted == same), "all others get its result");
    scene.settle().await;
}

/// Racing posts to one account are ordered one after the other, batches as a whole.
///
/// # Panics
/// If the contract is broken.
pub async fn orders_racing_posts(ledger: &dyn Ledger) {
    let (mut one, mut two) = (Scene::new(ledger), Scene::new(ledger));
    let batches: Vec<[Post; 3]> = (1..=12)
        .map(|n| [one.draft(None, award(n)), two.draft(None, award(n)), one.draft(None, award(n))])
        .collect();
    let posted = side_by_side(batches.iter().map(|batch| ledger.post_batch(batch))).await;
    let mut posted: Vec<Vec<Posted>> =
        posted.into_iter().map(|result| must("a racing batch is posted", result)).collect();
    for batch in &posted {
        assert_eq!(batch[0].entry.seq + 1, batch[2].entry.seq, "nothing gets between the entries of a batch");
    }
    posted.sort_by_key(|batch| batch[0].entry.seq);
    let posts = batches.concat();
    for scene in [&mut one, &mut two] {
        let mut own: Vec<Posted> =
            posted.iter().flatten().filter(|posted| posted.entry.account == scene.account).cloned().collect();
        own.sort_by_key(|posted| posted.entry.seq);
        follow(scene, &posts, own);
        scene.settle().await;
    }
}

/// Checks entries against the engine in the order they came to stand in.
fn follow(scene: &mut Scene<'_>, posts: &[Post], mut posted: Vec<Posted>) {
    posted.sort_by_key(|posted| posted.entry.seq);
    for posted in posted {
        let post =
            posts.iter().find(|post| post.key == posted.entry.key && post.account == posted.entry.account);
        let Some(post) = post else { panic!("an entry was posted that nobody posted: {posted:?}") };
        scene.check(post, &posted);
    }
}
