//! The use cases, and all authorization.
//!
//! A [`Platform`] is assembled from backends. People act through an [`Actor`], which is built from the stored account on
//! every request; processes of the platform itself (workers, the sweep, webhooks) act through [`Operations`]. Nothing
//! else reaches the backends.

mod acting;
mod actor;
mod admin;
mod billing;
mod builder;
mod checking;
mod connecting;
mod credentials;
mod deploying;
mod error;
mod following;
mod grid;
mod grouping;
mod hooks;
mod inspecting;
mod leasing;
mod needing;
mod notices;
mod operations;
mod publishing;
mod purging;
mod reading;
mod refining;
mod reporting;
mod scanning;
mod settling;
mod sharing;
mod states;
mod sweeping;
mod syncing;
mod updating;
mod watching;

use std::sync::Arc;

pub use actor::{Actor, Capability};
pub use billing::{Balances, BuyOptions, ProviderChoice};
pub use builder::{BuildError, PlatformBuilder};
pub use checking::Checked;
pub use connecting::PartnerOffer;
pub use deploying::{DeployForm, Offer, Quote, QuoteRefusal, Submission};
pub use error::PlatformError;
pub use following::{RunFollower, RunNews, RunStand};
pub use grid::{GridEntry, GridState, ModuleGrid, Selection, SyncPlan};
pub use hooks::WebhookSecret;
pub use inspecting::DeploymentDetails;
pub use leasing::{ATTEMPTS, Told};
pub use operations::Operations;
pub use refining::{ProposedBranch, ProposedChange, RefineView};
pub use reporting::{RevenueRow, RevenueView};
pub use sweeping::SweepReport;
pub use syncing::{Followed, RepoNews};
pub use updating::{ChangedVariable, UpdateForm};
pub use watching::WatchReport;

use crate::catalog::{ModuleCatalog, SourceArchive};
use crate::clock::Clock;
use crate::credential::CredentialStore;
use crate::delivery::DeliveryLog;
use crate::deployment::DeploymentStore;
use crate::directory::Directory;
use crate::group::GroupStore;
use crate::id::AccountId;
use crate::ledger::Ledger;
use crate::notify::Notifier;
use crate::payment::{OrderStore, PaymentProvider};
use crate::reading::ReadingStore;
use crate::repo::RepoSource;
use crate::runner::Runner;
use crate::settings::SettingsStore;
use crate::watch::WatchStore;

/// A marketplace: backends, and the rules between them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Platform {
    parts: Arc<Parts>,
}

/// The backends of a platform.
#[derive(Debug)]
struct Parts {
    directory: Arc<dyn Directory>,
    settings: Arc<dyn SettingsStore>,
    repos: Arc<dyn RepoSource>,
    catalog: Arc<dyn ModuleCatalog>,
    archive: Arc<dyn SourceArchive>,
    deployments: Arc<dyn DeploymentStore>,
    following: following::Following,
    runner: Arc<dyn Runner>,
    ledger: Arc<dyn Ledger>,
    orders: Arc<dyn OrderStore>,
    providers: Vec<Arc<dyn PaymentProvider>>,
    notifier: Arc<dyn Notifier>,
    refining: Option<refining::Refining>,
    credentials: Option<Arc<dyn CredentialStore>>,
    deliveries: Arc<dyn DeliveryLog>,
    groups: Arc<dyn GroupStore>,
    watches: Arc<dyn WatchStore>,
    readings: Arc<dyn ReadingStore>,
    clock: Arc<dyn Clock>,
}

impl Platform {
    /// Starts the assembly of a platform.
    pub fn builder() -> PlatformBuilder {
        PlatformBuilder::default()
    }

    /// The account with this id, ready to act with the roles it has at this moment.
    ///
    /// # Errors
    /// [`PlatformError::NotFound`] if there is no such account.
    pub async fn actor(&self, account: AccountId) -> Result<Actor, PlatformError> {
        let account = self.parts.directory.account(account).await?;
        Ok(Actor::new(Arc::clone(&self.parts), account))
    }

    /// What the platform's own processes do: work through runs, settle them, take webhooks.
    pub fn operations(&self) -> Operations {
        Operations::new(Arc::clone(&self.parts))
    }
}
