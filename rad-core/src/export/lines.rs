//! Lines of bounded length out of a stream, without copying what the buffer already has whole.

use std::io::{self, Read};

use super::{Fault, ReadError};

/// The most bytes a line of an export can have: room for a charge of tens of thousands of parts.
pub const LINE_LIMIT: usize = 4 << 20;

/// Bytes asked for at a time.
const CHUNK: usize = 128 << 10;

/// The mark that some programs put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A stream of lines that knows the number of the last one.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    number: u64,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: vec![0; CHUNK], start: 0, end: 0, number: 0 }
    }

    /// The number of the line that was read last, or could not be.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// What the buffer holds of a line that could not be read to its end.
    pub(super) fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// The next line without its end, which is LF or CRLF; `None` at the end of the input.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, ReadError> {
        self.number = self.number.saturating_add(1);
        let mut searched = 0;
        loop {
            let held = self.rest();
            let unseen = held.get(searched..).unwrap_or_default();
            if let Some(found) = memchr::memchr(b'\n', unseen) {
                return self.take(searched.saturating_add(found)).map(Some);
            }
            searched = held.len();
            if searched > LINE_LIMIT {
                return Err(self.too_long());
            }
            match self.fill() {
                Ok(0) if searched == 0 => {
                    self.number = self.number.saturating_sub(1);
                    return Ok(None);
                }
                Ok(0) => return Err(ReadError::new(self.number, Fault::Truncated).with_value(self.rest())),
                Ok(_) => {}
                Err(error) => return Err(ReadError::new(self.number, Fault::Io(error))),
            }
        }
    }

    /// Takes a line of so many bytes, and its end, out of the buffer.
    fn take(&mut self, length: usize) -> Result<&[u8], ReadError> {
        if length > LINE_LIMIT {
            return Err(self.too_long());
        }
        let begin = self.start;
        let end = begin.saturating_add(length);
        self.start = end.saturating_add(1);
        let line = self.buffer.get(begin..end).unwrap_or_default();
        if self.number == 1 && line.starts_with(BYTE_ORDER_MARK) {
            return Err(ReadError::new(1, Fault::ByteOrderMark).at_column(1));
        }
        Ok(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn too_long(&self) -> ReadError {
        ReadError::new(self.number, Fault::LineTooLong { limit: LINE_LIMIT }).with_value(self.rest())
    }

    /// Reads more behind what is there; gives how much came.
    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end = self.end.saturating_sub(self.start);
        self.start = 0;
        if self.end.saturating_mul(2) > self.buffer.len() {
            let most = LINE_LIMIT.saturating_add(CHUNK);
            self.buffer.resize(self.buffer.len().saturating_mul(2).min(most), 0);
        }
        let free = self.buffer.get_mut(self.end..).unwrap_or_default();
        loop {
            match self.input.read(free) {
                Ok(read) => {
                    self.end = self.end.saturating_add(read);
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Refuses a line, with its end, that no reader would take.
pub(super) fn check_length(line: &[u8]) -> io::Result<()> {
    if line.len() <= LINE_LIMIT {
        return Ok(());
    }
    let reason = format!("the record takes {} bytes, a line can have {LINE_LIMIT}", line.len());
    Err(io::Error::new(io::ErrorKind::InvalidData, reason))
}
