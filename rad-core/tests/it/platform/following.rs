//! What a source tells about a repository: modules that are gone leave the catalogue, and nothing else happens.

use rad_core::access::Publisher;
use rad_core::catalog::CatalogSort;
use rad_core::clock::Clock as _;
use rad_core::directory::Directory as _;
use rad_core::id::AccountId;
use rad_core::platform::{Followed, GridState, RepoNews, Selection};
use rad_core::repo::RepoConnection;
use rad_core::runner::RunOutcome;
use rad_core::source::SourceTree;
use uuid::Uuid;

use super::market::{MODULES, Market, publish, values};

/// The default branch moved.
fn pushed() -> RepoNews {
    RepoNews::Pushed { branch: "main".to_owned(), is_default: true }
}

/// What the partner's repository lost.
async fn follow(market: &Market, repository: &str, news: &RepoNews) -> usize {
    let (operations, partner) = (market.platform.operations(), Publisher::Partner(market.partner));
    let followed = operations.follow_repository(partner, repository, news).await.unwrap();
    assert_eq!((followed.updated, followed.kept), (0, 0), "auto-update is off");
    followed.withdrawn
}

/// The modules that a partner or the platform has on offer.
async fn on_offer(market: &Market, publisher: AccountId) -> Vec<String> {
    let actor = market.actor(publisher).await;
    let platform = actor.publishes_as().unwrap() == Publisher::Platform;
    let page = actor.search_modules(platform, "", CatalogSort::Name, None).await.unwrap();
    page.items.into_iter().map(|card| card.listing.name).collect()
}

/// Lets the partner's connection lead elsewhere, without looking there.
async fn redirect(market: &Market, repository: &str, branch: Option<&str>, sub_dir: &str) {
    let connection = RepoConnection {
        repository: repository.to_owned(),
        branch: branch.map(str::to_owned),
        sub_dir: sub_dir.to_owned(),
    };
    let partner = Publisher::Partner(market.partner);
    market.directory.set_connection(partner, Some(&connection)).await.unwrap();
}

#[tokio::test]
async fn a_repository_that_was_renamed_stays_connected_under_its_new_name() {
    let market = Market::open().await;
    market.publish(&["small", "paid"]).await;
    let partner = market.actor(market.partner).await;
    partner.set_auto_update(true).await.unwrap();
    let (operations, publisher) = (market.platform.operations(), Publisher::Partner(market.partner));
    let renamed = |to: &str| RepoNews::Renamed { to: to.to_owned() };
    operations.follow_repository(publisher, "shop", &renamed("nowhere")).await.unwrap();
    assert_eq!(
        partner.connection().await.unwrap().unwrap().repository,
        "shop",
        "what is not true changes nothing"
    );

    let mut tree = SourceTree::default();
    tree.insert_file("small/main.tf", "variable \"public_access\" { default = true }").unwrap();
    market.repos.commit("bazaar", "main", tree, market.clock.now()).unwrap();
    let followed = operations.follow_repository(publisher, "shop", &renamed("bazaar")).await.unwrap();
    assert_eq!((followed.withdrawn, followed.updated), (1, 1), "it is looked at");
    assert_eq!(partner.connection().await.unwrap().unwrap().repository, "bazaar");
    let watch = partner.watch().await.unwrap().unwrap();
    assert_eq!((watch.connection.repository.as_str(), watch.auto_update), ("bazaar", true));
    let followed = operations.follow_repository(publisher, "shop", &pushed()).await.unwrap();
    assert_eq!(followed, Followed::default(), "nothing is connected under the old name");
}

#[tokio::test]
async fn a_publisher_loses_what_left_the_repository_and_gets_nothing_new() {
    let market = Market::open().await;
    market.publish(&["small", "paid"]).await;
    market.connect(market.admin).await;
    let admin = market.actor(market.admin).await;
    let selection = Selection { modules: ["paid".to_owned()].into(), ..Selection::default() };
    publish(&admin, &selection).await;
    market.sell(market.user).await;
    let user = market.actor(market.user).await;
    let module = market.module("paid").await;
    let deployment = user.deploy(module, &values(&[]), Uuid::new_v4()).await.unwrap();
    market.finish_next(RunOutcome::Success).await;

    let mut left = MODULES.to_vec();
    left.retain(|(name, _)| *name != "paid");
    left[0].1 = "variable \"public_access\" { default = true }";
    market.push(&left);
    let elsewhere = RepoNews::Pushed { branch: "feature".to_owned(), is_default: false };
    assert_eq!(follow(&market, "shop", &elsewhere).await, 0, "another branch moved");
    assert_eq!(follow(&market, "bakery", &pushed()).await, 0, "another repository");
    assert_eq!(follow(&market, "Shop", &pushed()).await, 1, "the partner's");
    assert_eq!(on_offer(&market, market.partner).await, ["small"]);
    assert_eq!(on_offer(&market, market.admin).await, ["paid"], "the platform was told nothing");
    let operations = market.platform.operations();
    let followed = operations.follow_repository(Publisher::Platform, "shop", &pushed()).await.unwrap();
    assert_eq!(followed.withdrawn, 1);
    assert!(on_offer(&market, market.admin).await.is_empty());
    assert_eq!(follow(&market, "shop", &pushed()).await, 0, "told again");
    let partner = market.actor(market.partner).await;
    let grid = partner.module_grid().await.unwrap();
    let small = grid.entries.iter().find(|entry| entry.name == "small").unwrap();
    assert_eq!(small.state, GridState::Changed, "what changed is for the partner to publish");
    user.destroy(deployment.id).await.unwrap();
}

#[tokio::test]
async fn a_named_branch_is_followed_by_its_name() {
    let market = Market::open().await;
    market.publish(&["small", "paid"]).await;
    redirect(&market, "shop", Some("release"), "").await;
    assert_eq!(follow(&market, "shop", &pushed()).await, 0, "the default branch is another one");
    let gone = RepoNews::Pushed { branch: "release".to_owned(), is_default: false };
    assert_eq!(follow(&market, "shop", &gone).await, 2, "there is no such branch any more");
    assert!(on_offer(&market, market.partner).await.is_empty());
}

#[tokio::test]
async fn a_directory_that_is_gone_holds_no_module() {
    let market = Market::open().await;
    market.publish(&["small"]).await;
    redirect(&market, "shop", None, "modules").await;
    assert_eq!(follow(&market, "shop", &pushed()).await, 1);
}

#[tokio::test]
async fn a_repository_is_gone_if_it_is_said_to_be_and_not_found() {
    let market = Market::open().await;
    market.publish(&["small"]).await;
    assert_eq!(follow(&market, "shop", &RepoNews::Deleted).await, 0, "it is there");
    redirect(&market, "bakery", None, "").await;
    assert_eq!(follow(&market, "bakery", &RepoNews::Changed).await, 0, "it may only be hidden");
    assert_eq!(on_offer(&market, market.partner).await, ["small"]);
    assert_eq!(follow(&market, "bakery", &RepoNews::Deleted).await, 1);
    assert!(on_offer(&market, market.partner).await.is_empty());
}
