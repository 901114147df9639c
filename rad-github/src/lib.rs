//! Repositories, catalogue and archive of modules.
#![doc = include_str!("../README.md")]

pub mod catalog;
mod credentials;
mod database;
mod deliveries;
#[cfg(feature = "github")]
pub mod github;
mod groups;
#[cfg(feature = "github")]
pub mod jules;
mod limits;
pub mod local;
mod readings;
pub mod refine;
mod watches;

pub use catalog::{SqlArchive, SqlCatalog};
pub use credentials::SqlCredentials;
pub use database::migrate;
pub use deliveries::SqlDeliveries;
#[cfg(feature = "github")]
pub use github::GitHub;
pub use groups::SqlGroups;
#[cfg(feature = "github")]
pub use jules::Jules;
pub use limits::TreeLimits;
pub use local::LocalSource;
pub use readings::SqlReadings;
pub use refine::SqlRefinements;
pub use watches::SqlWatches;
