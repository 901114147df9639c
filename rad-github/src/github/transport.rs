//! Asks a service over octocrab: authorization, rate limits, repetition, redirects, and limits on what is read.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use http_body_util::combinators::BoxBody;
use octocrab::{OctoBody, Octocrab, OctocrabBuilder};
use rad_core::clock::Clock;
use rad_core::source::Digest;
use secrecy::ExposeSecret as _;

use super::ask::{Answer, Ask, Who};
use super::breaker::Breaker;
use super::config::{Api, ConfigError, Patience, is_confidential};
use super::failure::{ApiError, Refusal};
use super::rate;

/// Bytes of an answer at the most, archives apart: a page of 100 repositories has about 600 KiB.
pub(super) const LARGEST_ANSWER: usize = 16 << 20;
/// Bytes of a refusal at the most.
const LARGEST_REFUSAL: usize = 64 << 10;
/// How often an answer may send elsewhere.
const REDIRECTS: u32 = 3;
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Credentials whose limits are remembered at the most.
const LIMITED: usize = 10_000;

/// The body of an answer as it comes in.
pub(super) type Body = BoxBody<Bytes, octocrab::Error>;

/// A body that could not be read to its end.
#[derive(Debug)]
pub(super) enum Unread {
    /// It broke off, and may be asked for again.
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// Asking again would not help.
    Refused(ApiError),
}

/// What tells one service from another in how it is asked and how it answers.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The service's name.
    pub(crate) service: &'static str,
    /// A header that goes with every question.
    pub(crate) version: Option<(HeaderName, HeaderValue)>,
    /// The header that a token goes into.
    pub(crate) authorization: HeaderName,
    /// What stands before the token in it.
    pub(crate) scheme: &'static str,
    /// Reads an answer of 4xx.
    pub(crate) refusal: fn(StatusCode, &HeaderMap, &[u8]) -> Refusal,
}

impl Dialect {
    /// How GitHub is asked.
    pub(super) fn github() -> Self {
        let version = HeaderName::from_static("x-github-api-version");
        Self {
            service: "GitHub",
            version: Some((version, HeaderValue::from_static("2022-11-28"))),
            authorization: AUTHORIZATION,
            scheme: "Bearer ",
            refusal: Refusal::read,
        }
    }
}

/// The way to a service, shared by all who ask.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    dialect: Arc<Dialect>,
    client: Octocrab,
    pub(super) api: Api,
    patience: Patience,
    breaker: Arc<Breaker>,
    limited: Arc<Mutex<HashMap<Digest, DateTime<Utc>>>>,
    clock: Arc<dyn Clock>,
}

