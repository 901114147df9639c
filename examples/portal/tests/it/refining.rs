//! Refining a module: the conversation, the change and its commit, without scripts and in a browser.

use std::process::Command;

use rad_github::local::{TreeLimits, read_path};

use crate::browser::Window;
use crate::jules::{FakeJules, KEY};
use crate::portal::{Demo, publish};

/// A portal with a code agent, on which the partner has connected the demo repository.
async fn begin() -> (Demo, FakeJules) {
    let jules = FakeJules::start().await;
    let demo = Demo::start_with(|config| {
        config.jules_key = Some(jules.key_file.clone());
        config.jules_api = Some(jules.api.clone());
    })
    .await;
    publish(&mut demo.signed_in("partner").await, &["hello"]).await;
    (demo, jules)
}

/// The commit at the tip of the demo repository.
fn head(demo: &Demo) -> String {
    let repository = demo.dir.path().join("data/repos/demo-modules");
    let read = read_path(&repository, Some("main"), "", &TreeLimits::default()).unwrap();
    read.commit.unwrap().to_string()
}

/// A change to the greeting of the module `hello`.
fn patch(from: &str, to: &str) -> String {
    format!(
        "diff --git a/modules/hello/main.tf b/modules/hello/main.tf\n--- a/modules/hello/main.tf\n\
         +++ b/modules/hello/main.tf\n@@ -5,3 +5,3 @@\n resource \"terraform_data\" \"greeting\" {{\n\
         -  input = \"{from}\"\n+  input = \"{to}\"\n }}\n"
    )
}

const GREETING: &str = "Hello, ${var.who}!";

