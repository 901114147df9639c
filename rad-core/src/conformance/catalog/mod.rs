//! The contract of [`ModuleCatalog`]: syncs here, what viewers see in [`viewing`].

pub mod viewing;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{must, must_fail, side_by_side};
use crate::catalog::{CatalogChange, CatalogError, Listing, ModuleCatalog, ModuleStats, Publisher, Revision};
use crate::id::{AccountId, DeploymentId, ModuleId};
use crate::module::{Manifest, Values};
use crate::source::{CommitId, Digest};

/// The whole contract.
///
/// # Panics
/// If it is broken.
pub async fn all(catalog: &dyn ModuleCatalog) {
    publishes_updates_and_withdraws(catalog).await;
    applies_all_or_nothing(catalog).await;
    refuses_stale_plans(catalog).await;
    keeps_publishers_apart(catalog).await;
    finds_what_is_offered_under_a_name(catalog).await;
    counts_once(catalog).await;
    viewing::shows_what_the_viewer_may_see(catalog).await;
    viewing::searches_words(catalog).await;
    viewing::ranks_names_before_labels_before_descriptions(catalog).await;
    viewing::sorts_and_pages(catalog).await;
    viewing::shows_own_pins_and_stars(catalog).await;
}

/// A module is published, updated, withdrawn and published again under the same id.
///
/// # Panics
/// If the contract is broken.
pub async fn publishes_updates_and_withdraws(catalog: &dyn ModuleCatalog) {
    let publisher = partner();
    let before = must("the catalogue of a newcomer", catalog.catalogue_of(publisher).await);
    assert_eq!(before, (0, vec![]), "a newcomer has an empty catalogue of version 0");

    let first = revision("one");
    let version = apply(catalog, publisher, 0, &[publish("mod", &first), publish("abc", &first)]).await;
    let (read, listings) = must("the catalogue", catalog.catalogue_of(publisher).await);
    assert!(version > 0 && read == version, "a sync gives the version that is read next");
    let [_, listing] = &listings[..] else { panic!("two modules were published: {listings:?}") };
    let expected = Listing {
        id: listing.id,
        publisher,
        name: "mod".to_owned(),
        revision: first.clone(),
        published: true,
        stats: ModuleStats::default(),
        updated_at: time(),
    };
    assert_eq!(*listing, expected, "what is read, in the order of names, is what was published");
    assert_eq!(must("a listing by id", catalog.listing(listing.id).await), expected);

    let module = listing.id;
    let later = time() + TimeDelta::microseconds(1);
    let second = revision("two");
    let update = [CatalogChange::Update { module, revision: second.clone() }];
    let version = must("an update", catalog.apply(publisher, version, &update, later).await);
    let updated = Listing { revision: second, updated_at: later, ..expected };
    assert_eq!(must("a listing by id", catalog.listing(module).await), updated, "an update, and its time");

    must("a rating", catalog.rate(AccountId::new(), module, 4).await);
    let version = apply(catalog, publisher, version, &[CatalogChange::Withdraw { module }]).await;
    let stats = ModuleStats { ratings: 1, stars: 4, ..ModuleStats::default() };
    let withdrawn = Listing { published: false, stats, ..updated };
    assert_eq!(must("a withdrawn listing", catalog.listing(module).await), withdrawn, "is kept as it was");
    let (_, listings) = must("the catalogue", catalog.catalogue_of(publisher).await);
    assert!(listings.contains(&withdrawn), "withdrawn listings are included");

    apply(catalog, publisher, version, &[publish("mod", &first)]).await;
    let back = Listing { revision: first, published: true, updated_at: time(), ..withdrawn };
    assert_eq!(must("a listing by id", catalog.listing(module).await), back, "comes back under its id");
}

