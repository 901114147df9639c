//! What a viewer finds in a [`ModuleCatalog`]: visibility, search, orders and pages.

use std::collections::{BTreeMap, BTreeSet};

use super::{apply, partner, publish, revision};
use crate::catalog::{
    Card, CatalogChange, CatalogQuery, CatalogSort, ModuleCatalog, Publisher, Revision, Viewer,
};
use crate::conformance::must;
use crate::group::GroupName;
use crate::id::{AccountId, DeploymentId, ModuleId};
use crate::page::Page;

/// A viewer finds exactly what [`Viewer::sees`] allows, and nothing that was withdrawn.
///
/// # Panics
/// If the contract is broken.
pub async fn shows_what_the_viewer_may_see(catalog: &dyn ModuleCatalog) {
    let tag = tag();
    let owner = AccountId::new();
    let mut published = Vec::new();
    for publisher in [Publisher::Partner(owner), partner(), Publisher::Platform] {
        let (version, _) = must("the catalogue", catalog.catalogue_of(publisher).await);
        let mut changes = Vec::new();
        for (n, revision) in revisions(&tag).into_iter().enumerate() {
            changes.push(publish(&format!("{tag}-{n}"), &revision));
        }
        apply(catalog, publisher, version, &changes).await;
        let (version, listings) = must("the catalogue", catalog.catalogue_of(publisher).await);
        let mut mine: Vec<_> =
            listings.into_iter().filter(|listing| listing.name.starts_with(&tag)).collect();
        if let Some(listing) = mine.pop() {
            let withdraw = CatalogChange::Withdraw { module: listing.id };
            apply(catalog, publisher, version, &[withdraw]).await;
        }
        published.extend(mine);
    }
    let viewer = |account, email: &str, sees_all| {
        let groups = BTreeSet::new();
        Viewer { account, email: email.to_owned(), groups, sees_all }
    };
    let member = |groups: &[GroupName]| Viewer {
        groups: groups.iter().cloned().collect(),
        ..viewer(AccountId::new(), "member@example.com", false)
    };
    let group = |owner, name| GroupName::new(owner, name);
    let viewers = [
        viewer(owner, "owner@example.com", false),
        viewer(AccountId::new(), "trusted@example.com", false),
        viewer(AccountId::new(), "SHARED@Example.com", false),
        viewer(AccountId::new(), "other@example.com", false),
        viewer(AccountId::new(), "", false),
        member(&[group(Publisher::Partner(owner), "crew@example.com")]),
        member(&[group(Publisher::Platform, "CREW@example.com")]),
        member(&[group(partner(), "crew@example.com"), group(Publisher::Platform, "others")]),
        viewer(AccountId::new(), "%", false),
        viewer(AccountId::new(), "staff@example.com", true),
    ];
    for viewer in viewers {
        let mut found = BTreeSet::new();
        for platform in [true, false] {
            let query = CatalogQuery { viewer: viewer.clone(), platform, ..query(&tag) };
            for card in search(catalog, &query).await.items {
                let of_platform = card.listing.publisher == Publisher::Platform;
                assert_eq!(of_platform, platform, "each tab shows its own modules");
                found.insert(card.listing.id);
            }
        }
        let seen = published.iter().filter(|listing| viewer.sees(listing));
        let expected: BTreeSet<ModuleId> = seen.map(|listing| listing.id).collect();
        assert_eq!(found, expected, "{viewer:?} finds what it may see");
    }
}

/// A search finds modules that hold every word, in any case; the words are text and no pattern.
///
/// # Panics
/// If the contract is broken.
pub async fn searches_words(catalog: &dyn ModuleCatalog) {
    let tag = tag();
    let publisher = partner();
    let mut storage = public("Stores Büchèr at 100%_safe");
    storage.manifest.metadata.services = vec!["Cloud SQL".to_owned(), "Pub/Sub".to_owned()];
    let changes =
        [publish(&format!("{tag}-Storage"), &storage), publish(&format!("{tag}-web"), &public("A web page"))];
    apply(catalog, publisher, 0, &changes).await;
    for (text, found) in [
        ("", &["-Storage", "-web"][..]),
        ("STORAGE", &["-Storage"]),
        ("büchèr  STORES", &["-Storage"]),
        ("BÜCHÈR", &["-Storage"]),
        ("cloud pub/sub", &["-Storage"]),
        ("100%_safe", &["-Storage"]),
        ("%", &["-Storage"]),
        ("s_ores", &[]),
        ("web stores", &[]),
        ("' OR 1=1 --", &[]),
        ("\u{0}", &[]),
    ] {
        let text = format!("{tag} {text}");
        let page = search(catalog, &CatalogQuery { text: text.clone(), ..query("") }).await;
        let names: Vec<String> = page.items.into_iter().map(|card| card.listing.name).collect();
        let expected: Vec<String> = found.iter().map(|name| format!("{tag}{name}")).collect();
        assert_eq!(names, expected, "{text:?}");
    }
}

