//! One row: its fields where they lie in the line, and the errors about them.

use super::columns::{COLUMNS, Column};
use crate::export::cell::{Cell, Flaw};
use crate::export::{Fault, ReadError};

/// The most bytes a field can have that is no list.
pub const FIELD_LIMIT: usize = 64 << 10;

/// Where the fields of a line end; kept from line to line for its memory.
#[derive(Debug, Default)]
pub(super) struct Layout {
    ends: Vec<usize>,
    unquoted: Vec<u8>,
}

/// What separates fields once their quotes are gone: no field can contain it.
const UNQUOTED_SEPARATOR: u8 = b'\n';

impl Layout {
    /// Splits a line as RFC 4180 says, except that no field can contain a line break.
    pub(super) fn split<'a>(&'a mut self, line: &'a [u8], number: u64) -> Result<Row<'a>, ReadError> {
        self.ends.clear();
        let mut quoted = false;
        let (mut filled, mut bit) = (0_u64, 1_u64);
        let mut begin = 0;
        // Most fields are empty: to look at every byte is faster than to search for the next comma.
        for (place, byte) in line.iter().enumerate() {
            match byte {
                b',' => {
                    filled |= if place > begin { bit } else { 0 };
                    bit = bit.wrapping_shl(1);
                    begin = place.saturating_add(1);
                    self.ends.push(place);
                }
                b'"' => {
                    quoted = true;
                    break;
                }
                _ => {}
            }
        }
        if quoted {
            return self.split_quoted(line, number);
        }
        filled |= if line.len() > begin { bit } else { 0 };
        self.ends.push(line.len());
        Ok(Row { number, text: line, ends: &self.ends, filled })
    }

    fn split_quoted(&mut self, line: &[u8], number: u64) -> Result<Row<'_>, ReadError> {
        self.ends.clear();
        self.unquoted.clear();
        let (mut filled, mut bit) = (0_u64, 1_u64);
        let mut rest = line;
        loop {
            let begin = self.unquoted.len();
            let Some(left) = self.take_field(rest) else {
                let column = self.ends.len();
                return Err(error_in(number, column, rest, Fault::BadQuotes));
            };
            filled |= if self.unquoted.len() > begin { bit } else { 0 };
            bit = bit.wrapping_shl(1);
            self.ends.push(self.unquoted.len());
            match left.split_first() {
                Some((_, after)) => rest = after,
                None => break,
            }
            self.unquoted.push(UNQUOTED_SEPARATOR);
        }
        Ok(Row { number, text: &self.unquoted, ends: &self.ends, filled })
    }

    /// Copies one field without its quotes; gives what follows it, which begins with a comma or is empty. `None` if its
    /// quotes are not in order.
    fn take_field<'a>(&mut self, from: &'a [u8]) -> Option<&'a [u8]> {
        let Some(mut rest) = from.strip_prefix(b"\"") else {
            let (field, rest) = from.split_at_checked(memchr::memchr(b',', from).unwrap_or(from.len()))?;
            self.unquoted.extend_from_slice(field);
            return if field.contains(&b'"') { None } else { Some(rest) };
        };
        loop {
            let (field, after) = rest.split_at_checked(memchr::memchr(b'"', rest)?)?;
            self.unquoted.extend_from_slice(field);
            match after {
                [_, b'"', more @ ..] => {
                    self.unquoted.push(b'"');
                    rest = more;
                }
                [_] | [_, b',', ..] => return after.get(1..),
                _ => return None,
            }
        }
    }
}

/// A line as fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) number: u64,
    text: &'a [u8],
    ends: &'a [usize],
    /// The columns that are not empty.
    pub(super) filled: u64,
}

impl<'a> Row<'a> {
    /// How many fields there are.
    pub(super) const fn width(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of the field at a place, counted from 0.
    pub(super) fn at(&self, place: usize) -> &'a [u8] {
        let begin = place.checked_sub(1).and_then(|before| self.ends.get(before));
        let begin = begin.map_or(0, |before| before.saturating_add(1));
        self.ends.get(place).and_then(|end| self.text.get(begin..*end)).unwrap_or_default()
    }

