//! Assembling a platform from backends.

use std::sync::Arc;

use super::following::Following;
use super::refining::Refining;
use super::{Parts, Platform};
use crate::agent::CodeAgent;
use crate::catalog::{ModuleCatalog, SourceArchive};
use crate::clock::{Clock, SystemClock};
use crate::credential::CredentialStore;
use crate::delivery::DeliveryLog;
use crate::deployment::DeploymentStore;
use crate::directory::Directory;
use crate::group::GroupStore;
use crate::ledger::Ledger;
use crate::memory::{MemoryDeliveries, MemoryGroups, MemoryReadings, MemoryWatches};
use crate::notify::Notifier;
use crate::payment::{OrderStore, PaymentProvider};
use crate::reading::ReadingStore;
use crate::refine::RefineStore;
use crate::repo::{RepoSource, RepoWriter};
use crate::runner::Runner;
use crate::settings::SettingsStore;
use crate::watch::WatchStore;

macro_rules! builder {
    ($($(#[$doc:meta])* $field:ident: $backend:ident,)*) => {
        /// Takes one backend for each trait; see [`Platform::builder`].
        #[derive(Debug, Default)]
        pub struct PlatformBuilder {
            $($field: Option<Arc<dyn $backend>>,)*
            providers: Vec<Arc<dyn PaymentProvider>>,
            refining: Option<Refining>,
            credentials: Option<Arc<dyn CredentialStore>>,
            deliveries: Option<Arc<dyn DeliveryLog>>,
            groups: Option<Arc<dyn GroupStore>>,
            watches: Option<Arc<dyn WatchStore>>,
            readings: Option<Arc<dyn ReadingStore>>,
            clock: Option<Arc<dyn Clock>>,
        }

        impl PlatformBuilder {
            $($(#[$doc])*
            #[must_use]
            pub fn $field(mut self, backend: Arc<dyn $backend>) -> Self {
                self.$field = Some(backend);
                self
            })*

            /// Adds a way to pay; without one, credits cannot be bought.
            #[must_use]
            pub fn provider(mut self, provider: Arc<dyn PaymentProvider>) -> Self {
                self.providers.push(provider);
                self
            }

            /// Lets publishers refine their modules: with which agent, where the sessions are kept, and what commits the
            /// changes that are accepted. Without it, nobody can.
            #[must_use]
            pub fn refining(
                mut self,
                agent: Arc<dyn CodeAgent>,
                sessions: Arc<dyn RefineStore>,
                writer: Arc<dyn RepoWriter>,
            ) -> Self {
                self.refining = Some(Refining { agent, sessions, writer });
                self
            }

            /// Where publishers' tokens are kept; without one, repositories are read without tokens.
            #[must_use]
            pub fn credentials(mut self, credentials: Arc<dyn CredentialStore>) -> Self {
                self.credentials = Some(credentials);
                self
            }

            /// Where it is kept which webhooks were taken; in memory by default, so that each process takes them for itself.
            #[must_use]
            pub fn deliveries(mut self, deliveries: Arc<dyn DeliveryLog>) -> Self {
                self.deliveries = Some(deliveries);
                self
            }

            /// Where the groups are kept that modules trust; in memory by default.
            #[must_use]
            pub fn groups(mut self, groups: Arc<dyn GroupStore>) -> Self {
                self.groups = Some(groups);
                self
            }

            /// Where it is kept how repositories are watched; in memory by default.
            #[must_use]
            pub fn watches(mut self, watches: Arc<dyn WatchStore>) -> Self {
                self.watches = Some(watches);
                self
            }

            /// Where it is kept what was last read of repositories; in memory by default, so that each process reads them for
            /// itself.
            #[must_use]
            pub fn readings(mut self, readings: Arc<dyn ReadingStore>) -> Self {
                self.readings = Some(readings);
                self
            }

            /// Where the time comes from; the operating system's clock by default.
            #[must_use]
            pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
                self.clock = Some(clock);
                self
            }

            /// Puts the platform together.
            ///
            /// # Errors
            /// [`BuildError`] naming the first backend that is missing, or two providers of one name.
            pub fn build(self) -> Result<Platform, BuildError> {
                for (index, provider) in self.providers.iter().enumerate() {
                    if self.providers[..index].iter().any(|other| other.name() == provider.name()) {
                        return Err(BuildError::TwoProviders(provider.name()));
                    }
                }
                let parts = Parts {
                    $($field: self.$field.ok_or(BuildError::Missing(stringify!($field)))?,)*
                    following: Following::default(),
                    providers: self.providers,
                    refining: self.refining,
                    credentials: self.credentials,
                    deliveries: self.deliveries.unwrap_or_else(|| Arc::new(MemoryDeliveries::default())),
                    groups: self.groups.unwrap_or_else(|| Arc::new(MemoryGroups::default())),
                    watches: self.watches.unwrap_or_else(|| Arc::new(MemoryWatches::default())),
                    readings: self.readings.unwrap_or_else(|| Arc::new(MemoryReadings::default())),
                    clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock)),
                };
                Ok(Platform { parts: Arc::new(parts) })
            }
        }
    };
}

builder! {
    /// Who has an account.
    directory: Directory,
    /// The platform's settings.
    settings: SettingsStore,
    /// Where modules come from.
    repos: RepoSource,
    /// Which modules are published.
    catalog: ModuleCatalog,
    /// The sources of published modules.
    archive: SourceArchive,
    /// Deployments, runs, logs and state.
    deployments: DeploymentStore,
    /// What carries out runs.
    runner: Runner,
    /// Where credits move.
    ledger: Ledger,
    /// Orders for credits.
    orders: OrderStore,
    /// How people are told.
    notifier: Notifier,
}

/// Why a platform could not be put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A backend is missing.
    #[error("the platform has no {0}: give the builder one")]
    Missing(&'static str),
    /// Two payment providers have one name.
    #[error("two payment providers are named {0:?}")]
    TwoProviders(&'static str),
}
