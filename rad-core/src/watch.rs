//! Watching repositories: when each is looked at next, what came of it, and the syncs there were.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::access::Publisher;
use crate::error::BackendError;
use crate::id::AccountId;
use crate::repo::RepoConnection;
use crate::source::CommitId;

/// How a publisher's connected repository is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Whose repository it is.
    pub publisher: Publisher,
    /// What is watched.
    pub connection: RepoConnection,
    /// Whether published modules that changed are published anew when that is seen.
    pub auto_update: bool,
    /// When it is looked at next without being told.
    pub next_at: DateTime<Utc>,
    /// The last look.
    pub last: Look,
}

impl Watch {
    /// The watch of what was connected just now: nothing was seen of it yet, and auto-update is off.
    pub fn anew(publisher: Publisher, connection: RepoConnection, next_at: DateTime<Utc>) -> Self {
        Self { publisher, connection, auto_update: false, next_at, last: Look::default() }
    }
}

/// What came of looking at a repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Look {
    /// When the repository was last read, if it was.
    pub read_at: Option<DateTime<Utc>>,
    /// The commit that the catalogue was last brought up to.
    pub commit: Option<CommitId>,
    /// How often in a row it could not be read.
    pub failures: u32,
    /// Why it could not be read, in a sentence.
    pub problem: Option<String>,
}

/// What a step of a sync does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Puts a module on offer.
    Publish,
    /// Moves it to the new commit, or to other publish-time values.
    Update,
    /// Takes it off the catalogue.
    Withdraw,
    /// Leaves it as it is.
    Keep,
}

/// A step of a sync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// The module's directory.
    pub module: String,
    /// What happens to it.
    pub kind: StepKind,
    /// Why, in a sentence.
    pub reason: String,
}

impl PlannedStep {
    /// Takes a module off the catalogue that is no longer in the repository.
    pub fn gone(module: &str) -> Self {
        let reason = "no longer in the repository".to_owned();
        Self { module: module.to_owned(), kind: StepKind::Withdraw, reason }
    }

    /// Whether it puts a revision on offer, whose source is needed for that.
    pub fn offers(&self) -> bool {
        matches!(self.kind, StepKind::Publish | StepKind::Update)
    }
}

/// A sync that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRecord {
    /// Whose catalogue it changed.
    pub publisher: Publisher,
    /// When.
    pub at: DateTime<Utc>,
    /// Who applied it; `None` if it came by itself.
    pub by: Option<AccountId>,
    /// The repository.
    pub repository: String,
    /// The commit that was read; `None` if there was no branch or directory to read any more.
    pub commit: Option<CommitId>,
    /// The version of the catalogue that came of it.
    pub version: u64,
    /// What happened to each module concerned.
    pub steps: Vec<PlannedStep>,
}

/// The most syncs that are kept of one publisher.
pub const MOST_SYNCS: u32 = 200;

/// Stores how repositories are watched.
///
/// # Contract
/// - Of several processes that ask what is due at the same time, each is given other watches.
/// - Times are kept to the microsecond.
/// - The latest [`MOST_SYNCS`] syncs of a publisher are kept.
#[async_trait]
pub trait WatchStore: Send + Sync + fmt::Debug {
    /// The watch of a publisher's repository, while there is one.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn watch(&self, publisher: Publisher) -> Result<Option<Watch>, BackendError>;

    /// Begins to watch, in place of what the publisher had watched before.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn begin(&self, watch: &Watch) -> Result<(), BackendError>;

    /// Watches no longer; that nothing was watched is no error.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn end(&self, publisher: Publisher) -> Result<(), BackendError>;

    /// Switches auto-update, and has the repository looked at when `next_at` comes whatever was seen there; nothing where
    /// there is no watch.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn set_auto_update(
        &self,
        publisher: Publisher,
        on: bool,
        next_at: DateTime<Utc>,
    ) -> Result<(), BackendError>;

    /// The watches that are due at `now`, the longest due first, at most `limit`; none of them is due again before `until`.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn due(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Watch>, BackendError>;

    /// Keeps what came of a look, and when the next one is; nothing where there is no watch any more, something else is
    /// watched by now, or auto-update was switched since the look began.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn looked(&self, watch: &Watch) -> Result<(), BackendError>;

    /// Keeps a sync.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn keep_sync(&self, sync: &SyncRecord) -> Result<(), BackendError>;

    /// The syncs of a publisher, the latest first, at most `limit`.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn syncs(&self, publisher: Publisher, limit: u32) -> Result<Vec<SyncRecord>, BackendError>;
}
