//! `FORMAT.md` and the code agree.

use rad_core::revenue::{Entry, Sealed};
use rad_core::source::Digest;

const FORMAT: &str = include_str!("../../../FORMAT.md");

#[test]
fn the_worked_example_of_the_specification_is_what_the_code_writes() {
    let example = FORMAT.split("## Worked example").nth(1).unwrap();
    let block = |nth: usize| example.split("```").nth(nth).unwrap();
    let entry: Entry = serde_json::from_str(block(1).trim_start_matches("json")).unwrap();
    let (bytes, hash) = block(3).trim().split_once("\n\n").unwrap();
    let written: String = entry.canonical_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(written, bytes.replace('\n', ""));
    assert_eq!(entry.hash(&Digest::ZERO).to_string(), hash);
    let table: String = example
        .lines()
        .filter_map(|line| line.strip_prefix("| `").and_then(|line| line.split('`').next()))
        .collect();
    assert_eq!(table, written);
    assert!(Sealed::new(entry, Digest::ZERO).is_intact());
}
