//! Where what a bundle says differs from what its entries give.

use std::collections::BTreeSet;

use rad_core::revenue::statement::{COLUMNS, Statement};
use serde_json::Value;

use super::check::Findings;
use super::{CSV, HTML, MANIFEST, Manifest};

/// What tells rows apart: entry, original entry, type.
const KEY: [usize; 3] = [3, 4, 5];

/// Compares manifests field by field.
pub(super) fn manifests(said: &Manifest, derived: &Manifest, findings: &mut Findings) {
    // Both are plain structs, whose serialisation cannot fail.
    let json = |manifest: &Manifest| serde_json::to_value(manifest).unwrap_or_default();
    values("", &json(said), &json(derived), findings);
}

fn values(place: &str, said: &Value, derived: &Value, findings: &mut Findings) {
    if let (Value::Object(said), Value::Object(derived)) = (said, derived) {
        let fields: BTreeSet<&String> = said.keys().chain(derived.keys()).collect();
        for field in fields {
            let deeper = if place.is_empty() { field.clone() } else { format!("{place}.{field}") };
            let of = |fields: &serde_json::Map<String, Value>| fields.get(field).cloned().unwrap_or_default();
            values(&deeper, &of(said), &of(derived), findings);
        }
    } else if said != derived {
        findings.add(MANIFEST, Some(place.to_owned()), format!("it is {said}; the entries give {derived}"));
    }
}

/// Compares the CSV with the statement, row by row and cell by cell.
pub(super) fn csv(said: &[u8], statement: &Statement, findings: &mut Findings) {
    let Ok(said) = std::str::from_utf8(said) else {
        findings.add(CSV, None, "it is not UTF-8".to_owned());
        return;
    };
    let expected = statement.csv();
    if said == expected {
        return;
    }
    let before = findings.concern(CSV);
    let (said, expected) = (Lines::of(said), Lines::of(&expected));
    if said.header != expected.header {
        let problem = format!("the columns are not {}", COLUMNS.join(","));
        findings.add(CSV, Some("line 1".to_owned()), problem);
    }
    rows(&said.rows, &expected.rows, findings);
    if !before && !findings.concern(CSV) {
        findings.add(CSV, None, "the ends of its lines are not CRLF".to_owned());
    }
}

struct Lines<'a> {
    header: &'a str,
    rows: Vec<Vec<&'a str>>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let mut lines = text.lines();
        let header = lines.next().unwrap_or_default();
        Self { header, rows: lines.map(|line| line.split(',').collect()).collect() }
    }
}

/// Walks both lists of rows, and finds rows that only one of them has.
fn rows(said: &[Vec<&str>], expected: &[Vec<&str>], findings: &mut Findings) {
    let known: BTreeSet<_> = expected.iter().map(|row| key(row)).collect();
    let mut left = expected.iter().peekable();
    for (index, row) in said.iter().enumerate() {
        // The header is line 1.
        let line = index.saturating_add(2);
        if !known.contains(&key(row)) {
            let problem = format!("the entries give no row {}", describe(row));
            findings.add(CSV, Some(format!("line {line}")), problem);
            continue;
        }
        while let Some(missing) = left.next_if(|expected| key(expected) != key(row)) {
            findings.add(
                CSV,
                Some(format!("before line {line}")),
                format!("the row {} is missing", describe(missing)),
            );
        }
        match left.next() {
            Some(expected) => cells(line, row, expected, findings),
            None => findings.add(CSV, Some(format!("line {line}")), "the row is not in its place".to_owned()),
        }
    }
    for missing in left {
        findings.add(CSV, Some("at the end".to_owned()), format!("the row {} is missing", describe(missing)));
    }
}

fn cells(line: usize, said: &[&str], expected: &[&str], findings: &mut Findings) {
    if said.len() != expected.len() {
        let problem = format!("it has {} cells in place of {}", said.len(), expected.len());
        findings.add(CSV, Some(format!("line {line}")), problem);
        return;
    }
    for ((column, said), expected) in COLUMNS.iter().zip(said).zip(expected) {
        if said != expected {
            let place = Some(format!("line {line}, {column}"));
            findings.add(CSV, place, format!("it is {said:?}; the entries give {expected:?}"));
        }
    }
}

fn key<'a>(row: &[&'a str]) -> [&'a str; 3] {
    KEY.map(|place| row.get(place).copied().unwrap_or_default())
}

fn describe(row: &[&str]) -> String {
    let [entry, original, kind] = key(row);
    if original.is_empty() { format!("{kind} {entry}") } else { format!("{kind} {entry} of {original}") }
}

/// Compares the page with the one that the entries give, line by line up to the first difference.
pub(super) fn html(said: &[u8], expected: &str, findings: &mut Findings) {
    if said == expected.as_bytes() {
        return;
    }
    let said = String::from_utf8_lossy(said);
    let same = said.lines().zip(expected.lines()).take_while(|(said, expected)| said == expected).count();
    let place = Some(format!("line {}", same.saturating_add(1)));
    findings.add(HTML, place, "from here on it is not the page that the entries give".to_owned());
}
