//! The routes with everything around them.

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::state::App;
use crate::{error, headers, pages};

/// Bytes of a form at the most.
const LARGEST_FORM: usize = 1024 * 1024;

/// How long an answer may take to begin; reading a large repository takes the longest.
const PATIENCE: Duration = Duration::from_secs(60);

/// The portal as a service, to be served with the addresses of its clients.
pub(crate) fn app(app: App) -> Router {
    let webhooks = app.webhooks.clone();
    pages::routes()
        .fallback(|| async { StatusCode::NOT_FOUND })
        .with_state(app)
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .merge(webhooks)
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, PATIENCE))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| panicked()))
        .layer(from_fn(error::render))
        .layer(from_fn(headers::protect))
}

/// The panic itself is in the log, through its hook.
fn panicked() -> axum::response::Response {
    axum::response::IntoResponse::into_response(StatusCode::INTERNAL_SERVER_ERROR)
}
