//! From what use cases refuse to HTTP: a status, a code, a sentence, as a page for people and as JSON for programs.

use askama::Template;
use axum::Json;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use rad_core::agent::AgentError;
use rad_core::catalog::CatalogError;
use rad_core::deployment::DeploymentError;
use rad_core::directory::DirectoryError;
use rad_core::payment::PaymentError;
use rad_core::platform::PlatformError;
use rad_core::repo::RepoError;
use rad_core::settings::SettingsError;
use rad_github::github::WebhookError;
use serde::Serialize;

use crate::cookies;
use crate::layout::{ASSET_VERSION, Theme};

/// Why a page is not what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum PageError {
    /// A use case refused.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// A webhook that is not taken.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// Nobody is signed in.
    #[error("sign in first")]
    SignIn,
    /// A form that does not come from a page of this session.
    #[error("this form is from another session or too old: go back, load the page anew and send it again")]
    ForeignForm,
    /// A request that no page of ours makes.
    #[error("{0}")]
    BadRequest(String),
    /// A form over the limit of the server.
    #[error("what was sent is too large: a form has at most 1 MiB")]
    TooLarge,
    /// Something else failed; the reason is for the log.
    #[error("something went wrong on our side")]
    Internal(#[from] anyhow::Error),
}

impl From<askama::Error> for PageError {
    fn from(error: askama::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<DirectoryError> for PageError {
    fn from(error: DirectoryError) -> Self {
        Self::Platform(error.into())
    }
}

/// What is said about a failure, until [`render`] knows to whom.
#[derive(Debug, Clone, Serialize)]
struct Problem {
    #[serde(skip)]
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl PageError {
    /// The HTTP status of the failure.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Platform(error) => status_of(error),
            Self::SignIn | Self::Webhook(WebhookError::Signature) => StatusCode::UNAUTHORIZED,
            Self::ForeignForm => StatusCode::FORBIDDEN,
            Self::BadRequest(_) | Self::Webhook(WebhookError::Malformed { .. }) => StatusCode::BAD_REQUEST,
            Self::TooLarge | Self::Webhook(WebhookError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Internal(_) | Self::Webhook(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The sentence for the person; failures of our own say nothing of their cause.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Platform(error) if error.backend().is_some() => match self.status() {
                StatusCode::SERVICE_UNAVAILABLE => {
                    "this does not work at the moment: try again soon".to_owned()
                }
                _ => "something went wrong on our side; it has been noted".to_owned(),
            },
            other => other.to_string(),
        }
    }

    /// Status and sentence, for a page that says in its place what is wrong.
    pub(crate) fn in_place(&self) -> (StatusCode, String) {
        self.note();
        (self.status(), self.message())
    }

    /// Writes what a failure of our own is due to into the log: the person is not told.
    fn note(&self) {
        let status = self.status();
        if status.is_server_error() {
            let cause = match self {
                Self::Platform(error) => format!("{:?}", anyhow::anyhow!("{error:?}")),
                other => format!("{other:?}"),
            };
            tracing::error!(%status, cause, "a request failed");
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        self.note();
        let status = self.status();
        let code = match &self {
            Self::Platform(error) => error.code().unwrap_or(code_of(status)),
            _ => code_of(status),
        };
        let mut response = status.into_response();
        response.extensions_mut().insert(Problem { status, code, message: self.message() });
        response
    }
}

fn status_of(error: &PlatformError) -> StatusCode {
    use PlatformError as E;
    if let Some(backend) = error.backend() {
        return if backend.is_retryable() {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        };
    }
    match error {
        E::Forbidden { .. } => StatusCode::FORBIDDEN,
        E::NotFound { .. } | E::Payment(PaymentError::NoProvider { .. }) => StatusCode::NOT_FOUND,
        E::InsufficientPurchasedCredits { .. } | E::InsufficientTotalCredits { .. } => {
            StatusCode::PAYMENT_REQUIRED
        }
        E::NotConnected
        | E::PlanChanged
        | E::Meanwhile { .. }
        | E::OfferChanged { .. }
        | E::Violation(_)
        | E::Ledger(_)
        | E::Directory(DirectoryError::EmailTaken { .. })
        | E::Catalog(CatalogError::NameTaken { .. })
        | E::Deployment(DeploymentError::Busy { .. } | DeploymentError::Illegal(_))
        | E::Settings(SettingsError::Stale { .. })
        | E::Repo(RepoError::Moved { .. } | RepoError::Renamed { .. })
        | E::Change(_) => StatusCode::CONFLICT,
        E::Repo(RepoError::Denied { .. }) => StatusCode::FORBIDDEN,
        E::Agent(AgentError::NotFound { .. }) | E::NoAgent => StatusCode::NOT_FOUND,
        E::Agent(AgentError::TooManyRequests { .. }) => StatusCode::TOO_MANY_REQUESTS,
        E::Repo(RepoError::RateLimited { .. }) => StatusCode::TOO_MANY_REQUESTS,
        E::Payment(PaymentError::Signature { .. }) => StatusCode::UNAUTHORIZED,
        E::Payment(PaymentError::Malformed { .. }) => StatusCode::BAD_REQUEST,
        E::Runner(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// The stable code for programs where a refusal has none of its own.
fn code_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "BAD_REQUEST",
        StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
        StatusCode::FORBIDDEN => "FORBIDDEN",
        StatusCode::NOT_FOUND => "NOT_FOUND",
        StatusCode::METHOD_NOT_ALLOWED => "METHOD_NOT_ALLOWED",
        StatusCode::CONFLICT => "CONFLICT",
        StatusCode::PAYLOAD_TOO_LARGE => "TOO_LARGE",
        StatusCode::UNPROCESSABLE_ENTITY => "INVALID",
        StatusCode::TOO_MANY_REQUESTS => "TOO_MANY_REQUESTS",
        StatusCode::SERVICE_UNAVAILABLE => "UNAVAILABLE",
        status if status.is_client_error() => "REFUSED",
        _ => "INTERNAL",
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    theme: Theme,
    assets: &'a str,
    status: u16,
    title: &'a str,
    problem: &'a Problem,
}

/// Gives every failure its body: JSON under `/api` and `/webhooks`, a page elsewhere; who is not signed in is sent
/// to the sign-in page.
pub(crate) async fn render(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let asked = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let is_get = request.method() == axum::http::Method::GET;
    let theme = Theme::of(cookies::read(request.headers(), cookies::THEME));
    let response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || has_body(&response) {
        return response;
    }
    let problem = response.extensions().get::<Problem>().cloned().unwrap_or_else(|| Problem {
        status,
        code: code_of(status),
        message: default_message(status).to_owned(),
    });
    if path.starts_with("/api/") || path.starts_with("/webhooks/") {
        return (status, Json(serde_json::json!({ "error": problem }))).into_response();
    }
    if status == StatusCode::UNAUTHORIZED {
        return to_sign_in(if is_get { &asked } else { "/" });
    }
    let page = ErrorPage {
        theme,
        assets: &ASSET_VERSION,
        status: problem.status.as_u16(),
        title: title_of(status),
        problem: &problem,
    };
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(_) => status.into_response(),
    }
}

/// Pages and JSON are bodies of ours; plain text is what the framework says about a request it refused.
fn has_body(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/html") || kind.starts_with("application/json"))
}

fn to_sign_in(next: &str) -> Response {
    let query: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    let location = if next == "/" { "/sign-in".to_owned() } else { format!("/sign-in?next={query}") };
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn title_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYMENT_REQUIRED => "Not enough credits",
        StatusCode::FORBIDDEN => "Not for this account",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::CONFLICT => "Not now",
        StatusCode::PAYLOAD_TOO_LARGE => "Too large",
        StatusCode::SERVICE_UNAVAILABLE => "Not available",
        status if status.is_client_error() => "This cannot be done",
        _ => "Something went wrong",
    }
}

fn default_message(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "there is no such page",
        StatusCode::METHOD_NOT_ALLOWED => "this address cannot be used that way",
        StatusCode::PAYLOAD_TOO_LARGE => "what was sent is too large: a form has at most 1 MiB",
        StatusCode::REQUEST_TIMEOUT => "this took too long: try again",
        status if status.is_client_error() => "what was sent cannot be read",
        _ => "something went wrong on our side; it has been noted",
    }
}
