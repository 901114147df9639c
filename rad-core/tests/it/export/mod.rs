//! The file formats of a ledger export: what is written reads back, what is bad is named.

mod bad_csv;
mod bad_jsonl;
mod columns;
mod encode;
mod golden;
mod round_trip;
mod schema;

use std::io::{self, Read};

use proptest::option;
use proptest::prelude::*;
use rad_core::export::{CsvReader, CsvWriter, JsonlReader, JsonlWriter, ReadError, Record};
use rad_core::revenue::{AccountState, Entry, Sealed};
use rad_core::source::Digest;
use rad_core::strategies::{History, entries, histories};

/// Any entry, with or without a hash.
fn bare_records() -> impl Strategy<Value = Record> {
    let hash = option::of(any::<[u8; 32]>().prop_map(Digest::from_bytes));
    (entries(), hash).prop_map(|(entry, hash)| Record { entry, hash, recorded: None })
}

/// The whole history of an account, as a ledger would export it.
fn exported(history: &History) -> Vec<Record> {
    let mut state = AccountState::new(history.account);
    let mut head = Digest::ZERO;
    let seal = |entry: &Entry| {
        let effect = state.apply(entry).unwrap();
        let sealed = Sealed::new(entry.clone(), head);
        head = sealed.hash;
        Record::new(sealed.entry, sealed.hash, &effect)
    };
    history.entries.iter().map(seal).collect()
}

/// Histories as a ledger would export them.
fn exports() -> impl Strategy<Value = Vec<Record>> {
    histories(1..60).prop_map(|history| exported(&history))
}

fn csv_of(records: &[Record]) -> Vec<u8> {
    let mut writer = CsvWriter::new(Vec::new());
    records.iter().for_each(|record| writer.write(record).unwrap());
    writer.finish().unwrap()
}

fn jsonl_of(records: &[Record]) -> Vec<u8> {
    let mut writer = JsonlWriter::new(Vec::new());
    records.iter().for_each(|record| writer.write(record).unwrap());
    writer.finish().unwrap()
}

/// How many records a file of CSV has before it ends, or before the error.
fn read_csv(input: impl Read) -> (usize, Option<ReadError>) {
    let mut reader = CsvReader::new(input);
    let mut record = Record::default();
    count(|| reader.read(&mut record))
}

/// How many records a file of JSON Lines has before it ends, or before the error.
fn read_jsonl(input: impl Read) -> (usize, Option<ReadError>) {
    let mut reader = JsonlReader::new(input);
    let mut record = Record::default();
    count(|| reader.read(&mut record))
}

fn count(mut read: impl FnMut() -> Result<bool, ReadError>) -> (usize, Option<ReadError>) {
    for records in 0.. {
        match read() {
            Ok(true) => {}
            Ok(false) => return (records, None),
            Err(error) => return (records, Some(error)),
        }
    }
    unreachable!("a file ends")
}

/// A stream that fails where a cut archive does.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

/// A stream that never ends a field, and counts what it gave.
#[derive(Default)]
struct Endless {
    begin: Vec<u8>,
    given: usize,
    fill: u8,
}

impl Read for &mut Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for byte in &mut *buffer {
            *byte = self.begin.get(self.given).copied().unwrap_or(self.fill);
            self.given += 1;
        }
        Ok(buffer.len())
    }
}
