//! Ledgers that last.

mod sqlite;

pub use sqlite::SqliteLedger;
