//! Deployments with the real engine: charged once, hidden from others, told in words when they fail.

use crate::portal::{Demo, balances, borrowed, deploy, newest, publish, submit, wait_for};

#[tokio::test]
async fn a_deployment_is_charged_when_it_succeeds_and_destroyed_for_nothing() {
    let demo = Demo::published().await;
    demo.award("user", "12").await;
    let mut user = demo.signed_in("user").await;
    crate::portal::buy(&mut user, "100", "pay").await;
    let password = "correct horse battery staple";
    let values = [("v/service_name", "shop"), ("v/admin_password", password)];
    let id = deploy(&mut user, "web-stack", &values).await;
    let page = wait_for(&mut user, &id, "success").await;
    assert!(!page.body.contains(password), "the page shows a password");
    page.assert_has("https://www.example.com/");
    page.assert_has("<dt>administrator</dt><dd><span class=\"masked\">sensitive</span>");
    page.assert_has("id=\"charged-awarded\">12<");
    page.assert_has("id=\"charged-purchased\">8<");
    assert_eq!(balances(&mut user).await, ["0", "92", "0"]);

    let log = page.between("href=\"/runs/", "/log\"").to_owned();
    let log = user.get(&format!("/runs/{log}/log")).await;
    log.assert_has("Apply complete");
    assert!(!log.body.contains(password), "the log shows a password");
    let revealed = user.post(&format!("/deployments/{id}/outputs/administrator"), &[]).await;
    revealed.assert_has("password_digest");

    let mut partner = demo.signed_in("partner").await;
    partner.get("/revenue").await.assert_has("data-total=\"Your share\">0.16 USD<");
    demo.signed_in("agent").await.get("/revenue").await.assert_has("data-total=\"Your share\">0.04 USD<");
    let all = demo.signed_in("finance").await.get("/api/v1/revenue").await;
    all.assert_has("\"gross\":80");
    all.assert_has("\"platform\":60");
    assert!(
        !partner.get("/api/v1/revenue").await.body.contains("gross\":80"),
        "a partner sees own shares only"
    );

    assert_eq!(user.post(&format!("/deployments/{id}/delete"), &[]).await.status, 303);
    wait_for(&mut user, &id, "deleted").await;
    assert_eq!(balances(&mut user).await, ["0", "92", "0"]);
    assert_eq!(user.post(&format!("/deployments/{id}/delete"), &[]).await.status, 422);
}

#[tokio::test]
async fn a_failed_apply_is_told_in_words_and_costs_nothing() {
    let demo = Demo::published().await;
    demo.award("user", "30").await;
    let mut user = demo.signed_in("user").await;
    let id = deploy(&mut user, "faulty", &[]).await;
    let page = wait_for(&mut user, &id, "failure").await;
    page.assert_has("class=\"diagnostic error\"");
    page.assert_has("main.tf:");
    page.assert_has("id=\"retry\"");
    assert_eq!(balances(&mut user).await, ["30", "0", "0"]);
}

#[tokio::test]
async fn what_belongs_to_others_is_not_there() {
    let demo = Demo::published().await;
    demo.award("user", "30").await;
    let mut user = demo.signed_in("user").await;
    let id = deploy(&mut user, "hello", &[]).await;
    let page = wait_for(&mut user, &id, "success").await;
    let run = page.between("href=\"/runs/", "/log\"").to_owned();
    let mut agent = demo.signed_in("agent").await;
    for path in [format!("/deployments/{id}"), format!("/runs/{run}/log"), format!("/runs/{run}/events")] {
        assert_eq!(agent.get(&path).await.status, 404, "{path}");
    }
    for action in ["delete", "retry", "outputs/greeting"] {
        assert_eq!(agent.post(&format!("/deployments/{id}/{action}"), &[]).await.status, 404, "{action}");
    }
    let mut admin = demo.signed_in("admin").await;
    admin.get("/deployments?all=true").await.assert_has(&id);
    assert_eq!(admin.get(&format!("/deployments/{id}")).await.status, 200);
    let events = user.get(&format!("/runs/{run}/events")).await;
    events.assert_has("event: log");
    events.assert_has("event: end");
    let last = events.body.rmatch_indices("id: ").next().unwrap().0;
    let offset: String = events.body[last + 4..].chars().take_while(char::is_ascii_digit).collect();
    let whole = user.get(&format!("/runs/{run}/log")).await.body;
    assert_eq!(offset.parse::<usize>().unwrap(), whole.len(), "the last event's id is the end of the log");
}

