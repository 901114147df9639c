//! Publishing from GitHub: the token, the repositories it opens, webhooks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rad_core::catalog::Publisher;
use rad_core::platform::{Followed, RepoNews};
use rad_core::seal::Keyring;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::client::{Answer, Browser};
use crate::fake_github::{FakeGitHub, POOR_TOKEN, TOKEN};
use crate::portal::{Demo, account_id, publish_from};

const REPOSITORY: &str = "octo/modules";

/// A portal whose GitHub is the one given.
async fn portal(github: &FakeGitHub) -> Demo {
    Demo::start_with(|config| config.github_api = Some(github.api.clone())).await
}

/// A portal on which the partner published two modules from GitHub, and the partner.
async fn published(github: &FakeGitHub) -> (Demo, Browser, Hook) {
    github.push(REPOSITORY, &["network", "storage"]);
    let demo = portal(github).await;
    let mut partner = demo.signed_in("partner").await;
    let saved = partner.post("/profile/token", &[("token", TOKEN)]).await;
    assert_eq!(saved.location(), "/profile?notice=token&fetch=true#repository", "{}", saved.body);
    publish_from(&mut partner, REPOSITORY, &["network", "storage"]).await;
    let hook = Hook::made(&mut partner).await;
    (demo, partner, hook)
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

/// Where GitHub delivers, and what it signs with.
struct Hook {
    path: String,
    secret: String,
}

impl Hook {
    /// What the profile page tells, the secret once.
    async fn made(partner: &mut Browser) -> Self {
        partner.get("/profile").await;
        let page = partner.post("/profile/webhook", &[]).await;
        let address = page.between("id=\"webhook-address\">", "<");
        let path = address.split_once("://").unwrap().1.split_once('/').unwrap().1;
        let secret = page.between("id=\"webhook-secret\">", "<").to_owned();
        Self { path: format!("/{path}"), secret }
    }

    /// Delivers an event as GitHub does.
    async fn deliver(&self, browser: &mut Browser, event: &str, id: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let signature = signature(&self.secret, &body);
        let headers = [
            ("x-github-event", event),
            ("x-github-delivery", id),
            ("x-hub-signature-256", signature.as_str()),
        ];
        browser.post_raw(&self.path, &headers, body.into()).await
    }
}

fn push(branch: &str) -> Value {
    let repository = json!({ "full_name": "Octo/Modules", "default_branch": "main" });
    json!({ "ref": format!("refs/heads/{branch}"), "repository": repository })
}

#[tokio::test]
async fn a_token_is_refused_in_place_saved_without_being_shown_and_forgotten() {
    let github = FakeGitHub::start().await;
    for name in ["octo/modules", "octo/private-things", "octo/archived-things", "octo/foreign-things"] {
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
    let asked = github.asked();
    let page = partner.get("/profile").await;
    page.assert_has("Fetch the repositories to choose one.");
    assert!(!page.body.contains("octo/") && github.asked() == asked, "nothing is fetched unless asked for");
    let page = partner.get("/profile?fetch=true").await;
    page.assert_has("token saved");
    page.assert_has("The token is <b>octo</b>’s and expires 31 Jan 2027");
    page.assert_has("value=\"demo-modules\"");
    page.assert_has("value=\"octo/modules\"");
    page.assert_has("default branch main · private<");
    page.assert_has("default branch main · archived<");
    let foreign = page.between("value=\"octo/foreign-things\"", "</label>");
    assert!(foreign.contains("disabled") && foreign.contains("read only"), "{foreign}");
    assert!(!page.body.contains(TOKEN), "{}", page.body);
    assert!(
        !demo.signed_in("admin").await.get("/profile?fetch=true").await.body.contains("octo/"),
        "the partner's alone"
    );
    let user = demo.signed_in("user").await.get("/profile").await;
    assert!(!user.body.contains("webhook"), "{}", user.body);

    let forgotten = partner.post("/profile/token/forget", &[]).await;
    assert_eq!(forgotten.location(), "/profile?notice=forgotten");
    let page = partner.get("/profile?fetch=true").await;
    assert!(!page.body.contains("token saved") && !page.body.contains("octo/"), "{}", page.body);
}

#[tokio::test]
async fn nobody_publishes_from_what_a_token_may_only_read() {
    let github = FakeGitHub::start().await;
    github.push("octo/foreign-modules", &["network"]);
    let demo = portal(&github).await;
    let mut partner = demo.signed_in("partner").await;
    let connection = [("repository", "octo/foreign-modules"), ("branch", ""), ("sub_dir", "modules")];
    let refused = partner.post("/profile/repository", &connection).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    refused.assert_has("save a token that may");
    partner.post("/profile/token", &[("token", TOKEN)]).await;
    let refused = partner.post("/profile/repository", &connection).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    refused.assert_has("may read it and not write");
    assert_eq!(partner.get("/publish").await.location(), "/profile#repository", "nothing is connected");
}

#[tokio::test]
async fn a_push_takes_modules_that_are_gone_off_the_catalogue_and_publishes_nothing() {
    let github = FakeGitHub::start().await;
    let (demo, mut partner, hook) = published(&github).await;
    github.push(REPOSITORY, &["network", "cluster"]);
    assert_eq!(hook.deliver(&mut partner, "push", "1", &push("feature")).await.status, 204);
    assert_eq!(on_offer(&demo, ["network", "storage"]).await, [true, true], "another branch moved");
    let pushed = hook.deliver(&mut partner, "push", "2", &push("main")).await;
    assert_eq!(pushed.status, 204, "{}", pushed.body);
    assert_eq!(on_offer(&demo, ["network", "storage"]).await, [true, false]);
    assert_eq!(on_offer(&demo, ["cluster", "storage"]).await, [false, false]);
    assert_eq!(hook.deliver(&mut partner, "ping", "3", &json!({ "zen": "" })).await.status, 204);
}

#[tokio::test]
async fn what_broke_since_it_was_published_stays_ticked_and_on_offer() {
    let github = FakeGitHub::start().await;
    let (demo, mut partner, _) = published(&github).await;
    github.push_broken(REPOSITORY, &["network", "cluster"], &["storage"]);
    let page = partner.get("/publish").await;
    let card = page.between("data-name=\"storage\"", "</article>");
    assert!(card.contains("value=\"storage\" checked>") && card.contains("stays on offer"), "{card}");
    publish_from(&mut partner, REPOSITORY, &["network", "storage", "cluster"]).await;
    assert_eq!(on_offer(&demo, ["cluster", "storage"]).await, [true, true]);
    publish_from(&mut partner, REPOSITORY, &["network"]).await;
    assert_eq!(on_offer(&demo, ["network", "storage"]).await, [true, false], "unticked, it leaves");
}

#[tokio::test]
async fn a_delivery_that_is_forged_or_not_true_changes_nothing() {
    let github = FakeGitHub::start().await;
    let (demo, mut partner, hook) = published(&github).await;
    let body = push("main").to_string();
    for signature in ["", "sha256=", signature("another secret of a good length", &body).as_str()] {
        let headers =
            [("x-github-event", "push"), ("x-github-delivery", "1"), ("x-hub-signature-256", signature)];
        let refused = partner.post_raw(&hook.path, &headers, body.clone().into()).await;
        assert_eq!(refused.status, 401, "{signature}: {}", refused.body);
        refused.assert_has("\"code\":\"UNAUTHENTICATED\"");
    }
    let large = vec![b'x'; rad_github::github::LARGEST_DELIVERY + 1];
    assert_eq!(partner.post_raw(&hook.path, &[], large.into()).await.status, 413);
    let unreadable = hook.deliver(&mut partner, "push", "2", &json!({})).await;
    assert_eq!(unreadable.status, 400, "{}", unreadable.body);
    let repository = json!({ "full_name": REPOSITORY });
    let deleted = json!({ "action": "deleted", "repository": repository });
    assert_eq!(hook.deliver(&mut partner, "repository", "3", &deleted).await.status, 204);
    assert_eq!(on_offer(&demo, ["network", "storage"]).await, [true, true], "it is still there");
    let operations = demo.portal.platform().operations();
    let partner = account_id(&mut demo.signed_in("admin").await, "partner").await.parse().unwrap();
    let partner = Publisher::Partner(partner);
    let followed = operations.follow_repository(partner, REPOSITORY, &RepoNews::Changed).await.unwrap();
    assert_eq!(followed, Followed::default());
    let headers = [("x-github-event", "push"), ("x-hub-signature-256", "sha256=")];
    for nobody in ["platform", "00000000-0000-0000-0000-000000000000", "x"] {
        let path = format!("/webhooks/github/{nobody}");
        let refused = demo.browser().post_raw(&path, &headers, "{}".into()).await;
        assert_eq!(refused.status, 401, "{nobody}: {}", refused.body);
    }
}

#[tokio::test]
async fn a_delivery_is_acted_on_once_and_only_with_an_id() {
    let github = FakeGitHub::start().await;
    let (demo, mut partner, hook) = published(&github).await;
    assert_eq!(hook.deliver(&mut partner, "push", "1", &push("main")).await.status, 204);
    github.push(REPOSITORY, &["network"]);
    let asked = github.asked();
    for (id, why) in [("1", "the same delivery"), ("2", "the same body under another id")] {
        assert_eq!(hook.deliver(&mut partner, "push", id, &push("main")).await.status, 204);
        assert_eq!(github.asked(), asked, "{why}");
    }
    let mut other = push("main");
    other["after"] = json!("0123456789012345678901234567890123456789");
    assert_eq!(hook.deliver(&mut partner, "push", "1", &other).await.status, 204);
    assert_eq!(github.asked(), asked, "another body under an id that came before");
    let refused = hook.deliver(&mut partner, "push", "", &other).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    refused.assert_has("X-GitHub-Delivery");
    assert_eq!(github.asked(), asked);
    other["before"] = other["after"].take();
    assert_eq!(hook.deliver(&mut partner, "push", "3", &other).await.status, 204);
    assert!(github.asked() > asked, "it was not taken before");
    assert_eq!(on_offer(&demo, ["network", "storage"]).await, [true, false]);
}

#[tokio::test]
async fn a_repository_that_changes_its_readers_or_default_branch_is_looked_at() {
    let github = FakeGitHub::start().await;
    let (demo, mut partner, hook) = published(&github).await;
    let repository = json!({ "full_name": REPOSITORY, "default_branch": "main" });
    let privatized = json!({ "action": "privatized", "repository": repository });
    let changes = json!({ "default_branch": { "from": "master" } });
    let edited = json!({ "action": "edited", "changes": changes, "repository": repository });
    let publicized = json!({ "action": "publicized", "repository": repository });
    github.push(REPOSITORY, &["network"]);
    assert_eq!(hook.deliver(&mut partner, "repository", "1", &publicized).await.status, 204);
    assert_eq!(on_offer(&demo, ["network", "storage"]).await, [true, true], "more readers change nothing");
    assert_eq!(hook.deliver(&mut partner, "repository", "2", &privatized).await.status, 204);
    assert_eq!(on_offer(&demo, ["network", "storage"]).await, [true, false]);
    github.push(REPOSITORY, &["cluster"]);
    assert_eq!(hook.deliver(&mut partner, "repository", "3", &edited).await.status, 204);
    assert_eq!(on_offer(&demo, ["network", "storage"]).await, [false, false]);
}

#[tokio::test]
async fn a_repository_that_was_renamed_is_followed_under_its_new_name() {
    let github = FakeGitHub::start().await;
    let (demo, mut partner, hook) = published(&github).await;
    github.push("octo/blocks", &["network", "storage"]);
    let repository = json!({ "full_name": "octo/blocks", "default_branch": "main" });
    let changes = json!({ "repository": { "name": { "from": "modules" } } });
    let renamed = json!({ "action": "renamed", "changes": changes, "repository": repository });
    assert_eq!(hook.deliver(&mut partner, "repository", "1", &renamed).await.status, 204);
    partner.get("/profile").await.assert_has("Connected to <b>octo/blocks</b>");
    github.push("octo/blocks", &["network"]);
    let pushed = json!({ "ref": "refs/heads/main", "repository": repository });
    assert_eq!(hook.deliver(&mut partner, "push", "2", &pushed).await.status, 204);
    assert_eq!(on_offer(&demo, ["network", "storage"]).await, [true, false]);
}

#[tokio::test]
async fn a_revoked_token_takes_nothing_off_the_catalogue_and_can_be_replaced() {
    let github = FakeGitHub::start().await;
    let (demo, mut partner, hook) = published(&github).await;
    github.revoke();
    assert_eq!(hook.deliver(&mut partner, "push", "1", &push("main")).await.status, 204);
    assert_eq!(on_offer(&demo, ["network", "storage"]).await, [true, true]);
    let page = partner.get("/profile?fetch=true").await;
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
    assert_eq!(partner.post_raw("/webhooks/github/platform", &[], "{}".into()).await.status, 404);
}

#[tokio::test]
async fn a_webhooks_secret_is_shown_once_and_replaced_without_a_gap() {
    let github = FakeGitHub::start().await;
    let (demo, mut partner, old) = published(&github).await;
    let page = partner.get("/profile").await;
    assert!(!page.body.contains(&old.secret), "it is shown once: {}", page.body);
    page.assert_has("Make a new secret");
    let new = Hook::made(&mut partner).await;
    assert_eq!(new.path, old.path);
    assert_ne!(new.secret, old.secret);
    partner.get("/profile").await.assert_has("the one before is taken until");
    github.push(REPOSITORY, &["network"]);
    assert_eq!(old.deliver(&mut partner, "push", "1", &push("main")).await.status, 204);
    assert_eq!(on_offer(&demo, ["network", "storage"]).await, [true, false], "signed with the one before");
    let newest = Hook::made(&mut partner).await;
    assert_eq!(old.deliver(&mut partner, "push", "2", &push("main")).await.status, 401, "two are taken");
    assert_eq!(newest.deliver(&mut partner, "ping", "3", &json!({})).await.status, 204);
    partner.get("/profile").await;
    let forgotten = partner.post("/profile/webhook/forget", &[]).await;
    assert_eq!(forgotten.location(), "/profile?notice=webhook-forgotten#github");
    assert_eq!(newest.deliver(&mut partner, "ping", "4", &json!({})).await.status, 401);
}

#[tokio::test]
async fn the_branches_of_a_repository_are_listed_with_the_default_one_first() {
    let github = FakeGitHub::start().await;
    github.push(REPOSITORY, &["network"]);
    for number in 0..120 {
        github.push_to(REPOSITORY, &format!("a-{number:03}"), &["network"]);
    }
    let demo = portal(&github).await;
    let mut partner = demo.signed_in("partner").await;
    partner.post("/profile/token", &[("token", TOKEN)]).await;
    let listed = partner.get("/profile/branches?repository=octo%2Fmodules&branch=a-119").await;
    listed.assert_has("main now, whichever it is later");
    listed.assert_has("value=\"a-119\" checked");
    assert_eq!(listed.body.matches("name=\"branch\"").count(), 122, "all pages, and the default branch");
    assert!(listed.body.find("value=\"main\"") < listed.body.find("value=\"a-000\""));
    let missing = partner.get("/profile/branches?repository=octo%2Fnone").await;
    missing.assert_has("no repository");
    let user = demo.signed_in("user").await.get("/profile/branches?repository=octo%2Fmodules").await;
    assert_eq!(user.status, 403);

    partner.get("/profile").await;
    let chosen = [("repository", REPOSITORY), ("branch", ""), ("sub_dir", "modules")];
    let page = partner.post("/profile/branches", &chosen).await;
    page.assert_has("value=\"octo/modules\" required checked");
    page.assert_has("value=\"a-007\"");
    let chosen = [("repository", REPOSITORY), ("branch", "a-007"), ("sub_dir", "modules")];
    assert_eq!(partner.post("/profile/repository", &chosen).await.location(), "/publish?notice=connected");
    partner.get("/publish").await.assert_has("branch a-007");
    partner.get("/profile").await.assert_has("value=\"a-007\" checked");
}

#[tokio::test]
async fn keys_are_replaced_by_putting_a_new_one_first() {
    let github = FakeGitHub::start().await;
    github.push(REPOSITORY, &["network"]);
    let keys = |all: &[u8]| {
        let written = all.iter().map(|byte| STANDARD.encode([*byte; 32])).collect::<Vec<_>>().join(",");
        Some(Keyring::from_base64(&written.into()).unwrap())
    };
    let demo = Demo::start_with(|config| {
        config.github_api = Some(github.api.clone());
        config.keys = keys(&[1]);
    })
    .await;
    demo.signed_in("partner").await.post("/profile/token", &[("token", TOKEN)]).await;
    assert!(!demo.dir.path().join("data/credentials.key").exists(), "no key is left beside the database");
    let demo = demo.restarted(|config| config.keys = keys(&[2, 1])).await;
    demo.signed_in("partner").await.get("/profile?fetch=true").await.assert_has("octo/modules");
    let demo = demo.restarted(|config| config.keys = keys(&[2])).await;
    demo.signed_in("partner").await.get("/profile?fetch=true").await.assert_has("octo/modules");
}

#[tokio::test]
async fn with_auto_update_a_push_publishes_what_changed() {
    let github = FakeGitHub::start().await;
    let (_demo, mut partner, hook) = published(&github).await;
    partner.get("/publish").await.assert_has("auto-update off");
    let on = partner.post("/publish/auto-update", &[("on", "true")]).await;
    assert_eq!(on.location(), "/publish?notice=auto-on");
    github.push_changed(REPOSITORY, &["network", "storage", "broken"]);
    partner.get("/publish").await.assert_has("badge changed");
    assert_eq!(hook.deliver(&mut partner, "push", "1", &push("main")).await.status, 204);
    let page = partner.get("/publish").await;
    assert!(!page.body.contains("badge changed"), "{}", page.body);
    page.assert_has("auto-update on");
    page.assert_has("by itself");
    page.assert_has("Shown to everybody");
    partner.post("/publish/auto-update", &[("on", "false")]).await;
    partner.get("/publish").await.assert_has("auto-update off");
}

#[tokio::test]
async fn groups_are_looked_after_in_their_own_page() {
    let demo = Demo::start().await;
    let mut partner = demo.signed_in("partner").await;
    partner.get("/publish/groups").await.assert_has("New group");
    let refused = partner.post("/publish/groups", &[("name", "crew"), ("members", "a@b.c, nobody")]).await;
    assert_eq!(refused.status, 422);
    refused.assert_has("members: &#34;nobody&#34; is not an e-mail address");
    refused.assert_has("a@b.c, nobody");
    let members = "Ann@Example.com\r\nbob@example.com,ann@example.com";
    let saved = partner.post("/publish/groups", &[("name", "Crew"), ("members", members)]).await;
    assert_eq!(saved.location(), "/publish/groups?notice=group");
    let page = partner.get("/publish/groups").await;
    page.assert_has("data-group=\"crew\"");
    page.assert_has("ann@example.com\nbob@example.com</textarea>");
    assert!(!demo.signed_in("admin").await.get("/publish/groups").await.body.contains("crew"));
    assert_eq!(demo.signed_in("user").await.get("/publish/groups").await.status, 403);
    partner.post("/publish/groups/remove", &[("name", "crew")]).await;
    assert!(!partner.get("/publish/groups").await.body.contains("data-group"));
}
