//! Laws: what is written reads back equal, and other readers of CSV see the same.

use proptest::prelude::*;
use rad_core::export::{COLUMNS, CsvReader, JsonlReader, Record};
use rad_core::strategies::cases;

use super::{bare_records, csv_of, exports, jsonl_of};

fn read_csv(file: &[u8]) -> Vec<Record> {
    let mut reader = CsvReader::new(file);
    let mut record = Record::default();
    let mut records = Vec::new();
    while reader.read(&mut record).unwrap() {
        records.push(record.clone());
        assert_eq!(reader.line(), records.len() as u64 + 1);
    }
    records
}

fn read_jsonl(file: &[u8]) -> Vec<Record> {
    let mut reader = JsonlReader::new(file);
    let mut record = Record::default();
    let mut records = Vec::new();
    while reader.read(&mut record).unwrap() {
        records.push(record.clone());
        assert_eq!(reader.line(), records.len() as u64);
    }
    records
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn any_entry_reads_back_from_csv(records in proptest::collection::vec(bare_records(), 0..4)) {
        prop_assert_eq!(read_csv(&csv_of(&records)), records);
    }

    #[test]
    fn any_entry_reads_back_from_json_lines(record in bare_records()) {
        prop_assert_eq!(read_jsonl(&jsonl_of(std::slice::from_ref(&record))), [record]);
    }

    #[test]
    fn histories_read_back_from_both(records in exports()) {
        prop_assert_eq!(&read_csv(&csv_of(&records)), &records);
        prop_assert_eq!(&read_jsonl(&jsonl_of(&records)), &records);
    }

    #[test]
    fn without_what_is_recorded_entries_and_hashes_are_the_same(records in exports()) {
        let (csv, jsonl) = (csv_of(&records), jsonl_of(&records));
        let mut csv = CsvReader::new(csv.as_slice()).with_recorded(false);
        let mut jsonl = JsonlReader::new(jsonl.as_slice()).with_recorded(false);
        let mut record = Record::default();
        for expected in records {
            let expected = Record { recorded: None, ..expected };
            prop_assert!(csv.read(&mut record).unwrap());
            prop_assert_eq!(&record, &expected);
            prop_assert!(jsonl.read(&mut record).unwrap());
            prop_assert_eq!(&record, &expected);
        }
    }

    #[test]
    fn other_programs_read_the_same_fields_and_may_quote_them_all(records in exports()) {
        let file = csv_of(&records);
        let mut quoted = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
        let mut other = csv::Reader::from_reader(file.as_slice());
        prop_assert_eq!(other.headers().unwrap().iter().collect::<Vec<_>>(), COLUMNS);
        quoted.write_record(COLUMNS).unwrap();
        for (row, record) in other.records().zip(&records) {
            let row = row.unwrap();
            prop_assert_eq!(&row[0], record.entry.account.to_string());
            prop_assert_eq!(&row[5], record.entry.body.kind());
            prop_assert_eq!(&row[37], record.hash.unwrap().to_string());
            quoted.write_record(&row).unwrap();
        }
        prop_assert_eq!(read_csv(&quoted.into_inner().unwrap()), records);
    }
}
