//! What all backends' errors share: the failure of what a backend stands on, and whether a retry can help.

use std::error::Error;
use std::fmt;

/// Something below a backend failed: its database, its network, a file.
///
/// The cause is boxed, so that no backend's own error type leaks through a trait; its text is for logs, never for
/// people outside.
#[derive(Debug)]
pub struct BackendError {
    kind: FailureKind,
    during: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Whether calling again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// A passing fault: nothing was changed, the same call may succeed later.
    Unavailable,
    /// What is stored contradicts itself; a person must look.
    Corrupt,
    /// A fault that the same call would meet again.
    Permanent,
}

impl BackendError {
    /// A passing fault while doing `during` (a short phrase such as "reading the head").
    pub fn unavailable(during: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: FailureKind::Unavailable, during, source: Some(source.into()) }
    }

    /// Stored content that cannot be right, found while doing `during`.
    pub fn corrupt(during: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: FailureKind::Corrupt, during, source: Some(source.into()) }
    }

    /// A fault that a retry would meet again, while doing `during`.
    pub fn permanent(during: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: FailureKind::Permanent, during, source: Some(source.into()) }
    }

    /// Whether calling again can help.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.kind == FailureKind::Unavailable
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FailureKind::Unavailable => write!(f, "temporarily unavailable while {}", self.during),
            FailureKind::Corrupt => write!(f, "stored content is inconsistent, found while {}", self.during),
            FailureKind::Permanent => write!(f, "failed while {}", self.during),
        }
    }
}

impl Error for BackendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
