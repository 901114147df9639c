//! Cancelling, updating, confirming and purging, over HTTP and in the browser.

use std::time::Duration;

use fantoccini::Locator;

use crate::browser::Window;
use crate::client::{Answer, Browser};
use crate::portal::{Demo, balances, deploy, publish_own, wait_for};

/// A module that makes one thing at once and another never, and whose first thing cannot be destroyed.
const STUBBORN: &str = r#"
variable "public_access" { default = true }
variable "enable_purge" { default = true }
variable "credit_cost" { default = 4 }
variable "hang" { default = false }
resource "terraform_data" "stays" {
  provisioner "local-exec" {
    when    = destroy
    command = "echo 'it does not go'; exit 1"
  }
}
resource "terraform_data" "hangs" {
  count      = var.hang ? 1 : 0
  depends_on = [terraform_data.stays]
  provisioner "local-exec" { command = "echo hanging; sleep 600" }
}
"#;

/// A portal with the module `stubborn`, and a user who can pay for it.
async fn with_stubborn() -> (Demo, Browser) {
    let demo = Demo::start().await;
    publish_own(&mut demo.signed_in("partner").await, &demo.data(), &[("stubborn", STUBBORN)]).await;
    demo.award("user", "20").await;
    let user = demo.signed_in("user").await;
    (demo, user)
}

