//! Code agents: services that change the sources of a repository in a conversation, and propose what they changed.
//!
//! The names follow the Jules REST API (developers.google.com/jules/api), which [`CodeAgent`] is the common part of.

mod activity;
pub mod change;
mod session;

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

pub use activity::{
    Activity, ActivityEvent, ActivityFeed, Artifact, FeedCursor, Media, Originator, Plan, PlanStep,
};
pub use change::ChangeSet;
pub use session::{AgentSession, AgentSource, NewAgentSession, PullRequest, SessionState};

use crate::error::BackendError;

/// A code agent.
///
/// # Contract
/// - `key` opens the agent; `None` stands for the key that the agent was set up with, where it was.
/// - Names of sources and sessions are taken as the agent gives them, never put together.
/// - States, events and artifacts that are not known here are kept as what they are called, and are no error.
/// - [`start`](Self::start), [`send`](Self::send) and [`approve_plan`](Self::approve_plan) are not repeated after a failure
///   that may have come after the deed: their error is a [`BackendError`] that says so.
#[async_trait]
pub trait CodeAgent: Send + Sync + fmt::Debug {
    /// Whether the agent was set up with a key of its own, or asks for none.
    fn has_own_key(&self) -> bool;

    /// Every source that the agent can work on.
    ///
    /// # Errors
    /// [`Denied`](AgentError::Denied), [`TooManyRequests`](AgentError::TooManyRequests).
    async fn sources(&self, key: Option<&SecretString>) -> Result<Vec<AgentSource>, AgentError>;

    /// Starts a session.
    ///
    /// # Errors
    /// As [`sources`](Self::sources); [`NotFound`](AgentError::NotFound) for a source that is not there,
    /// [`Refused`](AgentError::Refused) in the words of the agent.
    async fn start(
        &self,
        key: Option<&SecretString>,
        new: &NewAgentSession,
    ) -> Result<AgentSession, AgentError>;

    /// A session as it stands.
    ///
    /// # Errors
    /// As [`sources`](Self::sources), and [`NotFound`](AgentError::NotFound).
    async fn session(&self, key: Option<&SecretString>, session: &str) -> Result<AgentSession, AgentError>;

    /// Sends a message to a session.
    ///
    /// # Errors
    /// As [`session`](Self::session), and [`Refused`](AgentError::Refused).
    async fn send(&self, key: Option<&SecretString>, session: &str, message: &str) -> Result<(), AgentError>;

    /// Approves the plan that a session waits with.
    ///
    /// # Errors
    /// As [`session`](Self::session), and [`Refused`](AgentError::Refused) while it waits for no approval.
    async fn approve_plan(&self, key: Option<&SecretString>, session: &str) -> Result<(), AgentError>;

    /// The activities of a session that came since `since`, from the oldest to the newest; all of them without one.
    ///
    /// What was given already may be given again, always with the same id and content: callers know activities by their ids.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    async fn activities(
        &self,
        key: Option<&SecretString>,
        session: &str,
        since: Option<&FeedCursor>,
    ) -> Result<ActivityFeed, AgentError>;

    /// The content of the artifact at `place` (from 0) of an activity; `None` if that is no [`Media`](Artifact::Media).
    ///
    /// # Errors
    /// As [`session`](Self::session), for activities too; a failure of the backend above [`Media::MAX_BYTES`].
    async fn media(
        &self,
        key: Option<&SecretString>,
        session: &str,
        activity: &str,
        place: usize,
    ) -> Result<Option<Media>, AgentError>;
}

/// What a code agent refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The key is missing, wrong, or lacks a permission.
    #[error("the code agent denies access: {reason}")]
    Denied {
        /// What is missing, in a sentence for whoever made the key.
        reason: String,
    },
    /// There is no such thing, or the key does not show it.
    #[error("the code agent has no {what} {name:?}")]
    NotFound {
        /// What was looked for: a source, a session.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The agent refuses by rules of its own; nothing was done.
    #[error("the code agent refuses: {reason}")]
    Refused {
        /// Why, in the words of the agent.
        reason: String,
    },
    /// The agent takes no more requests for a while.
    #[error("the code agent takes no more requests until {}: wait until then", until.format("%Y-%m-%d %H:%M:%S UTC"))]
    TooManyRequests {
        /// When to ask again.
        until: DateTime<Utc>,
    },
    /// What the agent stands on failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}
