//! JSON Lines that cannot be read: each fault has its name and its place.

use rad_core::export::{Fault, LINE_LIMIT, ReadError};
use serde_json::{Value, json};

use super::golden::JSONL;
use super::{Endless, Failing, read_jsonl};

/// The records of the committed file.
pub(super) fn lines() -> Vec<Value> {
    JSONL.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn error_of(line: &Value) -> Option<ReadError> {
    read_jsonl(format!("{line}\n").as_bytes()).1
}

/// The paths of all values in a value, with `/` before every name, as `Value::pointer` takes them.
pub(super) fn paths(value: &Value) -> Vec<String> {
    let below = |name: &str, value: &Value| {
        let inner = paths(value).into_iter().map(|path| format!("/{name}{path}"));
        inner.collect::<Vec<_>>()
    };
    let mut found = vec![String::new()];
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| found.extend(below(name, value))),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(place, value)| found.extend(below(&place.to_string(), value)));
        }
        _ => {}
    }
    found
}

fn field(path: &str) -> String {
    path.trim_start_matches('/').replace('/', ".")
}

#[test]
fn a_field_that_no_record_has_is_named() {
    for line in lines() {
        for path in paths(&line).into_iter().filter(|path| line.pointer(path).unwrap().is_object()) {
            // An enumeration with a value in it has one field and can have no other.
            if path.ends_with("/basis") {
                continue;
            }
            let mut changed = line.clone();
            changed.pointer_mut(&path).unwrap()["note"] = json!("x");
            let error = error_of(&changed).unwrap();
            assert!(matches!(error.fault, Fault::Unwanted { .. }), "{error}");
            assert_eq!(error.field.unwrap(), field(&format!("{path}/note")));
            assert_eq!((error.line, error.value.as_deref()), (1, Some("x")));
        }
    }
}

#[test]
fn a_field_that_is_missing_is_named() {
    for line in lines() {
        for path in paths(&line) {
            let Some((parent, name)) = path.rsplit_once('/') else { continue };
            let mut changed = line.clone();
            let Some(fields) = changed.pointer_mut(parent).unwrap().as_object_mut() else { continue };
            fields.remove(name);
            let error = error_of(&changed);
            if ["/hash", "/recorded"].contains(&path.as_str()) {
                assert!(error.is_none());
            } else if !path.ends_with("/credits_per_unit") {
                let error = error.unwrap();
                assert!(matches!(error.fault, Fault::Missing { .. }), "{path}: {error}");
                assert!(error.field.as_deref().unwrap().ends_with(name), "{path}: {error}");
            }
        }
    }
}

#[test]
fn a_value_that_is_none_of_its_field_is_named() {
    for line in lines() {
        for path in paths(&line).into_iter().filter(|path| !path.is_empty()) {
            if path.rsplit('/').next().unwrap().parse::<u64>().is_ok() {
                continue;
            }
            for bad in [json!("a@b"), json!(-1.5), json!(true)] {
                let mut changed = line.clone();
                *changed.pointer_mut(&path).unwrap() = bad.clone();
                let error = error_of(&changed).unwrap_or_else(|| panic!("{path} takes {bad}"));
                let named = matches!(
                    error.fault,
                    Fault::Malformed { .. } | Fault::OutOfRange { .. } | Fault::Unknown { .. }
                );
                assert!(named, "{path}: {error}");
                assert_eq!(error.field.unwrap(), field(&path));
                assert!(error.value.is_some());
            }
        }
    }
}

#[test]
fn values_have_one_spelling() {
    let purchase = &lines()[2];
    for (path, value) in [
        ("/entry/body/credits", json!("1.50")),
        ("/entry/body/credits", json!("+1")),
        ("/entry/body/cost", json!("010")),
        ("/entry/body/paid/money", json!("9.2 EUR")),
        ("/entry/body/paid/money", json!("9.20 XXX")),
        ("/entry/at", json!("2026-10-01T10:01:01.250+02:00")),
        ("/entry/at", json!("2026-10-01T08:01:01.2500001Z")),
        ("/entry/at", json!("2026-10-01T08:01:01.250000Z")),
        ("/entry/account", json!("ACACACAC-acac-acac-acac-acacacacacac")),
        ("/entry/account", json!("acacacacacacacacacacacacacacacac")),
    ] {
        let mut changed = purchase.clone();
        *changed.pointer_mut(path).unwrap() = value;
        let error = error_of(&changed).unwrap_or_else(|| panic!("{changed}"));
        assert!(matches!(error.fault, Fault::Malformed { .. }), "{error}");
        assert_eq!(error.field.unwrap(), field(path));
    }
}

