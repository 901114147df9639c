//! Checking a bundle with nothing else at hand.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};
use rad_core::revenue::statement::{Statement, Subject};
use serde::Serialize;

use super::{
    CSV, ENTRIES, FILES, HTML, MANIFEST, Manifest, compare, digest_of, html, name, regular_file, replay,
};
use crate::failure::{Failure, InputError, InputFault};

/// The largest statement that is compared: some millions of rows.
const LIMIT: u64 = 2 << 30;

/// The most findings that are listed; all are counted.
const LISTED: usize = 100;

/// Something that is wrong with a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: &'static str,
    /// Where in it: a line, an entry, a row and column, a field; `None`: the file as a whole.
    pub place: Option<String>,
    /// What is wrong there.
    pub problem: String,
}

/// What became of checking a bundle.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// The directory.
    pub directory: String,
    /// The statement's id, as the manifest has it.
    pub statement_id: String,
    /// What it is about.
    pub subject: Subject,
    /// The first moment of the period.
    pub period_start: DateTime<Utc>,
    /// The first moment after it.
    pub period_end: DateTime<Utc>,
    /// Entries that were replayed.
    pub entries: u64,
    /// Rows that were derived again; `None` where the entries do not allow it.
    pub rows: Option<u64>,
    /// How much is wrong.
    pub problems: u64,
    /// What is wrong: the first hundred.
    pub findings: Vec<Finding>,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    count: u64,
    listed: Vec<Finding>,
    files: BTreeSet<&'static str>,
}

impl Findings {
    pub(super) fn add(&mut self, file: &'static str, place: Option<String>, problem: String) {
        self.count = self.count.saturating_add(1);
        self.files.insert(file);
        if self.listed.len() < LISTED {
            self.listed.push(Finding { file, place, problem });
        }
    }

    /// Whether anything is wrong with a file.
    pub(super) fn concern(&self, file: &str) -> bool {
        self.files.contains(file)
    }
}

/// Checks everything that a bundle says: digests, chains up to the heads, the replay, every row and total.
///
/// # Errors
/// [`Failure`] if a file is missing, a link, too large or no such file at all.
pub fn verify(directory: &Path) -> Result<Verified, Failure> {
    let manifest = Manifest::read(&directory.join(MANIFEST))?;
    let mut findings = Findings::default();
    check_files(directory, &manifest, &mut findings)?;
    let replayed = replay::replay(&directory.join(ENTRIES), &manifest, &mut findings)?;
    if let Some(statement) = &replayed.statement {
        check_statement(directory, &manifest, statement, &mut findings)?;
    }
    Ok(Verified {
        directory: name(directory),
        statement_id: manifest.statement_id,
        subject: manifest.subject,
        period_start: manifest.period_start,
        period_end: manifest.period_end,
        entries: replayed.entries,
        rows: replayed.statement.map(|statement| statement.totals.lines),
        problems: findings.count,
        findings: findings.listed,
    })
}

/// Checks that the files are those that the manifest names, byte for byte.
fn check_files(directory: &Path, manifest: &Manifest, findings: &mut Findings) -> Result<(), InputError> {
    let named: Vec<&str> = manifest.files.iter().map(|file| file.name.as_str()).collect();
    if let Some(other) = named.iter().find(|name| !FILES.contains(name)) {
        return Err(wrong_files(directory, other, "files: a bundle has no such file"));
    }
    for file in FILES {
        let mut entries = manifest.files.iter().filter(|entry| entry.name == file);
        let (Some(entry), None) = (entries.next(), entries.next()) else {
            return Err(wrong_files(directory, file, "files: the manifest must name it once"));
        };
        let path = directory.join(file);
        let unopened = |error| InputError::new(name(&path), InputFault::Open(error));
        let length = regular_file(&path)?;
        if length != entry.bytes {
            findings.add(file, None, format!("it has {length} bytes; the manifest says {}", entry.bytes));
            continue;
        }
        let (_, sha256) = digest_of(&path).map_err(unopened)?;
        if sha256 != entry.sha256 {
            findings.add(file, None, format!("its SHA-256 is {sha256}; the manifest says {}", entry.sha256));
        }
    }
    Ok(())
}

fn wrong_files(directory: &Path, value: &str, reason: &str) -> InputError {
    let fault = InputFault::Argument {
        value: value.chars().take(64).collect(),
        reason: reason.to_owned(),
        mend: format!("the files of a bundle are {}", FILES.join(", ")),
    };
    InputError::new(name(&directory.join(MANIFEST)), fault)
}

/// Compares what the bundle says with the statement that its entries give.
fn check_statement(
    directory: &Path,
    manifest: &Manifest,
    statement: &Statement,
    findings: &mut Findings,
) -> Result<(), InputError> {
    let derived =
        Manifest::new(statement, manifest.source.clone(), manifest.heads.clone(), manifest.files.clone());
    compare::manifests(manifest, &derived, findings);
    compare::csv(&read(directory, CSV)?, statement, findings);
    let page = html::render(statement, &manifest.source).map_err(|error| {
        InputError::new(name(&directory.join(HTML)), InputFault::Write(std::io::Error::other(error)))
    })?;
    compare::html(&read(directory, HTML)?, &page, findings);
    Ok(())
}

fn read(directory: &Path, file: &str) -> Result<Vec<u8>, InputError> {
    let path = directory.join(file);
    let length = regular_file(&path)?;
    if length > LIMIT {
        let fault = InputFault::Argument {
            value: format!("{length} bytes"),
            reason: format!("a statement of more than {LIMIT} bytes is not compared"),
            mend: "draw statements of shorter periods".to_owned(),
        };
        return Err(InputError::new(name(&path), fault));
    }
    fs::read(&path).map_err(|error| InputError::new(name(&path), InputFault::Open(error)))
}
