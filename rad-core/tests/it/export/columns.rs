//! The table of columns in `FORMAT.md` is what the reader holds every row to.

use rad_core::export::{COLUMNS, Fault, ReadError};

use super::golden::CSV;
use super::read_csv;

const FORMAT: &str = include_str!("../../../FORMAT.md");

/// A row of the table: the column, the kinds that need it, the kinds that can have it.
struct Documented {
    name: String,
    needed: Vec<String>,
    possible: Vec<String>,
}

impl Documented {
    fn all() -> Vec<Self> {
        let table = FORMAT.split("\n## CSV\n").nth(1).unwrap().split("\n## ").next().unwrap();
        let rows = table.lines().filter(|line| line.starts_with("| `"));
        let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        rows.map(|row| match row.split('|').collect::<Vec<_>>().as_slice() {
            ["", name, _, needed, possible, ""] => Self {
                name: name.trim().trim_matches('`').to_owned(),
                needed: names(needed),
                possible: names(possible),
            },
            cells => panic!("{cells:?}"),
        })
        .collect()
    }

    fn is_needed(&self, kind: &str) -> bool {
        self.needed.iter().any(|of| of == kind || of == "all")
    }

    fn is_possible(&self, kind: &str) -> bool {
        self.is_needed(kind) || self.possible.iter().any(|of| of == kind || of == "all")
    }
}

/// The rows of the committed file, as fields.
pub(super) fn golden_rows() -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(CSV.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// A file with these rows behind the header.
pub(super) fn file_of(rows: &[Vec<String>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).unwrap();
    rows.iter().for_each(|row| writer.write_record(row).unwrap());
    writer.into_inner().unwrap()
}

/// What the reader says about the row with another value in one column.
fn with(row: &[String], place: usize, value: &str) -> Option<ReadError> {
    let mut row = row.to_vec();
    row[place] = value.to_owned();
    read_csv(file_of(&[row]).as_slice()).1
}

#[test]
fn the_table_names_every_column_in_its_order() {
    let names: Vec<_> = Documented::all().into_iter().map(|column| column.name).collect();
    assert_eq!(names, COLUMNS);
}

#[test]
fn what_a_kind_needs_must_be_there() {
    // Parts of what is there whole or not at all.
    let together = |name: &str| ["paid_", "balance_", "unit_price"].iter().any(|part| name.starts_with(part));
    for row in golden_rows() {
        for (place, column) in
            Documented::all().iter().enumerate().filter(|(place, _)| !row[*place].is_empty())
        {
            let error = with(&row, place, "");
            if column.is_needed(&row[5]) || together(&column.name) {
                let error = error.unwrap();
                assert!(matches!(error.fault, Fault::Missing { .. }), "{} {error}", row[5]);
                assert_eq!((error.line, error.column), (2, Some(place as u64 + 1)));
                assert_eq!(error.field.as_deref(), Some(column.name.as_str()));
            } else {
                assert!(error.is_none(), "{} without {}: {error:?}", row[5], column.name);
            }
        }
    }
}

#[test]
fn what_a_kind_does_not_have_must_be_empty() {
    for row in golden_rows() {
        for (place, column) in
            Documented::all().iter().enumerate().filter(|(place, _)| row[*place].is_empty())
        {
            let error = with(&row, place, "?").unwrap();
            if column.is_possible(&row[5]) {
                assert!(!matches!(error.fault, Fault::Unwanted { .. }), "{} {error}", row[5]);
            } else {
                assert!(matches!(error.fault, Fault::Unwanted { .. }), "{} {error}", row[5]);
                assert_eq!((error.line, error.column), (2, Some(place as u64 + 1)));
                assert_eq!(error.field.as_deref(), Some(column.name.as_str()));
                assert_eq!(error.value.as_deref(), Some("?"));
            }
        }
    }
}

#[test]
fn a_price_per_unit_needs_the_price_and_nothing_else_has_one() {
    let rows = golden_rows();
    let capture = rows.iter().find(|row| row[5] == "capture").unwrap();
    let place = |name: &str| COLUMNS.iter().position(|column| *column == name).unwrap();
    let error = with(capture, place("basis"), "lot_cost").unwrap();
    assert!(matches!(error.fault, Fault::Unwanted { .. }), "{error}");
    assert_eq!(error.field.as_deref(), Some("unit_price"));
    let error = with(capture, place("unit_price"), "").unwrap();
    assert!(matches!(error.fault, Fault::Missing { .. }), "{error}");
    assert_eq!(error.field.as_deref(), Some("unit_price"));
}
