//! Who may do what, and who sees what.

use rad_core::access::{Publisher, Role, Roles};
use rad_core::catalog::CatalogSort;
use rad_core::clock::Clock as _;
use rad_core::directory::{AccountQuery, Directory as _, NewAccount};
use rad_core::id::AccountId;
use rad_core::ledger::RevenueQuery;
use rad_core::platform::{PlatformError, RevenueView, Selection};
use uuid::Uuid;

use super::market::{Market, credits, person, values};

fn forbidden<T>(result: Result<T, PlatformError>) -> bool {
    matches!(result, Err(PlatformError::Forbidden { .. }))
}

#[tokio::test]
async fn users_reach_nothing_of_partners_finance_or_admins() {
    let market = Market::open().await;
    let user = market.actor(market.user).await;
    assert!(forbidden(user.repositories().await));
    assert!(forbidden(user.module_grid().await));
    assert!(forbidden(user.plan_sync(&Selection::default()).await));
    assert!(forbidden(user.accounts(&AccountQuery::default()).await));
    assert!(forbidden(user.account_of(market.partner).await));
    assert!(forbidden(user.award(market.partner, credits("1"), Uuid::new_v4()).await));
    assert!(forbidden(user.platform_settings().await));
    assert!(forbidden(user.create_account(person("x", [Role::Admin])).await));
    assert!(forbidden(user.set_roles(market.user, Roles::from([Role::Admin])).await));
    assert!(forbidden(user.deployments(true, "", None).await));
    for view in [RevenueView::All, RevenueView::Partner, RevenueView::Agent] {
        assert!(forbidden(user.revenue(view, RevenueQuery::default()).await));
    }
}

#[tokio::test]
async fn an_admin_who_is_a_partner_too_publishes_as_either_and_a_former_partner_as_none() {
    let market = Market::open().await;
    market.publish(&["small"]).await;
    let (admin, own) = (market.actor(market.admin).await, Publisher::Partner(market.partner));
    admin.set_roles(market.partner, Roles::from([Role::Admin, Role::Partner])).await.unwrap();
    let both = market.actor(market.partner).await;
    assert_eq!(both.publishers(), [Publisher::Platform, own]);
    assert!(both.connection().await.unwrap().is_none(), "the platform's, unless it chooses");
    let as_partner = both.clone().publishing_as(own);
    assert_eq!(as_partner.connection().await.unwrap().unwrap().repository, "shop");
    assert!(as_partner.module_grid().await.unwrap().entries.iter().any(|entry| entry.is_published()));
    let other = Publisher::Partner(market.agent);
    assert!(forbidden(both.publishing_as(other).module_grid().await), "nobody else's");

    admin.set_roles(market.partner, Roles::from([Role::User])).await.unwrap();
    let former = market.actor(market.partner).await;
    assert_eq!(former.publishers(), []);
    assert!(forbidden(former.clone().publishing_as(own).connect(None).await));
    assert!(forbidden(former.withdraw_offer_of(market.partner).await));
    assert!(forbidden(market.actor(market.finance).await.offer_of(market.partner).await));
    let offer = admin.offer_of(market.partner).await.unwrap();
    assert_eq!((offer.modules, offer.connection.unwrap().repository.as_str()), (1, "shop"));
    admin.withdraw_offer_of(market.partner).await.unwrap();
    let offer = admin.offer_of(market.partner).await.unwrap();
    assert_eq!((offer.modules, offer.connection), (0, None));
}

#[tokio::test]
async fn nobody_adjusts_their_own_balance_or_their_own_roles() {
    let market = Market::open().await;
    for account in [market.finance, market.admin] {
        let actor = market.actor(account).await;
        assert!(forbidden(actor.award(account, credits("1"), Uuid::new_v4()).await));
    }
    let admin = market.actor(market.admin).await;
    assert!(forbidden(admin.set_roles(market.admin, Roles::default()).await));
}

#[tokio::test]
async fn an_award_is_given_once_and_has_bounds() {
    let market = Market::open().await;
    let finance = market.actor(market.finance).await;
    let submission = Uuid::new_v4();
    for _ in 0..2 {
        finance.award(market.user, credits("5"), submission).await.unwrap();
    }
    assert_eq!(market.credits(market.user).await.0, "5");
    for amount in ["0", "-1", "1000000.000001"] {
        let refused = finance.award(market.user, credits(amount), Uuid::new_v4()).await.unwrap_err();
        assert!(matches!(refused, PlatformError::Invalid { field: "credits", .. }), "{refused}");
    }
    let nobody = finance.award(AccountId::new(), credits("5"), Uuid::new_v4()).await.unwrap_err();
    assert!(matches!(nobody, PlatformError::NotFound { .. }), "{nobody}");
}

#[tokio::test]
async fn private_modules_are_shown_to_their_partner_and_readable_by_staff() {
    let market = Market::open().await;
    market.publish(&["private"]).await;
    for (account, seen) in
        [(market.partner, 1), (market.admin, 1), (market.finance, 1), (market.user, 0), (market.agent, 0)]
    {
        let actor = market.actor(account).await;
        let page = actor.search_modules(false, "", CatalogSort::Name, None).await.unwrap();
        assert_eq!(page.items.len(), seen, "{}", actor.account().email);
    }
    let module = market.module("private").await;
    let user = market.actor(market.user).await;
    let refused = user.deploy(module, &values(&[]), Uuid::new_v4()).await.unwrap_err();
    assert!(matches!(refused, PlatformError::NotFound { what: "module" }), "{refused}");
}

