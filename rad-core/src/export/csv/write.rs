//! Writes rows.

use std::io::{self, Write};

use super::columns::{COLUMNS, Column};
use super::{body, recorded};
use crate::export::Record;
use crate::export::cell::Cell;
use crate::export::lines::check_length;

/// Writes an export in CSV. It writes line by line: give it a buffered writer.
#[derive(Debug)]
pub struct CsvWriter<W> {
    output: W,
    cells: Cells,
    begun: bool,
}

impl<W: Write> CsvWriter<W> {
    /// Writes behind what is there, the header first.
    pub const fn new(output: W) -> Self {
        Self { output, cells: Cells { line: Vec::new(), place: 0 }, begun: false }
    }

    /// Writes one record.
    ///
    /// # Errors
    /// That of the output; [`io::ErrorKind::InvalidData`] for a record that
    /// [`LINE_LIMIT`](crate::export::LINE_LIMIT) forbids to read back.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        self.begin()?;
        let (entry, cells) = (&record.entry, &mut self.cells);
        cells.begin();
        cells.put(Column::Account, &entry.account);
        cells.put(Column::Seq, &entry.seq);
        cells.put(Column::At, &entry.at);
        cells.put(Column::Key, &entry.key);
        cells.put_option(Column::Actor, entry.actor.as_ref());
        cells.put_bytes(Column::Kind, entry.body.kind().as_bytes());
        body::write(&entry.body, cells);
        cells.put_option(Column::Hash, record.hash.as_ref());
        if let Some(recorded) = &record.recorded {
            recorded::write(recorded, cells);
        }
        let line = cells.end();
        check_length(line)?;
        self.output.write_all(line)
    }

    /// Ends the file and gives the output back. A file without records has its header.
    ///
    /// # Errors
    /// That of the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.begin()?;
        self.output.flush()?;
        Ok(self.output)
    }

    fn begin(&mut self) -> io::Result<()> {
        if !self.begun {
            self.output.write_all(COLUMNS.join(",").as_bytes())?;
            self.output.write_all(LINE_END)?;
            self.begun = true;
        }
        Ok(())
    }
}

const LINE_END: &[u8] = b"\r\n";

/// The cells of a row that is being written, in the order of the columns.
#[derive(Debug)]
pub(super) struct Cells {
    line: Vec<u8>,
    place: usize,
}

impl Cells {
    pub(super) fn put(&mut self, column: Column, value: &impl Cell) {
        self.go_to(column.place());
        value.write(&mut self.line);
    }

    pub(super) fn put_option(&mut self, column: Column, value: Option<&impl Cell>) {
        if let Some(value) = value {
            self.put(column, value);
        }
    }

    pub(super) fn put_bytes(&mut self, column: Column, bytes: &[u8]) {
        self.go_to(column.place());
        self.line.extend_from_slice(bytes);
    }

    pub(super) fn put_list(&mut self, column: Column, values: &[impl Cell]) {
        self.go_to(column.place());
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                self.line.push(b' ');
            }
            value.write(&mut self.line);
        }
    }

    fn begin(&mut self) {
        self.line.clear();
        self.place = 0;
    }

    fn end(&mut self) -> &[u8] {
        self.go_to(Column::COUNT.saturating_sub(1));
        self.line.extend_from_slice(LINE_END);
        &self.line
    }

    /// Ends the fields before the one at `place`, which is behind them.
    fn go_to(&mut self, place: usize) {
        debug_assert!(place >= self.place, "columns are written in their order");
        while self.place < place {
            self.line.push(b',');
            self.place = self.place.saturating_add(1);
        }
    }
}
