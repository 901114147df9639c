//! The journal as a file for hledger or beancount.

mod booking;
mod sink;
mod sums;
mod writer;

pub use booking::{Booking, Difference};
pub use sink::Sink;
pub use sums::{Group, Sums};
pub use writer::{About, Format, Writer};
