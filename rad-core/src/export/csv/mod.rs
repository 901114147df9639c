//! CSV: a header, then one row an entry.

mod body;
mod columns;
mod read;
mod recorded;
mod row;
mod terms;
mod write;

pub use columns::COLUMNS;
pub(super) use columns::KINDS;
pub use read::CsvReader;
pub use row::FIELD_LIMIT;
pub use write::CsvWriter;
