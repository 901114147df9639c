//! Books that were broken: every break is found and named, at its entry and line, and the rest is still looked at.

use std::sync::Arc;

use chrono::TimeDelta;
use rad_core::export::Record;
use rad_core::money::{Credits, Rate};
use rad_core::revenue::{Body, EntryKey};
use rad_core::source::Digest;

use crate::sample::{Books, Sample};

/// Breaks an entry of the sample, seals what came of it, and expects `replay` to stop there and `verify` to find it there.
fn refused(kind: &str, is_so: impl Fn(&Body) -> bool, change: impl Fn(&mut Record)) {
    let mut sample = Sample::new();
    let place = sample.find(2, is_so);
    change(&mut sample.records[place]);
    sample.seal();
    let seq = sample.records[place].entry.seq;
    // A header, and lines counted from 1.
    let line = place as u64 + 2;
    let books = Books::of(&sample, "books.csv");
    let found = books.findings();
    assert_eq!(found[0], (kind.to_owned(), seq, line), "{found:?}");
    let said = books.run("replay", &[]);
    assert_eq!(said.code, 1, "{said:?}");
    let error = &said.json()["error"];
    assert_eq!(
        (error["kind"].as_str(), error["seq"].as_u64(), error["line"].as_u64()),
        (Some(kind), Some(seq), Some(line))
    );
    assert_eq!(error["account"], sample.records[place].entry.account.to_string());
    assert!(said.err.contains("could not have been posted"), "{said:?}");
}

const fn is_capture(body: &Body) -> bool {
    matches!(body, Body::Capture(_))
}

const fn is_grant(body: &Body) -> bool {
    matches!(body, Body::Grant(_))
}

fn set_hold(record: &mut Record, hold: u64) {
    let Body::Capture(capture) = &mut record.entry.body else { panic!("a capture") };
    capture.hold = hold;
}

#[test]
fn entries_that_no_ledger_took_are_refused_by_name() {
    refused("UnknownHold", is_capture, |record| set_hold(record, 1_000_000));
    // The sign-up grant is an entry, and no open hold.
    refused("HoldSettled", is_capture, |record| set_hold(record, 1));
    refused("ExceedsHold", is_capture, |record| {
        let Body::Capture(capture) = &mut record.entry.body else { panic!("a capture") };
        capture.amount = Credits::from_micros(capture.amount.micros() + 999_000_000);
    });
    refused(
        "ExceedsCharge",
        |body| matches!(body, Body::Refund(_)),
        |record| {
            let Body::Refund(refund) = &mut record.entry.body else { panic!("a refund") };
            refund.amount = Credits::from_micros(refund.amount.micros() + 999_000_000);
        },
    );
    refused(
        "TimeBackwards",
        |body| matches!(body, Body::Release(_)),
        |record| record.entry.at -= TimeDelta::days(400),
    );
    refused(
        "RuleVersion",
        |body| matches!(body, Body::ShareRules(_)),
        |record| {
            let Body::ShareRules(rules) = &mut record.entry.body else { panic!("rules") };
            Arc::make_mut(rules).version = 9;
        },
    );
}

#[test]
fn amounts_that_are_negative_or_absurd_are_refused() {
    for (micros, kind) in
        [(-1, "NotPositive"), (0, "NotPositive"), (i64::MIN, "NotPositive"), (i64::MAX, "Overflow")]
    {
        refused(kind, is_grant, |record| {
            let Body::Grant(grant) = &mut record.entry.body else { panic!("a grant") };
            grant.credits = Credits::from_micros(micros);
        });
    }
}

#[test]
fn a_missing_entry_is_a_gap_in_numbers_and_in_the_chain() {
    let mut sample = Sample::new();
    let place = sample.find(3, is_capture);
    let gone = sample.records.remove(place).entry;
    let books = Books::of(&sample, "books.csv");
    let (seq, line) = (gone.seq + 1, place as u64 + 2);
    let wanted = ["HashDiffers", "OutOfSequence"].map(|kind| (kind.to_owned(), seq, line));
    assert_eq!(books.findings(), wanted);
    let said = books.run("replay", &[]);
    assert_eq!((said.code, said.json()["error"]["kind"].as_str()), (1, Some("OutOfSequence")));
}

#[test]
fn entries_in_another_order_are_found() {
    let mut sample = Sample::new();
    let place = sample.find(3, is_capture);
    sample.records.swap(place, place + 1);
    let found = Books::of(&sample, "books.jsonl").findings();
    assert!(found.iter().filter(|(kind, ..)| kind == "OutOfSequence").count() >= 2, "{found:?}");
}

#[test]
fn a_repeated_record_is_found_and_what_follows_is_still_replayed() {
    let mut sample = Sample::new();
    let place = sample.find(3, is_capture);
    let twice = sample.records[place].clone();
    let seq = twice.entry.seq;
    sample.records.insert(place + 1, twice);
    let books = Books::of(&sample, "books.csv");
    let wanted = ["KeyReused", "OutOfSequence"].map(|kind| (kind.to_owned(), seq, place as u64 + 3));
    assert_eq!(books.findings(), wanted);
    let verified = books.run("verify", &[]).json();
    assert_eq!(verified["checked"]["not_replayed"], 1);
    assert!(verified["findings"][0]["detail"].as_str().unwrap().contains("the same content"), "{verified}");
}

