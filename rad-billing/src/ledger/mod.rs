//! Ledgers that last.
//!
//! What the databases share is here: posting in groups (`posting`), the open part of an account (`book`), the rows (`rows`),
//! listings (`listing`), sums of revenue (`totals`), asking for both (`queries`), verifying (`verifying`) and checkpoints
//! (`checkpoints`). A module for each database loads and writes rows in the way that suits it.

mod book;
mod checkpoints;
mod export;
mod listing;
mod micros;
#[cfg(test)]
mod plans;
#[cfg(feature = "postgres")]
mod postgres;
mod posting;
mod queries;
mod rows;
mod sqlite;
mod totals;
mod verifying;

pub use export::Export;
#[cfg(feature = "postgres")]
pub use postgres::PostgresLedger;
pub use sqlite::SqliteLedger;
