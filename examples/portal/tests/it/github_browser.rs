//! Publishing from GitHub in a real browser, from the token to a change of the code agent.

use crate::browser::Window;
use crate::fake_github::{FakeGitHub, POOR_TOKEN, TOKEN};
use crate::jules::{FakeJules, KEY};
use crate::portal::Demo;

const REPOSITORY: &str = "octo/modules";

#[tokio::test]
async fn modules_are_published_from_github_and_refined_in_a_browser() {
    let (github, jules) = (FakeGitHub::start().await, FakeJules::start().await);
    github.push(REPOSITORY, &["network", "storage"]);
    for branch in ["develop", "release-1", "release-2"] {
        github.push_to(REPOSITORY, branch, &["network"]);
    }
    github.push("octo/private-things", &["vault"]);
    let demo = Demo::start_with(|config| {
        config.github_api = Some(github.api.clone());
        config.jules_api = Some(jules.api.clone());
    })
    .await;
    let mut window = Window::open_as(&demo, "github").await;
    window.sign_in(&demo, "partner").await;
    connect(&mut window).await;
    publish(&mut window).await;

    github.push_changed(REPOSITORY, &["network", "storage"]);
    window.go("/publish").await;
    window.until("[data-name=network] .badge", "changed").await;
    window.picture("changed").await;
    jules.proposes(&github.head(REPOSITORY).await, PATCH);
    refine(&mut window).await;
    look_after(&mut window).await;
    window.client.clone().close().await.unwrap();
}

/// A token, a repository, a branch, and a key of the agent.
async fn connect(window: &mut Window) {
    window.go("/profile").await;
    window.fill("#token", POOR_TOKEN).await;
    window.click("#save-token").await;
    window.until("#github .problem", "needs the scope repo").await;
    window.picture("token-refused").await;
    window.fill("#token", TOKEN).await;
    window.click("#save-token").await;
    window.until(".notice", "The token is saved").await;
    window.fill("[data-filter='#repos .choice']", "octo").await;
    window.see("#repos .choice[hidden]").await;
    window.click("input[name=repository][value='octo/modules']").await;
    window.until("#branches", "main now").await;
    window.fill("[data-filter='#branches .choice']", "release").await;
    window.see("#branches .choice[hidden]").await;
    window.picture("branches").await;
    window.click("input[name=branch][value='release-2']").await;
    window.fill("#sub_dir", "modules").await;
    window.click("#connect").await;
    window.until(".page-head", "branch release-2").await;
    // And back to the default branch.
    window.go("/profile").await;
    window.click("input[name=branch][value='']").await;
    window.click("#connect").await;
    window.until(".page-head", "branch main").await;

    window.go("/profile").await;
    window.fill("#key", "AIza-of-nobody").await;
    window.click("#save-key").await;
    window.until("#agent .problem", "denies access").await;
    window.fill("#key", KEY).await;
    window.click("#save-key").await;
    window.until("#agent", "key saved").await;
    window.go("/profile").await;
    window.click("#webhook summary").await;
    window.click("#make-secret").await;
    assert_eq!(window.see("#webhook-secret").await.len(), 64);
    window.until("#webhook", "it is not shown again").await;
    window.picture("profile").await;
}

async fn publish(window: &mut Window) {
    window.go("/publish").await;
    for module in ["network", "storage"] {
        window.click(&format!("input[name=module][value={module}]")).await;
    }
    window.click("#plan").await;
    window.until("table.plan", "network").await;
    window.picture("plan").await;
    window.click("#apply").await;
    window.until(".notice", "The catalogue is as you wanted it.").await;
    window.until("#syncs", "storage").await;
}

const PATCH: &str = "diff --git a/modules/network/main.tf b/modules/network/main.tf\n--- a/modules/network/main.tf\n\
                     +++ b/modules/network/main.tf\n@@ -1,2 +1,2 @@\n variable \"public_access\" { default = true }\n\
                     -output \"x\" { value = 2 }\n+output \"x\" { value = 3 }\n";

async fn refine(window: &mut Window) {
    window.click("[data-name=network] a.sparkles").await;
    window.fill("#message", "Make it three").await;
    window.click("#start").await;
    window.until("#talk", "The plan:").await;
    window.click("#approve").await;
    window.until("#change ins", "value = 3").await;
    window.until("#talk", "terraform validate").await;
    window.see("#talk img.picture").await;
    window.picture("change").await;
    window.click("#accept").await;
    window.until("#committed", "Committed as").await;
    window.picture("committed").await;
}

/// Auto-update, and a group that modules can trust.
async fn look_after(window: &mut Window) {
    window.go("/publish").await;
    window.click("#switch-auto").await;
    window.until("#auto-update", "auto-update on").await;
    window.picture("auto-update").await;
    window.go("/publish/groups").await;
    window.fill("#name", "Crew").await;
    window.fill("#new-group textarea", "ann@example.com").await;
    window.click("#save-group").await;
    window.until("[data-group=crew]", "1 member").await;
    window.picture("groups").await;
}
