//! `FORMAT.md` and the code agree, and a chain shows every change.

use proptest::prelude::*;
use rad_core::revenue::{Audit, Broken, Entry, Sealed};
use rad_core::source::Digest;
use rad_core::strategies::{cases, entries, histories};

use super::decode::decode;

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
}

proptest! {
    #![proptest_config(cases(1_024))]

    #[test]
    fn bytes_read_by_the_specification_are_the_entry(entry in entries()) {
        prop_assert_eq!(decode(&entry.canonical_bytes()), entry);
    }

    #[test]
    fn json_says_the_same_as_the_bytes(entry in entries()) {
        let json = serde_json::to_string(&entry).unwrap();
        let back: Entry = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(back.canonical_bytes(), entry.canonical_bytes());
        prop_assert_eq!(back, entry);
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_chain_shows_what_was_altered_removed_or_moved(history in histories(3..30), place: usize, digit: usize) {
        let mut chain: Vec<Sealed> = Vec::new();
        for entry in &history.entries {
            let previous = chain.last().map_or(Digest::ZERO, |last| last.hash);
            chain.push(Sealed::new(entry.clone(), previous));
        }
        let follow = |chain: &[Sealed]| {
            let mut audit = Audit::new(history.account);
            chain.iter().try_for_each(|sealed| audit.follow(sealed).map(drop)).map(|()| audit.head())
        };
        prop_assert_eq!(follow(&chain).unwrap(), chain.last().map_or(Digest::ZERO, |last| last.hash));
        prop_assume!(chain.len() > 1);
        let place = place % (chain.len() - 1);

        let mut removed = chain.clone();
        let gone = removed.remove(place).entry.seq;
        let expected = Err(Broken::Unchained {
            seq: gone + 1,
            expected: chain[place].previous,
            actual: chain[place].hash,
        });
        prop_assert_eq!(follow(&removed), expected);

        let mut moved = chain.clone();
        moved.swap(place, place + 1);
        let out_of_place = matches!(follow(&moved), Err(Broken::Unchained { .. }));
        prop_assert!(out_of_place);

        let mut altered = chain.clone();
        let mut key = *altered[place].entry.key.as_bytes();
        key[digit % 16] ^= 1;
        altered[place].entry.key = rad_core::revenue::EntryKey::from_bytes(key);
        let named = matches!(follow(&altered), Err(Broken::Altered { seq, .. }) if seq == chain[place].entry.seq);
        prop_assert!(named);
        // Sealing the forged entry again only moves the break to the next one.
        let forged = altered[place].entry.clone();
        altered[place] = Sealed::new(forged, chain[place].previous);
        let moved_on = matches!(follow(&altered), Err(Broken::Unchained { seq, .. }) if seq == chain[place + 1].entry.seq);
        prop_assert!(moved_on);
    }
}
