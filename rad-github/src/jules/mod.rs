//! The code agent Jules, or any server that speaks its REST API (developers.google.com/jules/api, version `v1alpha`).

mod failure;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use http::{HeaderName, Method, StatusCode};
use rad_core::agent::{
    Activity, ActivityFeed, AgentError, AgentSession, AgentSource, CodeAgent, FeedCursor, Media,
    NewAgentSession,
};
use rad_core::clock::{Clock, SystemClock};
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::failure::{About, refusal};
use crate::github::ask::{Ask, Who};
use crate::github::failure::ApiError;
use crate::github::name::{encoded, is_name};
use crate::github::transport::{Dialect, Transport};
use crate::github::{ConfigError, Patience};

/// Items of a page, the most there can be.
const PAGE: usize = 100;
/// Pages of one listing at the most.
const PAGES: usize = 100;
/// What is asked for again, since activities may come to be listed a little out of their order.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);

/// The code agent Jules.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use rad_core::agent::CodeAgent as _;
/// use rad_github::Jules;
///
/// let jules = Jules::builder().key("the key from Jules's settings".into()).build()?;
/// for source in jules.sources(None).await? {
///     println!("{}", source.repository.unwrap_or(source.name));
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Jules {
    transport: Transport,
    key: Option<SecretString>,
}

/// Settings of [`Jules`], with their defaults.
#[derive(Debug)]
pub struct JulesBuilder {
    api: String,
    key: Option<SecretString>,
    patience: Patience,
    clock: Arc<dyn Clock>,
}

