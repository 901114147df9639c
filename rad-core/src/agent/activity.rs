//! What happens in a session of a code agent.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ChangeSet;

/// Something that happened in a session. It never changes once it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// The id, unique in its session.
    pub id: String,
    /// When it happened, where the agent says so.
    pub at: Option<DateTime<Utc>>,
    /// Who did it.
    pub originator: Originator,
    /// What it is.
    pub event: ActivityEvent,
    /// What the agent says about it, where it does.
    pub description: Option<String>,
    /// What it brought forth.
    pub artifacts: Vec<Artifact>,
}

impl Activity {
    /// The last change that the activity proposes, if it proposes any.
    pub fn change(&self) -> Option<&ChangeSet> {
        self.artifacts.iter().rev().find_map(|artifact| match artifact {
            Artifact::Change(change) => Some(change),
            _ => None,
        })
    }
}

/// Who did something in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Originator {
    /// A person.
    User,
    /// The agent.
    Agent,
    /// The agent's service.
    System,
    /// Someone else, as the agent calls them; empty where it says nothing.
    Other(String),
}

/// What an activity is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ActivityEvent {
    /// The agent made a plan.
    PlanGenerated(Plan),
    /// A plan was approved.
    PlanApproved {
        /// The id of the plan.
        plan: String,
    },
    /// A person wrote to the agent.
    UserMessaged {
        /// The message.
        message: String,
    },
    /// The agent wrote to the person.
    AgentMessaged {
        /// The message.
        message: String,
    },
    /// The agent tells how far it is.
    Progressed {
        /// In a line.
        title: String,
        /// In more words; may be empty.
        description: String,
    },
    /// The session is done.
    Completed,
    /// The session ended without a result.
    Failed {
        /// Why.
        reason: String,
    },
    /// An event that is not known here.
    Other {
        /// As the agent calls it; empty where it says nothing.
        name: String,
    },
}

/// What an agent means to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The id of the plan.
    pub id: String,
    /// The steps, in order.
    pub steps: Vec<PlanStep>,
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStep {
    /// In a line.
    pub title: String,
    /// In more words; may be empty.
    pub description: String,
}

/// What an activity brought forth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Artifact {
    /// A change to the sources.
    Change(ChangeSet),
    /// A command that was run, and what it printed.
    CommandOutput {
        /// The command.
        command: String,
        /// What it printed.
        output: String,
        /// The status it ended with, where it ended.
        exit_code: Option<i64>,
    },
    /// A picture or the like. Its content stays with the agent: see [`CodeAgent::media`](super::CodeAgent::media).
    Media {
        /// What it is, as `image/png`.
        media_type: String,
    },
    /// Something that is not known here.
    Other {
        /// As the agent calls it; empty where it says nothing.
        name: String,
    },
}

/// The content of a picture or the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// What it is, as `image/png`, in the words of the agent.
    pub media_type: String,
    /// The content.
    pub content: Bytes,
}

impl Media {
    /// The most bytes that are taken: 8 MiB.
    pub const MAX_BYTES: usize = 8 << 20;
}

/// Activities of a session, and where the next ones begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityFeed {
    /// From the oldest to the newest.
    pub activities: Vec<Activity>,
    /// Where the next ones begin; what was asked since, if nothing new came.
    pub cursor: Option<FeedCursor>,
}

/// A place in the activities of a session, opaque to everybody but the agent that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeedCursor(String);

impl FeedCursor {
    /// A cursor with an agent's own text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The agent's own text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
