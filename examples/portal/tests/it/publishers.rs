//! On whose behalf somebody with several roles publishes, and what becomes of modules when a role is taken away.

use crate::client::Browser;
use crate::portal::{Demo, MODULES, account_id};

/// Replaces the roles of the demo's partner, and gives the account's id.
async fn set_roles(admin: &mut Browser, roles: &[&str]) -> String {
    let id = account_id(admin, "partner").await;
    let fields: Vec<_> = roles.iter().map(|role| ("role", *role)).collect();
    let set = admin.post(&format!("/admin/accounts/{id}/roles"), &fields).await;
    assert_eq!(set.status, 303, "{}", set.body);
    id
}

#[tokio::test]
async fn an_admin_who_is_a_partner_too_chooses_for_whom_to_publish() {
    let demo = Demo::published().await;
    let mut admin = demo.signed_in("admin").await;
    assert!(!admin.get("/profile").await.body.contains("id=\"publisher\""), "there is no choice");
    let id = set_roles(&mut admin, &["partner", "admin", "user"]).await;
    let mut both = demo.signed_in("partner").await;
    let page = both.get("/profile").await;
    page.assert_has("Platform repository");
    page.assert_has(&format!("name=\"publisher\" value=\"{id}\">Myself"));
    let of_the_platform = both.proof.clone();
    let chosen = both.post("/publisher", &[("publisher", &id), ("back", "/publish")]).await;
    assert_eq!(chosen.location(), "/publish", "{}", chosen.body);
    let page = both.get("/publish").await;
    page.assert_has("demo-modules");
    page.assert_has(&format!("{} published", MODULES.len()));

    let disconnect = "/profile/repository/disconnect";
    let old = both.post_bare(disconnect, &[("csrf", &of_the_platform)]).await;
    assert_eq!(old.status, 303, "a page that is open goes on for whom it was shown");
    both.get("/publish").await.assert_has(&format!("{} published", MODULES.len()));
    let proof = of_the_platform.split_once('.').unwrap().0;
    let other = account_id(&mut admin, "user").await;
    for publisher in [&other, "", "x"] {
        let forged = format!("{proof}.{publisher}");
        assert_eq!(both.post_bare(disconnect, &[("csrf", &forged)]).await.status, 403, "{publisher:?}");
    }
    both.get("/profile").await;
    assert_eq!(both.post("/publisher", &[("publisher", &other)]).await.status, 403);
    assert_eq!(both.post(disconnect, &[]).await.status, 303);
    let page = both.get("/profile").await;
    assert!(!page.body.contains("Connected to"), "{}", page.body);
}

#[tokio::test]
async fn what_a_former_partner_has_on_offer_is_withdrawn_by_an_admin() {
    let demo = Demo::published().await;
    let (mut admin, mut user) = (demo.signed_in("admin").await, demo.signed_in("user").await);
    let id = account_id(&mut admin, "partner").await;
    let (page, withdraw) = (format!("/admin/accounts/{id}"), format!("/admin/accounts/{id}/withdraw"));
    admin.get(&page).await.assert_has("Taking the role <i>partner</i> away leaves them on offer");
    set_roles(&mut admin, &["user"]).await;
    let shown = admin.get(&page).await;
    shown.assert_has("no partner any more");
    assert_eq!(shown.between("id=\"offered\">", "<"), format!("{} modules", MODULES.len()));
    user.get("/deploy?tab=partner").await.assert_has("data-name=\"hello\"");
    let mut finance = demo.signed_in("finance").await;
    assert!(!finance.get(&page).await.body.contains("id=\"offer\""));
    assert_eq!(finance.post(&withdraw, &[]).await.status, 403);
    let withdrawn = admin.post(&withdraw, &[]).await;
    assert_eq!(withdrawn.location(), format!("{page}?notice=withdrawn"), "{}", withdrawn.body);
    assert!(!user.get("/deploy?tab=partner").await.body.contains("data-name"));
    assert!(!admin.get(&page).await.body.contains("id=\"offer\""), "nothing is left");
}
