//! What a verification finds wrong, and where.

use std::fmt;

use rad_core::checkpoint::NotExtended;
use rad_core::id::AccountId;
use rad_core::revenue::{TermsError, Violation};
use rad_core::source::Digest;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::failure::variant;
use crate::figures::Sum;

/// One thing that is wrong with the books.
///
/// As JSON: `kind`, `account`, `seq`, `line`, `detail`.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Whose books.
    pub account: AccountId,
    /// The number of the entry; of an account as a whole, that of its last entry, or 0 if that is not known.
    pub seq: u64,
    /// Its line, in sources that have lines.
    pub line: Option<u64>,
    /// What is wrong.
    pub wrong: Wrong,
}

/// What can be wrong with books.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Wrong {
    /// No honest ledger took the entry.
    #[error("the entry could not have been posted: {0}")]
    Refused(#[source] Violation),
    /// A key names one intent, once.
    #[error("the key is that of entry {first} too, with {}", if *same { "the same content" } else { "other content" })]
    KeyReused {
        /// The entry that had the key first.
        first: u64,
        /// Whether it says the same.
        same: bool,
    },
    /// The entry, its hash, or what comes before it was changed.
    #[error("the hash of the entry after the one before it is {expected}; {actual} is recorded")]
    HashDiffers {
        /// The hash of what is there.
        expected: Digest,
        /// What is recorded.
        actual: Digest,
    },
    /// Other entries of the source have a hash.
    #[error("the hash is missing")]
    HashMissing,
    /// What the books say that the entry did is not what it does.
    #[error("{what} recorded differ from the replay: {}", differences.join("; "))]
    RecordedDiffers {
        /// Parts, lines or balance.
        what: &'static str,
        /// Each field that differs.
        differences: Vec<String>,
    },
    /// Other entries of the source say what they did.
    #[error("what the entry did is not recorded")]
    RecordedMissing,
    /// A charge does not have the terms of the share rules in force at its time.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// The credits or the cost of a lot are not all somewhere.
    #[error("lot {lot}: {what} is {actual} by its moves and parts, {expected} in its state")]
    NotConserved {
        /// The lot.
        lot: u64,
        /// What does not add up.
        what: &'static str,
        /// What the state says.
        expected: Sum,
        /// What the moves and parts add up to.
        actual: Sum,
    },
    /// A database keeps something that its entries do not lead to.
    #[error("the database: {problem}")]
    Stored {
        /// What is wrong, in a sentence.
        problem: String,
    },
    /// It does not extend a checkpoint.
    #[error(transparent)]
    NotExtended(#[from] NotExtended),
    /// The shares of a line are not its gross.
    #[error("the shares of charge {charge} are not its gross")]
    SharesDiffer {
        /// The charge.
        charge: u64,
    },
}

impl Wrong {
    /// Its name, for programs: `OutOfSequence`, `HashDiffers`, `KeyReused` …
    pub fn kind(&self) -> String {
        match self {
            Self::Refused(violation) => variant(violation),
            Self::NotExtended(what) => variant(what),
            Self::Terms(error) => format!("Terms{}", variant(error)),
            other => variant(other),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        match self.seq {
            0 => write!(f, "account {}: {}", self.account, self.wrong),
            seq => write!(f, "account {}, entry {seq}: {}", self.account, self.wrong),
        }
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Finding", 5)?;
        fields.serialize_field("kind", &self.wrong.kind())?;
        fields.serialize_field("account", &self.account)?;
        fields.serialize_field("seq", &self.seq)?;
        fields.serialize_field("line", &self.line)?;
        fields.serialize_field("detail", &self.wrong.to_string())?;
        fields.end()
    }
}
