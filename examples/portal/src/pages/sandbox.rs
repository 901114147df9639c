//! `/sandbox/pay/{reference}`: the page that stands in for a payment provider's, clearly labelled.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Request;
use chrono::Utc;
use rad_billing::SandboxPayments;
use rad_core::payment::{PaymentProvider, PaymentState};
use rad_core::platform::PlatformError;
use tower::ServiceExt;

use super::{Answer, go, page};
use crate::error::PageError;
use crate::layout::{ASSET_VERSION, Theme};
use crate::session::{Posted, Session};
use crate::state::App;

#[derive(Template)]
#[template(path = "pages/sandbox.html")]
struct SandboxPage {
    theme: Theme,
    assets: &'static str,
    csrf: String,
    reference: String,
    order: String,
    amount: String,
    decided: bool,
}

/// `GET /sandbox/pay/{reference}`
pub(super) async fn show(State(app): State<App>, session: Session, Path(reference): Path<String>) -> Answer {
    let payment = sandbox(&app)?.payment(&reference).await.map_err(PlatformError::from)?;
    let order = session.actor.order(payment.record.order).await?;
    page(SandboxPage {
        theme: session.theme,
        assets: &ASSET_VERSION,
        csrf: session.form_proof(),
        reference,
        order: order.id.to_string(),
        amount: payment.record.amount.to_string(),
        decided: payment.record.state != PaymentState::Pending,
    })
}

/// `POST /sandbox/pay/{reference}`: decides, and delivers the webhook through the portal's own route.
pub(super) async fn decide(State(app): State<App>, Path(reference): Path<String>, form: Posted) -> Answer {
    let sandbox = sandbox(&app)?;
    let payment = sandbox.payment(&reference).await.map_err(PlatformError::from)?;
    let order = form.session.actor.order(payment.record.order).await?;
    let webhook = match form.fields.text("decision") {
        "pay" => sandbox.pay(&reference, Utc::now()).await,
        "decline" => sandbox.decline(&reference, Utc::now()).await,
        _ => return Err(PageError::BadRequest("the decision is pay or decline".to_owned())),
    };
    let webhook = webhook.map_err(PlatformError::from)?;
    let request = Request::post(format!("/webhooks/payments/{}", sandbox.name()))
        .header(sandbox.signature_header(), webhook.signature)
        .body(Body::from(webhook.body))
        .map_err(anyhow::Error::from)?;
    let Ok(answer) = app.webhooks.clone().oneshot(request).await;
    if !answer.status().is_success() {
        // As with any provider, the order is asked about again when its page is shown.
        tracing::warn!(status = %answer.status(), "a webhook of the sandbox was not taken");
    }
    go(format!("/credits/orders/{}", order.id))
}

fn sandbox(app: &App) -> Result<&Arc<SandboxPayments>, PageError> {
    app.sandbox.as_ref().ok_or(PageError::Platform(PlatformError::NotFound { what: "payment" }))
}
