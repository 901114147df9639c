//! Repositories are looked at without being told, and with auto-update what changed is published anew.

use chrono::TimeDelta;
use rad_core::access::{Publisher, Role, Roles};
use rad_core::catalog::Listing;
use rad_core::clock::Clock as _;
use rad_core::directory::Directory as _;
use rad_core::notify::{MOST_TOLD, Notice};
use rad_core::platform::{Followed, PlatformError, RepoNews, Selection, WatchReport};
use rad_core::repo::{RepoAccess, RepoConnection, RepoSource as _};
use rad_core::source::SourceTree;
use rad_core::watch::StepKind;

use super::market::{Market, person, publish};

const EVERY: TimeDelta = TimeDelta::minutes(5);

const SMALL: &str = r#"variable "credit_cost" { default = 61 }
                       variable "public_access" { default = true }"#;

/// Looks when it is time.
async fn look(market: &Market) -> WatchReport {
    market.clock.advance(EVERY);
    market.platform.operations().watch_repositories(EVERY).await.unwrap()
}

async fn listings(market: &Market) -> Vec<Listing> {
    let grid = market.actor(market.partner).await.module_grid().await.unwrap();
    grid.entries.into_iter().filter_map(|entry| entry.listing).filter(|listing| listing.published).collect()
}

fn names(listings: &[Listing]) -> Vec<&str> {
    listings.iter().map(|listing| listing.name.as_str()).collect()
}

#[tokio::test]
async fn a_repository_is_looked_at_now_and_then_and_loses_what_is_gone() {
    let market = Market::open().await;
    market.publish(&["small", "paid"]).await;
    let report = look(&market).await;
    assert_eq!((report.looked, report.followed), (1, Followed::default()), "all is there");
    market.push(&[("small", SMALL)]);
    let early = market.platform.operations().watch_repositories(EVERY).await.unwrap();
    assert_eq!(early.looked, 0, "it is not time yet");
    let report = look(&market).await;
    assert_eq!(report.followed, Followed { withdrawn: 1, ..Followed::default() });
    let left = listings(&market).await;
    assert_eq!(names(&left), ["small"]);
    assert_eq!(left[0].revision.manifest.metadata.credit_cost.to_string(), "60", "publishing is a decision");
    let partner = market.actor(market.partner).await;
    let sync = partner.syncs(10).await.unwrap().remove(0);
    assert_eq!((sync.by, sync.steps.len(), sync.steps[0].kind), (None, 1, StepKind::Withdraw));
    assert_eq!(partner.syncs(10).await.unwrap().len(), 2, "the partner's own before it");
    partner.connect(None).await.unwrap();
    assert_eq!(look(&market).await.looked, 0, "nothing is connected");
    assert_eq!(partner.watch().await.unwrap(), None);
}