#[test]
fn numbers_have_bounds() {
    for (text, other) in [("\"seq\":2", "\"seq\":-2"), ("\"seq\":2", "\"seq\":18446744073709551616")] {
        let error = read_jsonl(JSONL.replacen(text, other, 1).as_bytes()).1.unwrap();
        assert!(matches!(error.fault, Fault::OutOfRange { .. }), "{error}");
        assert_eq!((error.line, error.field.as_deref()), (3, Some("entry.seq")));
    }
    let error = read_jsonl(
        JSONL.replacen("\"credits\":\"100\"", "\"credits\":\"9223372036854.775808\"", 1).as_bytes(),
    );
    let error = error.1.unwrap();
    assert!(matches!(error.fault, Fault::OutOfRange { .. }), "{error}");
    assert_eq!(error.field.as_deref(), Some("entry.body.credits"));
}

#[test]
fn blanks_and_the_order_of_fields_do_not_matter() {
    let (read, error) = read_jsonl(JSONL.replace("\":", "\" : ").replace('\n', " \r\n").as_bytes());
    assert_eq!((read, error.is_none()), (JSONL.lines().count(), true));
    let sorted: String = lines().iter().map(|line| format!("{line}\n")).collect();
    assert_ne!(sorted, JSONL);
    assert!(read_jsonl(sorted.as_bytes()).1.is_none());
}

#[test]
fn lines_that_are_no_record_are_named() {
    let first = JSONL.lines().next().unwrap();
    for bad in ["", "{", "nonsense", "[]", "1", "{} {}"] {
        let (read, error) = read_jsonl(format!("{first}\n{bad}\n").as_bytes());
        let error = error.unwrap();
        assert!(matches!(error.fault, Fault::Json { .. }), "{bad}: {error}");
        assert_eq!((read, error.line), (1, 2));
    }
    let twice = first.replacen("\"seq\":1", "\"seq\":1,\"seq\":1", 1);
    let error = read_jsonl(format!("{twice}\n").as_bytes()).1.unwrap();
    assert!(
        matches!(&error.fault, Fault::Json { reason } if reason.contains("duplicate field `seq`")),
        "{error}"
    );
}

#[test]
fn bytes_that_are_no_text_are_named() {
    let mut file = JSONL.as_bytes().to_vec();
    file[20] = 0xff;
    let error = read_jsonl(file.as_slice()).1.unwrap();
    assert!(matches!(error.fault, Fault::NotUtf8), "{error}");
    assert_eq!((error.line, error.column), (1, Some(21)));
    let marked = read_jsonl([b"\xef\xbb\xbf", JSONL.as_bytes()].concat().as_slice()).1.unwrap();
    assert!(matches!(marked.fault, Fault::ByteOrderMark), "{marked}");
}

#[test]
fn a_cut_file_is_noticed_wherever_it_is_cut() {
    for cut in (0..JSONL.len()).step_by(7) {
        let part = &JSONL.as_bytes()[..cut];
        let lines = part.iter().filter(|byte| **byte == b'\n').count();
        let (read, error) = read_jsonl(part);
        assert_eq!(read, lines);
        match error {
            None => assert!(part.is_empty() || part.ends_with(b"\n")),
            Some(error) => {
                assert!(matches!(error.fault, Fault::Truncated), "{error}");
                assert_eq!(error.line, lines as u64 + 1);
            }
        }
        let failed = read_jsonl(Failing(part)).1.unwrap();
        assert!(matches!(&failed.fault, Fault::Io(_)));
        assert_eq!(failed.line, lines as u64 + 1);
    }
}

#[test]
fn ten_megabytes_in_a_line_are_refused_before_they_are_read() {
    let mut endless = Endless { begin: b"{\"entry\":\"".to_vec(), fill: b'a', given: 0 };
    let error = read_jsonl(&mut endless).1.unwrap();
    assert!(matches!(error.fault, Fault::LineTooLong { limit: LINE_LIMIT }), "{error}");
    assert_eq!(error.line, 1);
    assert!(endless.given <= 2 * LINE_LIMIT);
}
