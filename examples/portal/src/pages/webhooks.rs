//! `/webhooks`: what payment providers and GitHub tell the portal. No session: the signature is the proof.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use rad_core::catalog::Publisher;
use rad_core::payment::Webhook;
use rad_core::platform::{Operations, PlatformError, RepoNews};
use rad_github::github::{Delivery, LARGEST_DELIVERY, RepositoryAction, WebhookError, WebhookEvent};

use crate::error::PageError;

/// Bytes of a payment provider's webhook at the most.
const LARGEST: usize = 256 * 1024;

/// Where GitHub is to send its webhooks about a publisher's repository.
pub(crate) fn address(publisher: Publisher) -> String {
    format!("/webhooks/github/{publisher}")
}

/// The routes, on their own so that the sandbox's page can deliver through them as well; GitHub's only with `github`.
pub(crate) fn routes(operations: Operations, with_github: bool) -> Router {
    let payments = Router::new()
        .route("/webhooks/payments/{provider}", post(payment))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(operations.clone());
    if !with_github {
        return payments;
    }
    let github = Router::new()
        .route("/webhooks/github/{publisher}", post(github))
        .layer(DefaultBodyLimit::max(LARGEST_DELIVERY))
        .with_state(operations);
    payments.merge(github)
}

/// `POST /webhooks/payments/{provider}`
async fn payment(
    State(operations): State<Operations>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, PageError> {
    let signature = text(&headers, operations.signature_header(&provider)?);
    operations.payment_webhook(&provider, Webhook { signature, body: &body }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /webhooks/github/{publisher}`
async fn github(
    State(operations): State<Operations>,
    Path(publisher): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, PageError> {
    let delivery = Delivery {
        event: text(&headers, "x-github-event"),
        id: text(&headers, "x-github-delivery"),
        signature: text(&headers, "x-hub-signature-256"),
        body: &body,
    };
    // Who made no secret is told the same as who has another one.
    let publisher: Publisher = publisher.parse().map_err(|_| WebhookError::Signature)?;
    let event = delivery.read(&operations.webhook_secrets(publisher).await?)?;
    let Some((repository, news)) = news(event) else { return Ok(StatusCode::NO_CONTENT) };
    let keys = delivery.keys();
    if !operations.take_delivery(&keys).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    // GitHub hangs up after ten seconds; what was begun goes on to its end.
    let following = tokio::spawn(async move {
        let followed = operations.follow_repository(publisher, &repository, &news).await;
        if followed.is_err() {
            operations.forget_delivery(&keys).await?;
        }
        followed
    });
    let followed: Result<_, PlatformError> =
        following.await.map_err(|error| PageError::Internal(error.into()))?;
    followed?;
    Ok(StatusCode::NO_CONTENT)
}

/// What an event tells about which repository, where it can matter to what is published.
fn news(event: WebhookEvent) -> Option<(String, RepoNews)> {
    match event {
        WebhookEvent::Push(push) => {
            let news = RepoNews::Pushed { branch: push.branch, is_default: push.is_default };
            Some((push.repository, news))
        }
        WebhookEvent::Repository(change) => match change.action {
            RepositoryAction::Deleted => Some((change.repository, RepoNews::Deleted)),
            // Connections have the name as it was.
            RepositoryAction::Renamed { from } => Some((from, RepoNews::Renamed { to: change.repository })),
            RepositoryAction::Privatized | RepositoryAction::DefaultBranch { .. } => {
                Some((change.repository, RepoNews::Changed))
            }
            _ => None,
        },
        _ => None,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