#[tokio::test]
async fn with_auto_update_what_changed_is_published_and_what_broke_stays() {
    let market = Market::open().await;
    market.publish(&["small", "paid", "private", "needy"]).await;
    let before = listings(&market).await;
    let partner = market.actor(market.partner).await;
    look(&market).await;
    market.push(&[
        ("small", SMALL),
        ("paid", "variable {"),
        ("private", "variable \"credit_cost\" { default = 1 }"),
        ("fresh", ""),
    ]);
    assert_eq!(look(&market).await.followed.updated, 0, "it is off");
    partner.set_auto_update(true).await.unwrap();
    let report = look(&market).await;
    // `needy` left the repository while auto-update was off.
    assert_eq!(
        report.followed,
        Followed { withdrawn: 0, updated: 1, kept: 1 },
        "switching it on looks again"
    );
    let after = listings(&market).await;
    assert_eq!(names(&after), ["paid", "private", "small"], "nothing new is published");
    assert_eq!(after[2].revision.manifest.metadata.credit_cost.to_string(), "61");
    assert_eq!(after[0].revision, before[1].revision, "a broken one stays at its commit");
    let sync = partner.syncs(1).await.unwrap().remove(0);
    let steps: Vec<_> = sync.steps.iter().map(|step| (step.module.as_str(), step.kind)).collect();
    assert_eq!(steps, [("paid", StepKind::Keep), ("small", StepKind::Update)]);
    assert!(sync.by.is_none() && sync.steps[0].reason.contains("cannot be published at"), "{sync:?}");
    assert_eq!(look(&market).await.followed, Followed::default(), "nothing changed since");
    assert_eq!(partner.syncs(10).await.unwrap().len(), 3);
    let told = market.notices(market.partner).await;
    let [Notice::ModulesKept { repository, commit, modules, steps }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((repository.as_str(), Some(commit), *modules), ("shop", sync.commit.as_ref(), 1));
    assert_eq!(steps[..], sync.steps[..1], "the one that stays, and why");
    partner.set_auto_update(true).await.unwrap();
    assert_eq!(look(&market).await.followed.kept, 1, "looked at again");
    assert_eq!(market.notices(market.partner).await.len(), 1, "told once for a commit");
    market.push(&[("small", SMALL), ("paid", "variable {"), ("private", "# odd")]);
    assert_eq!(look(&market).await.followed, Followed { withdrawn: 0, updated: 1, kept: 1 });
    assert_eq!(market.notices(market.partner).await.len(), 2, "and again for the next one");
    assert!(market.notices(market.admin).await.is_empty(), "the platform's admins publish other modules");

    market.push(&[("small", SMALL), ("paid", ""), ("private", "")]);
    let news = RepoNews::Pushed { branch: "main".to_owned(), is_default: true };
    let operations = market.platform.operations();
    let told = operations.follow_repository(Publisher::Partner(market.partner), "shop", &news).await.unwrap();
    assert_eq!(told, Followed { withdrawn: 0, updated: 2, kept: 0 }, "a webhook does the same");
    market.connect(market.partner).await;
    assert!(!partner.watch().await.unwrap().unwrap().auto_update, "another connection begins without it");
}

#[tokio::test]
async fn values_that_no_longer_fit_keep_a_module_where_it_is() {
    let market = Market::open().await;
    let source = |ty: &str| {
        format!(
            "variable \"region\" {{\n  type = {ty}\n  default = null\n  description = \"{{{{UIMeta group=0}}}}\"\n}}\n"
        )
    };
    market.push(&[("zone", &source("string"))]);
    market.connect(market.partner).await;
    let partner = market.actor(market.partner).await;
    let values = [("region".to_owned(), "north".into())].into();
    let selection =
        Selection { modules: ["zone".to_owned()].into(), values: [("zone".to_owned(), values)].into() };
    publish(&partner, &selection).await;
    partner.set_auto_update(true).await.unwrap();
    market.push(&[("zone", &source("number"))]);
    assert_eq!(look(&market).await.followed, Followed { withdrawn: 0, updated: 0, kept: 1 });
    let reason = partner.syncs(1).await.unwrap().remove(0).steps.remove(0).reason;
    assert!(reason.contains("region"), "{reason}");
}

#[tokio::test]
async fn a_repository_that_cannot_be_read_is_asked_less_and_less() {
    let market = Market::open().await;
    market.publish(&["small"]).await;
    look(&market).await;
    let publisher = Publisher::Partner(market.partner);
    let elsewhere = RepoConnection { repository: "bakery".to_owned(), branch: None, sub_dir: String::new() };
    market.directory.set_connection(publisher, Some(&elsewhere)).await.unwrap();
    let mut waits = Vec::new();
    let partner = market.actor(market.partner).await;
    for failures in 1..9 {
        let due = partner.watch().await.unwrap().unwrap().next_at;
        market.clock.advance(due - market.clock.now());
        let report = market.platform.operations().watch_repositories(EVERY).await.unwrap();
        assert_eq!((report.looked, report.failed), (1, 1));
        let watch = partner.watch().await.unwrap().unwrap();
        assert_eq!(watch.last.failures, failures);
        assert!(watch.last.problem.as_deref().is_some_and(|problem| problem.contains("bakery")), "{watch:?}");
        waits.push((watch.next_at - market.clock.now()).num_minutes());
    }
    assert_eq!(waits, [10, 20, 40, 80, 160, 320, 360, 360]);
    assert_eq!(names(&listings_of(&market).await), ["small"], "what is published stays");
    market.repos.commit("bakery", "main", tree(), market.clock.now()).unwrap();
    market.clock.advance(TimeDelta::hours(6));
    let report = market.platform.operations().watch_repositories(EVERY).await.unwrap();
    assert_eq!((report.failed, report.followed.withdrawn), (0, 1));
    assert_eq!(partner.watch().await.unwrap().unwrap().last.failures, 0);
    let head = market
        .repos
        .head(RepoAccess { repository: "bakery", publisher: Publisher::Platform, credential: None }, None)
        .await
        .unwrap();
    assert_eq!(partner.watch().await.unwrap().unwrap().last.commit, Some(head.commit));
    let user = market.actor(market.user).await;
    assert!(matches!(user.set_auto_update(true).await, Err(PlatformError::Forbidden { .. })));
    let admin = market.actor(market.admin).await;
    assert!(matches!(admin.set_auto_update(true).await, Err(PlatformError::NotConnected)));
}

/// What the partner has on offer, wherever the repository is.
async fn listings_of(market: &Market) -> Vec<Listing> {
    let partner = market.actor(market.partner).await;
    let page = partner.search_modules(false, "", rad_core::catalog::CatalogSort::Name, None).await.unwrap();
    page.items.into_iter().map(|card| card.listing).collect()
}

fn tree() -> SourceTree {
    let mut tree = SourceTree::default();
    tree.insert_file("bread/main.tf", "").unwrap();
    tree
}

#[tokio::test]
async fn nothing_of_a_former_partner_is_published_by_itself() {
    let market = Market::open().await;
    market.publish(&["small", "paid"]).await;
    market.actor(market.partner).await.set_auto_update(true).await.unwrap();
    let admin = market.actor(market.admin).await;
    admin.set_roles(market.partner, Roles::from([Role::User])).await.unwrap();
    market.push(&[("small", SMALL)]);
    let report = look(&market).await;
    assert_eq!(
        report.followed,
        Followed { withdrawn: 1, updated: 0, kept: 0 },
        "what is gone leaves all the same"
    );
    assert_eq!(admin.offer_of(market.partner).await.unwrap().modules, 1);
}

#[tokio::test]
async fn an_update_that_closes_a_circle_stays_where_it_is() {
    let market = Market::open().await;
    let needing = |name: &str| format!("variable \"module_dependency\" {{ default = [\"{name}\"] }}");
    let egg = needing("chicken");
    market.push(&[("chicken", ""), ("egg", &egg), ("other", "")]);
    market.publish(&["chicken", "egg", "other"]).await;
    let partner = market.actor(market.partner).await;
    partner.set_auto_update(true).await.unwrap();
    market.push(&[("chicken", &needing("egg")), ("egg", &egg), ("other", SMALL)]);
    let report = look(&market).await;
    assert_eq!(report.followed, Followed { withdrawn: 0, updated: 1, kept: 1 }, "only the circle stays open");
    let sync = partner.syncs(1).await.unwrap().remove(0);
    assert_eq!((sync.steps[0].module.as_str(), sync.steps[0].kind), ("chicken", StepKind::Keep));
    assert!(sync.steps[0].reason.contains("chicken → egg → chicken"), "{}", sync.steps[0].reason);
}

#[tokio::test]
async fn every_admin_is_told_what_stays_of_the_platforms_own_modules() {
    let market = Market::open().await;
    let names: Vec<String> = (0..MOST_TOLD + 5).map(|number| format!("m{number:02}")).collect();
    let all = |source: &'static str| names.iter().map(|name| (name.as_str(), source)).collect::<Vec<_>>();
    market.push(&all(""));
    market.connect(market.admin).await;
    let admin = market.actor(market.admin).await;
    let selection = Selection { modules: names.iter().cloned().collect(), ..Selection::default() };
    publish(&admin, &selection).await;
    admin.set_auto_update(true).await.unwrap();
    let second = admin.create_account(person("second", [Role::Admin])).await.unwrap().id;
    market.push(&all("variable {"));
    assert_eq!(look(&market).await.followed.kept, names.len());
    for account in [market.admin, second] {
        let told = market.notices(account).await;
        let Some(Notice::ModulesKept { modules, steps, .. }) = told.first() else { panic!("{told:?}") };
        assert_eq!((*modules, steps.len()), (names.len() as u64, MOST_TOLD));
    }
    assert!(market.notices(market.partner).await.is_empty());
}

#[tokio::test]
async fn a_look_at_what_was_connected_before_changes_nothing() {
    let market = Market::open().await;
    market.publish(&["small"]).await;
    let partner = market.actor(market.partner).await;
    partner.set_auto_update(true).await.unwrap();
    look(&market).await;
    market.push(&[("small", "variable \"credit_cost\" { default = 99 }")]);
    market.repos.commit("bakery", "main", with_small(), market.clock.now()).unwrap();
    let held_up = market.source.hold_up();
    let elsewhere = RepoConnection { repository: "bakery".to_owned(), branch: None, sub_dir: String::new() };
    let (report, ()) = tokio::join!(look(&market), async {
        held_up.wait().await;
        partner.connect(Some(elsewhere.clone())).await.unwrap();
        held_up.wait().await;
    });
    assert_eq!((report.looked, report.followed), (1, Followed::default()), "of another repository");
    let cost = listings(&market).await[0].revision.manifest.metadata.credit_cost;
    assert_eq!(cost.to_string(), "60", "what was read of it is not published");
    let watch = partner.watch().await.unwrap().unwrap();
    let head = market
        .repos
        .head(RepoAccess { repository: "bakery", publisher: Publisher::Platform, credential: None }, None)
        .await
        .unwrap();
    assert_eq!((&watch.connection, watch.auto_update), (&elsewhere, false));
    assert_eq!(watch.last.commit, Some(head.commit), "and is not taken for seen");
}

fn with_small() -> SourceTree {
    let mut tree = tree();
    tree.insert_file("small/main.tf", SMALL).unwrap();
    tree
}

#[tokio::test]
async fn a_plan_for_what_was_connected_before_is_stale() {
    let market = Market::open().await;
    market.connect(market.partner).await;
    let partner = market.actor(market.partner).await;
    let selection = Selection { modules: ["small".to_owned()].into(), ..Selection::default() };
    let plan = partner.plan_sync(&selection).await.unwrap();
    market.push(&[("small", SMALL)]);
    let held_up = market.source.hold_up();
    market.repos.commit("bakery", "main", with_small(), market.clock.now()).unwrap();
    let elsewhere = RepoConnection { repository: "bakery".to_owned(), branch: None, sub_dir: String::new() };
    let head = market
        .repos
        .head(RepoAccess { repository: "shop", publisher: Publisher::Platform, credential: None }, None)
        .await
        .unwrap();
    let (applied, ()) = tokio::join!(partner.apply_sync(&selection, &head.commit, plan.version), async {
        held_up.wait().await;
        partner.connect(Some(elsewhere)).await.unwrap();
        held_up.wait().await;
    });
    assert!(matches!(applied, Err(PlatformError::PlanChanged)), "{applied:?}");
    assert!(listings(&market).await.is_empty());
}

#[tokio::test]
async fn what_fails_here_is_not_laid_to_the_repository() {
    let market = Market::open().await;
    market.publish(&["small"]).await;
    look(&market).await;
    market.push(&[("small", SMALL)]);
    market.credentials.fail(true);
    market.clock.advance(EVERY);
    let failed = market.platform.operations().watch_repositories(EVERY).await;
    assert!(failed.is_err_and(|error| error.backend().is_some()));
    market.credentials.fail(false);
    let partner = market.actor(market.partner).await;
    let last = partner.watch().await.unwrap().unwrap().last;
    assert_eq!((last.failures, last.problem), (0, None));
    market.clock.advance(TimeDelta::minutes(15));
    assert_eq!(look(&market).await.looked, 1, "it is looked at again");
}

#[tokio::test]
async fn what_was_connected_and_not_watched_yet_is_watched_at_the_next_look() {
    let market = Market::open().await;
    market.publish(&["small", "paid"]).await;
    market.actor(market.partner).await.set_auto_update(true).await.unwrap();
    market.repos.commit("bakery", "main", with_small(), market.clock.now()).unwrap();
    let publisher = Publisher::Partner(market.partner);
    let elsewhere = RepoConnection { repository: "bakery".to_owned(), branch: None, sub_dir: String::new() };
    market.directory.set_connection(publisher, Some(&elsewhere)).await.unwrap();
    assert_eq!(look(&market).await.followed, Followed { withdrawn: 1, updated: 0, kept: 0 });
    let watch = market.actor(market.partner).await.watch().await.unwrap().unwrap();
    assert_eq!((watch.connection, watch.auto_update), (elsewhere, false));
}
