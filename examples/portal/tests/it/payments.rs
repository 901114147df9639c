//! Buying credits on the sandbox, and webhooks that nobody signed.

use crate::portal::{Demo, account_id, balances, buy};

#[tokio::test]
async fn credits_are_bought_once_whatever_is_delivered_twice() {
    let demo = Demo::start().await;
    let mut user = demo.signed_in("user").await;
    let order = buy(&mut user, "100", "pay").await;
    order.assert_has("id=\"order-status\">paid<");
    order.assert_has("10.00 USD");
    assert_eq!(balances(&mut user).await, ["0", "100", "0"]);
    // The page of the sandbox is sent again: the first decision stands.
    let reference = user.get("/credits").await.between("href=\"/credits/orders/", "\"").to_owned();
    let page = user.get(&format!("/sandbox/pay/sandbox-{reference}")).await;
    if page.status == 200 {
        user.post(&format!("/sandbox/pay/sandbox-{reference}"), &[("decision", "pay")]).await;
        user.post(&format!("/sandbox/pay/sandbox-{reference}"), &[("decision", "decline")]).await;
    }
    assert_eq!(balances(&mut user).await, ["0", "100", "0"]);

    let declined = buy(&mut user, "50", "decline").await;
    declined.assert_has("id=\"order-status\">failed<");
    assert_eq!(balances(&mut user).await, ["0", "100", "0"]);
    assert_eq!(demo.signed_in("agent").await.get(&format!("/credits/orders/{reference}")).await.status, 404);
}

#[tokio::test]
async fn amounts_that_cannot_be_bought_are_refused_beside_the_field() {
    let demo = Demo::start().await;
    let mut user = demo.signed_in("user").await;
    for amount in ["0", "-5", "abc", "99999999999999999999", "1e400"] {
        let answer = user.post("/credits/buy", &[("credits", amount), ("provider", "sandbox")]).await;
        assert_eq!(answer.status, 422, "{amount}");
        answer.assert_has(&format!("value=\"{amount}\""));
        answer.assert_has("id=\"credits-problem\"");
    }
    let other = user.post("/credits/buy", &[("credits", "10"), ("provider", "stripe")]).await;
    assert_eq!(other.status, 404);
}

#[tokio::test]
async fn a_webhook_that_nobody_signed_grants_nothing() {
    let demo = Demo::start().await;
    let mut user = demo.signed_in("user").await;
    let ordered = user.post("/credits/buy", &[("credits", "100"), ("provider", "sandbox")]).await;
    let reference = ordered.location().rsplit('/').next().unwrap().to_owned();
    let order = user.get("/credits").await.between("href=\"/credits/orders/", "\"").to_owned();
    let body = format!(r#"{{"event":"payment.paid","reference":"{reference}","order":"{order}"}}"#);
    let mut outside = demo.browser();
    let forged = format!("t={},v1={}", chrono::Utc::now().timestamp(), "0".repeat(64));
    for headers in
        [vec![], vec![("sandbox-signature", forged.as_str())], vec![("sandbox-signature", "nonsense")]]
    {
        let answer = outside.post_raw("/webhooks/payments/sandbox", &headers, body.clone().into()).await;
        assert!(matches!(answer.status.as_u16(), 400 | 401), "{} {}", answer.status, answer.body);
        answer.assert_has("\"error\"");
    }
    assert_eq!(outside.post_raw("/webhooks/payments/nobody", &[], body.into()).await.status, 404);
    assert_eq!(balances(&mut user).await, ["0", "0", "0"]);
}

#[tokio::test]
async fn nobody_adjusts_their_own_balance() {
    let demo = Demo::start().await;
    demo.award("user", "25.5").await;
    assert_eq!(balances(&mut demo.signed_in("user").await).await, ["25.5", "0", "0"]);
    let mut admin = demo.signed_in("admin").await;
    let id = account_id(&mut admin, "admin").await;
    let fields = [("credits", "5"), ("submission", "0b6f3bd0-6a3c-4a3b-9f5e-2f6a2f1f3d11")];
    let answer = admin.post(&format!("/admin/accounts/{id}/award"), &fields).await;
    assert_eq!(answer.status, 403);
}
