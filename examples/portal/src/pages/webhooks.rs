//! `/webhooks`: what payment providers and GitHub tell the portal. No session: the signature is the proof.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use rad_core::payment::Webhook;
use rad_core::platform::{Operations, RepoNews};
use rad_github::github::{Delivery, LARGEST_DELIVERY, RepositoryAction, WebhookEvent, Webhooks};

use crate::error::PageError;

/// Bytes of a payment provider's webhook at the most.
const LARGEST: usize = 256 * 1024;

/// Where GitHub is to send its webhooks.
pub(crate) const GITHUB: &str = "/webhooks/github";

/// The routes, on their own so that the sandbox's page can deliver through them as well; GitHub's only with `github`.
pub(crate) fn routes(operations: Operations, github: Option<Webhooks>) -> Router {
    let payments = Router::new()
        .route("/webhooks/payments/{provider}", post(payment))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(operations.clone());
    let Some(webhooks) = github else { return payments };
    let github = Router::new()
        .route(GITHUB, post(self::github))
        .layer(DefaultBodyLimit::max(LARGEST_DELIVERY))
        .with_state((operations, Arc::new(webhooks)));
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

/// `POST /webhooks/github`
async fn github(
    State((operations, webhooks)): State<(Operations, Arc<Webhooks>)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, PageError> {
    let delivery = Delivery {
        event: text(&headers, "x-github-event"),
        id: text(&headers, "x-github-delivery"),
        signature: text(&headers, "x-hub-signature-256"),
        body: &body,
    };
    let Some((repository, news)) = news(webhooks.receive(delivery)?) else {
        return Ok(StatusCode::NO_CONTENT);
    };
    // GitHub hangs up after ten seconds; what was begun goes on to its end.
    let following = tokio::spawn(async move { operations.follow_repository(&repository, &news).await });
    let followed = following.await.map_err(|error| PageError::Internal(error.into()));
    match followed.and_then(|result| result.map_err(PageError::from)) {
        Ok(_) => Ok(StatusCode::NO_CONTENT),
        Err(error) => {
            webhooks.forget(delivery);
            Err(error)
        }
    }
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
            RepositoryAction::Renamed { from } => Some((from, RepoNews::Changed)),
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
