//! A bundle on disk, for tests that change it.

use std::fs;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use rad_core::export::{JsonlReader, Record};
use rad_core::source::Digest;
use serde_json::{Value, json};

use crate::books::{self, PARTNER};
use crate::common::{Said, audit};

/// A bundle on disk.
pub(crate) struct Bundle {
    pub(crate) directory: tempfile::TempDir,
}

impl Bundle {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        books::write(&books::market("20"), &directory.path().join("books.jsonl.gz"));
        let partner = PARTNER.to_string();
        let arguments =
            ["statement", "books.jsonl.gz", "--partner", &partner, "--month", "2026-11", "-o", "out"];
        assert_eq!(audit(directory.path(), &arguments).code, 0);
        let bundle = Self { directory };
        assert_eq!(bundle.verify().code, 0);
        bundle
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join("out").join(file)
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    pub(crate) fn verify(&self) -> Said {
        audit(self.directory.path(), &["verify-bundle", "out", "--json"])
    }

    /// Each finding: file, place, problem.
    pub(crate) fn findings(&self) -> Vec<[String; 3]> {
        let said = self.verify();
        assert_eq!(said.code, 1, "{said:?}");
        let found = said.json()["findings"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        found.iter().map(|one| [text(&one["file"]), text(&one["place"]), text(&one["problem"])]).collect()
    }

    pub(crate) fn change_manifest(&self, change: impl FnOnce(&mut Value)) {
        let mut manifest = serde_json::from_str(&self.read("manifest.json")).unwrap();
        change(&mut manifest);
        fs::write(self.path("manifest.json"), manifest.to_string()).unwrap();
    }

    /// Lets the manifest name the files as they are now.
    pub(crate) fn fix_digests(&self) {
        let directory = self.path("");
        self.change_manifest(|manifest| {
            for file in manifest["files"].as_array_mut().unwrap() {
                let bytes = fs::read(directory.join(file["name"].as_str().unwrap())).unwrap();
                file["bytes"] = json!(bytes.len());
                file["sha256"] = json!(Digest::of(&bytes));
            }
        });
    }

    pub(crate) fn change_records(&self, change: impl FnOnce(&mut Vec<Record>)) {
        let mut reader =
            JsonlReader::new(GzDecoder::new(fs::File::open(self.path("entries.jsonl.gz")).unwrap()));
        let (mut records, mut record) = (Vec::new(), Record::default());
        while reader.read(&mut record).unwrap() {
            records.push(record.clone());
        }
        change(&mut records);
        books::write_records(&records, &self.path("entries.jsonl.gz"));
        self.fix_digests();
    }
}
