//! The sources and sessions of a code agent.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ChangeSet;

/// A repository that a code agent can work on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSource {
    /// The name the agent knows it by.
    pub name: String,
    /// The repository it is, as `owner/name`; absent where it is none.
    pub repository: Option<String>,
}

impl AgentSource {
    /// Whether it is this repository. GitHub tells no two repositories apart by the case of their names.
    pub fn is_repository(&self, repository: &str) -> bool {
        self.repository.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(repository))
    }
}

/// A session to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAgentSession {
    /// What the agent is asked to do.
    pub prompt: String,
    /// What people call the session.
    pub title: String,
    /// The name of the source, as [`CodeAgent::sources`](super::CodeAgent::sources) gives it.
    pub source: String,
    /// The branch to begin at.
    pub branch: String,
    /// Whether the agent waits for its plan to be approved before it begins.
    pub require_plan_approval: bool,
}

/// A session as the agent tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSession {
    /// The name the agent knows it by.
    pub name: String,
    /// How far it is.
    pub state: SessionState,
    /// Where people can look at it.
    pub url: Option<String>,
    /// The pull request that came of it, the latest if there are several.
    pub pull_request: Option<PullRequest>,
    /// The change that came of it, where the session itself tells of one.
    pub change: Option<ChangeSet>,
}

/// How far a session of a code agent is. Written as the Jules API writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum SessionState {
    /// It waits for its turn.
    Queued,
    /// The agent makes a plan.
    Planning,
    /// The plan waits for approval.
    AwaitingPlanApproval,
    /// The agent waits for an answer.
    AwaitingUserFeedback,
    /// The agent works.
    InProgress,
    /// Somebody halted it.
    Paused,
    /// It ended without a result.
    Failed,
    /// It is done.
    Completed,
    /// A state that is not known here, as the agent calls it.
    Other(String),
}

impl SessionState {
    const NAMED: [(Self, &'static str); 8] = [
        (Self::Queued, "QUEUED"),
        (Self::Planning, "PLANNING"),
        (Self::AwaitingPlanApproval, "AWAITING_PLAN_APPROVAL"),
        (Self::AwaitingUserFeedback, "AWAITING_USER_FEEDBACK"),
        (Self::InProgress, "IN_PROGRESS"),
        (Self::Paused, "PAUSED"),
        (Self::Failed, "FAILED"),
        (Self::Completed, "COMPLETED"),
    ];

    /// The state as the agent writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(name) => name,
            named => Self::NAMED.iter().find(|(state, _)| state == named).map_or("", |(_, name)| name),
        }
    }
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for SessionState {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let named = Self::NAMED.into_iter().find(|(_, name)| *name == text);
        Ok(named.map_or_else(|| Self::Other(text.chars().take(64).collect()), |(state, _)| state))
    }
}

impl From<String> for SessionState {
    fn from(text: String) -> Self {
        text.parse().unwrap_or_else(|never: Infallible| match never {})
    }
}

impl From<SessionState> for String {
    fn from(state: SessionState) -> Self {
        state.as_str().to_owned()
    }
}

/// A pull request that an agent opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequest {
    /// Where it is.
    pub url: String,
    /// Its title.
    pub title: String,
    /// What it says.
    pub description: String,
}
