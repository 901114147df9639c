//! What a run has to report while it goes on, and how it hears that it has to stop.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the engine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// Fetching providers and child modules.
    Init,
    /// Working out what would change.
    Plan,
    /// Making the changes.
    Apply,
}

/// What happens to one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// It comes into being.
    Create,
    /// It is changed where it stands.
    Update,
    /// It is destroyed and made anew.
    Replace,
    /// It is destroyed.
    Delete,
    /// It is read.
    Read,
}

/// The most resources of one run: a runner tells no more changes of a plan, no more that drifted, and the progress of no more,
/// and stores keep no more. What is left out of a plan or of a check is said in a diagnostic or in the log.
pub const MOST_RESOURCES: usize = 10_000;

/// What a plan does to one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlannedChange {
    /// The resource's address, such as `terraform_data.node[3]`. Sensitive values are masked.
    pub address: String,
    /// What happens to it.
    pub change: ChangeKind,
}

impl PlannedChange {
    /// Whether it takes something away that exists.
    pub fn destroys(&self) -> bool {
        matches!(self.change, ChangeKind::Delete | ChangeKind::Replace)
    }
}

/// What became of a resource behind the platform's back: it is not what the state says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The resource's address. Sensitive values are masked.
    pub address: String,
    /// What was done to it: [`ChangeKind::Update`] or [`ChangeKind::Delete`].
    pub change: ChangeKind,
    /// The attributes of a changed resource that differ, where the engine says which.
    #[serde(default)]
    pub attributes: Vec<DriftedAttribute>,
}

/// An attribute that is not what the state says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftedAttribute {
    /// Its name.
    pub name: String,
    /// What the state says, as JSON; `None` where that is sensitive.
    pub was: Option<String>,
    /// What it is, as JSON; `None` where that is sensitive.
    pub is: Option<String>,
}

/// How far the change of one resource has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeStatus {
    /// The plan holds it.
    Planned,
    /// It is under way.
    Started,
    /// It is done.
    Complete,
    /// It failed.
    Errored,
}

/// The progress of one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceProgress {
    /// The resource's address, such as `terraform_data.node[3]`.
    pub address: String,
    /// What happens to it.
    pub change: ChangeKind,
    /// How far it has come.
    pub status: ChangeStatus,
    /// Whole seconds it has taken, where the engine says.
    pub elapsed_seconds: Option<u64>,
}

impl ResourceProgress {
    /// Whether its change began, whatever came of it, and is one: reading changes nothing.
    pub fn changed_something(&self) -> bool {
        self.change != ChangeKind::Read && self.status != ChangeStatus::Planned
    }
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The run cannot succeed.
    Error,
    /// Worth a look.
    Warning,
}

/// What the engine has to say about the module or its values. Sensitive values are masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub summary: String,
    /// More lines; may be empty.
    pub detail: String,
    /// The file, relative to the module, and the line it is about.
    pub place: Option<(String, u64)>,
    /// The resource it is about.
    pub address: Option<String>,
}

impl Diagnostic {
    /// An error with a summary and detail of the platform's own.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            place: None,
            address: None,
        }
    }
}

/// An output value of a deployment.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// The output's name.
    pub name: String,
    /// Whether the module marks it sensitive: then it is shown to the owner on request only.
    pub sensitive: bool,
    /// The value.
    pub value: Value,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Output");
        out.field("name", &self.name).field("sensitive", &self.sensitive);
        if !self.sensitive {
            out.field("value", &self.value);
        }
        out.finish_non_exhaustive()
    }
}

/// Something a run has to report while it goes on.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RunEvent {
    /// A step began.
    Step(Step),
    /// Lines for the log, each ended by a line feed, sensitive values masked.
    Log(String),
    /// The plan is made: everything it changes.
    Planned(Vec<PlannedChange>),
    /// What a check found: all that is not what the state says.
    Drift(Vec<Drift>),
    /// A resource got further.
    Resource(ResourceProgress),
    /// A diagnostic.
    Diagnostic(Diagnostic),
    /// The engine wrote its state; it is complete and replaces the one before.
    State(Bytes),
    /// The outputs after an apply.
    Outputs(Vec<Output>),
}

/// Why a run has to stop before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// A person cancelled it.
    Cancelled,
    /// The worker lost its lease: nothing it reports is stored any more.
    LeaseLost,
    /// The worker is shutting down.
    ShuttingDown,
}

/// Where a run reports to, and hears that it has to stop.
#[async_trait]
pub trait RunObserver: Send + Sync {
    /// Takes an event, in order.
    ///
    /// # Errors
    /// The run must stop: what it reports is not stored any more.
    async fn event(&self, event: RunEvent) -> Result<(), StopReason>;

    /// Waits until the run has to stop; for ever if it never has to.
    async fn stop(&self) -> StopReason;
}