/// What answers a text with its name comes before what does with its services or publisher, and that before descriptions,
/// in whichever order; pages add up.
///
/// # Panics
/// If the contract is broken.
pub async fn ranks_names_before_labels_before_descriptions(catalog: &dyn ModuleCatalog) {
    let tag = tag();
    let (one, named) = (AccountId::new(), AccountId::new());
    let mut served = public("Holds things");
    served.manifest.metadata.services = vec!["Cloud".to_owned(), "Vault\nProper".to_owned()];
    let told = public("Not a vault.\n\nVault all the same.");
    let changes = [
        publish(&format!("{tag}-a"), &told),
        publish(&format!("{tag}-b"), &served),
        publish(&format!("{tag}-vault-c"), &public("")),
        publish(&format!("{tag}-d"), &public("")),
        publish(&format!("{tag}-vault-e"), &told),
    ];
    apply(catalog, Publisher::Partner(one), 0, &changes).await;
    apply(catalog, Publisher::Partner(named), 0, &[publish(&format!("{tag}-f"), &public(""))]).await;
    let (_, listings) = must("the catalogue", catalog.catalogue_of(Publisher::Partner(one)).await);
    for listing in listings.iter().filter(|listing| listing.name.ends_with("-a")) {
        must("a deployment", catalog.count_deployment(listing.id, DeploymentId::new()).await);
    }
    for (sort, words, expected) in [
        (CatalogSort::Name, "VAULT", &["-vault-c", "-vault-e", "-b", "-f", "-a"][..]),
        (CatalogSort::Deployments, "vault", &["-vault-c", "-vault-e", "-b", "-f", "-a"]),
        (CatalogSort::Name, "vault cloud", &["-b"]),
        (CatalogSort::Name, "vault things", &["-b"]),
        (CatalogSort::Deployments, "", &["-a", "-b", "-d", "-f", "-vault-c", "-vault-e"]),
    ] {
        let mut query = CatalogQuery { sort, limit: 2, ..query(&format!("{tag} {words}")) };
        query.publishers.insert("vault".to_owned(), [named].into());
        let mut names = Vec::new();
        loop {
            let page = search(catalog, &query).await;
            names.extend(page.items.into_iter().map(|card| card.listing.name));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        let expected: Vec<String> = expected.iter().map(|name| format!("{tag}{name}")).collect();
        assert_eq!(names, expected, "{sort:?} {words:?}");
    }
}

/// Every order is kept over pages of any size, to the last card.
///
/// # Panics
/// If the contract is broken.
pub async fn sorts_and_pages(catalog: &dyn ModuleCatalog) {
    let tag = tag();
    let viewer = AccountId::new();
    let (one, other) = (partner(), partner());
    let revision = public(&tag);
    for publisher in [one, other] {
        let changes: Vec<_> = ["c", "a", "b"].map(|name| publish(name, &revision)).into();
        apply(catalog, publisher, 0, &changes).await;
    }
    let mut ids = Vec::new();
    for publisher in [one, other] {
        let (_, listings) = must("the catalogue", catalog.catalogue_of(publisher).await);
        ids.extend(listings.into_iter().map(|listing| listing.id));
    }
    for (n, id) in ids.iter().enumerate().skip(1) {
        for account in 0..=n % 3 {
            let (who, stars) = (AccountId::new(), if account == 0 { 5 } else { 2 });
            must("a rating", catalog.rate(who, *id, stars).await);
            must("a deployment", catalog.count_deployment(*id, DeploymentId::new()).await);
        }
        if n % 2 == 0 {
            must("a pin", catalog.pin(viewer, *id, true).await);
            must("a rating", catalog.rate(viewer, *id, 3).await);
        }
    }
    for sort in [CatalogSort::Pinned, CatalogSort::Deployments, CatalogSort::Rating, CatalogSort::Name] {
        let mut base = CatalogQuery { sort, ..query(&tag) };
        base.viewer.account = viewer;
        let whole = search(catalog, &base).await;
        assert_eq!((whole.items.len(), whole.next), (6, None), "{sort:?}: one page holds them all");
        let keys: Vec<_> = whole.items.iter().map(|card| key(card, sort)).collect();
        assert!(keys.is_sorted(), "{sort:?}: in order: {keys:?}");
        for limit in [0, 1, 2, 4, 5] {
            let mut query = CatalogQuery { limit, ..base.clone() };
            let mut cards: Vec<Card> = Vec::new();
            loop {
                let page = search(catalog, &query).await;
                assert!(
                    page.items.len() <= limit.max(1) as usize,
                    "{sort:?}: a page is no longer than asked"
                );
                cards.extend(page.items);
                query.after = page.next;
                if query.after.is_none() {
                    break;
                }
                assert!(cards.len() < 6, "{sort:?}: the last page says so");
            }
            assert_eq!(cards, whole.items, "{sort:?}: pages of {limit} add up to the whole");
        }
    }
}

/// Pins and ratings are the viewer's own.
///
/// # Panics
/// If the contract is broken.
pub async fn shows_own_pins_and_stars(catalog: &dyn ModuleCatalog) {
    let tag = tag();
    apply(catalog, partner(), 0, &[publish("mod", &public(&tag))]).await;
    let (ann, bob) = (AccountId::new(), AccountId::new());
    let card = async |account| {
        let mut query = query(&tag);
        query.viewer.account = account;
        search(catalog, &query).await.items.pop()
    };
    let Some(found) = card(ann).await else { panic!("a public module is found") };
    let module = found.listing.id;
    assert_eq!((found.pinned, found.my_stars), (false, None), "neither pinned nor rated at first");
    must("a pin", catalog.pin(ann, module, true).await);
    must("a rating", catalog.rate(bob, module, 2).await);
    let mine = |card: Option<Card>| card.map(|card| (card.pinned, card.my_stars));
    assert_eq!(mine(card(ann).await), Some((true, None)), "a pin is the viewer's own");
    assert_eq!(mine(card(bob).await), Some((false, Some(2))), "stars are the viewer's own");
}

fn key(card: &Card, sort: CatalogSort) -> (std::cmp::Reverse<u64>, &str, ModuleId) {
    (std::cmp::Reverse(card.rank(sort)), &card.listing.name, card.listing.id)
}

async fn search(catalog: &dyn ModuleCatalog, query: &CatalogQuery) -> Page<Card> {
    must("a search", catalog.search(query).await)
}

/// Every way a module can open itself to people; the last one is withdrawn by the caller.
fn revisions(tag: &str) -> Vec<Revision> {
    let trusting = |trusted: &[&str], shared: &[&str]| {
        let mut revision = revision(tag);
        revision.manifest.metadata.trusted_users = trusted.iter().map(ToString::to_string).collect();
        revision.manifest.metadata.shared_users = shared.iter().map(ToString::to_string).collect();
        revision
    };
    let to_groups = |trusted: &[&str]| {
        let mut revision = revision(tag);
        revision.manifest.metadata.trusted_groups = trusted.iter().map(ToString::to_string).collect();
        revision
    };
    vec![
        trusting(&[], &[]),
        public(tag),
        trusting(&["Trusted@example.com", "trusted@EXAMPLE.com"], &["trusted@example.com"]),
        trusting(&["x@example.com"], &["shared@example.com"]),
        trusting(&["tru%@example.com"], &["%"]),
        to_groups(&["x", "Crew@Example.com ", "crew@example.com"]),
        public(tag),
    ]
}

fn public(description: &str) -> Revision {
    let mut revision = revision(description);
    revision.manifest.metadata.public_access = true;
    revision
}

fn query(text: &str) -> CatalogQuery {
    CatalogQuery {
        viewer: Viewer {
            account: AccountId::new(),
            email: "viewer@example.com".to_owned(),
            groups: BTreeSet::new(),
            sees_all: false,
        },
        platform: false,
        text: text.to_owned(),
        publishers: BTreeMap::new(),
        sort: CatalogSort::Name,
        after: None,
        limit: 200,
    }
}

/// A word that no other run of the suite uses.
fn tag() -> String {
    AccountId::new().to_string()
}
