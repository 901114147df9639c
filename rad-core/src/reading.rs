//! Readings: what was found in publishers' repositories the last time, so that only what changed since is parsed again.

use std::fmt;

use async_trait::async_trait;

use crate::access::Publisher;
use crate::error::BackendError;
use crate::module::FoundModule;
use crate::source::CommitId;

/// What was found in the repository of a publisher.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Whose repository it is.
    pub publisher: Publisher,
    /// What read it: see [`READER`](crate::module::READER).
    pub reader: String,
    /// The repository, as its source names it.
    pub repository: String,
    /// The directory that holds the modules; empty for the root.
    pub sub_dir: String,
    /// The commit.
    pub commit: CommitId,
    /// The modules, unreadable ones included, in the order of names.
    pub modules: Vec<FoundModule>,
}

impl Reading {
    /// Whether it is what is found there, without looking.
    pub fn is_of(&self, repository: &str, sub_dir: &str, commit: &CommitId) -> bool {
        self.repository == repository && self.sub_dir == sub_dir && self.commit == *commit
    }
}

/// Keeps the last reading of each publisher's repository.
///
/// A reading saves work and decides nothing: one that is lost is made again.
///
/// # Contract
/// - A publisher has one reading, the one kept last, whole: of two kept at the same time it is never a mixture.
/// - What one reader found is given to that reader alone. To one reader, modules of one name and digest are the same: what is kept
///   of them already may stay.
#[async_trait]
pub trait ReadingStore: Send + Sync + fmt::Debug {
    /// The last reading of a publisher's repository, if it was made by `reader`.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn reading(&self, publisher: Publisher, reader: &str) -> Result<Option<Reading>, BackendError>;

    /// Keeps a reading in place of the one before.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn keep(&self, reading: &Reading) -> Result<(), BackendError>;

    /// Forgets a publisher's reading; that there is none is no error.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn forget(&self, publisher: Publisher) -> Result<(), BackendError>;
}
