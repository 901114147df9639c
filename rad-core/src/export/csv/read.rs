//! Reads rows.

use std::io::Read;

use super::body;
use super::columns::{COLUMNS, Column, KINDS, RECORDED};
use super::recorded;
use super::row::{FIELD_LIMIT, Layout, Row, error_in};
use super::terms::Terms;
use crate::export::lines::Lines;
use crate::export::{Fault, ReadError, Record};
use crate::revenue::EntryKind;

/// Reads an export in CSV. It buffers by itself, and reuses the memory of the record it fills.
#[derive(Debug)]
pub struct CsvReader<R> {
    lines: Lines<R>,
    layout: Layout,
    terms: Terms,
    recorded: bool,
    begun: bool,
}

impl<R: Read> CsvReader<R> {
    /// Reads from the header on.
    pub fn new(input: R) -> Self {
        let (lines, layout) = (Lines::new(input), Layout::default());
        Self { lines, layout, terms: Terms::default(), recorded: true, begun: false }
    }

    /// Whether records come with what the books say their entries did; they do otherwise. Without, those columns are not
    /// even looked at.
    #[must_use]
    pub const fn with_recorded(mut self, recorded: bool) -> Self {
        self.recorded = recorded;
        self
    }

    /// The number of the line that was read last, counted from 1, the header included; 0 before it.
    pub const fn line(&self) -> u64 {
        self.lines.number()
    }

    /// Reads the next record into `record`; `false` at the end of the input.
    ///
    /// # Errors
    /// [`ReadError`]; `record` is then of no use.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, ReadError> {
        if !self.begun {
            self.read_header()?;
            self.begun = true;
        }
        let number = self.lines.number().saturating_add(1);
        let line = match self.lines.next() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(false),
            Err(error) => return Err(self.name_field(error)),
        };
        let row = self.layout.split(line, number)?;
        if row.width() != Column::COUNT {
            let fault = Fault::WrongWidth { expected: Column::COUNT, actual: row.width() };
            return Err(ReadError::new(number, fault).with_value(line));
        }
        read_row(&row, &mut self.terms, self.recorded, record)?;
        Ok(true)
    }

    fn read_header(&mut self) -> Result<(), ReadError> {
        let Some(line) = self.lines.next()? else {
            let [expected, ..] = COLUMNS;
            return Err(error_in(1, 0, b"", Fault::WrongHeader { expected }));
        };
        let row = self.layout.split(line, 1)?;
        for place in 0..row.width().max(Column::COUNT) {
            let expected = COLUMNS.get(place).copied().unwrap_or_default();
            if row.at(place) != expected.as_bytes() || place >= row.width() {
                return Err(error_in(1, place, row.at(place), Fault::WrongHeader { expected }));
            }
        }
        Ok(())
    }

    /// Names the field that a line which is too long has got to.
    fn name_field(&mut self, error: ReadError) -> ReadError {
        let number = error.line;
        if !matches!(error.fault, Fault::LineTooLong { .. }) {
            return error;
        }
        let rest = self.lines.rest();
        let Ok(row) = self.layout.split(rest, number) else { return error };
        let longest = (0..row.width()).max_by_key(|place| row.at(*place).len()).unwrap_or_default();
        let fault = match row.at(longest).len() > FIELD_LIMIT {
            true => Fault::FieldTooLong { limit: FIELD_LIMIT },
            false => error.fault,
        };
        error_in(number, longest, row.at(longest), fault)
    }
}

fn read_row(
    row: &Row<'_>,
    terms: &mut Terms,
    with_recorded: bool,
    record: &mut Record,
) -> Result<(), ReadError> {
    let name = std::str::from_utf8(row.bytes(Column::Kind));
    let Some(kind) = name.ok().and_then(|name| name.parse::<EntryKind>().ok()) else {
        return Err(match row.has(Column::Kind) {
            true => row.error(Column::Kind, row.bytes(Column::Kind), Fault::Unknown { wanted: KINDS }),
            false => row.error(Column::Kind, b"", Fault::Missing { of: "entries" }),
        });
    };
    row.check(kind.needed(), kind.allowed(), kind.plural())?;
    let entry = &mut record.entry;
    entry.account = row.get(Column::Account)?;
    entry.seq = row.get(Column::Seq)?;
    entry.at = row.get(Column::At)?;
    entry.key = row.get(Column::Key)?;
    entry.actor = row.option(Column::Actor)?;
    entry.body = body::read(row, kind, terms)?;
    record.hash = row.option(Column::Hash)?;
    if with_recorded && row.filled & RECORDED != 0 {
        recorded::read(row, record.recorded.get_or_insert_default())
    } else {
        record.recorded = None;
        Ok(())
    }
}
