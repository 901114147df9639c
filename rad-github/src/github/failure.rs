//! What can come of a question to the API, and what it means to whoever reads a repository.

use std::error::Error;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use rad_core::error::BackendError;
use rad_core::repo::RepoError;
use serde::Deserialize;

/// A question that was not answered with a success.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// A rate limit, until this time.
    Limited(DateTime<Utc>),
    /// An answer of 4xx that is about this question, or of 3xx to a write.
    Refused(Refusal),
    /// Nothing, a 5xx, or an answer that broke off. A write may have happened.
    Failed(Box<dyn Error + Send + Sync>),
    /// The service failed several times in a row and is left alone for so long.
    Resting(Duration),
    /// An answer that is not what the API answers.
    Unreadable(Box<dyn Error + Send + Sync>),
}

/// An answer of 4xx, or of 3xx to a write.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// The service's own words, shortened.
    pub(crate) message: String,
    /// The permission that a fine-grained token or an App needs for this, as `contents=write`.
    pub(crate) needs: Option<String>,
}

#[derive(Deserialize)]
struct RefusalBody {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<serde_json::Value>,
}

impl Refusal {
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let read: Option<RefusalBody> = serde_json::from_slice(body).ok();
        let mut message = read.as_ref().map(|read| read.message.clone()).unwrap_or_default();
        let details = read.iter().flat_map(|read| &read.errors);
        for detail in details.filter_map(|detail| detail.as_str().or_else(|| detail.get("message")?.as_str()))
        {
            message = format!("{message}: {detail}");
        }
        let needs = headers.get("x-accepted-github-permissions").and_then(|value| value.to_str().ok());
        let needs = needs.filter(|needs| !needs.is_empty()).map(shortened);
        Self { status, message: shortened(&message), needs }
    }

    fn denied(self) -> RepoError {
        let missing = match (self.status, self.needs) {
            (StatusCode::UNAUTHORIZED, _) => {
                "GitHub does not accept the token: it is wrong, expired or revoked; make a new one".to_owned()
            }
            (_, Some(needs)) => format!(
                "GitHub refuses ({}): the token needs the permission {needs}; add it where the token was made",
                self.message
            ),
            (_, None) => format!("GitHub refuses: {}", self.message),
        };
        RepoError::Denied { missing }
    }
}

impl ApiError {
    /// The refusal, if it is one with this status.
    pub(crate) fn is(&self, status: StatusCode) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == status)
    }

    /// Whether a write was sent elsewhere: to the name that a repository has by now.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status.is_redirection())
    }

    /// What it means for a question about `repository`.
    pub(crate) fn about(self, repository: &str) -> RepoError {
        let repository = repository.to_owned();
        match self {
            Self::Limited(until) => RepoError::RateLimited { until },
            Self::Failed(source) => BackendError::unavailable("asking GitHub", source).into(),
            Self::Resting(wait) => {
                let wait =
                    format!("GitHub failed several times; it is asked again in {} s", wait.as_secs() + 1);
                BackendError::unavailable("waiting for GitHub to recover", wait).into()
            }
            Self::Unreadable(source) => BackendError::permanent("reading GitHub's answer", source).into(),
            Self::Refused(refusal) => match refusal.status {
                StatusCode::NOT_FOUND | StatusCode::GONE => RepoError::NotFound { repository },
                StatusCode::CONFLICT if refusal.message.to_lowercase().contains("is empty") => {
                    RepoError::Empty { repository }
                }
                StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => refusal.denied(),
                StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => {
                    RepoError::Refused { repository, reason: refusal.message }
                }
                status if status.is_redirection() => RepoError::Renamed { repository, to: None },
                status => {
                    let said = format!("GitHub answered {status}: {}", refusal.message);
                    BackendError::permanent("asking GitHub", said).into()
                }
            },
        }
    }
}

/// A service's words as an error shows them: one line, not too long.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}
