//! Looking for entries.

use chrono::TimeDelta;

use super::reading::{list, numbers};
use super::{Scene, purchase, whole};
use crate::conformance::must;
use crate::id::{DeploymentId, ModuleId};
use crate::ledger::{Category, EntryQuery, Ledger};
use crate::page::Page;
use crate::revenue::{
    Adjustment, Body, Bucket, EntryKind, ProjectDebit, Reason, Refund, Release, Reversal, ReversalCause,
};

/// The filters keep exactly the entries of a kind, a category, a deployment or a module, whatever names it.
///
/// # Panics
/// If the contract is broken.
pub async fn finds_entries_by_what_they_are_about(ledger: &dyn Ledger) {
    let mut scene = Scene::new(ledger);
    scene.award(30).await;
    scene.buy(100, 1_000).await;
    let charge = scene.charge(60).await.entry.seq;
    let (deployment, module) = (scene.deployment, scene.module);
    (scene.deployment, scene.module) = (DeploymentId::new(), ModuleId::new());
    let hold = scene.hold(10).await;
    scene.post(None, Body::Release(Release { hold })).await;
    refund(&mut scene, charge, "a courtesy").await;
    let debit = ProjectDebit { amount: whole(5), project: [7; 16], deployment: Some(deployment) };
    let debit = scene.post(None, Body::ProjectDebit(debit)).await.entry.seq;
    refund(&mut scene, debit, "too much").await;

    for (category, wanted) in [
        (Category::Grant, vec![1]),
        (Category::Purchase, vec![2]),
        (Category::Deployment, vec![3, 4, 5, 6, 7]),
        (Category::Project, vec![8, 9]),
    ] {
        find(ledger, EntryQuery { category: Some(category), ..scene.query() }, &wanted).await;
    }
    for (kind, wanted) in [
        (EntryKind::Grant, vec![1, 2]),
        (EntryKind::Hold, vec![3, 5]),
        (EntryKind::Capture, vec![4]),
        (EntryKind::Release, vec![6]),
        (EntryKind::Refund, vec![7, 9]),
        (EntryKind::ProjectDebit, vec![8]),
        (EntryKind::Freeze, vec![]),
    ] {
        find(ledger, EntryQuery { kind: Some(kind), ..scene.query() }, &wanted).await;
    }
    for (wanted_deployment, wanted) in
        [(deployment, vec![3, 4, 7, 8, 9]), (scene.deployment, vec![5, 6]), (DeploymentId::new(), vec![])]
    {
        find(ledger, EntryQuery { deployment: Some(wanted_deployment), ..scene.query() }, &wanted).await;
    }
    for (wanted_module, wanted) in
        [(module, vec![3, 4, 7]), (scene.module, vec![5, 6]), (ModuleId::new(), vec![])]
    {
        find(ledger, EntryQuery { module: Some(wanted_module), ..scene.query() }, &wanted).await;
    }
    let both =
        EntryQuery { deployment: Some(deployment), category: Some(Category::Project), ..scene.query() };
    find(ledger, both.clone(), &[8, 9]).await;
    find(ledger, EntryQuery { kind: Some(EntryKind::Refund), ..both.clone() }, &[9]).await;
    find(ledger, EntryQuery { module: Some(module), ..both }, &[]).await;

    let newest =
        EntryQuery { category: Some(Category::Deployment), limit: 2, oldest_first: false, ..scene.query() };
    let first = list(ledger, &newest).await;
    assert_eq!(numbers(&first), [7, 6], "a filtered page is as long as its limit");
    let second = list(ledger, &EntryQuery { page: first.next.clone(), ..newest.clone() }).await;
    assert_eq!(numbers(&second), [5, 4], "and goes on where it ended");
    let again = list(ledger, &EntryQuery { page: second.previous, ..newest }).await;
    assert_eq!(again, first, "and back");
}

