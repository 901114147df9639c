//! JSON Lines: one object a line.

use std::io::{self, Read, Write};

use super::lines::{Lines, check_length};
use super::{Fault, ReadError, Record, diagnosis};

/// Reads an export in JSON Lines. It buffers by itself.
#[derive(Debug)]
pub struct JsonlReader<R> {
    lines: Lines<R>,
    again: Vec<u8>,
    recorded: bool,
}

impl<R: Read> JsonlReader<R> {
    /// Reads from the first byte on.
    pub fn new(input: R) -> Self {
        Self { lines: Lines::new(input), again: Vec::new(), recorded: true }
    }

    /// Whether records come with what the books say their entries did; they do otherwise.
    #[must_use]
    pub const fn with_recorded(mut self, recorded: bool) -> Self {
        self.recorded = recorded;
        self
    }

    /// The number of the line that was read last, counted from 1; 0 before the first.
    pub const fn line(&self) -> u64 {
        self.lines.number()
    }

    /// Reads the next record into `record`; `false` at the end of the input. Blanks and the order of fields do not matter;
    /// every field must be there, none besides, each in its one spelling.
    ///
    /// # Errors
    /// [`ReadError`]; `record` is then of no use.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, ReadError> {
        let number = self.lines.number().saturating_add(1);
        let Some(line) = self.lines.next()? else { return Ok(false) };
        let text = std::str::from_utf8(line).map_err(|error| {
            let column = (error.valid_up_to() as u64).saturating_add(1);
            ReadError::new(number, Fault::NotUtf8).at_column(column)
        })?;
        *record = serde_json::from_str(text).map_err(|error| diagnosis::unreadable(number, text, &error))?;
        self.again.clear();
        let written = serde_json::to_writer(&mut self.again, record);
        if written.is_err() || self.again != line {
            diagnosis::compare(number, text, &self.again)?;
        }
        if !self.recorded {
            record.recorded = None;
        }
        Ok(true)
    }
}

/// Writes an export in JSON Lines. It writes line by line: give it a buffered writer.
#[derive(Debug)]
pub struct JsonlWriter<W> {
    output: W,
    line: Vec<u8>,
}

impl<W: Write> JsonlWriter<W> {
    /// Writes behind what is there.
    pub const fn new(output: W) -> Self {
        Self { output, line: Vec::new() }
    }

    /// Writes one record.
    ///
    /// # Errors
    /// That of the output; [`io::ErrorKind::InvalidData`] for a record that [`LINE_LIMIT`](super::LINE_LIMIT) forbids to
    /// read back.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record)?;
        self.line.push(b'\n');
        check_length(&self.line)?;
        self.output.write_all(&self.line)
    }

    /// Ends the file and gives the output back.
    ///
    /// # Errors
    /// That of the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }
}
