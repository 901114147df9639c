//! What the use cases refuse.

use super::Capability;
use crate::agent::AgentError;
use crate::agent::change::ChangeError;
use crate::catalog::CatalogError;
use crate::deployment::DeploymentError;
use crate::directory::DirectoryError;
use crate::error::BackendError;
use crate::ledger::LedgerError;
use crate::module::ValueProblem;
use crate::money::Credits;
use crate::payment::PaymentError;
use crate::refine::RefineError;
use crate::repo::RepoError;
use crate::revenue::Violation;
use crate::runner::{Engine, RunnerError};
use crate::settings::SettingsError;
use crate::source::CommitId;

/// Why a use case was refused. The text is for the person who asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// The account's roles do not allow it.
    #[error("your account may not {capability}")]
    Forbidden {
        /// What was asked for.
        capability: Capability,
    },
    /// There is no such thing, or it is not shown to this account.
    #[error("there is no such {what}, or it is not shown to your account")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// Values that the module does not take.
    #[error("{} of the values cannot be used", problems.len())]
    Values {
        /// Each of them, with the reason.
        problems: Vec<ValueProblem>,
    },
    /// The purchased credits do not suffice for a module that takes only those.
    #[error("this takes {needed} purchased credits and {available} are there: buy credits first")]
    InsufficientPurchasedCredits {
        /// What it takes.
        needed: Credits,
        /// What can be spent.
        available: Credits,
    },
    /// The credits do not suffice.
    #[error("this takes {needed} credits and {available} are there: buy credits first")]
    InsufficientTotalCredits {
        /// What it takes.
        needed: Credits,
        /// What can be spent.
        available: Credits,
    },
    /// No repository is connected.
    #[error("no repository is connected: choose one in the profile first")]
    NotConnected,
    /// The plan that was looked at is not what would happen now.
    #[error("the repository or the catalogue changed since this plan was made: look at the new one")]
    PlanChanged,
    /// Somebody else changed the same thing at the same moment.
    #[error("somebody else changed the {what} at this moment: look at how it is now")]
    Meanwhile {
        /// What was changed.
        what: &'static str,
    },
    /// A module cannot be published.
    #[error("{module} cannot be published: {reason}")]
    Unpublishable {
        /// The module's directory.
        module: String,
        /// Why.
        reason: String,
    },
    /// Modules need each other in a circle, so that none of them could ever be deployed.
    #[error("these modules need each other in a circle: {}", modules.join(" → "))]
    DependencyCycle {
        /// The modules along the circle; the first is the last.
        modules: Vec<String>,
    },
    /// The module wants another version of the engine than there is.
    #[error(
        "the module asks for version {required}, and {} {} runs here{}",
        engine.name,
        engine.version,
        reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default()
    )]
    EngineVersion {
        /// What runs here.
        engine: Engine,
        /// The module's constraint.
        required: String,
        /// Why they cannot be compared, where they cannot.
        reason: Option<String>,
    },
    /// The module is on offer at another commit or for another fee than the form showed.
    #[error("the module changed since the form was shown: it is at {} now and costs {cost} credits", commit.short())]
    OfferChanged {
        /// The commit on offer.
        commit: CommitId,
        /// The fee.
        cost: Credits,
    },
    /// A field of a request is not right.
    #[error("{field}: {reason}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The ledger's rules refuse for another reason.
    #[error(transparent)]
    Violation(Violation),
    /// The ledger cannot take the entry.
    #[error(transparent)]
    Ledger(LedgerError),
    /// The directory of accounts refuses.
    #[error(transparent)]
    Directory(DirectoryError),
    /// The repository cannot be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The catalogue refuses.
    #[error(transparent)]
    Catalog(CatalogError),
    /// The deployment store refuses.
    #[error(transparent)]
    Deployment(DeploymentError),
    /// Nothing can be run.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// The payment was refused.
    #[error(transparent)]
    Payment(PaymentError),
    /// No code agent is set up.
    #[error("no code agent is set up here: ask whoever runs the platform")]
    NoAgent,
    /// The code agent refuses.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// A proposed change cannot be carried out; nothing was changed.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The store of refine sessions refuses.
    #[error(transparent)]
    Refine(RefineError),
    /// The settings were refused.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A backend failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl PlatformError {
    /// The stable code of a refusal that programs act on.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::InsufficientPurchasedCredits { .. } => Some("INSUFFICIENT_PURCHASED_CREDITS"),
            Self::InsufficientTotalCredits { .. } => Some("INSUFFICIENT_TOTAL_CREDITS"),
            Self::EngineVersion { .. } => Some("ENGINE_VERSION"),
            Self::DependencyCycle { .. } => Some("DEPENDENCY_CYCLE"),
            Self::OfferChanged { .. } => Some("OFFER_CHANGED"),
            _ => None,
        }
    }

    /// The failure of a backend behind this error, where it is one: for logs, not for people outside.
    pub fn backend(&self) -> Option<&BackendError> {
        match self {
            Self::Backend(error)
            | Self::Ledger(LedgerError::Backend(error))
            | Self::Directory(DirectoryError::Backend(error))
            | Self::Repo(RepoError::Backend(error))
            | Self::Catalog(CatalogError::Backend(error))
            | Self::Deployment(DeploymentError::Backend(error))
            | Self::Runner(RunnerError::Backend(error))
            | Self::Payment(PaymentError::Backend(error))
            | Self::Agent(AgentError::Backend(error))
            | Self::Refine(RefineError::Backend(error))
            | Self::Settings(SettingsError::Backend(error)) => Some(error),
            _ => None,
        }
    }
}

impl From<Violation> for PlatformError {
    fn from(violation: Violation) -> Self {
        match violation {
            Violation::InsufficientPurchased { needed, available } => {
                Self::InsufficientPurchasedCredits { needed, available }
            }
            Violation::InsufficientTotal { needed, available } => {
                Self::InsufficientTotalCredits { needed, available }
            }
            violation => Self::Violation(violation),
        }
    }
}

impl From<LedgerError> for PlatformError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Refused { violation, .. } => violation.into(),
            LedgerError::BadCursor(error) => Self::Invalid { field: "page", reason: error.to_string() },
            error => Self::Ledger(error),
        }
    }
}

impl From<DirectoryError> for PlatformError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::NotFound => Self::NotFound { what: "account" },
            error => Self::Directory(error),
        }
    }
}

impl From<CatalogError> for PlatformError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::NotFound => Self::NotFound { what: "module" },
            CatalogError::Stale { .. } => Self::PlanChanged,
            error => Self::Catalog(error),
        }
    }
}

impl From<DeploymentError> for PlatformError {
    fn from(error: DeploymentError) -> Self {
        match error {
            DeploymentError::NotFound => Self::NotFound { what: "deployment" },
            error => Self::Deployment(error),
        }
    }
}

impl From<PaymentError> for PlatformError {
    fn from(error: PaymentError) -> Self {
        match error {
            PaymentError::NoOrder => Self::NotFound { what: "order" },
            error => Self::Payment(error),
        }
    }
}

impl From<RefineError> for PlatformError {
    fn from(error: RefineError) -> Self {
        match error {
            RefineError::NotFound => Self::NotFound { what: "refine session" },
            error => Self::Refine(error),
        }
    }
}