/// A sync with one change that is refused changes nothing.
///
/// # Panics
/// If the contract is broken.
pub async fn applies_all_or_nothing(catalog: &dyn ModuleCatalog) {
    let publisher = partner();
    let revision = revision("one");
    let version = apply(catalog, publisher, 0, &[publish("kept", &revision)]).await;
    let before = must("the catalogue", catalog.catalogue_of(publisher).await);
    let kept = before.1.first().map_or_else(ModuleId::new, |listing| listing.id);
    let unknown = ModuleId::new();
    let refused = [
        (publish("kept", &revision), "NameTaken"),
        (CatalogChange::Update { module: unknown, revision: revision.clone() }, "NotFound"),
        (CatalogChange::Withdraw { module: unknown }, "NotFound"),
    ];
    for (change, name) in refused {
        let changes = [publish("new", &revision), change];
        let refusal =
            must_fail("a refused change", catalog.apply(publisher, version, &changes, time()).await);
        assert!(format!("{refusal:?}").starts_with(name), "{name} is expected, not {refusal:?}");
        let after = must("the catalogue", catalog.catalogue_of(publisher).await);
        assert_eq!(after, before, "a refused sync changes nothing");
    }
    let twice = [publish("new", &revision), publish("new", &revision)];
    let refusal = must_fail("a name twice", catalog.apply(publisher, version, &twice, time()).await);
    assert!(matches!(refusal, CatalogError::NameTaken { .. }), "a name twice in one sync: {refusal:?}");
    let withdraw = CatalogChange::Withdraw { module: kept };
    let twice = [withdraw.clone(), withdraw];
    let refusal = must_fail("withdrawn twice", catalog.apply(publisher, version, &twice, time()).await);
    assert!(matches!(refusal, CatalogError::NotFound), "what is not on offer is NotFound: {refusal:?}");
    assert_eq!(must("the catalogue", catalog.catalogue_of(publisher).await), before, "nothing changed");

    let same = must("an empty sync", catalog.apply(publisher, version, &[], time()).await);
    assert_eq!(same, version, "an empty sync keeps the version");
    let outdated = apply(catalog, publisher, version, &[CatalogChange::Outdate]).await;
    let stale = must_fail("a plan of before", catalog.apply(publisher, version, &[], time()).await);
    assert!(matches!(stale, CatalogError::Stale { actual, .. } if actual == outdated), "is stale: {stale:?}");
    assert_eq!(
        must("the catalogue", catalog.catalogue_of(publisher).await).1,
        before.1,
        "nothing else changed"
    );
}

/// Of syncs that were planned on the same version one wins, also when they race.
///
/// # Panics
/// If the contract is broken.
pub async fn refuses_stale_plans(catalog: &dyn ModuleCatalog) {
    let publisher = partner();
    let revision = revision("one");
    let version = apply(catalog, publisher, 0, &[publish("first", &revision)]).await;
    let refusal = must_fail("a stale plan", catalog.apply(publisher, 0, &[], time()).await);
    assert!(
        matches!(refusal, CatalogError::Stale { expected: 0, actual } if actual == version),
        "a plan for another version is Stale and names both: {refusal:?}"
    );

    let plans: Vec<_> = (0..8).map(|n| [publish(&format!("race-{n}"), &revision)]).collect();
    let racing = plans.iter().map(|plan| catalog.apply(publisher, version, plan, time()));
    let mut won = 0;
    for outcome in side_by_side(racing).await {
        match outcome {
            Ok(_) => won += 1,
            Err(CatalogError::Stale { .. }) => {}
            Err(other) => panic!("the losers of a race are Stale, not {other:?}"),
        }
    }
    assert_eq!(won, 1, "of racing syncs one wins");
    let (_, listings) = must("the catalogue", catalog.catalogue_of(publisher).await);
    assert_eq!(listings.len(), 2, "the losers of the race changed nothing");
}

/// Publishers share names and touch only their own listings.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_publishers_apart(catalog: &dyn ModuleCatalog) {
    let (one, other) = (partner(), partner());
    let revision = revision("one");
    let version = apply(catalog, one, 0, &[publish("same", &revision)]).await;
    let others = apply(catalog, other, 0, &[publish("same", &revision)]).await;
    let (_, listings) = must("the catalogue", catalog.catalogue_of(one).await);
    let [listing] = &listings[..] else { panic!("each publisher has its own: {listings:?}") };
    let module = listing.id;
    for change in
        [CatalogChange::Withdraw { module }, CatalogChange::Update { module, revision: revision.clone() }]
    {
        let refusal = must_fail("another's listing", catalog.apply(other, others, &[change], time()).await);
        assert!(matches!(refusal, CatalogError::NotFound), "another's listing is NotFound: {refusal:?}");
    }
    let after = must("the catalogue", catalog.catalogue_of(one).await);
    assert_eq!(after, (version, listings), "another's sync does not touch it");
}

