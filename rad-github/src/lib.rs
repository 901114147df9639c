//! Repositories, catalogue and archive of modules.
#![doc = include_str!("../README.md")]

pub mod catalog;
pub mod local;
pub mod sqlite;

pub use catalog::{SqliteArchive, SqliteCatalog};
pub use local::LocalSource;
pub use sqlite::{migrate, open};
