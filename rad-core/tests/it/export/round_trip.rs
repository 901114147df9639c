//! Laws: what is written reads back equal.

use proptest::prelude::*;
use rad_core::export::{JsonlReader, JsonlWriter, Record};

use super::{bare_records, exports};

fn jsonl_of(records: &[Record]) -> Vec<u8> {
    let mut writer = JsonlWriter::new(Vec::new());
    records.iter().for_each(|record| writer.write(record).unwrap());
    writer.finish().unwrap()
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
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_entry_reads_back_from_json_lines(record in bare_records()) {
        prop_assert_eq!(read_jsonl(&jsonl_of(std::slice::from_ref(&record))), [record]);
    }

    #[test]
    fn histories_read_back_from_json_lines(records in exports()) {
        prop_assert_eq!(read_jsonl(&jsonl_of(&records)), records);
    }
}
