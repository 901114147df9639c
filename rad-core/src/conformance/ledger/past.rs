//! States of the past.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Scene, award, purchase, whole};
use crate::conformance::{must, must_fail};
use crate::ledger::{At, EntryQuery, Ledger, LedgerError, LedgerExt, Post, Posted};
use crate::revenue::{
    AccountState, Body, BurnOrder, Freeze, Hold, Reason, Refund, Reversal, ReversalCause, Unfreeze,
};

/// The state and the balance after every entry, and at every time between entries, are what a replay says, with what had run
/// out by then.
///
/// # Panics
/// If the contract is broken.
pub async fn knows_every_state_of_the_past(ledger: &dyn Ledger) {
    let mut scene = Scene::new(ledger);
    eventful(&mut scene).await;
    let entries = scene.entries().await;
    let account = scene.account;
    let mut replay = AccountState::new(account);
    expect(ledger, At::Seq(0), &replay).await;
    let first = entries[0].entry.at;
    expect(ledger, At::Time(first - TimeDelta::microseconds(1)), &replay).await;
    for (index, Posted { entry, effect, .. }) in entries.iter().enumerate() {
        must("a replay takes what the ledger took", replay.apply(entry));
        let mut state = replay.clone();
        state.compact();
        expect(ledger, At::Seq(entry.seq), &state).await;
        let balance = ledger.balance_at(account, At::Seq(entry.seq)).await;
        assert_eq!(must("a balance of the past", balance), effect.balance_after, "after entry {}", entry.seq);
        let until = entries.get(index + 1).map(|next| next.entry.at);
        for at in times_between(entry.at, until) {
            expect(ledger, At::Time(at), &state).await;
            let balance = must("a balance of the past", ledger.balance_at(account, At::Time(at)).await);
            assert_eq!(balance, state.balance(at), "what had run out by {at} counts as such");
        }
    }
    let beyond = entries.len() as u64 + 1;
    let refusals = [
        must_fail("a state of the future", ledger.state_at(account, At::Seq(beyond)).await),
        must_fail("a balance of the future", ledger.balance_at(account, At::Seq(beyond)).await),
    ];
    for refusal in refusals {
        let LedgerError::NoSuchEntry { seq, last, .. } = refusal else { panic!("{refusal:?}") };
        assert_eq!((seq, last), (beyond, beyond - 1), "the refusal says which entry is the last");
    }
}

/// A state far into a history that takes many pages is what a replay says.
///
/// # Panics
/// If the contract is broken.
pub async fn replays_long_histories(ledger: &dyn Ledger) {
    let mut scene = Scene::new(ledger);
    let long = u64::from(EntryQuery::MOST) + 3;
    let posts: Vec<Post> = (0..long).map(|_| scene.draft(None, award(1))).collect();
    let posted = must("a long batch is posted", ledger.post_batch(&posts).await);
    for (post, posted) in posts.iter().zip(&posted) {
        scene.check(post, posted);
    }
    let mut replay = AccountState::new(scene.account);
    for Posted { entry, .. } in posted.iter().take(posted.len() - 1) {
        must("a replay takes what the ledger took", replay.apply(entry));
    }
    expect(ledger, At::Seq(long - 1), &replay).await;
    let last = posted.iter().map(|posted| posted.entry.at).max().unwrap_or_default();
    expect(ledger, At::Time(last - TimeDelta::microseconds(1)), &replay).await;
}

/// Lots and holds that run out between entries, debt and its repayment, disputes, refunds, entries of one moment.
async fn eventful(scene: &mut Scene<'_>) {
    scene.award(30).await;
    let Body::Grant(mut grant) = purchase(100, 1_000) else { return };
    grant.expires = Some(scene.now() + TimeDelta::minutes(10));
    scene.post(None, Body::Grant(grant)).await;
    let charge = scene.charge(60).await.entry.seq;
    let lapsing = Hold {
        amount: whole(20),
        burn: BurnOrder::AwardedFirst,
        expires: Some(scene.now() + TimeDelta::minutes(5)),
        deployment: Some(scene.deployment),
        module: None,
    };
    scene.post(None, Body::Hold(lapsing)).await;
    scene.post(None, Body::Freeze(Freeze { lot: 2 })).await;
    scene.post(None, Body::Unfreeze(Unfreeze { lot: 2 })).await;
    let reason = must("a reason", Reason::new("it did not work"));
    scene.post(Some(scene.admin), Body::Refund(Refund { charge, amount: whole(10), reason })).await;
    // The hold lapses before this one, the lot runs out before the next.
    scene.wait_until(scene.now() + TimeDelta::minutes(7));
    let before = scene.award(1).await.entry.at;
    // Two entries of one moment: time never runs backwards.
    scene.wait_until(before);
    scene.award(2).await;
    scene.wait_until(scene.now() + TimeDelta::minutes(7));
    let cause = ReversalCause::PaymentRefund;
    scene.post(None, Body::Reversal(Reversal { lot: 2, amount: whole(15), cause })).await;
    scene.buy(50, 600).await;
}

/// The moment of an entry, the last one before the next, and some in between; nothing if the next is of the same moment.
fn times_between(at: DateTime<Utc>, next: Option<DateTime<Utc>>) -> Vec<DateTime<Utc>> {
    let tick = TimeDelta::microseconds(1);
    let end = next.unwrap_or(at + TimeDelta::days(1));
    if end <= at {
        return Vec::new();
    }
    let mut times = vec![at, end - tick];
    times.extend((1..20).map(|n| at + (end - at) / 20 * n).filter(|time| *time < end));
    times
}

async fn expect(ledger: &dyn Ledger, at: At, wanted: &AccountState) {
    let state = must("a state of the past", ledger.state_at(wanted.account(), at).await);
    assert_eq!(&state, wanted, "the state at {at:?} is what a replay says");
}
