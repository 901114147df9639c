//! Where entries come from: files in CSV or JSON Lines, plain or compressed, and ledgers in databases.

mod file;
mod ledger;
mod order;

pub use self::ledger::LedgerAt;

use rad_core::export::Record;

use crate::failure::{InputError, InputFault};

/// The sources that [`open`] takes, for messages.
pub const KINDS: &str = "a file that ends in .csv, .jsonl, .csv.gz or .jsonl.gz, a ledger as sqlite:PATH or postgres://user@host/database";

/// Records of a ledger in account order: accounts by ascending id, the entries of each as they were posted.
///
/// The account with the history of share rules has the lowest id there is, so it is the first.
pub trait Records {
    /// Reads the next record into `record`; `false` at the end.
    ///
    /// # Errors
    /// [`InputError`]; the source is then of no more use.
    fn next(&mut self, record: &mut Record) -> Result<bool, InputError>;

    /// How much of the source is read, and how much there is, in its own unit; `None` where it cannot know.
    fn progress(&self) -> Option<(u64, u64)>;

    /// The line of the last record, counted from 1, in sources that have lines.
    fn line(&self) -> Option<u64> {
        None
    }

    /// What it was opened by, without anything secret.
    fn name(&self) -> &str;
}

/// How much of each record is wanted; what is not wanted need not be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Entries and hashes.
    Entries,
    /// Also what the books say the entries did.
    Recorded,
}

/// Opens a source by its name: [`KINDS`]. Records out of account order are an error when they come.
///
/// # Errors
/// [`InputError`] if it is of no known kind or cannot be opened.
pub fn open(source: &str, wanted: Wanted) -> Result<Box<dyn Records>, InputError> {
    if let Some(address) = ledger::Address::of(source) {
        return Ok(Box::new(order::InOrder::new(ledger::open(address, wanted)?)));
    }
    let Some(format) = Format::of(source) else {
        return Err(InputError::new(source, InputFault::UnknownFormat));
    };
    let records = file::open(source, format, wanted)?;
    Ok(Box::new(order::InOrder::new(records)))
}

/// The format of a file, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// How records are written.
    pub text: Text,
    /// Whether that is compressed with gzip.
    pub gzip: bool,
}

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// One record a row, with a header.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl Format {
    /// The format that a name ends in.
    pub fn of(name: &str) -> Option<Self> {
        let (stem, gzip) = name.strip_suffix(".gz").map_or((name, false), |stem| (stem, true));
        let text = match stem.rsplit_once('.')? {
            (_, "csv") => Text::Csv,
            (_, "jsonl") => Text::Jsonl,
            _ => return None,
        };
        Some(Self { text, gzip })
    }
}
