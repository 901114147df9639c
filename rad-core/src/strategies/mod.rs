//! Proptest strategies for the histories of accounts: for the laws of this crate, and for an embedder's own audits.
//!
//! ```
//! use proptest::prelude::*;
//! use rad_core::revenue::AccountState;
//! use rad_core::strategies::histories;
//!
//! proptest!(|(history in histories(1..40))| {
//!     let mut state = AccountState::new(history.account);
//!     for entry in &history.entries {
//!         prop_assert!(state.apply(entry).is_ok());
//!     }
//! });
//! ```

mod cases;
mod entry;
mod history;

pub use cases::cases;
pub use entry::{bodies, burn_orders, charge_terms, entries};
pub use history::{Action, Attempt, History, Script, histories, scripts};
