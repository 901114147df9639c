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
pub(crate) struct Who {
    pub(crate) token: Option<SecretString>,
    /// Tells what was learnt with one credential from what was learnt with another.
    pub(crate) id: Digest,
}

impl Who {
    pub(crate) fn anonymous() -> Self {
        Self { token: None, id: Digest::ZERO }
    }

    /// `None` for what cannot be a token.
    pub(crate) fn token(token: &SecretString) -> Option<Self> {
        let text = token.expose_secret().trim();
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        plain.then(|| Self { token: Some(token.clone()), id: Digest::of(text.as_bytes()) })
    }

    /// A token that is renewed, and stands for the same all the time.
    pub(crate) fn renewed(token: SecretString, id: Digest) -> Self {
        Self { token: Some(token), id }
    }

    pub(crate) fn is_anonymous(&self) -> bool {
        self.token.is_none()
    }
}

/// A question.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) accept: &'static str,
    pub(crate) etag: Option<HeaderValue>,
    pub(crate) body: Option<Bytes>,
    /// Whether asking twice is the same as asking once.
    pub(crate) repeatable: bool,
    /// Whether the path follows the origin, and not the address of the REST API.
    pub(crate) at_origin: bool,
}

impl Ask {
    /// A question about `path`, which is what follows the address of the REST API.
    pub(crate) fn get(path: impl Into<String>) -> Self {
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
    pub(crate) fn write(
        method: Method,
        path: impl Into<String>,
        body: &impl Serialize,
    ) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(body).map_err(|e| ApiError::Unreadable(e.into()))?;
        Ok(Self { method, body: Some(body.into()), repeatable: false, ..Self::get(path) })
    }

    /// It may be repeated: what is written is named by its content.
    pub(crate) fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }

    /// Its path follows the server's name directly.
    pub(crate) fn at_origin(self) -> Self {
        Self { at_origin: true, ..self }
    }

    pub(crate) fn accept(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    /// Only if it changed since the answer with this tag.
    pub(crate) fn unless(self, etag: Option<HeaderValue>) -> Self {
        Self { etag, ..self }
    }
}

/// A successful answer, or that nothing changed.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn is_unchanged(&self) -> bool {
        self.status == StatusCode::NOT_MODIFIED
    }

    pub(crate) fn etag(&self) -> Option<HeaderValue> {
        self.headers.get(ETAG).cloned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body).map_err(|e| ApiError::Unreadable(e.into()))
    }

    pub(crate) fn into_body(self) -> Bytes {
        self.body
    }
}
