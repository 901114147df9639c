//! Ledger on SQLite and PostgreSQL; accounts, settings, orders and sandbox payments on SQLite.
#![doc = include_str!("../README.md")]

mod database;
mod directory;
pub mod ledger;
mod orders;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sandbox;
mod settings;
pub mod sqlite;

pub use directory::SqliteDirectory;
#[cfg(feature = "postgres")]
pub use ledger::PostgresLedger;
pub use ledger::SqliteLedger;
pub use orders::SqliteOrders;
pub use sandbox::SandboxPayments;
pub use settings::SqliteSettings;
