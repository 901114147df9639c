//! Ledger, accounts, settings, orders and sandbox payments on SQLite and PostgreSQL.
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

pub use database::migrate;
pub use directory::SqlDirectory;
#[cfg(feature = "postgres")]
pub use ledger::PostgresLedger;
pub use ledger::SqliteLedger;
pub use orders::SqlOrders;
pub use sandbox::SandboxPayments;
pub use settings::SqlSettings;