/// Waits until the page of a deployment says something.
async fn until(browser: &mut Browser, id: &str, text: &str) -> Answer {
    let mut page = browser.get(&format!("/deployments/{id}")).await;
    for _ in 0..400 {
        if page.body.contains(text) {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
        page = browser.get(&format!("/deployments/{id}")).await;
    }
    panic!("{id} never says {text:?}: {}", page.body);
}

#[tokio::test]
async fn a_live_run_is_cancelled_and_costs_nothing() {
    let demo = Demo::published().await;
    demo.award("user", "20").await;
    let mut user = demo.signed_in("user").await;
    let id = deploy(&mut user, "fleet", &[("v/size", "12"), ("v/pause", "30")]).await;
    let page = until(&mut user, &id, "<li class=\"started\">").await;
    page.assert_has("id=\"cancel\"");
    let mut agent = demo.signed_in("agent").await;
    assert_eq!(agent.post(&format!("/deployments/{id}/cancel"), &[]).await.status, 404);
    assert_eq!(balances(&mut user).await, ["5", "0", "15"]);
    let cancelled = user.post(&format!("/deployments/{id}/cancel"), &[]).await;
    assert_eq!(cancelled.location(), format!("/deployments/{id}?notice=cancelling"));
    let page = wait_for(&mut user, &id, "cancelled").await;
    page.assert_has("id=\"diverged\"");
    page.assert_has("id=\"retry\"");
    assert_eq!(balances(&mut user).await, ["20", "0", "0"]);
    let again = user.post(&format!("/deployments/{id}/cancel"), &[]).await;
    assert_eq!(again.status, 422);
    again.assert_has("ended already: cancelled");
    assert_eq!(user.post(&format!("/deployments/{id}/dance"), &[]).await.status, 404);
}

#[tokio::test]
async fn an_update_asks_before_it_destroys_and_is_free() {
    let demo = Demo::published().await;
    demo.award("user", "20").await;
    let mut user = demo.signed_in("user").await;
    let id = deploy(&mut user, "fleet", &[("v/size", "3"), ("v/pause", "0")]).await;
    wait_for(&mut user, &id, "success").await.assert_has("id=\"update\"");
    let address = format!("/deployments/{id}/update");
    let form = user.get(&address).await;
    form.assert_has("name=\"v/size\" value=\"3\"");
    let commit = form.between("name=\"commit\" value=\"", "\"").to_owned();
    let fields = |size| [("commit", commit.as_str()), ("v/size", size), ("v/pause", "0"), ("do", "update")];
    let wrong = user.post(&address, &fields("900")).await;
    assert_eq!(wrong.status, 422);
    wrong.assert_has("A fleet has between 1 and 200 machines.");

    let updated = user.post(&address, &fields("1")).await;
    assert_eq!(updated.location(), format!("/deployments/{id}?notice=updating"), "{}", updated.body);
    let page = until(&mut user, &id, "id=\"ask\"").await;
    page.assert_has("terraform_data.machine[2]");
    let digest = page.between("name=\"plan\" value=\"", "\"").to_owned();
    let api = user.get(&format!("/api/v1/deployments/{id}")).await;
    api.assert_has("\"waits_for\":\"confirmation\"");
    api.assert_has(&format!("\"plan_digest\":\"{digest}\""));
    let other = "0".repeat(64);
    let stale = user.post(&format!("/deployments/{id}/confirm"), &[("plan", &other)]).await;
    assert_eq!(stale.status, 422);
    stale.assert_has("look at the new one");
    let confirmed = user.post(&format!("/api/v1/deployments/{id}/confirm"), &[("plan", &digest)]).await;
    confirmed.assert_has("\"action\":\"update\"");
    let page = wait_for(&mut user, &id, "success").await;
    page.assert_has("<dt>size</dt><dd><code>1</code>");
    assert_eq!(balances(&mut user).await, ["5", "0", "0"], "the fee is paid once");
    assert_eq!(user.get(&format!("/deployments/{id}/update?newest=true")).await.status, 200);
}

#[tokio::test]
async fn an_update_that_is_not_safe_is_warned_of_and_keeps_secrets() {
    let demo = Demo::published().await;
    demo.award("user", "40").await;
    let mut user = demo.signed_in("user").await;
    let values = [("v/service_name", "shop"), ("v/admin_password", "correct horse battery")];
    let id = deploy(&mut user, "web-stack", &values).await;
    wait_for(&mut user, &id, "success").await;
    let address = format!("/deployments/{id}/update");
    let form = user.get(&address).await;
    form.assert_has("leave it empty to keep it");
    assert!(!form.body.contains("correct horse"), "a secret is on the page");
    let commit = form.between("name=\"commit\" value=\"", "\"").to_owned();
    let mut fields = vec![("commit", commit.as_str()), ("v/service_name", "store"), ("do", "update")];
    let warned = user.post(&address, &fields).await;
    assert_eq!(warned.status, 200, "{}", warned.body);
    warned.assert_has("id=\"unsafe\"");
    warned.assert_has("<b>service_name</b>");
    let api = format!("/api/v1{address}");
    let refused = user.post(&api, &fields).await;
    assert_eq!(refused.status, 422);
    refused.assert_has("made anew for service_name");
    fields.push(("accept", "true"));
    user.post(&api, &fields).await.assert_has("\"status\":\"queued\"");
    until(&mut user, &id, "<dt>service_name</dt><dd><code>store</code>").await;
    let page = wait_for(&mut user, &id, "success").await;
    page.assert_has("id=\"plan\"");
}

#[tokio::test]
async fn a_purge_needs_the_id_and_tells_what_is_left() {
    let (_demo, mut user) = with_stubborn().await;
    let id = deploy(&mut user, "stubborn", &[]).await;
    wait_for(&mut user, &id, "success").await;
    user.post(&format!("/deployments/{id}/delete"), &[]).await;
    wait_for(&mut user, &id, "failure").await.assert_has("id=\"diverged\"");
    let address = format!("/deployments/{id}/purge");
    let refused = user.post(&address, &[("confirm", "yes")]).await;
    assert_eq!(refused.status, 422);
    refused.assert_has(&format!("type {id}"));
    assert_eq!(user.post(&address, &[("confirm", &id)]).await.status, 303);
    let page = wait_for(&mut user, &id, "deleted").await;
    let left = page.between("id=\"left\"", "</section>").to_owned();
    assert!(left.contains("terraform_data.stays"), "{left}");
    user.get(&format!("/api/v1/deployments/{id}")).await.assert_has("\"left\":[\"terraform_data.stays\"]");
    assert_eq!(user.post(&address, &[("confirm", &id)]).await.status, 422, "it is closed");
    assert_eq!(balances(&mut user).await, ["16", "0", "0"]);
}

#[tokio::test]
async fn a_live_run_is_cancelled_and_purged_in_a_browser() {
    let demo = Demo::published().await;
    demo.award("user", "40").await;
    let mut window = Window::open(&demo).await;
    window.sign_in(&demo, "user").await;
    let mut user = demo.signed_in("user").await;
    let id = deploy(&mut user, "fleet", &[("v/size", "9"), ("v/pause", "60")]).await;
    window.go(&format!("/deployments/{id}")).await;
    window.see("#resources li.started").await;
    window.picture("lifecycle-live").await;
    window.click("#cancel").await;
    window.client.accept_alert().await.unwrap();
    window.until("#status", "cancelled").await;
    window.until("#diverged", "Its state is kept").await;
    window.picture("lifecycle-cancelled").await;
    purge(&mut window, &id).await;
    window.until("#left", "Purged").await;

    update(&mut window, &mut user).await;
    window.client.clone().close().await.unwrap();
}

/// Types the id and purges.
async fn purge(window: &mut Window, id: &str) {
    window.click("#purge-card summary").await;
    window.fill("#purge-confirm", id).await;
    window.picture("lifecycle-purge").await;
    window.click("#purge").await;
    window.until("#status", "deleted").await;
    window.until("#history", "Purge").await;
    window.picture("lifecycle-purged").await;
}

/// Updates a deployment so that its plan destroys something, confirms that, and looks at the plan.
async fn update(window: &mut Window, user: &mut Browser) {
    let id = deploy(user, "fleet", &[("v/size", "3"), ("v/pause", "0")]).await;
    window.go(&format!("/deployments/{id}")).await;
    window.until("#status", "success").await;
    window.click("#update").await;
    window.fill("[name='v/size']", "1").await;
    window.picture("lifecycle-update").await;
    window.click(".page:not([hidden]) [data-next]").await;
    window.click("#deploy-now").await;
    window.until("#ask", "terraform_data.machine[2]").await;
    window.picture("lifecycle-ask").await;
    window.click("#confirm").await;
    window.until("#status", "success").await;
    window.click("#plan summary").await;
    window.until("#plan", "destroy").await;
    window.picture("lifecycle-updated").await;
    let gone = window.client.find_all(Locator::Css("#ask")).await.unwrap();
    assert!(gone.is_empty(), "nothing is asked any more");
}
