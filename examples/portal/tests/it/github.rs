//! Publishing from GitHub: the token, the repositories it opens, webhooks.

use hmac::{Hmac, KeyInit, Mac};
use rad_core::platform::RepoNews;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::client::{Answer, Browser};
use crate::fake_github::{FakeGitHub, POOR_TOKEN, TOKEN};
use crate::portal::{Demo, publish_from};

const REPOSITORY: &str = "octo/modules";

/// A portal whose GitHub is the one given.
async fn portal(github: &FakeGitHub) -> Demo {
    Demo::start_with(|config| config.github_api = Some(github.api.clone())).await
}

/// A portal on which the partner published two modules from GitHub, and the partner.
async fn published(github: &FakeGitHub) -> (Demo, Browser) {
    github.push(REPOSITORY, &["network", "storage"]);
    let demo = portal(github).await;
    let mut partner = demo.signed_in("partner").await;
    let saved = partner.post("/profile/token", &[("token", TOKEN)]).await;
    assert_eq!(saved.location(), "/profile?notice=token#repository", "{}", saved.body);
    publish_from(&mut partner, REPOSITORY, &["network", "storage"]).await;
    (demo, partner)
}

/// Whether the modules are on offer.
async fn on_offer(demo: &Demo, modules: [&str; 2]) -> [bool; 2] {
    let page = demo.signed_in("user").await.get("/deploy?tab=partner").await;
    modules.map(|name| page.body.contains(&format!("data-name=\"{name}\"")))
}

