//! The kinds of entries, by name.

use std::fmt;
use std::str::FromStr;

use super::Body;
use crate::id::ParseIdError;

/// The kind of an entry, without what it says.
///
/// ```
/// use rad_core::revenue::EntryKind;
///
/// assert_eq!("project_debit".parse(), Ok(EntryKind::ProjectDebit));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntryKind {
    /// [`Body::Grant`].
    Grant,
    /// [`Body::Hold`].
    Hold,
    /// [`Body::Capture`].
    Capture,
    /// [`Body::Release`].
    Release,
    /// [`Body::Refund`].
    Refund,
    /// [`Body::Freeze`].
    Freeze,
    /// [`Body::Unfreeze`].
    Unfreeze,
    /// [`Body::Reversal`].
    Reversal,
    /// [`Body::Expiry`].
    Expiry,
    /// [`Body::ProjectDebit`].
    ProjectDebit,
    /// [`Body::Adjustment`].
    Adjustment,
    /// [`Body::ShareRules`].
    ShareRules,
}

impl EntryKind {
    /// Every kind, in the order of [`Body`].
    pub const ALL: [Self; 12] = [
        Self::Grant,
        Self::Hold,
        Self::Capture,
        Self::Release,
        Self::Refund,
        Self::Freeze,
        Self::Unfreeze,
        Self::Reversal,
        Self::Expiry,
        Self::ProjectDebit,
        Self::Adjustment,
        Self::ShareRules,
    ];

    /// The kind of an entry with this body.
    pub const fn of(body: &Body) -> Self {
        match body {
            Body::Grant(_) => Self::Grant,
            Body::Hold(_) => Self::Hold,
            Body::Capture(_) => Self::Capture,
            Body::Release(_) => Self::Release,
            Body::Refund(_) => Self::Refund,
            Body::Freeze(_) => Self::Freeze,
            Body::Unfreeze(_) => Self::Unfreeze,
            Body::Reversal(_) => Self::Reversal,
            Body::Expiry(_) => Self::Expiry,
            Body::ProjectDebit(_) => Self::ProjectDebit,
            Body::Adjustment(_) => Self::Adjustment,
            Body::ShareRules(_) => Self::ShareRules,
        }
    }

    /// The kind's name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Hold => "hold",
            Self::Capture => "capture",
            Self::Release => "release",
            Self::Refund => "refund",
            Self::Freeze => "freeze",
            Self::Unfreeze => "unfreeze",
            Self::Reversal => "reversal",
            Self::Expiry => "expiry",
            Self::ProjectDebit => "project_debit",
            Self::Adjustment => "adjustment",
            Self::ShareRules => "share_rules",
        }
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for EntryKind {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| ParseIdError::new("EntryKind", text))
    }
}