/// Times are found by what is at the first or later and before the second, to the microsecond.
///
/// # Panics
/// If the contract is broken.
pub async fn finds_entries_by_their_time(ledger: &dyn Ledger) {
    let mut scene = Scene::new(ledger);
    let mut times = Vec::new();
    for n in 1..=6 {
        times.push(scene.award(n).await.entry.at);
    }
    let (tick, hair) = (TimeDelta::microseconds(1), TimeDelta::nanoseconds(1));
    for (place, at) in times.iter().enumerate() {
        let (before, after): (Vec<u64>, Vec<u64>) = (1..=6).partition(|n| *n <= place as u64);
        let all: Vec<u64> = (1..=6).collect();
        let own = before.len() + 1;
        let from = |from| EntryQuery { from: Some(from), ..scene.query() };
        let to = |to| EntryQuery { to: Some(to), ..scene.query() };
        find(ledger, from(*at), &after).await;
        find(ledger, from(*at - hair), &after).await;
        find(ledger, from(*at + hair), &all[own..]).await;
        find(ledger, from(*at + tick), &all[own..]).await;
        find(ledger, to(*at), &before).await;
        find(ledger, to(*at - hair), &before).await;
        find(ledger, to(*at + hair), &all[..own]).await;
        let moment = EntryQuery { from: Some(*at), to: Some(*at + tick), ..scene.query() };
        find(ledger, moment.clone(), &all[own - 1..own]).await;
        find(ledger, EntryQuery { to: Some(*at), ..moment }, &[]).await;
    }
    let (first, last) = (times[1], times[4]);
    let middle = EntryQuery { from: Some(first), to: Some(last), limit: 2, ..scene.query() };
    let page = list(ledger, &EntryQuery { oldest_first: false, ..middle.clone() }).await;
    assert_eq!(numbers(&page), [4, 3], "a page of a range begins at its end");
    let page = list(ledger, &EntryQuery { oldest_first: false, page: page.next, ..middle }).await;
    assert_eq!((numbers(&page), page.next), (vec![2], None), "and the last one ends at its beginning");
}

/// Texts are found in reasons, orders, projects and causes, whatever the case of their letters, to the letter otherwise.
///
/// # Panics
/// If the contract is broken.
pub async fn finds_entries_by_their_text(ledger: &dyn Ledger) {
    let mut scene = Scene::new(ledger);
    scene.award(30).await;
    let Body::Grant(mut grant) = purchase(100, 1_000) else { return };
    grant.reference = Some(*b"\x01\x8f\x3c\x5e\x7a\x00\x70\x00\x80\x00\x00\x00\x00\x00\x0b\xad");
    scene.post(None, Body::Grant(grant)).await;
    let charge = scene.charge(60).await.entry.seq;
    refund(&mut scene, charge, "It did 100% NOT work: Größe_falsch").await;
    let reason = must("a reason", Reason::new("moved \\ by hand, l'été"));
    let adjustment = Adjustment { bucket: Bucket::Awarded, amount: whole(3), reason };
    scene.post(Some(scene.admin), Body::Adjustment(adjustment)).await;
    let debit = ProjectDebit { amount: whole(5), project: [0xab; 16], deployment: None };
    scene.post(None, Body::ProjectDebit(debit)).await;
    let cause = ReversalCause::DisputeLost;
    scene.post(None, Body::Reversal(Reversal { lot: 2, amount: whole(1), cause })).await;

    for (text, wanted) in [
        ("AWARD", vec![1]),
        ("purchase", vec![2]),
        ("018F3C5E-7a00", vec![2]),
        ("000bad", vec![2]),
        ("did 100% not", vec![5]),
        ("GRÖSSE_FALSCH", vec![]),
        ("GRÖßE_falsch", vec![5]),
        ("größe%", vec![]),
        ("100%", vec![5]),
        ("0%%", vec![]),
        ("_falsch", vec![5]),
        ("_alsch", vec![]),
        ("\\ BY", vec![6]),
        ("L'ÉTÉ", vec![6]),
        ("abab-abababababab", vec![7]),
        ("dispute", vec![8]),
        ("d", vec![1, 2, 5, 6, 8]),
        ("dispute lost and more", vec![]),
        ("\0", vec![]),
    ] {
        find(ledger, EntryQuery { text: Some(text.to_owned()), ..scene.query() }, &wanted).await;
    }
    let long = EntryQuery { text: Some("x".repeat(100_000)), ..scene.query() };
    assert_eq!(list(ledger, &long).await, Page::default(), "a text that is longer than any is in none");
    let both = EntryQuery { text: Some("lost".to_owned()), kind: Some(EntryKind::Grant), ..scene.query() };
    find(ledger, both, &[]).await;
}

async fn refund(scene: &mut Scene<'_>, charge: u64, why: &str) {
    let reason = must("a reason", Reason::new(why));
    let amount = if charge == 4 { whole(60) } else { whole(5) };
    scene.post(Some(scene.admin), Body::Refund(Refund { charge, amount, reason })).await;
}

async fn find(ledger: &dyn Ledger, query: EntryQuery, wanted: &[u64]) {
    let page = list(ledger, &query).await;
    assert_eq!(numbers(&page), wanted, "every condition that is set must hold: {query:?}");
    let mut backwards =
        list(ledger, &EntryQuery { oldest_first: !query.oldest_first, ..query.clone() }).await;
    backwards.items.reverse();
    assert_eq!(backwards.items, page.items, "and does so both ways: {query:?}");
}