fn signature(secret: &str, body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

/// Delivers an event as GitHub does, to the address and signed with the secret that the profile page tells.
async fn deliver(partner: &mut Browser, event: &str, id: &str, body: &Value) -> Answer {
    let profile = partner.get("/profile").await;
    let address = profile.between("id=\"webhook-address\">", "<").to_owned();
    let secret = profile.between("id=\"webhook-secret\">", "<").to_owned();
    let path = address.split_once("://").unwrap().1.split_once('/').unwrap().1;
    let body = body.to_string();
    let signature = signature(&secret, &body);
    let headers =
        [("x-github-event", event), ("x-github-delivery", id), ("x-hub-signature-256", signature.as_str())];
    partner.post_raw(&format!("/{path}"), &headers, body.clone().into()).await
}

fn push(branch: &str) -> Value {
    let repository = json!({ "full_name": "Octo/Modules", "default_branch": "main" });
    json!({ "ref": format!("refs/heads/{branch}"), "repository": repository })
}

#[tokio::test]
async fn a_token_is_refused_in_place_saved_without_being_shown_and_forgotten() {
    let github = FakeGitHub::start().await;
    for name in ["octo/modules", "octo/private-things", "octo/archived-things"] {
        github.push(name, &["network"]);
    }
    let demo = portal(&github).await;
    let mut partner = demo.signed_in("partner").await;
    for (token, says) in
        [(POOR_TOKEN, "needs the scope repo"), ("ghp_unknown", "access denied"), ("", "access denied")]
    {
        let refused = partner.post("/profile/token", &[("token", token)]).await;
        assert_eq!(refused.status, 422, "{token}: {}", refused.body);
        refused.assert_has(says);
        assert!(!refused.body.contains("token saved") && !refused.body.contains("octo/"), "{}", refused.body);
        assert!(token.is_empty() || !refused.body.contains(token), "{}", refused.body);
    }
    partner.post("/profile/token", &[("token", TOKEN)]).await;
    let page = partner.get("/profile").await;
    page.assert_has("token saved");
    page.assert_has("value=\"demo-modules\"");
    page.assert_has("value=\"octo/modules\"");
    page.assert_has("default branch main · private<");
    page.assert_has("default branch main · archived<");
    assert!(!page.body.contains(TOKEN), "{}", page.body);
    assert!(
        !demo.signed_in("admin").await.get("/profile").await.body.contains("octo/"),
        "the partner's alone"
    );
    let user = demo.signed_in("user").await.get("/profile").await;
    assert!(!user.body.contains("webhook-secret"), "{}", user.body);

    let forgotten = partner.post("/profile/token/forget", &[]).await;
    assert_eq!(forgotten.location(), "/profile?notice=forgotten");
    let page = partner.get("/profile").await;
    assert!(!page.body.contains("token saved") && !page.body.contains("octo/"), "{}", page.body);
}

#[tokio::test]
async fn a_push_takes_modules_that_are_gone_off_the_catalogue_and_publishes_nothing() {
    let github = FakeGitHub::start().await;
    let (demo, mut partner) = published(&github).await;
    github.push(REPOSITORY, &["network", "cluster"]);
    assert_eq!(deliver(&mut partner, "push", "1", &push("feature")).await.status, 204);
    assert_eq!(on_offer(&demo, ["network", "storage"]).await, [true, true], "another branch moved");
    let pushed = deliver(&mut partner, "push", "2", &push("main")).await;
    assert_eq!(pushed.status, 204, "{}", pushed.body);
    assert_eq!(on_offer(&demo, ["network", "storage"]).await, [true, false]);
    assert_eq!(on_offer(&demo, ["cluster", "storage"]).await, [false, false]);
    assert_eq!(deliver(&mut partner, "ping", "3", &json!({ "zen": "" })).await.status, 204);
}

#[tokio::test]
async fn a_delivery_that_is_forged_or_not_true_changes_nothing() {
    let github = FakeGitHub::start().await;
    let (demo, mut partner) = published(&github).await;
    let body = push("main").to_string();
    for signature in ["", "sha256=", signature("another secret of a good length", &body).as_str()] {
        let headers =
            [("x-github-event", "push"), ("x-github-delivery", "1"), ("x-hub-signature-256", signature)];
        let refused = partner.post_raw("/webhooks/github", &headers, body.clone().into()).await;
        assert_eq!(refused.status, 401, "{signature}: {}", refused.body);
        refused.assert_has("\"code\":\"UNAUTHENTICATED\"");
    }
    let large = vec![b'x'; rad_github::github::LARGEST_DELIVERY + 1];
    assert_eq!(partner.post_raw("/webhooks/github", &[], large.into()).await.status, 413);
    let unreadable = deliver(&mut partner, "push", "2", &json!({})).await;
    assert_eq!(unreadable.status, 400, "{}", unreadable.body);
    let repository = json!({ "full_name": REPOSITORY });
    let deleted = json!({ "action": "deleted", "repository": repository });
    assert_eq!(deliver(&mut partner, "repository", "3", &deleted).await.status, 204);
    assert_eq!(on_offer(&demo, ["network", "storage"]).await, [true, true], "it is still there");
    let operations = demo.portal.platform().operations();
    assert_eq!(operations.follow_repository(REPOSITORY, &RepoNews::Changed).await.unwrap(), 0);
}

#[tokio::test]
async fn a_revoked_token_takes_nothing_off_the_catalogue_and_can_be_replaced() {
    let github = FakeGitHub::start().await;
    let (demo, mut partner) = published(&github).await;
    github.revoke();
    assert_eq!(deliver(&mut partner, "push", "1", &push("main")).await.status, 204);
    assert_eq!(on_offer(&demo, ["network", "storage"]).await, [true, true]);
    let page = partner.get("/profile").await;
    assert_eq!(page.status, 200);
    page.assert_has("The repositories cannot be listed: access denied");
    page.assert_has("Replace the token");
    let refused = partner.post("/profile/token", &[("token", TOKEN)]).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    refused.assert_has("token saved");
}

#[tokio::test]
async fn without_github_there_is_no_place_for_its_tokens_and_webhooks() {
    let demo = Demo::start_with(|config| config.github = false).await;
    let mut partner = demo.signed_in("partner").await;
    assert!(!partner.get("/profile").await.body.contains("/profile/token"));
    let refused = partner.post("/profile/token", &[("token", TOKEN)]).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(partner.post_raw("/webhooks/github", &[], "{}".into()).await.status, 404);
}
