//! Repositories, catalogue and archive of modules.
#![doc = include_str!("../README.md")]

pub mod catalog;
#[cfg(feature = "github")]
pub mod github;
mod limits;
pub mod local;
pub mod sqlite;

pub use catalog::{SqliteArchive, SqliteCatalog};
#[cfg(feature = "github")]
pub use github::GitHub;
pub use limits::TreeLimits;
pub use local::LocalSource;
pub use sqlite::{migrate, open};
