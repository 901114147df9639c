//! A simulated export to audit, and to break.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use rad_core::export::{Record, Recorded};
use rad_core::revenue::{AccountState, Body};
use rad_core::simulation::Simulation;
use rad_core::source::Digest;
use revenue_audit::source::Format;
use revenue_audit::writer::Writer;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Said, audit};

/// A small market in which everything happens.
pub(crate) const MARKET: Simulation = Simulation { accounts: 9, entries: 1_500, seed: 5 };

/// An export, before it is written to a file.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) records: Vec<Record>,
}

impl Sample {
    pub(crate) fn new() -> Self {
        let market = MARKET.market().unwrap();
        let entry = |entry| Record { entry, hash: None, recorded: None };
        let mut sample = Self { records: market.entries().map(entry).collect() };
        sample.seal();
        sample
    }

    /// Gives every entry the hash it has here, and what it did as far as the engine takes it: what somebody who changes books
    /// and knows the format would do.
    pub(crate) fn seal(&mut self) {
        let mut state = AccountState::new(self.records[0].entry.account);
        let mut head = Digest::ZERO;
        for record in &mut self.records {
            if record.entry.account != state.account() {
                state = AccountState::new(record.entry.account);
                head = Digest::ZERO;
            }
            head = record.entry.hash(&head);
            record.hash = Some(head);
            let effect = state.apply(&record.entry).unwrap_or_default();
            record.recorded = Some(Recorded::from(&effect));
        }
    }

    /// The place of the `nth` entry that is so, counted from 0.
    pub(crate) fn find(&self, nth: usize, is_so: impl Fn(&Body) -> bool) -> usize {
        let places = self.records.iter().enumerate().filter(|(_, record)| is_so(&record.entry.body));
        places.map(|(place, _)| place).nth(nth).unwrap()
    }

    pub(crate) fn write(&self, path: &Path) {
        let format = Format::of(path.to_str().unwrap()).unwrap();
        let mut writer = Writer::new(BufWriter::new(File::create(path).unwrap()), format);
        self.records.iter().for_each(|record| writer.write(record).unwrap());
        writer.finish().unwrap();
    }
}

/// A directory with one export.
pub(crate) struct Books {
    directory: TempDir,
    name: String,
}

impl Books {
    /// A file with this name and, where given, this content.
    pub(crate) fn named(name: &str) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), name: name.to_owned() }
    }

    pub(crate) fn of(sample: &Sample, name: &str) -> Self {
        let books = Self::named(name);
        sample.write(&books.path());
        books
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join(&self.name)
    }

    /// Changes the file as bytes.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.path()).unwrap();
        change(&mut bytes);
        fs::write(self.path(), bytes).unwrap();
    }

    /// Changes a field of a CSV, by line counted from 1 and the column's name.
    pub(crate) fn change_field(&self, line: usize, column: &str, value: &str) {
        let text = fs::read_to_string(self.path()).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let place = lines[0].split(',').position(|name| name == column).unwrap();
        let mut fields: Vec<&str> = lines[line - 1].split(',').collect();
        fields[place] = value;
        lines[line - 1] = fields.join(",");
        fs::write(self.path(), lines.join("\n") + "\n").unwrap();
    }

    pub(crate) fn run(&self, command: &str, more: &[&str]) -> Said {
        let arguments: Vec<&str> =
            [command, &self.name, "--json"].into_iter().chain(more.iter().copied()).collect();
        audit(self.directory.path(), &arguments)
    }

    pub(crate) fn text(&self, command: &str, more: &[&str]) -> Said {
        let arguments: Vec<&str> = [command, &self.name].into_iter().chain(more.iter().copied()).collect();
        audit(self.directory.path(), &arguments)
    }

    /// What `verify` finds: kind, number of the entry, line.
    pub(crate) fn findings(&self) -> Vec<(String, u64, u64)> {
        let said = self.run("verify", &[]);
        assert_eq!(said.code, 1, "{said:?}");
        let verified = said.json();
        assert_eq!(verified["sound"], false);
        let one = |finding: &Value| {
            let number = |field: &str| finding[field].as_u64().unwrap();
            (finding["kind"].as_str().unwrap().to_owned(), number("seq"), number("line"))
        };
        verified["findings"].as_array().unwrap().iter().map(one).collect()
    }

    /// The error that `verify` and `replay` both end with, exit code 2.
    pub(crate) fn unreadable(&self) -> Value {
        let [verify, replay] = ["verify", "replay"].map(|command| self.run(command, &[]));
        assert_eq!((verify.code, replay.code), (2, 2), "{verify:?} {replay:?}");
        let error = verify.json()["error"].clone();
        assert_eq!(error, replay.json()["error"]);
        for field in ["source", "reason", "mend"] {
            assert!(!error[field].as_str().unwrap().is_empty(), "{error}");
        }
        assert!(verify.err.contains(error["mend"].as_str().unwrap()), "{verify:?}");
        error
    }
}
