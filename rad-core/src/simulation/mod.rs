//! Made-up markets: the books of any number of accounts over a year, from a seed.
//!
//! For trying auditors, measuring ledgers and filling demonstrations. Every entry is one that the engine took, so a simulated
//! history is as valid as a real one: sign-up grants, purchases in several currencies at odd prices, subscriptions,
//! allowances, holds that are captured whole or in part, released or left to lapse, refunds, disputes, reversals after
//! spending with the debt and repayment that follow, project debits, adjustments, expiries, and share rules that change
//! during the year, with rates of their own for some partners.
//!
//! The same [`Simulation`] gives the same entries, byte for byte, in every version: a change of that is a change of format.
//! Memory is that of one account.
//!
//! ```
//! use rad_core::simulation::Simulation;
//!
//! let market = Simulation { accounts: 20, entries: 1_000, seed: 7 }.market()?;
//! assert_eq!(market.entries().count(), 1_000);
//! # Ok::<(), rad_core::simulation::SimulationError>(())
//! ```

mod account;
mod acts;
mod dice;
mod market;
mod purchase;
mod recent;

pub use market::{Histories, Market};

/// What to simulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Simulation {
    /// How many accounts, without the platform's own.
    pub accounts: u64,
    /// How many entries in all, those with share rules included.
    pub entries: u64,
    /// What everything is drawn from.
    pub seed: u64,
}

impl Simulation {
    /// The most entries: one account alone could have them all and still count its credits.
    pub const MOST_ENTRIES: u64 = 1_000_000_000;

    /// Draws what all accounts have in common: modules, who earns, the share rules of the year.
    ///
    /// # Errors
    /// [`SimulationError`].
    pub fn market(self) -> Result<Market, SimulationError> {
        let least = self.accounts.saturating_add(1);
        if self.accounts == 0 {
            return Err(SimulationError::NoAccounts);
        }
        if self.entries < least {
            return Err(SimulationError::TooFewEntries {
                entries: self.entries,
                accounts: self.accounts,
                least,
            });
        }
        if self.entries > Self::MOST_ENTRIES {
            return Err(SimulationError::TooManyEntries { entries: self.entries });
        }
        Ok(Market::new(self))
    }
}

/// Why there is no such market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// A market of nobody.
    #[error("accounts must be more than 0")]
    NoAccounts,
    /// Every account has an entry, and so has the platform.
    #[error("{entries} entries are too few for {accounts} accounts: give at least {least}")]
    TooFewEntries {
        /// How many were asked for.
        entries: u64,
        /// For how many accounts.
        accounts: u64,
        /// How many there must be.
        least: u64,
    },
    /// Beyond what is supported.
    #[error("{entries} entries are too many: give at most {}", Simulation::MOST_ENTRIES)]
    TooManyEntries {
        /// How many were asked for.
        entries: u64,
    },
}
