//! Why a command cannot go on: the input cannot be read (exit code 2), or the books have an entry that cannot be (1).

use std::fmt;
use std::io;

use rad_core::checkpoint::FileError;
use rad_core::error::BackendError;
use rad_core::export::ReadError;
use rad_core::id::AccountId;
use rad_core::revenue::{EntryId, Violation};
use rad_core::source::Digest;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::output;

/// Why a command cannot go on.
#[derive(Debug, thiserror::Error, Serialize)]
#[serde(untagged)]
pub enum Failure {
    /// The input or the arguments cannot be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// An entry of the books cannot be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An entry of the books was altered.
    #[error(transparent)]
    Altered(#[from] Box<Altered>),
    /// Whoever reads the output has seen enough of it: nothing is wrong, and there is no more to say.
    #[error("nobody reads the output any more")]
    Unread,
}

impl Failure {
    /// What the program ends with.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) => output::UNREADABLE,
            Self::Refused(_) | Self::Altered(_) => output::WRONG,
            Self::Unread => output::FINE,
        }
    }
}

/// Why the input or an argument cannot be read, where, and what mends it.
///
/// As JSON: `kind`, `source`, `line`, `column`, `field`, `value`, `reason`, `mend`.
#[derive(Debug)]
pub struct InputError {
    /// The file, database or argument.
    pub source: String,
    /// What is wrong with it.
    pub fault: InputFault,
}

/// What is wrong with an input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputFault {
    /// The file cannot be opened.
    #[error("the file cannot be opened: {0}")]
    Open(#[source] io::Error),
    /// The source is of no known kind.
    #[error("the name says no format that can be read")]
    UnknownFormat,
    /// The content of a file cannot be read on.
    #[error(transparent)]
    Content(#[from] ReadError),
    /// A checkpoint file cannot be read on.
    #[error(transparent)]
    Checkpoint(#[from] FileError),
    /// A database cannot be read.
    #[error("the database cannot be read: {}", with_causes(.0))]
    Database(#[source] BackendError),
    /// Entries are not in the order of their accounts.
    #[error("an entry of account {account} stands after those of {after}")]
    AccountOrder {
        /// The line, where the source has lines.
        line: Option<u64>,
        /// Whose entry it is.
        account: AccountId,
        /// The account before it.
        after: AccountId,
    },
    /// An argument has a value it cannot have.
    #[error("{reason}")]
    Argument {
        /// The value.
        value: String,
        /// Why it cannot be.
        reason: String,
        /// What can be.
        mend: String,
    },
    /// The sums are beyond what can be counted.
    #[error("{what} would be too large a number")]
    TooLarge {
        /// What it is about.
        what: &'static str,
    },
    /// The file is there already.
    #[error("the file is there already")]
    Exists,
    /// The output cannot be written.
    #[error("the file cannot be written: {0}")]
    Write(#[source] io::Error),
}

impl InputError {
    /// The error of a source.
    pub fn new(source: impl Into<String>, fault: impl Into<InputFault>) -> Self {
        Self { source: source.into(), fault: fault.into() }
    }

    /// What the person at the keyboard can do.
    pub fn mend(&self) -> String {
        match &self.fault {
            InputFault::Open(_) => "check the name and the permissions".into(),
            InputFault::UnknownFormat => format!("give {}", crate::source::KINDS),
            InputFault::Content(error) => error.fault.mend().into_owned(),
            InputFault::Checkpoint(_) => "write the checkpoint again, from a ledger that you trust".into(),
            InputFault::Database(error) if error.is_retryable() => "try again in a moment".into(),
            InputFault::Database(_) => {
                "check that it is the database of a ledger, and of this version".into()
            }
            InputFault::AccountOrder { .. } => {
                "export again: accounts by ascending id, the entries of each by their number".into()
            }
            InputFault::Argument { mend, .. } => mend.clone(),
            InputFault::TooLarge { .. } => "ask for a shorter period with --from and --to".into(),
            InputFault::Exists => "give another name, or --force to replace it".into(),
            InputFault::Write(_) => "check the directory, its permissions and the space left".into(),
        }
    }

    /// The fault's name, for programs.
    pub fn kind(&self) -> String {
        match &self.fault {
            InputFault::Content(error) => variant(&error.fault),
            other => variant(other),
        }
    }

    /// The line, where it is known.
    pub const fn line(&self) -> Option<u64> {
        match &self.fault {
            InputFault::Content(error) => Some(error.line),
            InputFault::AccountOrder { line, .. } => *line,
            InputFault::Checkpoint(FileError::Line { line, .. }) => Some(*line),
            _ => None,
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.source)?;
        match &self.fault {
            // It says its place and its mend itself.
            InputFault::Content(error) => return error.fmt(f),
            InputFault::AccountOrder { line: Some(line), .. } => write!(f, "line {line}: ")?,
            InputFault::Argument { value, .. } => write!(f, "{value:?}: ")?,
            _ => {}
        }
        write!(f, "{}; {}", self.fault, self.mend())
    }
}

impl std::error::Error for InputError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.fault)
    }
}

impl Serialize for InputError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let content = match &self.fault {
            InputFault::Content(error) => Some(error),
            _ => None,
        };
        let value = match &self.fault {
            InputFault::Argument { value, .. } => Some(value),
            InputFault::Content(error) => error.value.as_ref(),
            _ => None,
        };
        let reason = content.map_or_else(|| self.fault.to_string(), |error| error.fault.to_string());
        let mut fields = serializer.serialize_struct("InputError", 8)?;
        fields.serialize_field("kind", &self.kind())?;
        fields.serialize_field("source", &self.source)?;
        fields.serialize_field("line", &self.line())?;
        fields.serialize_field("column", &content.and_then(|error| error.column))?;
        fields.serialize_field("field", &content.and_then(|error| error.field.as_deref()))?;
        fields.serialize_field("value", &value)?;
        fields.serialize_field("reason", &reason)?;
        fields.serialize_field("mend", &self.mend())?;
        fields.end()
    }
}

