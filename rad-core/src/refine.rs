//! Refine sessions: conversations with a code agent about one module, as the platform keeps them.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::access::Publisher;
use crate::agent::{Activity, ChangeSet, FeedCursor, PullRequest, SessionState};
use crate::error::BackendError;
use crate::id::{AccountId, RefineId};
use crate::source::{CommitId, Digest};

/// A refine session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefineSession {
    /// The session's id.
    pub id: RefineId,
    /// Whose module it is about.
    pub publisher: Publisher,
    /// The module's directory, relative to where the publisher keeps modules.
    pub module: String,
    /// The repository the module is in.
    pub repository: String,
    /// The branch the session began at, which an accepted change goes onto.
    pub branch: String,
    /// What people call it: how the first message begins.
    pub title: String,
    /// Who started it.
    pub started_by: AccountId,
    /// When.
    pub started_at: DateTime<Utc>,
    /// When it was last recorded how far it is.
    pub recorded_at: DateTime<Utc>,
    /// How far it is.
    pub progress: RefineProgress,
    /// The changes that were accepted, in the order they were.
    pub accepted: Vec<AcceptedChange>,
}

impl RefineSession {
    /// Whether, and how, a change was accepted.
    pub fn acceptance(&self, change: &Digest) -> Option<&AcceptedChange> {
        self.accepted.iter().find(|accepted| accepted.change == *change)
    }

    /// Replaces how far it is, if that was recorded at the time `seen` last: an answer of the agent that comes late does not undo
    /// a later one.
    pub fn record(&mut self, seen: DateTime<Utc>, progress: &RefineProgress, at: DateTime<Utc>) {
        if self.recorded_at == seen {
            self.progress = progress.clone();
            self.recorded_at = at;
        }
    }

    /// Notes that a change was accepted, and gives what counts: its first acceptance.
    pub fn accept(&mut self, accepted: &AcceptedChange) -> AcceptedChange {
        if let Some(first) = self.acceptance(&accepted.change) {
            return first.clone();
        }
        self.accepted.push(accepted.clone());
        accepted.clone()
    }
}

/// How far a session is, as the agent told it last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RefineProgress {
    /// The agent's name for the session; absent while it is not known to have begun.
    pub agent_session: Option<String>,
    /// The agent's state of it.
    pub state: Option<SessionState>,
    /// Where people can look at it in the agent's own pages.
    pub url: Option<String>,
    /// The pull request that came of it.
    pub pull_request: Option<PullRequest>,
    /// The change that the session as a whole tells of.
    pub change: Option<ChangeSet>,
    /// Up to where the activities are kept.
    pub cursor: Option<FeedCursor>,
    /// Why it could not begin, in a sentence.
    pub problem: Option<String>,
}

/// A change that was committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedChange {
    /// The [digest](ChangeSet::digest) of the change.
    pub change: Digest,
    /// The commit on the branch that has it.
    pub commit: CommitId,
    /// Who accepted it.
    pub by: AccountId,
    /// When.
    pub at: DateTime<Utc>,
}

/// Stores refine sessions.
///
/// # Contract
/// - What is read after a write returned is what was written.
/// - Activities are kept once by their id, in the order they came; an activity that is there stays as it is.
#[async_trait]
pub trait RefineStore: Send + Sync + fmt::Debug {
    /// Keeps a new session.
    ///
    /// # Errors
    /// [`Exists`](RefineError::Exists) if its id is taken.
    async fn create(&self, session: &RefineSession) -> Result<(), RefineError>;

    /// The session with this id.
    ///
    /// # Errors
    /// [`NotFound`](RefineError::NotFound).
    async fn session(&self, id: RefineId) -> Result<RefineSession, RefineError>;

    /// The sessions about a publisher's modules, or about the one named, the latest started first, at most `limit`.
    async fn sessions(
        &self,
        publisher: Publisher,
        module: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RefineSession>, RefineError>;

    /// Replaces how far a session is, if nobody did so since `seen`, the time it was recorded at when it was read; and adds the
    /// activities that are not kept yet, in any case. All or nothing.
    ///
    /// # Errors
    /// [`NotFound`](RefineError::NotFound).
    async fn record(
        &self,
        id: RefineId,
        seen: DateTime<Utc>,
        progress: &RefineProgress,
        activities: &[Activity],
        at: DateTime<Utc>,
    ) -> Result<(), RefineError>;

    /// The activities of a session in the order they came.
    ///
    /// # Errors
    /// [`NotFound`](RefineError::NotFound).
    async fn activities(&self, id: RefineId) -> Result<Vec<Activity>, RefineError>;

    /// Keeps that a change was accepted, and gives what is kept: the first acceptance of that change.
    ///
    /// # Errors
    /// [`NotFound`](RefineError::NotFound).
    async fn accept(&self, id: RefineId, accepted: &AcceptedChange) -> Result<AcceptedChange, RefineError>;
}

/// What a store of refine sessions refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefineError {
    /// No such session.
    #[error("no such refine session")]
    NotFound,
    /// A session with this id is kept already.
    #[error("a refine session with the id {id} is kept already")]
    Exists {
        /// The id.
        id: RefineId,
    },
    /// What the backend stands on failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}