#[tokio::test]
async fn the_deployments_of_others_do_not_exist_for_one() {
    let market = Market::open().await;
    market.publish(&["small"]).await;
    market.award(market.user, "100").await;
    let module = market.module("small").await;
    let user = market.actor(market.user).await;
    let deployment = user.deploy(module, &values(&[("name", "blue")]), Uuid::new_v4()).await.unwrap();
    for account in [market.partner, market.agent, market.finance] {
        let other = market.actor(account).await;
        let absent = other.deployment(deployment.id).await.unwrap_err();
        assert!(matches!(absent, PlatformError::NotFound { .. }), "{absent}");
        assert!(other.destroy(deployment.id).await.is_err());
        assert!(other.run_log(deployment.latest_run, 0).await.is_err());
    }
    let admin = market.actor(market.admin).await;
    assert_eq!(admin.deployments(true, "small", None).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn roles_count_from_the_next_request_on() {
    let market = Market::open().await;
    let admin = market.actor(market.admin).await;
    admin.set_roles(market.user, Roles::from([Role::User, Role::Finance])).await.unwrap();
    let user = market.actor(market.user).await;
    assert!(user.accounts(&AccountQuery { limit: 10, ..AccountQuery::default() }).await.is_ok());
    admin.set_roles(market.user, Roles::from([Role::User])).await.unwrap();
    assert!(forbidden(market.actor(market.user).await.accounts(&AccountQuery::default()).await));
}

#[tokio::test]
async fn a_second_founder_is_refused_and_a_registration_is_a_user() {
    let market = Market::open().await;
    let operations = market.platform.operations();
    assert!(operations.found(person("second", [])).await.is_err());
    let registered = operations.register(person("new", [Role::Admin])).await.unwrap();
    assert_eq!(registered.roles, Roles::from([Role::User]));
}

#[tokio::test]
async fn two_people_changing_settings_do_not_overwrite_each_other() {
    let market = Market::open().await;
    let finance = market.actor(market.finance).await;
    let now = finance.platform_settings().await.unwrap();
    finance.change_settings(now.version, &now.settings).await.unwrap();
    let stale = finance.change_settings(now.version, &now.settings).await.unwrap_err();
    assert!(matches!(stale, PlatformError::Settings(_)), "{stale}");
    let mut greedy = now.settings.clone();
    greedy.partner_revenue_share = "90".parse().unwrap();
    greedy.agent_revenue_share = "10.01".parse().unwrap();
    let refused = finance.change_settings(now.version + 1, &greedy).await.unwrap_err();
    assert!(refused.to_string().contains("agent_revenue_share"), "{refused}");
}

#[tokio::test]
async fn finance_sets_credits_and_only_an_admin_opens_everything_to_everybody() {
    let market = Market::open().await;
    let finance = market.actor(market.finance).await;
    let mut now = finance.platform_settings().await.unwrap();
    now.settings.signup_credits = credits("5");
    now = finance.change_settings(now.version, &now.settings).await.unwrap();
    now.settings.private_mode = true;
    assert!(forbidden(finance.change_settings(now.version, &now.settings).await));
    let admin = market.actor(market.admin).await;
    assert!(admin.change_settings(now.version, &now.settings).await.unwrap().settings.private_mode);
}

#[tokio::test]
async fn a_submission_awards_one_amount_and_none_while_credits_are_off() {
    let market = Market::open().await;
    let finance = market.actor(market.finance).await;
    let submission = Uuid::new_v4();
    finance.award(market.user, credits("5"), submission).await.unwrap();
    let other = finance.award(market.user, credits("6"), submission).await.unwrap_err();
    assert!(matches!(other, PlatformError::Invalid { field: "credits", .. }), "{other}");
    market.change_settings(|settings| settings.enable_credits = false).await;
    let off = finance.award(market.user, credits("5"), Uuid::new_v4()).await.unwrap_err();
    assert!(off.to_string().contains("switched off"), "{off}");
    assert_eq!(market.credits(market.user).await.0, "5");
}

#[tokio::test]
async fn a_name_has_bounds() {
    let market = Market::open().await;
    for name in ["x".repeat(201), "two\nlines".to_owned()] {
        let new = NewAccount { name, ..person("long", []) };
        let refused = market.platform.operations().register(new).await.unwrap_err();
        assert!(matches!(refused, PlatformError::Invalid { field: "name", .. }), "{refused}");
    }
    assert!(market.platform.operations().register(person("long", [])).await.is_ok(), "nothing was kept");
}

#[tokio::test]
async fn a_new_account_gets_its_credits_once_whatever_stops_in_between() {
    let market = Market::open().await;
    market.change_settings(|settings| settings.signup_credits = credits("5")).await;
    let operations = market.platform.operations();
    let whole = operations.register(person("whole", [])).await.unwrap();
    assert_eq!(market.credits(whole.id).await.0, "5");
    // As a process leaves it that ends right after it made the account; what is promised stays so.
    let half = market.directory.create(person("half", []), credits("5"), market.clock.now()).await.unwrap();
    market.change_settings(|settings| settings.signup_credits = credits("7")).await;
    assert_eq!(market.credits(half.id).await.0, "0");
    let (one, other) = tokio::join!(operations.sweep(), operations.sweep());
    assert!(one.unwrap().welcomed + other.unwrap().welcomed >= 1);
    assert_eq!(operations.sweep().await.unwrap().welcomed, 0, "nothing is owed any more");
    assert_eq!((market.credits(half.id).await.0, market.credits(whole.id).await.0), ("5".into(), "5".into()));
}
