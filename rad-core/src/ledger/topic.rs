//! What entries are about, as people look for them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{DeploymentId, ModuleId, ParseIdError};
use crate::revenue::{AccountState, Body, Charge, EntryKind};

/// What an entry is about, as people filter by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// The fee of a module: holds, charges, refunds.
    Deployment,
    /// The running cost of cloud projects.
    Project,
    /// Credits bought, and payments taken back.
    Purchase,
    /// Credits given.
    Grant,
}

impl Category {
    /// Every category, in the order shown to people.
    pub const ALL: [Self; 4] = [Self::Deployment, Self::Project, Self::Purchase, Self::Grant];

    /// The kinds of entries that can be of the category.
    pub const fn kinds(self) -> &'static [EntryKind] {
        match self {
            Self::Deployment => &[EntryKind::Hold, EntryKind::Capture, EntryKind::Release, EntryKind::Refund],
            Self::Project => &[EntryKind::ProjectDebit, EntryKind::Refund],
            Self::Purchase => {
                &[EntryKind::Grant, EntryKind::Freeze, EntryKind::Unfreeze, EntryKind::Reversal]
            }
            Self::Grant => &[EntryKind::Grant, EntryKind::Expiry, EntryKind::Adjustment],
        }
    }

    /// The category's name, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Project => "project",
            Self::Purchase => "purchase",
            Self::Grant => "grant",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Category {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let found = Self::ALL.into_iter().find(|category| category.as_str() == text);
        found.ok_or_else(|| ParseIdError::new("Category", text))
    }
}

/// What an entry is about, found once when it is posted: a release names neither its deployment nor its module, its hold does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Topic {
    /// The category; share rules have none.
    pub category: Option<Category>,
    /// The deployment it concerns.
    pub deployment: Option<DeploymentId>,
    /// The module whose fee it concerns.
    #[serde(default)]
    pub module: Option<ModuleId>,
}

impl Topic {
    /// What an entry with this body is about, given the state just before it, with what the entry
    /// [needs](AccountState::needs).
    pub fn of(body: &Body, before: &AccountState) -> Self {
        let is = |category, deployment, module| Self { category: Some(category), deployment, module };
        match body {
            Body::Hold(hold) => is(Category::Deployment, hold.deployment, hold.module),
            Body::Capture(capture) => {
                is(Category::Deployment, Some(capture.deployment), Some(capture.terms.module))
            }
            Body::Release(release) => {
                let hold = before.open_hold(release.hold);
                let (deployment, module) = hold.map_or((None, None), |hold| (hold.deployment, hold.module));
                is(Category::Deployment, deployment, module)
            }
            Body::Refund(refund) => match before.charge(refund.charge) {
                Some(Charge { deployment, terms: Some(terms), .. }) => {
                    is(Category::Deployment, deployment, Some(terms.module))
                }
                Some(Charge { deployment, terms: None, .. }) => is(Category::Project, deployment, None),
                None => is(Category::Deployment, None, None),
            },
            Body::ProjectDebit(debit) => is(Category::Project, debit.deployment, None),
            Body::Grant(grant) if grant.source.can_cost() => is(Category::Purchase, None, None),
            Body::Freeze(_) | Body::Unfreeze(_) | Body::Reversal(_) => is(Category::Purchase, None, None),
            Body::Grant(_) | Body::Expiry(_) | Body::Adjustment(_) => is(Category::Grant, None, None),
            Body::ShareRules(_) => Self::default(),
        }
    }
}