    /// The bytes of the fields from one column to another, separators included.
    pub(super) fn span(&self, from: Column, to: Column) -> &'a [u8] {
        let begin = from.place().checked_sub(1).and_then(|before| self.ends.get(before));
        let begin = begin.map_or(0, |before| before.saturating_add(1));
        self.ends.get(to.place()).and_then(|end| self.text.get(begin..*end)).unwrap_or_default()
    }

    pub(super) fn bytes(&self, column: Column) -> &'a [u8] {
        self.at(column.place())
    }

    pub(super) const fn has(&self, column: Column) -> bool {
        self.filled & column.bit() != 0
    }

    /// The value of a column.
    pub(super) fn get<T: Cell>(&self, column: Column) -> Result<T, ReadError> {
        let bytes = self.bytes(column);
        T::parse(bytes).map_err(|flaw| self.flawed::<T>(column, bytes, flaw))
    }

    /// The value of a column that may be empty.
    pub(super) fn option<T: Cell>(&self, column: Column) -> Result<Option<T>, ReadError> {
        if self.has(column) { self.get(column).map(Some) } else { Ok(None) }
    }

    /// The values of a list, which blanks separate.
    pub(super) fn list<T: Cell>(&self, column: Column) -> Result<Vec<T>, ReadError> {
        let mut values = Vec::new();
        self.list_into(column, &mut values)?;
        Ok(values)
    }

    /// The same, in place of what `values` has.
    pub(super) fn list_into<T: Cell>(&self, column: Column, values: &mut Vec<T>) -> Result<(), ReadError> {
        values.clear();
        if self.has(column) {
            for bytes in self.bytes(column).split(|byte| *byte == b' ') {
                values.push(T::parse(bytes).map_err(|flaw| {
                    let shown = if bytes.is_empty() { self.bytes(column) } else { bytes };
                    self.flawed::<T>(column, shown, flaw)
                })?);
            }
        }
        Ok(())
    }

    /// Checks that of the columns all of `needed` and none beyond `allowed` are filled.
    pub(super) fn check(&self, needed: u64, allowed: u64, of: &'static str) -> Result<(), ReadError> {
        let (missing, unwanted) = (needed & !self.filled, self.filled & !allowed);
        if missing | unwanted == 0 {
            return Ok(());
        }
        let place = |columns: u64| columns.trailing_zeros() as usize;
        Err(match missing {
            0 => error_in(self.number, place(unwanted), self.at(place(unwanted)), Fault::Unwanted { of }),
            _ => error_in(self.number, place(missing), b"", Fault::Missing { of }),
        })
    }

    /// The error about `bytes`, which are in the column and are no `T`.
    #[cold]
    pub(super) fn flawed<T: Cell>(&self, column: Column, bytes: &[u8], flaw: Flaw) -> ReadError {
        let fault = if bytes.len() > FIELD_LIMIT && !column.is_list() {
            Fault::FieldTooLong { limit: FIELD_LIMIT }
        } else if std::str::from_utf8(bytes).is_err() {
            Fault::NotUtf8
        } else {
            flaw.fault(T::WANTED)
        };
        self.error(column, bytes, fault)
    }

    #[cold]
    pub(super) fn error(&self, column: Column, bytes: &[u8], fault: Fault) -> ReadError {
        error_in(self.number, column.place(), bytes, fault)
    }
}

/// The error about a field at a place, counted from 0.
pub(super) fn error_in(number: u64, place: usize, bytes: &[u8], fault: Fault) -> ReadError {
    let mut error = ReadError::new(number, fault).at_column((place as u64).saturating_add(1));
    if let Some(name) = COLUMNS.get(place) {
        error = error.in_field(*name);
    }
    if bytes.is_empty() { error } else { error.with_value(bytes) }
}
