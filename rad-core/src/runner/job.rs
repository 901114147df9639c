//! What a runner is given to do.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::event::{PlannedChange, Step};
use crate::id::{DeploymentId, RunId};
use crate::module::Values;
use crate::source::SourceTree;

/// What a run does to the real world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Brings the module's resources into being.
    Create,
    /// Makes them what other values or another commit ask for.
    Update,
    /// Destroys what the state knows of.
    Delete,
    /// Tries to destroy what the state knows of; its deployment is closed however that ends.
    Purge,
    /// Looks whether what exists is still what the state says, and changes neither.
    Check,
}

impl Action {
    /// Whether it destroys everything there is.
    pub const fn destroys(self) -> bool {
        match self {
            Self::Create | Self::Update | Self::Check => false,
            Self::Delete | Self::Purge => true,
        }
    }

    /// Whether it applies its plan; otherwise it changes neither what exists, nor the state, nor how its deployment stands.
    pub const fn applies(self) -> bool {
        !matches!(self, Self::Check)
    }
}

/// Everything a run needs; nothing is looked up elsewhere.
pub struct RunJob {
    /// The run.
    pub run: RunId,
    /// The deployment it belongs to.
    pub deployment: DeploymentId,
    /// What to do.
    pub action: Action,
    /// The module's directory, digest already checked.
    pub source: SourceTree,
    /// The values of the module's variables, sensitive ones included.
    pub values: Values,
    /// Names of the variables whose values must not appear in the log.
    pub sensitive: Vec<String>,
    /// The state the last run left, as the engine wrote it.
    pub state: Option<Bytes>,
    /// What it may take away.
    pub consent: Consent,
    /// How long it may take.
    pub limits: RunLimits,
}

impl fmt::Debug for RunJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunJob")
            .field("run", &self.run)
            .field("deployment", &self.deployment)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}

/// What a run may destroy or replace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Consent {
    /// Whatever its plan says.
    #[default]
    Everything,
    /// Only this. A plan that takes away more is not applied: the run ends as [`Unconfirmed`](super::RunOutcome::Unconfirmed).
    Only(Vec<PlannedChange>),
}

impl Consent {
    /// Whether all that a plan takes away may be taken away; each change that was confirmed stands for one.
    pub fn covers(&self, plan: &[PlannedChange]) -> bool {
        let Self::Only(confirmed) = self else { return true };
        let mut left: Vec<&PlannedChange> = confirmed.iter().collect();
        left.sort_unstable();
        let mut wanted: Vec<&PlannedChange> = plan.iter().filter(|change| change.destroys()).collect();
        wanted.sort_unstable();
        let mut left = left.into_iter();
        wanted.into_iter().all(|change| left.by_ref().find(|confirmed| *confirmed >= change) == Some(change))
    }
}

/// How long a run may take, as a whole and in each step. It ends as timed out after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunLimits {
    /// All of it.
    pub whole: Duration,
    /// Fetching providers and child modules.
    pub init: Duration,
    /// Working out what would change.
    pub plan: Duration,
    /// Making the changes.
    pub apply: Duration,
}

impl RunLimits {
    /// The same limit for the whole and for each step.
    pub const fn of(limit: Duration) -> Self {
        Self { whole: limit, init: limit, plan: limit, apply: limit }
    }

    /// The limit of a step.
    pub const fn of_step(&self, step: Step) -> Duration {
        match step {
            Step::Init => self.init,
            Step::Plan => self.plan,
            Step::Apply => self.apply,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::ChangeKind;

    fn changes(of: &[(&str, ChangeKind)]) -> Vec<PlannedChange> {
        of.iter()
            .map(|(address, change)| PlannedChange { address: (*address).to_owned(), change: *change })
            .collect()
    }

    #[test]
    fn consent_covers_what_was_confirmed_and_nothing_else() {
        use ChangeKind::{Create, Delete, Replace, Update};
        let consent = Consent::Only(changes(&[("b", Delete), ("a", Replace), ("a", Replace)]));
        for (plan, covered) in [
            (&[][..], true),
            (&[("c", Create), ("d", Update)], true),
            (&[("a", Replace), ("b", Delete)], true),
            (&[("b", Delete), ("a", Replace), ("a", Replace), ("c", Create)], true),
            (&[("a", Replace), ("a", Replace), ("a", Replace)], false),
            (&[("a", Delete)], false),
            (&[("b", Replace)], false),
            (&[("b", Delete), ("b", Delete)], false),
            (&[("c", Delete)], false),
        ] {
            assert_eq!(consent.covers(&changes(plan)), covered, "{plan:?}");
            assert!(Consent::Everything.covers(&changes(plan)));
            assert_eq!(
                Consent::Only(Vec::new()).covers(&changes(plan)),
                !plan.iter().any(|(_, change)| matches!(change, Delete | Replace))
            );
        }
    }
}
