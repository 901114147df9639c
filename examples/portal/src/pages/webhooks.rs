//! `/webhooks`: what payment providers tell the portal. No session: the signature is the proof.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use rad_core::payment::Webhook;
use rad_core::platform::Operations;

use crate::error::PageError;

/// Bytes of a webhook at the most.
const LARGEST: usize = 256 * 1024;

/// The routes, on their own so that the sandbox's page can deliver through them as well.
pub(crate) fn routes(operations: Operations) -> Router {
    Router::new()
        .route("/webhooks/payments/{provider}", post(payment))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(operations)
}

/// `POST /webhooks/payments/{provider}`
async fn payment(
    State(operations): State<Operations>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, PageError> {
    let header = operations.signature_header(&provider)?;
    let signature = headers.get(header).and_then(|value| value.to_str().ok()).unwrap_or_default();
    operations.payment_webhook(&provider, Webhook { signature, body: &body }).await?;
    Ok(StatusCode::NO_CONTENT)
}