/// An entry that no honest ledger took: the engine refuses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The file or database.
    pub source: String,
    /// The line, where the source has lines.
    pub line: Option<u64>,
    /// Whose entry it is.
    pub account: AccountId,
    /// Its number.
    pub seq: u64,
    /// Why it is refused.
    pub violation: Violation,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.source)?;
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(
            f,
            "account {}, entry {} could not have been posted: {}",
            self.account, self.seq, self.violation
        )
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.violation)
    }
}

impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Refusal", 6)?;
        fields.serialize_field("kind", &variant(&self.violation))?;
        fields.serialize_field("source", &self.source)?;
        fields.serialize_field("line", &self.line)?;
        fields.serialize_field("account", &self.account)?;
        fields.serialize_field("seq", &self.seq)?;
        fields.serialize_field("reason", &self.violation.to_string())?;
        fields.end()
    }
}

/// An entry whose recorded hash is not its own: it, or one before it in its account, was altered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Altered {
    /// The file or database.
    pub source: String,
    /// The line, where the source has lines.
    pub line: Option<u64>,
    /// The entry.
    pub entry: EntryId,
    /// The hash of what is there.
    pub hash: Digest,
    /// The hash it came with.
    pub recorded: Digest,
}

impl Altered {
    fn reason(&self) -> String {
        format!("the entry has the hash {}; {} is recorded", self.hash, self.recorded)
    }
}

impl fmt::Display for Altered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.source)?;
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{}: {}; `revenue-audit verify` lists all that is wrong", self.entry, self.reason())
    }
}

impl std::error::Error for Altered {}

impl Serialize for Altered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Altered", 6)?;
        fields.serialize_field("kind", "Altered")?;
        fields.serialize_field("source", &self.source)?;
        fields.serialize_field("line", &self.line)?;
        fields.serialize_field("account", &self.entry.account)?;
        fields.serialize_field("seq", &self.entry.seq)?;
        fields.serialize_field("reason", &self.reason())?;
        fields.end()
    }
}

/// An error and what caused it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The name of an enum's variant, for programs: `OutOfSequence`. Derived, so that a new variant has one too.
pub fn variant(value: &impl fmt::Debug) -> String {
    let debug = format!("{value:?}");
    debug.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_owned()
}
