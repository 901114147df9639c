//! Ledger, accounts, settings, orders and sandbox payments on SQLite.

mod directory;
mod orders;
pub mod sandbox;
mod settings;
pub mod sqlite;

pub use directory::SqliteDirectory;
pub use orders::SqliteOrders;
pub use sandbox::SandboxPayments;
pub use settings::SqliteSettings;
