//! Stands in for the account state until the engine lands: its signatures, so that ledgers and use cases compile.

use chrono::{DateTime, Utc};

use super::{Balance, Split, Violation};
use crate::money::Credits;

/// The state of an account.
#[derive(Debug)]
pub struct AccountState;

impl AccountState {
    /// The balance at a time.
    pub fn balance(&self, _at: DateTime<Utc>) -> Balance {
        Balance::default()
    }

    /// How an amount would split.
    ///
    /// # Errors
    /// Never.
    pub fn preview(
        &self,
        _amount: Credits,
        _purchased: bool,
        _at: DateTime<Utc>,
    ) -> Result<Split, Violation> {
        Ok(Split::default())
    }
}
