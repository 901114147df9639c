//! Deployments, runs, logs, states and notices on SQLite.
//!
//! States, the values of sensitive variables and outputs are encrypted with an [`Keyring`](rad_core::seal::Keyring) that is not in the
//! database. Every write under a lease checks the lease in the same transaction.

mod deployments;
mod notify;
mod sqlite;

pub use deployments::{OpenError, SqliteDeployments};
pub use notify::SqliteNotifier;
pub use sqlite::{migrate, open};
