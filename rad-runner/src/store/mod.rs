//! Deployments, runs, logs, states and notices, in a SQLite file or a PostgreSQL database.
//!
//! States, the values of sensitive variables and outputs are encrypted with an [`Keyring`](rad_core::seal::Keyring) that is not in the
//! database. Every write under a lease checks the lease in the same transaction.

mod database;
mod deployments;
mod notify;

pub use database::migrate;
pub use deployments::{OpenError, SqlDeployments};
pub use notify::SqlNotifier;
