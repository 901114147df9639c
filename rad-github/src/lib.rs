//! Repositories, catalogue and archive of modules.
#![doc = include_str!("../README.md")]

pub mod catalog;
mod credentials;
mod database;
#[cfg(feature = "github")]
pub mod github;
#[cfg(feature = "github")]
pub mod jules;
mod limits;
pub mod local;
pub mod refine;

pub use catalog::{SqlArchive, SqlCatalog};
pub use credentials::SqlCredentials;
pub use database::migrate;
#[cfg(feature = "github")]
pub use github::GitHub;
#[cfg(feature = "github")]
pub use jules::Jules;
pub use limits::TreeLimits;
pub use local::LocalSource;
pub use refine::SqlRefinements;
