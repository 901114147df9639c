//! A backend in memory for every trait: for tests, for trying things out, and for platforms that need not last.
//!
//! Each keeps the whole contract of its trait and passes the same conformance suite as the durable ones; only what is in
//! it ends with the process.

mod agent;
mod archive;
mod catalog;
mod clock;
mod credential;
mod delivery;
mod deployment;
mod directory;
mod group;
mod ledger;
mod notify;
mod payment;
mod reading;
mod refine;
mod repo;
mod runner;
mod settings;
mod watch;

pub use agent::MemoryAgent;
pub use archive::MemoryArchive;
pub use catalog::MemoryCatalog;
pub use clock::ManualClock;
pub use credential::MemoryCredentials;
pub use delivery::MemoryDeliveries;
pub use deployment::MemoryDeployments;
pub use directory::MemoryDirectory;
pub use group::MemoryGroups;
pub use ledger::MemoryLedger;
pub use notify::MemoryNotifier;
pub use payment::MemoryOrders;
pub use reading::MemoryReadings;
pub use refine::MemoryRefinements;
pub use repo::MemoryRepos;
pub use runner::{Script, ScriptedRunner};
pub use settings::MemorySettings;
pub use watch::MemoryWatches;
