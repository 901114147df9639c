//! Exports in files.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use rad_core::export::{CsvReader, JsonlReader, ReadError, Record};

use super::{Format, Records, Text, Wanted};
use crate::failure::{InputError, InputFault};

/// Opens a file in this format.
pub(super) fn open(path: &str, format: Format, wanted: Wanted) -> Result<FileRecords, InputError> {
    let unopened = |error| InputError::new(path, InputFault::Open(error));
    let file = File::open(path).map_err(unopened)?;
    let length = file.metadata().map_err(unopened)?.len();
    let done = Arc::new(AtomicU64::new(0));
    let counted = Counted { input: file, done: Arc::clone(&done) };
    let input: Box<dyn Read + Send> = match format.gzip {
        // What other programs and appending shells write has several members.
        true => Box::new(MultiGzDecoder::new(BufReader::with_capacity(64 << 10, counted))),
        false => Box::new(counted),
    };
    let recorded = wanted == Wanted::Recorded;
    let reader = match format.text {
        Text::Csv => Reader::Csv(CsvReader::new(input).with_recorded(recorded)),
        Text::Jsonl => Reader::Jsonl(JsonlReader::new(input).with_recorded(recorded)),
    };
    Ok(FileRecords { name: path.to_owned(), reader, done, length })
}

/// The records of a file.
pub(super) struct FileRecords {
    name: String,
    reader: Reader,
    done: Arc<AtomicU64>,
    length: u64,
}

enum Reader {
    Csv(CsvReader<Box<dyn Read + Send>>),
    Jsonl(JsonlReader<Box<dyn Read + Send>>),
}

impl Reader {
    fn read(&mut self, record: &mut Record) -> Result<bool, ReadError> {
        match self {
            Self::Csv(reader) => reader.read(record),
            Self::Jsonl(reader) => reader.read(record),
        }
    }
}

impl Records for FileRecords {
    fn next(&mut self, record: &mut Record) -> Result<bool, InputError> {
        self.reader.read(record).map_err(|error| InputError::new(&self.name, error))
    }

    fn progress(&self) -> Option<(u64, u64)> {
        Some((self.done.load(Ordering::Relaxed), self.length))
    }

    fn line(&self) -> Option<u64> {
        Some(match &self.reader {
            Reader::Csv(reader) => reader.line(),
            Reader::Jsonl(reader) => reader.line(),
        })
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Counts the bytes that are read.
struct Counted<R> {
    input: R,
    done: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.done.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
