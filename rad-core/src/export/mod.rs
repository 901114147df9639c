//! The file formats of a ledger export, for reading and writing: CSV and JSON Lines, as `FORMAT.md` specifies them.
//!
//! Both stream: a reader holds one line, and the caller one [`Record`] that is filled again and again. What is written
//! reads back equal; what is not written as the specification says is refused, never guessed.
//!
//! ```
//! use rad_core::export::{JsonlReader, Record};
//!
//! let file: &[u8] = b"";
//! let mut reader = JsonlReader::new(file);
//! let mut record = Record::default();
//! while reader.read(&mut record)? {
//!     println!("{} {}", record.entry.account, record.entry.body.kind());
//! }
//! # Ok::<(), rad_core::export::ReadError>(())
//! ```
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod cell;
mod csv;
mod diagnosis;
mod error;
mod jsonl;
mod lines;
mod record;

pub use csv::{COLUMNS, CsvReader, CsvWriter, FIELD_LIMIT};
pub use error::{Fault, ReadError};
pub use jsonl::{JsonlReader, JsonlWriter};
pub use lines::LINE_LIMIT;
pub use record::{Record, Recorded, RecordedLine};