#[tokio::test]
async fn a_form_sent_twice_deploys_once() {
    let demo = Demo::published().await;
    demo.award("user", "30").await;
    let mut user = demo.signed_in("user").await;
    let (first, form, fields) = submit(&mut user, "hello", &[]).await;
    let second = user.post(&form, &borrowed(&fields)).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (303, 303));
    let id = newest(&mut user).await;
    wait_for(&mut user, &id, "success").await;
    let list = user.get("/deployments").await;
    assert_eq!(list.body.matches("<tr id=\"d-").count(), 1);
    assert_eq!(balances(&mut user).await, ["25", "0", "0"]);
}

#[tokio::test]
async fn of_two_deployments_on_a_balance_for_one_exactly_one_holds() {
    let demo = Demo::published().await;
    demo.award("user", "7").await;
    let mut one = demo.signed_in("user").await;
    let mut two = demo.signed_in("user").await;
    let ((first, ..), (second, ..)) =
        tokio::join!(submit(&mut one, "hello", &[]), submit(&mut two, "hello", &[]));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 402]);
    let refused = if first.status == 402 { first } else { second };
    refused.assert_has("INSUFFICIENT_TOTAL_CREDITS");
    let list = one.get("/deployments").await;
    assert_eq!(list.body.matches("<tr id=\"d-").count(), 1, "what is refused leaves nothing behind");
    let id = newest(&mut one).await;
    wait_for(&mut one, &id, "success").await;
    assert_eq!(balances(&mut one).await, ["2", "0", "0"]);
}

#[tokio::test]
async fn some_modules_take_purchased_credits_only() {
    let demo = Demo::published().await;
    demo.award("user", "1000").await;
    let mut user = demo.signed_in("user").await;
    let (answer, ..) = submit(&mut user, "vault", &[("v/master_key", "sixteen or more letters")]).await;
    assert_eq!(answer.status, 402, "{}", answer.body);
    answer.assert_has("INSUFFICIENT_PURCHASED_CREDITS");
}

#[tokio::test]
async fn a_deployment_waits_for_the_module_it_needs_and_holds_nothing_until_then() {
    let demo = Demo::published().await;
    demo.award("user", "100").await;
    let mut user = demo.signed_in("user").await;
    let dashboard = deploy(&mut user, "dashboard", &[]).await;
    wait_for(&mut user, &dashboard, "waiting").await.assert_has("web-stack");
    assert_eq!(balances(&mut user).await, ["100", "0", "0"]);
    let values = [("v/service_name", "shop"), ("v/admin_password", "correct horse battery")];
    let needed = deploy(&mut user, "web-stack", &values).await;
    wait_for(&mut user, &needed, "success").await;
    wait_for(&mut user, &dashboard, "success").await;
    assert_eq!(balances(&mut user).await, ["70", "0", "0"]);
}

#[tokio::test]
async fn without_an_engine_pages_say_so_and_nothing_is_held() {
    let demo = Demo::start_with(|config| config.runs.terraform = Some("/no/such/engine".into())).await;
    publish(&mut demo.signed_in("partner").await, &["hello"]).await;
    demo.award("user", "10").await;
    let mut user = demo.signed_in("user").await;
    for path in ["/deploy", "/deployments"] {
        user.get(path).await.assert_has("https://opentofu.org/docs/intro/install/");
    }
    let (answer, ..) = submit(&mut user, "hello", &[]).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    answer.assert_has("no OpenTofu or Terraform");
    assert_eq!(balances(&mut user).await, ["10", "0", "0"]);
    user.get("/deployments").await.assert_has("Nothing is deployed yet.");
}