/// What is on offer under a name is found, whosever it is; what is withdrawn is not.
///
/// # Panics
/// If the contract is broken.
pub async fn finds_what_is_offered_under_a_name(catalog: &dyn ModuleCatalog) {
    let (one, other) = (partner(), partner());
    let revision = revision("one");
    // Names of its own: what the other functions published may still be there.
    let name = |of: &str| format!("{of}-{}", ModuleId::new());
    let (shared, single, unused) = (name("shared"), name("single"), name("unused"));
    let version = apply(catalog, one, 0, &[publish(&shared, &revision), publish(&single, &revision)]).await;
    apply(catalog, other, 0, &[publish(&shared, &revision)]).await;
    let found = async |names: &[&String]| {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let found = must("what is offered is found", catalog.named(&names).await);
        let mut found: Vec<_> = found.into_iter().map(|listing| (listing.name, listing.publisher)).collect();
        found.sort_unstable_by_key(|(name, publisher)| (name.clone(), *publisher != one));
        found
    };
    let (of_one, of_other) = ((shared.clone(), one), (shared.clone(), other));
    assert_eq!(found(&[&shared]).await, [of_one, of_other.clone()]);
    assert_eq!(found(&[&shared, &single, &unused]).await.len(), 3);
    assert_eq!(found(&[]).await, []);
    let (_, listings) = must("the catalogue", catalog.catalogue_of(one).await);
    let withdrawn: Vec<_> =
        listings.iter().map(|listing| CatalogChange::Withdraw { module: listing.id }).collect();
    apply(catalog, one, version, &withdrawn).await;
    assert_eq!(found(&[&shared, &single]).await, [of_other]);
}

/// Pins, ratings and deployments of a module that does not exist are refused; repeated ones count once.
///
/// # Panics
/// If the contract is broken.
pub async fn counts_once(catalog: &dyn ModuleCatalog) {
    let publisher = partner();
    apply(catalog, publisher, 0, &[publish("mod", &revision("one"))]).await;
    let (_, listings) = must("the catalogue", catalog.catalogue_of(publisher).await);
    let module = listings.first().map_or_else(ModuleId::new, |listing| listing.id);
    let (ann, bob) = (AccountId::new(), AccountId::new());
    for (account, stars) in [(ann, 1), (ann, 5), (bob, 4), (bob, 4)] {
        must("a rating", catalog.rate(account, module, stars).await);
    }
    let (first, second) = (DeploymentId::new(), DeploymentId::new());
    for deployment in [first, second, first] {
        must("a deployment", catalog.count_deployment(module, deployment).await);
    }
    for pinned in [true, true, false, false] {
        must("a pin", catalog.pin(ann, module, pinned).await);
    }
    let stats = must("a listing by id", catalog.listing(module).await).stats;
    let expected = ModuleStats { deployments: 2, ratings: 2, stars: 9 };
    assert_eq!(stats, expected, "a second rating replaces the first, a deployment counts once");

    for stars in [0, 6, 255] {
        let refusal = must_fail("stars out of range", catalog.rate(ann, module, stars).await);
        assert!(matches!(refusal, CatalogError::Stars { stars: given } if given == stars), "{refusal:?}");
    }
    let unknown = ModuleId::new();
    let refusals = [
        must_fail("an unknown listing", catalog.listing(unknown).await),
        must_fail("a pin of an unknown listing", catalog.pin(ann, unknown, true).await),
        must_fail("an unknown listing unpinned", catalog.pin(ann, unknown, false).await),
        must_fail("a rating of an unknown listing", catalog.rate(ann, unknown, 3).await),
        must_fail("a deployment of an unknown listing", catalog.count_deployment(unknown, first).await),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, CatalogError::NotFound), "an unknown listing is NotFound: {refusal:?}");
    }
}

async fn apply(
    catalog: &dyn ModuleCatalog,
    publisher: Publisher,
    version: u64,
    changes: &[CatalogChange],
) -> u64 {
    must("a sync", catalog.apply(publisher, version, changes, time()).await)
}

fn partner() -> Publisher {
    Publisher::Partner(AccountId::new())
}

fn publish(name: &str, revision: &Revision) -> CatalogChange {
    CatalogChange::Publish { name: name.to_owned(), revision: revision.clone() }
}

fn revision(description: &str) -> Revision {
    let manifest = Manifest { description: description.to_owned(), ..Manifest::default() };
    let values = Values::from([("zone".to_owned(), json!("ö")), ("sizes".to_owned(), json!([1, null]))]);
    Revision {
        repository: "owner/modules".to_owned(),
        commit: commit(description),
        digest: Digest::of(description.as_bytes()),
        manifest,
        values,
    }
}

fn commit(of: &str) -> CommitId {
    must("a digest names a commit", Digest::of(of.as_bytes()).to_string().parse())
}

fn time() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_770_000_000_123_456).unwrap_or_default()
}
