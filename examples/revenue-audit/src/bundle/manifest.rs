//! The manifest of a bundle: what the statement says, what it was drawn from, and what its files must be.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use chrono::{DateTime, Utc};
use rad_core::id::AccountId;
use rad_core::money::{Credits, Currency};
use rad_core::revenue::Rounding;
use rad_core::revenue::statement::{Statement, Subject};
use rad_core::source::Digest;
use serde::{Deserialize, Serialize};

use super::{digest_of, name, regular_file};
use crate::failure::{InputError, InputFault};
use crate::source::Format;

/// The name of this form of manifests.
const FORMAT: &str = "rad.statement.v1";

/// The largest manifest that is read: room for some hundred thousand heads.
const LIMIT: u64 = 64 << 20;

/// What `manifest.json` holds. Money is in minor units of the currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of the manifest: `rad.statement.v1`.
    pub format: String,
    /// The statement's id.
    pub statement_id: String,
    /// What it is about.
    pub subject: Subject,
    /// Whose share it counts.
    pub payee: String,
    /// The first moment of the period.
    pub period_start: DateTime<Utc>,
    /// The first moment after it.
    pub period_end: DateTime<Utc>,
    /// The currency; `None` where there are no lines.
    pub currency: Option<Currency>,
    /// What was earned before the period.
    pub opening_balance_minor: i64,
    /// What was earned up to its end.
    pub closing_balance_minor: i64,
    /// The sums over the rows.
    pub totals: Sums,
    /// The rules by which the rows were rounded.
    pub rounding: BTreeSet<Rounding>,
    /// The versions of the share rules that decided the rows.
    pub rule_versions: BTreeSet<u32>,
    /// Where the entries came from.
    pub source: SourceIdentity,
    /// The last entry before the end of the period, of every account concerned and of the one with the share rules.
    pub heads: Vec<Head>,
    /// The other files of the bundle.
    pub files: Vec<FileEntry>,
}

/// Sums over the rows of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    /// How many rows.
    pub rows: u64,
    /// Credits charged, less those taken back.
    pub gross_credits: Credits,
    /// The awarded ones of them.
    pub awarded: Credits,
    /// The purchased ones of them.
    pub purchased: Credits,
    /// True revenue.
    pub gross_minor: i64,
    /// The payee's share.
    pub share_minor: i64,
    /// Everybody's shares; left out of what partners and agents get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<AllShares>,
}

/// Everybody's shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllShares {
    /// The partners'.
    pub partner_minor: i64,
    /// The agents'.
    pub agent_minor: i64,
    /// The platform's.
    pub platform_minor: i64,
}

/// Where a statement was drawn from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceIdentity {
    /// A file's name without its directory, or a database's without anything secret.
    pub name: String,
    /// The digest of the file; `None` for databases, whose identity is the heads.
    pub sha256: Option<Digest>,
}

/// The last entry of an account that a statement knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The account.
    pub account: AccountId,
    /// The number of the entry.
    pub seq: u64,
    /// Its hash, which covers all entries before it.
    pub hash: Digest,
}

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name in the directory.
    pub name: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: Digest,
}

impl Manifest {
    /// The manifest of a statement.
    pub fn new(
        statement: &Statement,
        source: SourceIdentity,
        heads: Vec<Head>,
        files: Vec<FileEntry>,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            statement_id: statement.id(),
            subject: statement.subject,
            payee: statement.subject.payee(),
            period_start: statement.period.start(),
            period_end: statement.period.end(),
            currency: statement.currency,
            opening_balance_minor: statement.opening,
            closing_balance_minor: statement.closing,
            totals: Sums::of(statement),
            rounding: statement.roundings.clone(),
            rule_versions: statement.rule_versions.clone(),
            source,
            heads,
            files,
        }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// [`InputError`] if it is not there, too large, a link, or no manifest of this form.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        let wrong = |value: String, reason: String| {
            let mend =
                format!("give the directory of a statement, with the {} it came with", super::MANIFEST);
            InputError::new(name(path), InputFault::Argument { value, reason, mend })
        };
        let bytes = regular_file(path)?;
        if bytes > LIMIT {
            return Err(wrong(format!("{bytes} bytes"), format!("a manifest has at most {LIMIT} bytes")));
        }
        let file = File::open(path).map_err(|error| InputError::new(name(path), InputFault::Open(error)))?;
        let manifest: Self = serde_json::from_reader(BufReader::new(file)).map_err(|error| {
            wrong(format!("line {}, column {}", error.line(), error.column()), error.to_string())
        })?;
        if manifest.format != FORMAT {
            return Err(wrong(manifest.format, format!("format: only {FORMAT} can be read")));
        }
        Ok(manifest)
    }

    /// How many entries the histories have together.
    pub fn entries(&self) -> u64 {
        self.heads.iter().fold(0, |sum, head| head.seq.saturating_add(sum))
    }
}

impl Sums {
    fn of(statement: &Statement) -> Self {
        let totals = &statement.totals;
        let shares = AllShares {
            partner_minor: totals.partner,
            agent_minor: totals.agent,
            platform_minor: totals.platform,
        };
        let private = matches!(statement.subject, Subject::Partner(_) | Subject::Agent(_));
        Self {
            rows: totals.lines,
            gross_credits: totals.credits,
            awarded: totals.awarded,
            purchased: totals.purchased,
            gross_minor: totals.gross,
            share_minor: statement.share(),
            shares: (!private).then_some(shares),
        }
    }
}

impl SourceIdentity {
    /// The identity of a source, which `shown` names without anything secret.
    ///
    /// # Errors
    /// [`InputError`] if a file cannot be read.
    pub fn of(source: &str, shown: &str) -> Result<Self, InputError> {
        let path = Path::new(source);
        if Format::of(source).is_none() || !path.is_file() {
            return Ok(Self { name: shown.to_owned(), sha256: None });
        }
        let (_, sha256) =
            digest_of(path).map_err(|error| InputError::new(source, InputFault::Open(error)))?;
        let file =
            path.file_name().map_or_else(|| shown.to_owned(), |file| file.to_string_lossy().into_owned());
        Ok(Self { name: file, sha256: Some(sha256) })
    }
}