#[test]
fn a_key_with_other_content_is_found() {
    let mut sample = Sample::new();
    let place = sample.find(3, is_capture);
    let key: EntryKey = sample.records[place - 1].entry.key;
    sample.records[place].entry.key = key;
    sample.seal();
    let (first, seq) = (sample.records[place - 1].entry.seq, sample.records[place].entry.seq);
    let books = Books::of(&sample, "books.csv");
    assert_eq!(books.findings(), [("KeyReused".to_owned(), seq, place as u64 + 2)]);
    let verified = books.run("verify", &[]).json();
    let detail = verified["findings"][0]["detail"].as_str().unwrap();
    assert_eq!(detail, format!("the key is that of entry {first} too, with other content"));
}

#[test]
fn an_altered_hash_breaks_the_chain_in_two_places_and_an_altered_entry_in_one() {
    let mut sample = Sample::new();
    let hashed = sample.find(3, is_capture);
    sample.records[hashed].hash = Some(Digest::of(b"another"));
    let grant = sample.find(60, is_grant);
    let Body::Grant(altered) = &mut sample.records[grant].entry.body else { panic!("a grant") };
    altered.reference = Some([1; 16]);
    let found = Books::of(&sample, "books.jsonl").findings();
    let at = |place: usize| ("HashDiffers".to_owned(), sample.records[place].entry.seq, place as u64 + 1);
    // What follows an altered entry still follows the hash recorded for it; what follows an altered hash does not.
    assert_eq!(found, [at(hashed), at(hashed + 1), at(grant)]);
}

#[test]
fn a_hash_or_a_result_that_one_entry_lacks_is_found() {
    let mut sample = Sample::new();
    let place = sample.find(3, is_capture);
    sample.records[place].hash = None;
    sample.records[place].recorded = None;
    let (seq, line) = (sample.records[place].entry.seq, place as u64 + 1);
    let wanted = ["HashMissing", "RecordedMissing"].map(|kind| (kind.to_owned(), seq, line));
    assert_eq!(Books::of(&sample, "books.jsonl").findings(), wanted);
}

#[test]
fn recorded_results_that_differ_from_the_replay_are_named_field_by_field() {
    type Change = fn(&mut rad_core::export::Recorded);
    let changes: [(Change, &str); 3] = [
        (
            |recorded| recorded.balance_after.purchased = Credits::MAX,
            "balance_after.purchased is 9223372036854.775807",
        ),
        (|recorded| recorded.lines[0].partner += 1, "lines[0].partner is "),
        (|recorded| recorded.parts.clear(), "parts[0] is absent"),
    ];
    for (change, detail) in changes {
        let mut sample = Sample::new();
        let place = sample.find(3, is_capture);
        change(sample.records[place].recorded.as_mut().unwrap());
        let books = Books::of(&sample, "books.csv");
        let seq = sample.records[place].entry.seq;
        assert_eq!(books.findings(), [("RecordedDiffers".to_owned(), seq, place as u64 + 2)]);
        let verified = books.run("verify", &[]).json();
        assert!(verified["findings"][0]["detail"].as_str().unwrap().contains(detail), "{verified}");
        assert_eq!(verified["checked"]["not_replayed"], 0);
    }
}

#[test]
fn a_charge_at_other_rates_than_those_in_force_is_found() {
    let mut sample = Sample::new();
    let with_publisher =
        |body: &Body| matches!(body, Body::Capture(capture) if capture.terms.publisher.is_some());
    let place = sample.find(3, with_publisher);
    let Body::Capture(capture) = &mut sample.records[place].entry.body else { panic!("a capture") };
    Arc::make_mut(&mut capture.terms).partner_share = Rate::from_basis_points(7_777).unwrap();
    sample.seal();
    let books = Books::of(&sample, "books.csv");
    let seq = sample.records[place].entry.seq;
    assert_eq!(books.findings(), [("TermsDiffer".to_owned(), seq, place as u64 + 2)]);
    let detail = books.run("verify", &[]).json()["findings"][0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("partner_share is 77.77"), "{detail}");
}

#[test]
fn one_broken_account_does_not_hide_the_next_and_findings_are_counted_past_the_limit() {
    let mut sample = Sample::new();
    let mut broken = Vec::new();
    for place in 1..sample.records.len() {
        let (before, record) = (&sample.records[place - 1].entry, &sample.records[place].entry);
        if before.account == record.account && before.seq == 1 && record.account.as_bytes() != &[0; 16] {
            broken.push(place);
        }
    }
    for place in broken.iter().rev() {
        sample.records.remove(*place);
    }
    let books = Books::of(&sample, "books.csv");
    let gaps =
        books.findings().into_iter().filter(|(kind, seq, _)| kind == "OutOfSequence" && *seq == 3).count();
    assert!(gaps > 3 && gaps <= broken.len(), "{gaps}");
    let limited = books.run("verify", &["--max-findings", "2"]).json();
    assert_eq!(limited["findings"].as_array().unwrap().len(), 2);
    let all = books.run("verify", &[]).json()["findings"].as_array().unwrap().len();
    assert_eq!(limited["more_findings"], all - 2);
    assert!(books.text("verify", &["--max-findings", "2"]).out.contains("more findings"));
}
