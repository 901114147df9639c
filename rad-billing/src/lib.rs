//! Ledger, accounts, settings, orders and sandbox payments on SQLite.
#![doc = include_str!("../README.md")]

mod directory;
pub mod ledger;
mod orders;
pub mod sandbox;
mod settings;
pub mod sqlite;

pub use directory::SqliteDirectory;
pub use ledger::SqliteLedger;
pub use orders::SqliteOrders;
pub use sandbox::SandboxPayments;
pub use settings::SqliteSettings;
