//! Why an export cannot be read: where, what is there, what is wrong with it, and what mends it.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// Why an export cannot be read on.
///
/// Printed it is one line: where, the value, the reason and the mend.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReadError {
    /// The line, counted from 1.
    pub line: u64,
    /// CSV: the column, counted from 1. JSON Lines: the byte in the line, counted from 1, where that is known.
    pub column: Option<u64>,
    /// The field: a column's name, or a path such as `entry.body.credits`.
    pub field: Option<Cow<'static, str>>,
    /// What is there, or its beginning.
    pub value: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with the input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The stream below fails; a truncated archive does so too.
    #[error("the input cannot be read on: {0}")]
    Io(#[source] io::Error),
    /// The input ends in the middle of a line.
    #[error("the input ends in the middle of a record")]
    Truncated,
    /// The line is too long.
    #[error("the line is longer than {limit} bytes")]
    LineTooLong {
        /// The most bytes a line can have.
        limit: usize,
    },
    /// The field is too long.
    #[error("the field is longer than {limit} bytes")]
    FieldTooLong {
        /// The most bytes a field can have that is no list.
        limit: usize,
    },
    /// Bytes that are not UTF-8.
    #[error("the bytes are not UTF-8")]
    NotUtf8,
    /// The input begins with a byte order mark.
    #[error("the input begins with a byte order mark")]
    ByteOrderMark,
    /// The header does not name this column here.
    #[error("the header has another column where {expected:?} belongs")]
    WrongHeader {
        /// The column's name; empty behind the last one.
        expected: &'static str,
    },
    /// The row has more or fewer fields than there are columns.
    #[error("the row has {actual} fields instead of {expected}")]
    WrongWidth {
        /// How many columns there are.
        expected: usize,
        /// How many fields the row has.
        actual: usize,
    },
    /// A quote inside an unquoted field, or one that is not closed.
    #[error("the quotes of the field are not in order")]
    BadQuotes,
    /// The field is empty, and must not be.
    #[error("the field is empty, and {of} need it")]
    Missing {
        /// What needs it: a kind of entry, or the field that is there.
        of: &'static str,
    },
    /// The field is filled, and must be empty.
    #[error("the field is filled, and {of} do not have it")]
    Unwanted {
        /// What does not have it.
        of: &'static str,
    },
    /// The value is not written in its one spelling.
    #[error("the field is not in its one spelling")]
    Malformed {
        /// What it should be.
        wanted: &'static str,
    },
    /// The value is beyond what there can be.
    #[error("the value is out of range")]
    OutOfRange {
        /// What it should be.
        wanted: &'static str,
    },
    /// Nothing has this name: no kind, no currency, no source.
    #[error("nothing has this name")]
    Unknown {
        /// What it should be.
        wanted: &'static str,
    },
    /// Not JSON, or not that of a record.
    #[error("the line is not the JSON of a record: {reason}")]
    Json {
        /// What the parser says.
        reason: String,
    },
}

impl Fault {
    /// What the person who has the input can do.
    pub fn mend(&self) -> Cow<'static, str> {
        match self {
            Self::Io(_) => "check that the file is whole, or fetch it again".into(),
            Self::Truncated => "fetch the file again: a part of it is missing".into(),
            Self::LineTooLong { .. } | Self::FieldTooLong { .. } => {
                "export again: no record is that long".into()
            }
            Self::NotUtf8 => "export again, or convert the file to UTF-8".into(),
            Self::ByteOrderMark => "remove the first three bytes of the file".into(),
            Self::WrongHeader { expected: "" } => "remove what is behind the last column".into(),
            Self::WrongHeader { expected } => {
                format!("name the column {expected:?}, or export again: the header is fixed").into()
            }
            Self::WrongWidth { expected, .. } => {
                format!("write {expected} fields, empty ones for what the entry does not have").into()
            }
            Self::BadQuotes => "put the field in quotes and write every quote in it twice (RFC 4180)".into(),
            Self::Missing { .. } => "fill it, or export again".into(),
            Self::Unwanted { .. } => "empty it, or export again".into(),
            Self::Malformed { wanted } | Self::OutOfRange { wanted } | Self::Unknown { wanted } => {
                format!("write {wanted}").into()
            }
            Self::Json { .. } => "write the line as rad-core/schema/record.schema.json says".into(),
        }
    }
}

/// The most characters of a value that an error repeats.
const EXCERPT: usize = 64;

impl ReadError {
    pub(super) fn new(line: u64, fault: Fault) -> Self {
        Self { line, column: None, field: None, value: None, fault }
    }

    pub(super) fn at_column(mut self, column: u64) -> Self {
        self.column = Some(column);
        self
    }

    pub(super) fn in_field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub(super) fn with_value(mut self, value: &[u8]) -> Self {
        self.value = Some(excerpt(value));
        self
    }
}

/// The beginning of a value as text, with `…` in place of what is left out.
fn excerpt(value: &[u8]) -> String {
    // Four bytes are the most a character takes.
    let beginning = value.get(..EXCERPT.saturating_mul(4)).unwrap_or(value);
    let text = String::from_utf8_lossy(beginning);
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        if let Some(field) = &self.field {
            write!(f, ", {field}")?;
        }
        if let Some(value) = &self.value {
            write!(f, " = {value:?}")?;
        }
        write!(f, ": {}; {}", self.fault, self.fault.mend())
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.fault)
    }
}
