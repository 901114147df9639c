//! Exports as files, in the format that the name says.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use rad_core::export::{CsvWriter, JsonlWriter, Record};

use crate::source::{Format, Text};

/// Writes records in a format.
pub struct Writer<W: Write> {
    text: TextWriter<Output<W>>,
}

enum TextWriter<W: Write> {
    Csv(CsvWriter<W>),
    Jsonl(JsonlWriter<W>),
}

enum Output<W: Write> {
    Plain(W),
    Gzip(Box<GzEncoder<W>>),
}

impl<W: Write> Writer<W> {
    /// Writes behind what is there; give it a buffered output.
    pub fn new(output: W, format: Format) -> Self {
        let output = match format.gzip {
            true => Output::Gzip(Box::new(GzEncoder::new(output, Compression::default()))),
            false => Output::Plain(output),
        };
        let text = match format.text {
            Text::Csv => TextWriter::Csv(CsvWriter::new(output)),
            Text::Jsonl => TextWriter::Jsonl(JsonlWriter::new(output)),
        };
        Self { text }
    }

    /// Writes one record.
    ///
    /// # Errors
    /// That of the output.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        match &mut self.text {
            TextWriter::Csv(writer) => writer.write(record),
            TextWriter::Jsonl(writer) => writer.write(record),
        }
    }

    /// Ends the file and gives the output back.
    ///
    /// # Errors
    /// That of the output.
    pub fn finish(self) -> io::Result<W> {
        let output = match self.text {
            TextWriter::Csv(writer) => writer.finish(),
            TextWriter::Jsonl(writer) => writer.finish(),
        }?;
        match output {
            Output::Plain(output) => Ok(output),
            Output::Gzip(output) => output.finish(),
        }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(output) => output.write(bytes),
            Self::Gzip(output) => output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(output) => output.flush(),
            Self::Gzip(output) => output.flush(),
        }
    }
}
