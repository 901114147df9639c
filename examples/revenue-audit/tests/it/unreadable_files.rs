//! Files that cannot be read on: exit code 2, with line, column, field, value, reason and mend.

use std::fs;

use rad_core::id::AccountId;
use rad_core::revenue::Body;
use serde_json::Value;

use crate::sample::{Books, Sample};

fn named(error: &Value) -> (&str, u64, &str) {
    let text = |field: &str| error[field].as_str().unwrap_or_default();
    (text("kind"), error["line"].as_u64().unwrap_or_default(), text("field"))
}

/// The line of the first entry of a kind in a CSV.
fn line_of(sample: &Sample, is_so: impl Fn(&Body) -> bool) -> usize {
    sample.find(0, is_so) + 2
}

#[test]
fn fields_that_cannot_be_are_named_with_their_value() {
    let sample = Sample::new();
    let grant = line_of(&sample, |body| matches!(body, Body::Grant(_)));
    let capture = line_of(&sample, |body| matches!(body, Body::Capture(_)));
    let abroad = line_of(&sample, |body| matches!(body, Body::Grant(grant) if grant.paid.is_some()));
    for (line, column, value, kind, field) in [
        (capture, "currency", "XXX", "Unknown", "currency"),
        (abroad, "paid_currency", "DOGE", "Unknown", "paid_currency"),
        (capture, "basis", "credits_per_unit", "Missing", "unit_price"),
        (grant, "credits", "9223372036854.775808", "OutOfRange", "credits"),
        (grant, "credits", "-99999999999999999999", "OutOfRange", "credits"),
        (grant, "credits", "1e3", "Malformed", "credits"),
        (grant, "credits", "", "Missing", "credits"),
        (grant, "seq", "18446744073709551616", "OutOfRange", "seq"),
        (grant, "kind", "gift", "Unknown", "kind"),
        (grant, "at", "2026-02-30T00:00:00.000000Z", "OutOfRange", "at"),
        (grant, "hold", "3", "Unwanted", "hold"),
    ] {
        let books = Books::of(&sample, "books.csv");
        books.change_field(line, column, value);
        let error = books.unreadable();
        assert_eq!(named(&error), (kind, line as u64, field), "{error}");
        assert!(error["column"].as_u64() > Some(0), "{error}");
    }
}

#[test]
fn a_file_that_was_cut_is_no_shorter_history() {
    for name in ["books.csv", "books.jsonl"] {
        let books = Books::of(&Sample::new(), name);
        books.change(|bytes| bytes.truncate(bytes.len() - 40));
        assert_eq!(books.unreadable()["kind"], "Truncated");
    }
    for name in ["books.csv.gz", "books.jsonl.gz"] {
        let books = Books::of(&Sample::new(), name);
        books.change(|bytes| bytes.truncate(bytes.len() - 9));
        let error = books.unreadable();
        assert_eq!(error["kind"], "Io", "{error}");
    }
}

#[test]
fn another_header_is_refused_with_the_column_it_should_have() {
    let books = Books::of(&Sample::new(), "books.csv");
    books.change(|bytes| bytes[..7].copy_from_slice(b"Account"));
    let error = books.unreadable();
    assert_eq!(named(&error).0, "WrongHeader");
    assert_eq!((&error["line"], &error["column"]), (&1.into(), &1.into()), "{error}");
    assert!(error["mend"].as_str().unwrap().contains("\"account\""), "{error}");
}

#[test]
fn ten_megabytes_in_one_field_are_refused_without_being_repeated() {
    let sample = Sample::new();
    let line = line_of(&sample, |body| matches!(body, Body::Adjustment(_)));
    let books = Books::of(&sample, "books.csv");
    books.change_field(line, "reason", &"a".repeat(10 << 20));
    let error = books.unreadable();
    assert_eq!(named(&error), ("FieldTooLong", line as u64, "reason"));
    assert!(error.to_string().len() < 2_000, "{error}");
    let books = Books::of(&sample, "books.jsonl");
    books.change(|bytes| bytes.splice(..0, std::iter::repeat_n(b'[', 10 << 20)).for_each(drop));
    assert_eq!(named(&books.unreadable()), ("LineTooLong", 1, ""));
}

#[test]
fn json_that_is_no_record_is_refused() {
    for text in ["{}\n", "null\n", "{\"entry\": 7}\n", "not json\n", "\n"] {
        let books = Books::named("books.jsonl");
        fs::write(books.path(), text).unwrap();
        let error = books.unreadable();
        assert_eq!(error["line"], 1, "{text:?}: {error}");
    }
}

#[test]
fn accounts_that_are_mixed_are_refused_with_the_order_they_should_have() {
    let mut sample = Sample::new();
    sample.records.sort_by_key(|record| std::cmp::Reverse(record.entry.account));
    let first = sample.records[0].entry.account;
    let line = sample.records.iter().take_while(|record| record.entry.account == first).count() as u64 + 2;
    let error = Books::of(&sample, "books.csv").unreadable();
    assert_eq!(
        (error["kind"].as_str(), error["line"].as_u64()),
        (Some("AccountOrder"), Some(line)),
        "{error}"
    );
    assert!(error["mend"].as_str().unwrap().contains("ascending id"), "{error}");
}

#[test]
fn dates_at_the_ends_of_the_calendar_are_replayed_or_named() {
    let account = AccountId::from_bytes([0xff; 16]);
    for (at, code) in [
        ("0000-01-01T00:00:00.000000Z", 0),
        ("9999-12-31T23:59:59.999999Z", 0),
        ("10000-01-01T00:00:00.000000Z", 2),
        ("999999999-01-01T00:00:00.000000Z", 2),
    ] {
        let mut sample = Sample::new();
        let mut record = sample.records[sample.find(0, |body| matches!(body, Body::Grant(_)))].clone();
        record.entry.account = account;
        if let Body::Grant(grant) = &mut record.entry.body {
            grant.expires = None;
        }
        sample.records = vec![record];
        sample.seal();
        let books = Books::of(&sample, "books.csv");
        books.change_field(2, "at", at);
        let [replay, to] = [books.run("replay", &[]), books.run("replay", &["--to", "2026-06-01"])];
        assert_eq!((replay.code, to.code), (code, code), "{at}: {replay:?}");
        if code == 2 {
            assert_eq!(
                (named(&replay.json()["error"]).1, named(&replay.json()["error"]).2),
                (2, "at"),
                "{replay:?}"
            );
        }
    }
}
