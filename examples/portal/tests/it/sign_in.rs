//! Signing in and out, and what protects it.

use axum::http::header::CONTENT_SECURITY_POLICY;
use secrecy::ExposeSecret;

use crate::portal::{Demo, account_id};

#[tokio::test]
async fn pages_ask_to_sign_in_and_lead_back() {
    let demo = Demo::start().await;
    let mut browser = demo.browser();
    let asked = browser.get("/deploy?tab=partner").await;
    assert_eq!((asked.status.as_u16(), asked.location()), (303, "/sign-in?next=%2Fdeploy%3Ftab%3Dpartner"));
    browser.get(asked.location()).await;
    let user = demo.account("user");
    let fields = [
        ("email", " User@Example.com "),
        ("password", user.password.expose_secret()),
        ("next", "/deploy?tab=partner"),
    ];
    assert_eq!(browser.post("/sign-in", &fields).await.location(), "/deploy?tab=partner");
    let page = browser.get("/deploy").await;
    page.assert_has("user@example.com");
    let policy = page.headers.get(CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
    assert!(policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"));
    assert!(!page.body.contains("/admin"), "a user's navigation shows nothing of the admins'");

    assert_eq!(browser.post("/sign-out", &[]).await.location(), "/sign-in");
    assert_eq!(browser.get("/deploy").await.status, 303, "the session is closed");
}

#[tokio::test]
async fn wrong_passwords_and_unknown_accounts_get_the_same_answer_and_then_none() {
    let demo = Demo::start().await;
    let mut browser = demo.browser();
    let wrong = browser.sign_in("user@example.com", "wrong").await;
    let unknown = browser.sign_in("nobody@example.com", "wrong").await;
    assert_eq!((wrong.status.as_u16(), unknown.status.as_u16()), (401, 401));
    let sentence = "This e-mail and password do not belong together.";
    wrong.assert_has(sentence);
    unknown.assert_has(sentence);
    wrong.assert_has("value=\"user@example.com\"");
    for _ in 0..9 {
        assert_eq!(browser.sign_in("user@example.com", "wrong").await.status, 401);
    }
    let right = demo.account("user").password.expose_secret().to_owned();
    let blocked = browser.sign_in("user@example.com", &right).await;
    assert_eq!(blocked.status, 429);
    blocked.assert_has("Too many attempts");
}

#[tokio::test]
async fn a_form_without_the_proof_of_its_session_changes_nothing() {
    let demo = Demo::start().await;
    let mut visitor = demo.browser();
    assert_eq!(visitor.post_bare("/sign-in", &[("email", "a"), ("password", "b")]).await.status, 403);

    let mut partner = demo.signed_in("partner").await;
    let foreign = demo.signed_in("user").await.proof;
    let connection = [("repository", "demo-modules"), ("sub_dir", "modules")];
    let missing = partner.post_bare("/profile/repository", &connection).await;
    assert_eq!(missing.status, 403);
    missing.assert_has("this form is from another session");
    let own = std::mem::replace(&mut partner.proof, foreign);
    assert_eq!(partner.post("/profile/repository", &connection).await.status, 403);
    partner.get("/profile").await;
    assert_eq!(partner.proof, own);
    let publish = partner.get("/publish").await;
    assert_eq!(publish.location(), "/profile#repository", "nothing was connected");
    let cross = [("sec-fetch-site", "cross-site"), ("content-type", "application/x-www-form-urlencoded")];
    let body = format!("csrf={own}&repository=demo-modules&sub_dir=modules");
    assert_eq!(partner.post_raw("/profile/repository", &cross, body.into()).await.status, 403);
}

#[tokio::test]
async fn roles_are_those_stored_now() {
    let demo = Demo::start().await;
    let mut user = demo.signed_in("user").await;
    assert_eq!(user.get("/admin/accounts").await.status, 403);
    assert_eq!(user.get("/admin/settings").await.status, 403);
    assert_eq!(user.get("/revenue").await.status, 403);
    assert_eq!(user.get("/publish").await.status, 403);
    assert_eq!(user.get("/deployments?all=true").await.status, 403);
    let mut admin = demo.signed_in("admin").await;
    let id = account_id(&mut admin, "user").await;
    let changed =
        admin.post(&format!("/admin/accounts/{id}/roles"), &[("role", "user"), ("role", "finance")]).await;
    assert_eq!(changed.status, 303);
    assert_eq!(user.get("/revenue").await.status, 200, "without signing in again");
}
