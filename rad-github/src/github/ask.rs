//! Questions to the API, who asks them, and answers.

use bytes::Bytes;
use http::header::ETAG;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use rad_core::source::Digest;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::failure::ApiError;

/// What a question is asked with.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub(super) token: Option<SecretString>,
    /// Tells what was learnt with one credential from what was learnt with another.
    pub(super) id: Digest,
}

impl Who {
    pub(super) fn anonymous() -> Self {
        Self { token: None, id: Digest::ZERO }
    }

    /// `None` for what cannot be a token.
    pub(super) fn token(token: &SecretString) -> Option<Self> {
        let text = token.expose_secret().trim();
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        plain.then(|| Self { token: Some(token.clone()), id: Digest::of(text.as_bytes()) })
    }

    /// A token that is renewed, and stands for the same all the time.
    pub(super) fn renewed(token: SecretString, id: Digest) -> Self {
        Self { token: Some(token), id }
    }

    pub(super) fn is_anonymous(&self) -> bool {
        self.token.is_none()
    }
}

/// A question.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) accept: &'static str,
    pub(super) etag: Option<HeaderValue>,
    pub(super) body: Option<Bytes>,
    /// Whether asking twice is the same as asking once.
    pub(super) repeatable: bool,
    /// Whether the path follows the origin, and not the address of the REST API.
    pub(super) at_origin: bool,
}

impl Ask {
    /// A question about `path`, which is what follows the address of the REST API.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            accept: "application/vnd.github+json",
            etag: None,
            body: None,
            repeatable: true,
            at_origin: false,
        }
    }

    /// A write that may not be repeated.
    pub(super) fn write(
        method: Method,
        path: impl Into<String>,
        body: &impl Serialize,
    ) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(body).map_err(|e| ApiError::Unreadable(e.into()))?;
        Ok(Self { method, body: Some(body.into()), repeatable: false, ..Self::get(path) })
    }

    /// It may be repeated: what is written is named by its content.
    pub(super) fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }

    /// Its path follows the server's name directly.
    pub(super) fn at_origin(self) -> Self {
        Self { at_origin: true, ..self }
    }

    pub(super) fn accept(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    /// Only if it changed since the answer with this tag.
    pub(super) fn unless(self, etag: Option<HeaderValue>) -> Self {
        Self { etag, ..self }
    }
}

/// A successful answer, or that nothing changed.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn is_unchanged(&self) -> bool {
        self.status == StatusCode::NOT_MODIFIED
    }

    pub(super) fn etag(&self) -> Option<HeaderValue> {
        self.headers.get(ETAG).cloned()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body).map_err(|e| ApiError::Unreadable(e.into()))
    }

    pub(super) fn into_body(self) -> Bytes {
        self.body
    }
}
