//! A history streamed from a CSV file, beside a bare read of the same file.

use std::fs::File;
use std::io::BufWriter;

use rad_core::export::{CsvReader, CsvWriter, Record};
use rad_core::revenue::AccountState;
use rad_core::simulation::Simulation;
use rad_core::source::Digest;

use crate::measure::{Measured, row};

/// Writes the market to a temporary file and reads it three ways.
pub(crate) fn run(market: Simulation) -> anyhow::Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    write(market, file.path())?;
    let bytes = file.path().metadata()?.len();
    println!("\nStreaming {} entries from a CSV file of {} MB:", market.entries, bytes / 1_000_000);
    let bare = Measured::fastest(1, market.entries, || bare_read(file.path()))?;
    row("a bare read by the csv crate", bare, None);
    row("rad's reader", Measured::fastest(1, market.entries, || read(file.path()))?, Some(bare));
    row("rad's reader and replay", Measured::fastest(1, market.entries, || replay(file.path()))?, Some(bare));
    Ok(())
}

fn write(market: Simulation, path: &std::path::Path) -> anyhow::Result<()> {
    let market = market.market()?;
    let mut writer = CsvWriter::new(BufWriter::with_capacity(1 << 20, File::create(path)?));
    let mut histories = market.histories();
    let (mut hash, mut last) = (Digest::ZERO, None);
    while let Some((entry, effect)) = histories.step() {
        if last.replace(entry.account) != Some(entry.account) {
            hash = Digest::ZERO;
        }
        hash = entry.hash(&hash);
        writer.write(&Record::new(entry.clone(), hash, effect))?;
    }
    writer.finish()?;
    Ok(())
}

fn bare_read(path: &std::path::Path) -> anyhow::Result<()> {
    let mut reader = csv::Reader::from_path(path)?;
    let (mut record, mut fields) = (csv::ByteRecord::new(), 0);
    while reader.read_byte_record(&mut record)? {
        fields += record.len();
    }
    std::hint::black_box(fields);
    Ok(())
}

fn read(path: &std::path::Path) -> anyhow::Result<()> {
    let mut reader = CsvReader::new(File::open(path)?).with_recorded(false);
    let mut record = Record::default();
    while reader.read(&mut record)? {}
    Ok(())
}

fn replay(path: &std::path::Path) -> anyhow::Result<()> {
    let mut reader = CsvReader::new(File::open(path)?).with_recorded(false);
    let mut record = Record::default();
    let mut state: Option<AccountState> = None;
    while reader.read(&mut record)? {
        let account = record.entry.account;
        let state = state.get_or_insert_with(|| AccountState::new(account));
        if state.account() != account {
            state.reset(account);
        }
        state.apply_into(&record.entry, &mut ())?;
    }
    Ok(())
}
