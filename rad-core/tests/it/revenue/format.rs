//! `FORMAT.md` and the code agree, and a chain shows every change.

use proptest::prelude::*;
use rad_core::revenue::{
    AccountState, Audit, Body, Broken, Charge, Compact, Effect, Entry, Lot, OpenHold, Sealed, Snapshot,
};
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
    fn bodies_are_read_back_from_their_bytes_and_from_no_others(entry in entries(), place: usize, bit in 0..8_u32) {
        let bytes = entry.body.canonical_bytes();
        prop_assert!(entry.canonical_bytes().ends_with(&bytes));
        prop_assert_eq!(Body::from_canonical_bytes(&bytes).unwrap(), entry.body);

        let place = place % bytes.len();
        prop_assert!(Body::from_canonical_bytes(&bytes[..place]).is_err());
        prop_assert!(Body::from_canonical_bytes(&[&bytes[..], b"\0"].concat()).is_err());
        let mut altered = bytes;
        altered[place] ^= 1 << bit;
        if let Ok(other) = Body::from_canonical_bytes(&altered) {
            prop_assert_eq!(other.canonical_bytes(), altered);
        }
    }

    #[test]
    fn json_says_the_same_as_the_bytes(entry in entries()) {
        let json = serde_json::to_string(&entry).unwrap();
        let back: Entry = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(back.canonical_bytes(), entry.canonical_bytes());
        prop_assert_eq!(back, entry);
    }
}

/// Reads back what is written, and nothing that is cut off or goes on.
fn round_trips<T: Compact + PartialEq + std::fmt::Debug>(
    value: &T,
    place: usize,
) -> Result<(), TestCaseError> {
    let bytes = value.to_compact();
    prop_assert_eq!(&T::from_compact(&bytes).unwrap(), value);
    prop_assert!(T::from_compact(&bytes[..place % bytes.len()]).is_err());
    prop_assert!(T::from_compact(&[&bytes[..], b"\x01"].concat()).is_err());
    Ok(())
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn what_follows_from_entries_is_read_back_from_its_compact_form(
        history in histories(1..60),
        place: usize,
        bit in 0..8_u32,
    ) {
        let mut state = AccountState::new(history.account);
        for entry in &history.entries {
            let effect = state.apply(entry).unwrap();
            round_trips(&effect, place)?;
            let mut altered = effect.to_compact();
            let place = place % altered.len();
            altered[place] ^= 1 << bit;
            if let Ok(other) = Effect::from_compact(&altered) {
                prop_assert_eq!(other.to_compact(), altered);
            }
        }
        let snapshot = state.snapshot();
        round_trips::<Snapshot>(&snapshot, place)?;
        snapshot.lots.iter().try_for_each(|lot| round_trips::<Lot>(lot, place))?;
        snapshot.holds.iter().try_for_each(|hold| round_trips::<OpenHold>(hold, place))?;
        snapshot.charges.iter().try_for_each(|charge| round_trips::<Charge>(charge, place))?;
    }

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