#[tokio::test]
async fn a_change_is_planned_shown_and_committed() {
    let (demo, jules) = begin().await;
    let base = head(&demo);
    jules.proposes(&base, &patch(GREETING, "Hello <all>!"));
    let mut partner = demo.signed_in("partner").await;
    partner.get("/publish").await.assert_has("/explore?module=hello");
    partner.get("/deploy?tab=partner").await.assert_has("/explore?module=hello");
    partner.get("/explore?module=hello").await.assert_has("What should change?");
    let refused = partner.post("/explore", &[("module", "hello"), ("message", " ")]).await;
    assert_eq!(refused.status, 422);
    refused.assert_has("message: it is empty");

    let started = partner.post("/explore", &[("module", "hello"), ("message", "Greet everybody")]).await;
    assert_eq!(started.status, 303, "{}", started.body);
    let talk = started.location().to_owned();
    let page = partner.get(&talk).await;
    page.assert_has("Read &#60;b&#62;main.tf");
    page.assert_has("waits for you to approve the plan");
    let version = page.between("data-version=\"", "\"").to_owned();
    let live = partner.get(&format!("{talk}/live?seen={version}")).await;
    assert_eq!(live.status, 204, "nothing changed since");

    assert_eq!(partner.post(&format!("{talk}/plan"), &[]).await.location(), talk);
    let live = partner.get(&format!("{talk}/live?seen={version}")).await;
    assert_eq!(live.status, 200);
    live.assert_has("<td class=\"sign\">+</td><td><ins>  input = &#34;Hello &#60;all&#62;!&#34;</ins>");
    live.assert_has("<td class=\"at\">6</td><td class=\"at\"></td><td class=\"sign\">−</td>");
    live.assert_has("terraform validate");
    let picture = live.between("<img src=\"", "\"").to_owned();
    let shown = partner.get(&picture).await;
    assert_eq!((shown.status.as_u16(), shown.headers["content-type"].to_str().unwrap()), (200, "image/png"));
    assert_eq!(shown.headers["x-content-type-options"], "nosniff");
    assert!(shown.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    assert_eq!(
        partner.get(&picture.replace("/2", "/0")).await.status,
        404,
        "a command's output is no picture"
    );
    assert_eq!(demo.signed_in("admin").await.get(&picture).await.status, 404);
    assert_eq!(head(&demo), base, "nothing is committed before it is accepted");

    let change = live.between("name=\"change\" value=\"", "\"").to_owned();
    let accepted = partner.post(&format!("{talk}/change"), &[("change", &change)]).await;
    assert_eq!(accepted.location(), format!("{talk}?notice=committed"), "{}", accepted.body);
    assert_ne!(head(&demo), base);
    let page = partner.get(&talk).await;
    page.assert_has(&format!("Committed as <code>{}</code>", &head(&demo)[..7]));
    partner.get("/publish").await.assert_has("badge changed");
    for path in ["/explore", "/profile", talk.as_str()] {
        assert!(!partner.get(path).await.body.contains(KEY), "the key is on {path}");
    }
}

#[tokio::test]
async fn what_a_branch_does_not_take_is_proposed_beside_it() {
    let (demo, jules) = begin().await;
    let repository = demo.dir.path().join("data/repos/demo-modules");
    let bare = demo.dir.path().join("bare");
    std::fs::rename(&repository, &bare).unwrap();
    // A branch that somebody has checked out takes no commits.
    let cloned = Command::new("git").args(["clone", "--quiet"]).arg(&bare).arg(&repository).status().unwrap();
    assert!(cloned.success());
    let base = head(&demo);
    jules.proposes(&base, &patch(GREETING, "Hello!"));
    let mut partner = demo.signed_in("partner").await;
    let fields = [("module", "hello"), ("message", "Greet")];
    let talk = partner.post("/explore", &fields).await.location().to_owned();
    partner.post(&format!("{talk}/plan"), &[]).await;
    let page = partner.get(&talk).await;
    let change = page.between("name=\"change\" value=\"", "\"").to_owned();
    let refused = partner.post(&format!("{talk}/change"), &[("change", &change)]).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    refused.assert_has("is checked out there");
    refused.assert_has("Open a pull request");
    let proposed = partner.post(&format!("{talk}/propose"), &[("change", &change)]).await;
    assert_eq!(proposed.status, 200, "{}", proposed.body);
    let branch = proposed.between("The change is on the branch <code>", "<").to_owned();
    let read = read_path(&repository, Some(&branch), "modules/hello", &TreeLimits::default()).unwrap();
    let text = read.tree.file("main.tf").unwrap();
    assert!(std::str::from_utf8(text).unwrap().contains("input = \"Hello!\""), "{text:?}");
    assert_eq!(head(&demo), base, "the branch that is checked out stays");
}

#[tokio::test]
async fn a_conflict_is_told_and_a_talk_is_for_its_publisher() {
    let (demo, jules) = begin().await;
    let base = head(&demo);
    jules.proposes(&base, &patch("Something else", "Hello!"));
    let mut partner = demo.signed_in("partner").await;
    let fields = [("module", "hello"), ("message", "Greet")];
    let talk = partner.post("/explore", &fields).await.location().to_owned();
    partner.post(&format!("{talk}/plan"), &[]).await;
    let page = partner.get(&talk).await;
    let change = page.between("name=\"change\" value=\"", "\"").to_owned();
    let refused = partner.post(&format!("{talk}/change"), &[("change", &change)]).await;
    assert_eq!(refused.status, 409);
    refused.assert_has("modules/hello/main.tf:6: the line is not what the change was made to");
    assert_eq!(head(&demo), base);

    jules.proposes(&base, &patch(GREETING, "Hello!"));
    let sent = partner.post(&format!("{talk}/message"), &[("message", "Try again")]).await;
    assert_eq!(sent.location(), talk);
    partner.get(&talk).await.assert_has("Here is another one.");
    let stale = partner.post(&format!("{talk}/change"), &[("change", &change)]).await;
    assert_eq!(stale.status, 409, "what is accepted is what was looked at");

    let mut admin = demo.signed_in("admin").await;
    assert_eq!(admin.get(&talk).await.status, 404);
    let mut user = demo.signed_in("user").await;
    assert_eq!(user.get(&talk).await.status, 403);
    assert_eq!(user.get("/explore").await.status, 403);
    assert!(!user.get("/deploy?tab=partner").await.body.contains("/explore"));
}

#[tokio::test]
async fn without_a_key_there_is_no_agent_and_no_sparkles() {
    let demo = Demo::published().await;
    let mut partner = demo.signed_in("partner").await;
    assert!(!partner.get("/publish").await.body.contains("/explore"));
    let refused = partner.post("/explore", &[("module", "hello"), ("message", "Greet")]).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    refused.assert_has("the code agent denies access: no key is set up");
}

#[tokio::test]
async fn a_partners_own_key_is_checked_kept_and_forgotten() {
    let jules = FakeJules::start().await;
    let demo = Demo::start_with(|config| config.jules_api = Some(jules.api.clone())).await;
    let mut partner = demo.signed_in("partner").await;
    let page = partner.get("/profile").await;
    assert!(!page.body.contains("key saved") && !page.body.contains("href=\"/explore\""), "{}", page.body);
    let refused = partner.post("/profile/agent", &[("key", "AIza-of-nobody")]).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    refused.assert_has("the code agent denies access");
    assert!(!refused.body.contains("of-nobody") && !refused.body.contains("key saved"));
    let saved = partner.post("/profile/agent", &[("key", KEY)]).await;
    assert_eq!(saved.location(), "/profile?notice=key#agent");
    let page = partner.get("/profile").await;
    page.assert_has("key saved");
    assert!(!page.body.contains("href=\"/explore\""), "there is no repository yet");
    publish(&mut partner, &["hello"]).await;
    let page = partner.get("/publish").await;
    page.assert_has("href=\"/explore\"");
    page.assert_has("/explore?module=hello");
    assert!(!page.body.contains(KEY));
    let started = partner.post("/explore", &[("module", "hello"), ("message", "Greet")]).await;
    assert_eq!(started.status, 303, "{}", started.body);
    assert!(
        !demo.signed_in("admin").await.get("/profile").await.body.contains("key saved"),
        "the partner's alone"
    );
    partner.get("/profile").await;
    assert_eq!(
        partner.post("/profile/agent/forget", &[]).await.location(),
        "/profile?notice=key-forgotten#agent"
    );
    assert!(!partner.get("/publish").await.body.contains("/explore"));
}

#[tokio::test]
async fn a_module_is_refined_in_a_browser() {
    let (demo, jules) = begin().await;
    jules.proposes(&head(&demo), &patch(GREETING, "Hello, everybody!"));
    let mut window = Window::open(&demo).await;
    window.sign_in(&demo, "partner").await;
    window.go("/publish").await;
    window.click("[data-name=hello] a.sparkles").await;
    window.fill("#message", "Greet everybody").await;
    window.picture("refine-start").await;
    window.click("#start").await;
    window.until("#talk", "The plan:").await;
    window.picture("refine-plan").await;
    window.fill("#message", "While I type").await;
    window.click("#approve").await;
    window.until("#change ins", "Hello, everybody!").await;
    window.until("#change del", "Hello, ${var.who}!").await;
    window.picture("refine-change").await;
    // What the agent says appears by itself, and what is being typed stays.
    window.fill("#message", "And now in French").await;
    window.client.execute(SEND, Vec::new()).await.unwrap();
    window.client.execute("document.activeElement.blur()", Vec::new()).await.unwrap();
    window.until("#talk", "Here is another one.").await;
    let typed = window.client.execute("return document.getElementById('message').value", Vec::new()).await;
    assert_eq!(typed.unwrap(), "And now in French");
    window.click("#accept").await;
    window.until("#committed", "Committed as").await;
    window.until("#committed", &head(&demo)[..7]).await;
    window.picture("refine-committed").await;
    window.go("/publish").await;
    window.until("[data-name=hello]", "changed").await;
    window.client.clone().close().await.unwrap();
}

/// Sends a message from another window of the same person.
const SEND: &str = "const form = document.getElementById('message').form;
    const fields = new URLSearchParams(new FormData(form));
    fields.set('message', 'Another one, please');
    fetch(form.action, { method: 'POST', body: fields });";
