//! The file formats of a ledger export: what is written reads back, what is bad is named.

mod round_trip;

use proptest::option;
use proptest::prelude::*;
use rad_core::export::{CsvWriter, JsonlWriter, Record};
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
