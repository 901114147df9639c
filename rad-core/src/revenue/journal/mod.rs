#![doc = include_str!("README.md")]

mod account;
mod books;
mod place;
mod proof;
mod transaction;

pub use account::{ChartAccount, Class, Unit};
pub use books::Books;
pub use proof::Proof;
pub use transaction::{Balances, Cause, Posting, Transaction};