impl Transport {
    pub(crate) fn new(
        dialect: Dialect,
        api: &str,
        patience: Patience,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let api = Api::parse(api)?;
        for (field, is_zero) in [
            ("answer", patience.answer.is_zero()),
            ("archive", patience.archive.is_zero()),
            ("attempts", patience.attempts == 0),
            ("failures", patience.failures == 0),
        ] {
            if is_zero {
                return Err(ConfigError::Impatient { field });
            }
        }
        // Octocrab's own queue is a task of the runtime.
        tokio::runtime::Handle::try_current().map_err(|_| ConfigError::NoRuntime)?;
        let client = OctocrabBuilder::new()
            .base_uri(api.origin.clone())
            .map_err(|e| ConfigError::Client(e.into()))?
            .build()
            .map_err(|e| ConfigError::Client(e.into()))?;
        Ok(Self {
            dialect: Arc::new(dialect),
            client,
            api,
            patience,
            breaker: Arc::new(Breaker::new(patience.failures, patience.rest)),
            limited: Arc::default(),
            clock,
        })
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Asks, and reads the whole answer.
    pub(crate) async fn ask(&self, who: &Who, ask: &Ask) -> Result<Answer, ApiError> {
        let patience = self.patience.answer;
        self.read(who, ask, |response| async move {
            let (parts, body) = response.into_parts();
            let body = collect(body, LARGEST_ANSWER, patience).await?;
            Ok(Answer { status: parts.status, headers: parts.headers, body })
        })
        .await
    }

    /// Asks, and hands the answer to `read`; again if it breaks off.
    pub(super) async fn read<T, Reading>(
        &self,
        who: &Who,
        ask: &Ask,
        read: impl Fn(Response<Body>) -> Reading,
    ) -> Result<T, ApiError>
    where
        Reading: Future<Output = Result<T, Unread>>,
    {
        self.heed_limit(who)?;
        let mut attempt = 1;
        loop {
            self.breaker.admit(Instant::now()).map_err(ApiError::Resting)?;
            let (failure, wait) = match self.once(who, ask).await {
                Err(failure) => (failure, None),
                Ok(response) if is_failure(response.status()) => {
                    let wait = rate::retry_after(response.headers(), self.now());
                    let wait = wait.and_then(|wait| wait.to_std().ok());
                    (format!("{} answered {}", self.dialect.service, response.status()).into(), wait)
                }
                Ok(response) => {
                    self.breaker.answered();
                    let response = self.accepted(who, response).await?;
                    match read(response).await {
                        Ok(answer) => return Ok(answer),
                        Err(Unread::Refused(refusal)) => return Err(refusal),
                        Err(Unread::Broken(failure)) => (failure, None),
                    }
                }
            };
            self.breaker.failed(Instant::now());
            let wait = wait.unwrap_or_else(|| self.pause(attempt));
            if !ask.repeatable || attempt >= self.patience.attempts || wait > LONGEST_WAIT {
                return Err(ApiError::Failed(failure));
            }
            tracing::debug!(attempt, failure, service = self.dialect.service, "asking again");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// A random part of a wait that doubles with each attempt.
    fn pause(&self, attempt: u32) -> Duration {
        let longest = self.patience.first_wait.saturating_mul(1 << attempt.clamp(1, 16).saturating_sub(1));
        longest.min(LONGEST_WAIT).mul_f64(fastrand::f64())
    }

    /// Asks once, and follows where it is sent.
    async fn once(
        &self,
        who: &Who,
        ask: &Ask,
    ) -> Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>> {
        let prefix = if ask.at_origin { "" } else { self.api.prefix.as_str() };
        let mut at: Uri = format!("{prefix}{}", ask.path).parse()?;
        for _ in 0..=REDIRECTS {
            let request = self.request(who, ask, &at)?;
            let answer = tokio::time::timeout(self.patience.answer, self.client.execute(request)).await;
            let response = answer.map_err(|_| "no answer in time")?.map_err(|e| told(&e))?;
            let moved = ask.method == Method::GET
                && matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            let Some(location) = response.headers().get(LOCATION).filter(|_| moved) else {
                return Ok(response);
            };
            at = self.target(location)?;
        }
        Err(format!("{} sends in circles", self.dialect.service).into())
    }

    /// Where an answer sends: a path of the API, or another server over TLS.
    fn target(&self, location: &HeaderValue) -> Result<Uri, Box<dyn std::error::Error + Send + Sync>> {
        let uri: Uri = location.to_str()?.parse()?;
        match self.api.path_of(&uri) {
            Some(path) => Ok(path.parse()?),
            None if is_confidential(&uri) => Ok(uri),
            None => Err(format!("{} sends to an address without TLS", self.dialect.service).into()),
        }
    }

    fn request(
        &self,
        who: &Who,
        ask: &Ask,
        at: &Uri,
    ) -> Result<Request<OctoBody>, Box<dyn std::error::Error + Send + Sync>> {
        let mut request = Request::builder().method(ask.method.clone()).uri(at.clone());
        request = request.header(ACCEPT, ask.accept);
        if let Some((name, value)) = &self.dialect.version {
            request = request.header(name, value);
        }
        if let Some(etag) = &ask.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        // A token goes to the API alone, never to where it sends.
        if let Some(token) = who.token.as_ref().filter(|_| at.authority().is_none()) {
            let mut value =
                HeaderValue::try_from(format!("{}{}", self.dialect.scheme, token.expose_secret().trim()))?;
            value.set_sensitive(true);
            request = request.header(&self.dialect.authorization, value);
        }
        let body = match &ask.body {
            None => OctoBody::empty(),
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                OctoBody::from(body.clone())
            }
        };
        Ok(request.body(body)?)
    }

    /// The answer, if it is a success or that nothing changed.
    async fn accepted(&self, who: &Who, response: Response<Body>) -> Result<Response<Body>, ApiError> {
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body = collect(body, LARGEST_REFUSAL, self.patience.answer).await.unwrap_or_default();
        let refusal = (self.dialect.refusal)(status, &parts.headers, &body);
        let now = self.now();
        match rate::limited_until(status, &parts.headers, &refusal.message, now) {
            Some(until) => Err(self.limit(who, until)),
            None => Err(ApiError::Refused(refusal)),
        }
    }

    /// Remembers that `who` is not to ask before `until`.
    pub(super) fn limit(&self, who: &Who, until: DateTime<Utc>) -> ApiError {
        let now = self.now();
        let mut limited = self.limited();
        if limited.len() >= LIMITED {
            limited.retain(|_, until| *until > now);
        }
        if limited.len() < LIMITED {
            limited.insert(who.id, until);
        }
        ApiError::Limited(until)
    }

    /// Services ban who goes on asking: a limit once told is heeded without asking.
    fn heed_limit(&self, who: &Who) -> Result<(), ApiError> {
        match self.limited().get(&who.id) {
            Some(until) if *until > self.now() => Err(ApiError::Limited(*until)),
            _ => Ok(()),
        }
    }

    fn limited(&self) -> MutexGuard<'_, HashMap<Digest, DateTime<Utc>>> {
        self.limited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error of octocrab with its causes, and without the backtraces that it carries.
fn told(error: &octocrab::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Whether the server failed, in a way that may pass.
fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// The next part of a body within `patience`; `None` at its end.
pub(super) async fn next_part(body: &mut Body, patience: Duration) -> Result<Option<Bytes>, Unread> {
    loop {
        let frame = tokio::time::timeout(patience, body.frame()).await;
        let frame = frame.map_err(|_| Unread::Broken("the answer does not go on".into()))?;
        let Some(frame) = frame.transpose().map_err(|e| Unread::Broken(told(&e).into()))? else {
            return Ok(None);
        };
        // What is not data are trailers, which nobody asked for.
        if let Ok(part) = frame.into_data() {
            return Ok(Some(part));
        }
    }
}

/// The whole body, of `limit` bytes at the most, within `patience` from its first part to its last.
async fn collect(body: Body, limit: usize, patience: Duration) -> Result<Bytes, Unread> {
    let whole = tokio::time::timeout(patience, parts(body, limit, patience)).await;
    whole.map_err(|_| Unread::Broken("the answer does not come to its end".into()))?
}

async fn parts(mut body: Body, limit: usize, patience: Duration) -> Result<Bytes, Unread> {
    let mut whole = Vec::new();
    while let Some(part) = next_part(&mut body, patience).await? {
        if whole.len() + part.len() > limit {
            let long = format!("the answer is longer than {limit} bytes");
            return Err(Unread::Refused(ApiError::Unreadable(long.into())));
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.into())
}
