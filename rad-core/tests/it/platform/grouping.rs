//! Groups: who names them, and who sees what trusts them.

use rad_core::catalog::CatalogSort;
use rad_core::id::AccountId;
use rad_core::platform::PlatformError;

use super::market::Market;

const SOURCE: &str = r#"variable "trusted_groups" { default = ["Crew", "staff@example.com"] }"#;

/// Whether an account finds the partner's module.
async fn finds(market: &Market, account: AccountId) -> bool {
    let page = market.actor(account).await.search_modules(false, "", CatalogSort::Name, None).await.unwrap();
    let found = page.items.iter().any(|card| card.listing.name == "closed");
    if found {
        let id = page.items[0].listing.id;
        assert!(market.actor(account).await.deploy_form(id).await.is_ok(), "what is found can be deployed");
    }
    found
}

#[tokio::test]
async fn a_module_is_shown_to_members_of_the_groups_it_trusts() {
    let market = Market::open().await;
    market.push(&[("closed", SOURCE)]);
    market.publish(&["closed"]).await;
    assert!(!finds(&market, market.user).await);
    let (partner, admin) = (market.actor(market.partner).await, market.actor(market.admin).await);
    let group = partner.save_group(" CREW ", [" User@Example.com", "user@example.com"]).await.unwrap();
    assert_eq!((group.name.name(), group.members.len()), ("crew", 1));
    assert!(finds(&market, market.user).await, "a group of the publisher");
    assert!(!finds(&market, market.agent).await);
    partner.save_group("crew", []).await.unwrap();
    assert!(!finds(&market, market.user).await, "who left it");

    admin.save_group("staff@example.com", ["user@example.com"]).await.unwrap();
    assert!(finds(&market, market.user).await, "a group of the platform");
    assert_eq!(partner.groups().await.unwrap().len(), 1, "each looks after groups of their own");
    admin.remove_group("STAFF@example.com").await.unwrap();
    assert!(!finds(&market, market.user).await);
    assert!(admin.groups().await.unwrap().is_empty());
}

#[tokio::test]
async fn groups_are_checked_and_for_publishers_alone() {
    let market = Market::open().await;
    let partner = market.actor(market.partner).await;
    for (name, member, field) in [("", "a@b.c", "name"), ("x", "nobody", "members")] {
        let refused = partner.save_group(name, [member]).await.unwrap_err();
        assert!(
            matches!(refused, PlatformError::Invalid { field: wrong, .. } if wrong == field),
            "{refused}"
        );
    }
    let many: Vec<String> = (0..1_001).map(|number| format!("p{number}@example.com")).collect();
    let refused = partner.save_group("x", many.iter().map(String::as_str)).await.unwrap_err();
    assert!(refused.to_string().contains("at most 1000"), "{refused}");
    for number in 0..200 {
        partner.save_group(&format!("g{number}"), []).await.unwrap();
    }
    assert!(partner.save_group("one-more", []).await.unwrap_err().to_string().contains("remove one"));
    partner.save_group("g7", ["a@example.com"]).await.unwrap();
    let user = market.actor(market.user).await;
    assert!(matches!(user.groups().await, Err(PlatformError::Forbidden { .. })));
    assert!(matches!(user.save_group("x", []).await, Err(PlatformError::Forbidden { .. })));
    assert!(matches!(user.remove_group("x").await, Err(PlatformError::Forbidden { .. })));
}