impl Default for JulesBuilder {
    fn default() -> Self {
        Self {
            api: "https://jules.googleapis.com/v1alpha".to_owned(),
            key: None,
            patience: Patience::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

impl JulesBuilder {
    /// The address of the API with its version: `https://jules.googleapis.com/v1alpha` by default.
    #[must_use]
    pub fn api(mut self, api: impl Into<String>) -> Self {
        self.api = api.into();
        self
    }

    /// The key for calls that bring none of their own.
    #[must_use]
    pub fn key(mut self, key: SecretString) -> Self {
        self.key = Some(key);
        self
    }

    /// How long answers are waited for.
    #[must_use]
    pub fn patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Where the time comes from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The agent. It must be built inside a tokio runtime, and serves as long as that runs.
    ///
    /// # Errors
    /// [`ConfigError`], which names the setting.
    pub fn build(self) -> Result<Jules, ConfigError> {
        let dialect = Dialect {
            service: "Jules",
            version: None,
            authorization: HeaderName::from_static("x-goog-api-key"),
            scheme: "",
            refusal,
        };
        Ok(Jules { transport: Transport::new(dialect, &self.api, self.patience, self.clock)?, key: self.key })
    }
}

impl Jules {
    /// Where Jules is and how it is opened.
    pub fn builder() -> JulesBuilder {
        JulesBuilder::default()
    }

    fn who(&self, key: Option<&SecretString>) -> Result<Who, AgentError> {
        let denied = |reason: &str| AgentError::Denied { reason: reason.to_owned() };
        let key = key.or(self.key.as_ref());
        let key = key.ok_or_else(|| denied("no key is set up: make one in the settings of Jules"))?;
        Who::token(key)
            .ok_or_else(|| denied("what is given is no key: copy it anew from the settings of Jules"))
    }

    async fn get<T: DeserializeOwned>(&self, who: &Who, path: String) -> Result<T, ApiError> {
        self.transport.ask(who, &Ask::get(path).accept("application/json")).await?.json()
    }

    /// Asks for something to be done, once.
    async fn post<T: DeserializeOwned>(
        &self,
        who: &Who,
        path: String,
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        let ask = Ask::write(Method::POST, path, body)?.accept("application/json");
        self.transport.ask(who, &ask).await?.json()
    }

    /// All pages of a listing whose path, with a query, is `path`.
    async fn pages<T: wire::Page>(&self, who: &Who, path: &str) -> Result<Vec<T::Item>, ApiError> {
        let mut items = Vec::new();
        let mut token = String::new();
        for _ in 0..PAGES {
            let page: T = self.get(who, format!("{path}{token}")).await?;
            let (more, next) = page.into_parts();
            items.extend(more);
            match next.filter(|next| !next.is_empty()) {
                None => return Ok(items),
                Some(next) => token = format!("&pageToken={}", encoded(&next)),
            }
        }
        Err(ApiError::Unreadable(format!("the listing has more than {PAGES} pages").into()))
    }
}

#[async_trait]
impl CodeAgent for Jules {
    fn has_own_key(&self) -> bool {
        self.key.is_some()
    }

    async fn sources(&self, key: Option<&SecretString>) -> Result<Vec<AgentSource>, AgentError> {
        let who = self.who(key)?;
        let sources = self.pages::<wire::Sources>(&who, &format!("/sources?pageSize={PAGE}")).await;
        let sources = sources.map_err(|error| About::reading("source", "").told(error))?;
        Ok(sources.into_iter().map(AgentSource::from).collect())
    }

    async fn start(
        &self,
        key: Option<&SecretString>,
        new: &NewAgentSession,
    ) -> Result<AgentSession, AgentError> {
        let who = self.who(key)?;
        let started = self.post(&who, "/sessions".to_owned(), &wire::NewSession::from(new)).await;
        let started = started.and_then(wire::Session::told);
        started.map_err(|error| About::writing("source", &new.source).told(error))
    }

    async fn session(&self, key: Option<&SecretString>, session: &str) -> Result<AgentSession, AgentError> {
        let (who, path) = (self.who(key)?, path(session)?);
        let told = self.get(&who, path).await.and_then(wire::Session::told);
        told.map_err(|error| About::reading("session", session).told(error))
    }

    async fn send(&self, key: Option<&SecretString>, session: &str, message: &str) -> Result<(), AgentError> {
        let (who, path) = (self.who(key)?, path(session)?);
        let body = wire::Message { prompt: message };
        let sent: Result<wire::Nothing, _> = self.post(&who, format!("{path}:sendMessage"), &body).await;
        sent.map(drop).map_err(|error| About::writing("session", session).told(error))
    }

    async fn approve_plan(&self, key: Option<&SecretString>, session: &str) -> Result<(), AgentError> {
        let (who, path) = (self.who(key)?, path(session)?);
        let body = wire::Nothing {};
        let approved: Result<wire::Nothing, _> = self.post(&who, format!("{path}:approvePlan"), &body).await;
        approved.map(drop).map_err(|error| About::writing("session", session).told(error))
    }

    async fn activities(
        &self,
        key: Option<&SecretString>,
        session: &str,
        since: Option<&FeedCursor>,
    ) -> Result<ActivityFeed, AgentError> {
        let (who, path) = (self.who(key)?, path(session)?);
        let all = format!("{path}/activities?pageSize={PAGE}");
        let since: Option<DateTime<Utc>> = since.and_then(|since| since.as_str().parse().ok());
        let filter = since.map(|since| {
            let from = (since - OVERLAP).to_rfc3339_opts(SecondsFormat::Micros, true);
            format!("{all}&createTime={}", encoded(&from))
        });
        let found = match filter {
            None => self.pages::<wire::Activities>(&who, &all).await,
            Some(filtered) => match self.pages::<wire::Activities>(&who, &filtered).await {
                // A server that does not know the filter refuses it: all is read then.
                Err(error) if error.is(StatusCode::BAD_REQUEST) => {
                    self.pages::<wire::Activities>(&who, &all).await
                }
                found => found,
            },
        };
        let found = found.map_err(|error| About::reading("session", session).told(error))?;
        let mut activities: Vec<Activity> = found.into_iter().map(wire::activity).collect();
        // Nothing says in which order they are listed.
        if activities.iter().all(|activity| activity.at.is_some()) {
            activities.sort_by_key(|activity| activity.at);
        }
        let latest = activities.iter().filter_map(|activity| activity.at).max().max(since);
        let cursor = latest.map(|at| FeedCursor::new(at.to_rfc3339_opts(SecondsFormat::Micros, true)));
        Ok(ActivityFeed { activities, cursor })
    }

    async fn media(
        &self,
        key: Option<&SecretString>,
        session: &str,
        activity: &str,
        place: usize,
    ) -> Result<Option<Media>, AgentError> {
        let (who, path) = (self.who(key)?, path(session)?);
        let about = About::reading("activity", activity);
        if !is_name(activity) || activity.len() > 200 {
            return Err(about.missing());
        }
        let told = self.get(&who, format!("{path}/activities/{activity}")).await;
        let told = told.map_err(|error| about.told(error))?;
        wire::media(&told, place).map_err(|error| about.told(error))
    }
}

/// The path of a session by the name the API gave it, which some servers give without what it begins with.
fn path(session: &str) -> Result<String, AgentError> {
    let id = session.strip_prefix("sessions/").unwrap_or(session);
    if is_name(id) && id.len() <= 200 {
        Ok(format!("/sessions/{id}"))
    } else {
        Err(AgentError::NotFound { what: "session", name: session.chars().take(200).collect() })
    }
}
