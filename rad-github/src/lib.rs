//! Repositories, catalogue and archive of modules.
#![doc = include_str!("../README.md")]

pub mod catalog;
mod credentials;
#[cfg(feature = "github")]
pub mod github;
#[cfg(feature = "github")]
pub mod jules;
mod limits;
pub mod local;
pub mod refine;
pub mod sqlite;

pub use catalog::{SqliteArchive, SqliteCatalog};
pub use credentials::SqliteCredentials;
#[cfg(feature = "github")]
pub use github::GitHub;
#[cfg(feature = "github")]
pub use jules::Jules;
pub use limits::TreeLimits;
pub use local::LocalSource;
pub use refine::SqliteRefinements;
pub use sqlite::{migrate, open};
