//! What the refusals of the API mean: `{"error": {"code", "message", "status"}}` (google.aip.dev/193).

use http::{HeaderMap, StatusCode};
use rad_core::agent::AgentError;
use rad_core::error::BackendError;
use serde::Deserialize;

use crate::github::failure::{ApiError, Refusal, shortened};

/// What was asked, for whoever is told that it failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// What is not there if the answer is that it is not found.
    what: &'static str,
    name: &'a str,
    writes: bool,
}

#[derive(Deserialize)]
struct Body {
    error: Error,
}

#[derive(Deserialize)]
struct Error {
    #[serde(default)]
    message: String,
}

/// Reads an answer of 4xx.
pub(super) fn refusal(status: StatusCode, _headers: &HeaderMap, body: &[u8]) -> Refusal {
    let read: Option<Body> = serde_json::from_slice(body).ok();
    let message = read.map_or_else(|| format!("it answered {status}"), |read| read.error.message);
    Refusal { status, message: shortened(&message), needs: None }
}

impl<'a> About<'a> {
    pub(super) fn reading(what: &'static str, name: &'a str) -> Self {
        Self { what, name, writes: false }
    }

    pub(super) fn writing(what: &'static str, name: &'a str) -> Self {
        Self { writes: true, ..Self::reading(what, name) }
    }

    pub(super) fn told(self, error: ApiError) -> AgentError {
        match error {
            ApiError::Limited(until) => AgentError::TooManyRequests { until },
            ApiError::Refused(refusal) => self.refused(refusal),
            ApiError::Failed(source) if self.writes => {
                BackendError::permanent("waiting for the answer of Jules, which may have done it", source)
                    .into()
            }
            ApiError::Failed(source) => BackendError::unavailable("asking Jules", source).into(),
            ApiError::Resting(wait) => {
                let wait =
                    format!("Jules failed several times; it is asked again in {} s", wait.as_secs() + 1);
                BackendError::unavailable("waiting for Jules to recover", wait).into()
            }
            ApiError::Unreadable(source) => {
                BackendError::permanent("reading the answer of Jules", source).into()
            }
        }
    }

    /// That there is no such thing.
    pub(super) fn missing(self) -> AgentError {
        AgentError::NotFound { what: self.what, name: self.name.chars().take(200).collect() }
    }

    fn refused(self, refusal: Refusal) -> AgentError {
        // A wrong key is a bad request to Google's APIs.
        let is_key = refusal.status == StatusCode::BAD_REQUEST && refusal.message.contains("API key");
        match refusal.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                AgentError::Denied { reason: refusal.message }
            }
            _ if is_key => AgentError::Denied { reason: refusal.message },
            StatusCode::NOT_FOUND | StatusCode::GONE => self.missing(),
            _ => AgentError::Refused { reason: refusal.message },
        }
    }
}
