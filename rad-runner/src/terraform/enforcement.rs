//! What of the isolation and the limits this host enforces, and by which means.

use serde::Serialize;

/// What keeps runs within bounds on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Enforcement {
    /// One for each thing that is to be kept within bounds, in the order of importance.
    pub measures: Vec<Measure>,
}

/// One thing that is to be kept within bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Measure {
    /// What: `files and processes of the host`, `network`, `memory`, …
    pub what: &'static str,
    /// The bound, for people.
    pub bound: String,
    /// By which means it is enforced; `None` if it is not.
    pub means: Option<String>,
    /// What is not enforced, or not wholly, why, and what the operator can do about it.
    pub gap: Option<String>,
}

impl Enforcement {
    /// What is not enforced, or not wholly.
    pub fn gaps(&self) -> impl Iterator<Item = &Measure> {
        self.measures.iter().filter(|measure| measure.gap.is_some())
    }
}

impl Measure {
    pub(super) fn full(what: &'static str, bound: impl Into<String>, means: impl Into<String>) -> Self {
        Self { what, bound: bound.into(), means: Some(means.into()), gap: None }
    }

    pub(super) fn partial(
        what: &'static str,
        bound: impl Into<String>,
        means: impl Into<String>,
        gap: impl Into<String>,
    ) -> Self {
        Self { gap: Some(gap.into()), ..Self::full(what, bound, means) }
    }

    pub(super) fn missing(what: &'static str, bound: impl Into<String>, gap: impl Into<String>) -> Self {
        Self { what, bound: bound.into(), means: None, gap: Some(gap.into()) }
    }
}
