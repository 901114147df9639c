//! Deployments, runs, logs, states and notices on SQLite.
//!
//! States, the values of sensitive variables and outputs are encrypted with an [`EncryptionKey`] that is not in the
//! database. Every write under a lease checks the lease in the same transaction.

mod deployments;
mod key;
mod notify;
mod sqlite;

pub use deployments::{OpenError, SqliteDeployments};
pub use key::{EncryptionKey, KeyError};
pub use notify::SqliteNotifier;
pub use sqlite::{migrate, open};
