//! CSV that cannot be read: each fault has its name and its place.

use rad_core::export::{COLUMNS, FIELD_LIMIT, Fault, LINE_LIMIT, ReadError};

use super::columns::{file_of, golden_rows};
use super::golden::CSV;
use super::{Endless, Failing, read_csv};

/// What is wrong with a value.
#[derive(Debug, PartialEq)]
enum Wrong {
    Form,
    Range,
    Name,
}

fn wrong(error: &ReadError) -> Option<Wrong> {
    match error.fault {
        Fault::Malformed { .. } => Some(Wrong::Form),
        Fault::OutOfRange { .. } => Some(Wrong::Range),
        Fault::Unknown { .. } => Some(Wrong::Name),
        _ => None,
    }
}

/// What comes of a value in a column of the first row of a kind.
fn outcome(kind: &str, column: &str, value: &str) -> Option<ReadError> {
    let mut rows = golden_rows();
    let line = rows.iter().position(|row| row[5] == kind).unwrap();
    let place = COLUMNS.iter().position(|name| *name == column).unwrap();
    rows[line][place] = value.to_owned();
    let (read, error) = read_csv(file_of(&rows).as_slice());
    if let Some(error) = &error {
        assert_eq!((read, error.line), (line, line as u64 + 2), "{error}");
        assert_eq!((error.column, error.field.as_deref()), (Some(place as u64 + 1), Some(column)), "{error}");
        assert!(error.value.is_some() && !error.fault.mend().is_empty(), "{error}");
    }
    error
}

fn refuses(kind: &str, column: &str, values: &[&str], expected: &Wrong) {
    for value in values {
        let error = outcome(kind, column, value);
        let error = error.unwrap_or_else(|| panic!("{column} takes {value:?}"));
        assert_eq!(wrong(&error).as_ref(), Some(expected), "{error}");
    }
}

#[test]
fn numbers_have_one_spelling_and_bounds() {
    refuses("grant", "seq", &["-1", "+1", "01", "1.0", " 1", "1 ", "one", "٣"], &Wrong::Form);
    refuses("grant", "seq", &["18446744073709551616", "99999999999999999999999"], &Wrong::Range);
    assert!(outcome("grant", "seq", "18446744073709551615").is_none());
    for column in ["credits", "cost"] {
        let other = [
            "1e3",
            "0.0000001",
            "1.50",
            "01",
            "00",
            "+1",
            ".5",
            "5.",
            "-0",
            "--1",
            "1.2.3",
            "1,000",
            " 1",
            "NaN",
            "-",
            ".",
        ];
        refuses("grant", column, &other, &Wrong::Form);
        refuses(
            "grant",
            column,
            &["9223372036854.775808", "-9223372036854.775809", "99999999999999999999"],
            &Wrong::Range,
        );
        for good in ["9223372036854.775807", "-9223372036854.775808", "0", "0.000001", "-0.5", "100"] {
            assert!(outcome("grant", column, good).is_none(), "{good}");
        }
    }
    refuses("share_rules", "rule_version", &["4294967296"], &Wrong::Range);
    refuses("share_rules", "partner_share", &["100.01", "-1", "655.36"], &Wrong::Range);
    refuses("share_rules", "partner_share", &["20 %", "12.345", "20.0"], &Wrong::Form);
    refuses("share_rules", "unit_price", &["0", "1000000.01", "-1"], &Wrong::Range);
    refuses("grant", "credits", &["99999999999999999999.1234567"], &Wrong::Form);
}

#[test]
fn times_have_one_spelling_and_the_calendar_ends() {
    let other = [
        "2026-10-01T08:00:00Z",
        "2026-10-01T08:00:00.25Z",
        "2026-10-01 08:00:00.250000Z",
        "2026-10-01T08:00:00.250000z",
        "2026-10-01T08:00:00.250000+00:00",
        "+2026-10-01T08:00:00.250000Z",
        "+02026-10-01T08:00:00.250000Z",
        "1790000000",
        "now",
    ];
    refuses("grant", "at", &other, &Wrong::Form);
    let beyond = [
        "2026-02-29T08:00:00.000000Z",
        "2026-13-01T08:00:00.000000Z",
        "2026-00-01T08:00:00.000000Z",
        "2026-10-32T08:00:00.000000Z",
        "2026-10-01T24:00:00.000000Z",
        "2026-10-01T08:60:00.000000Z",
        "2026-12-31T23:59:60.000000Z",
        "+262143-01-01T00:00:00.000000Z",
        "-262144-12-31T23:59:59.999999Z",
        "+999999-01-01T00:00:00.000000Z",
    ];
    refuses("grant", "at", &beyond, &Wrong::Range);
    for end in [
        "0000-01-01T00:00:00.000000Z",
        "9999-12-31T23:59:59.999999Z",
        "2028-02-29T00:00:00.000001Z",
        "+10000-01-01T00:00:00.000000Z",
        "+262142-12-31T23:59:59.999999Z",
        "-0001-12-31T23:59:59.999999Z",
        "-262143-01-01T00:00:00.000000Z",
    ] {
        assert!(outcome("grant", "at", end).is_none(), "{end}");
    }
}

#[test]
fn ids_hashes_and_texts_have_one_spelling() {
    let id = "018f3c5e-7a00-7000-8000-00000000000a";
    let ids = [
        &id.to_uppercase(),
        &id.replace('-', ""),
        &id[1..],
        "{018f3c5e-7a00-7000-8000-00000000000}",
        "018f3c5e_7a00_7000_8000_00000000000a",
    ];
    refuses("grant", "account", &ids, &Wrong::Form);
    assert!(outcome("grant", "account", id).is_none());
    refuses("grant", "key", &["7f", &"F".repeat(32), &"g".repeat(32), &"0".repeat(33)], &Wrong::Form);
    refuses("grant", "hash", &[&"0".repeat(63), &"A".repeat(64), &"0".repeat(66)], &Wrong::Form);
    refuses("project_debit", "project", &["?"], &Wrong::Form);
    refuses("capture", "deployment", &["D00000000007", "000000000007", "d0"], &Wrong::Form);
    refuses("capture", "commit", &["main", &"A".repeat(40), &"0".repeat(41)], &Wrong::Form);
    refuses("refund", "reason", &["a@b", " late", "late ", "a\tb", &"x".repeat(501)], &Wrong::Form);
}

#[test]
fn names_are_known_ones() {
    refuses("grant", "kind", &["Grant", "grants", "gift"], &Wrong::Name);
    refuses("grant", "source", &["gift", "Signup"], &Wrong::Name);
    refuses("grant", "bucket", &["paid"], &Wrong::Name);
    refuses("hold", "burn", &["newest_first"], &Wrong::Name);
    refuses("reversal", "cause", &["fraud"], &Wrong::Name);
    for column in ["basis", "rounding"] {
        refuses("capture", column, &["other"], &Wrong::Name);
    }
    refuses("capture", "currency", &["XXX", "usd", "$", "US"], &Wrong::Name);
}

#[test]
fn lists_are_held_to_their_items() {
    let partner = "b1b1b1b1-b1b1-b1b1-b1b1-b1b1b1b1b1b1";
    let bad = [
        "x:20",
        partner,
        &format!("{partner}:"),
        &format!("{partner}:2 "),
        &format!("{partner}:2  {partner}:3"),
    ];
    refuses("share_rules", "overrides", &bad, &Wrong::Form);
    refuses("share_rules", "overrides", &[&format!("{partner}:100.5")], &Wrong::Range);
    refuses(
        "capture",
        "parts",
        &["4:4:1", "4:4:1:awarded:30:0:0:0:0", "4:4:1:awarded:30:0:0:0.5", ":", "-4:4:1:awarded:30:0:0:0"],
        &Wrong::Form,
    );
    refuses("capture", "parts", &["4:4:1:given:30:0:0:0"], &Wrong::Name);
    refuses("capture", "lines", &["4:300:75:8", "4:300:75:8:217:0"], &Wrong::Form);
    refuses("capture", "lines", &["4:9223372036854775808:0:0:0"], &Wrong::Range);
}

#[test]
fn a_header_names_the_columns_in_their_order() {
    let other = |change: &dyn Fn(&mut Vec<&str>)| {
        let mut names = COLUMNS.to_vec();
        change(&mut names);
        read_csv(format!("{}\r\n", names.join(",")).as_bytes()).1
    };
    assert!(other(&|_| {}).is_none());
    let swapped = other(&|names| names.swap(8, 9)).unwrap();
    assert!(matches!(swapped.fault, Fault::WrongHeader { expected: "credits" }), "{swapped}");
    assert_eq!((swapped.line, swapped.column, swapped.value.as_deref()), (1, Some(9), Some("cost")));
    let short = other(&|names| names.truncate(45)).unwrap();
    assert!(matches!(short.fault, Fault::WrongHeader { expected: "balance_debt" }), "{short}");
    assert_eq!((short.column, short.value), (Some(46), None));
    let long = other(&|names| names.push("note")).unwrap();
    assert!(matches!(long.fault, Fault::WrongHeader { expected: "" }), "{long}");
    assert_eq!((long.column, long.field, long.value.as_deref()), (Some(47), None, Some("note")));
    let empty = read_csv(&b""[..]).1.unwrap();
    assert!(matches!(empty.fault, Fault::WrongHeader { expected: "account" }), "{empty}");
    assert_eq!((empty.line, empty.column), (1, Some(1)));
    let marked = read_csv([b"\xef\xbb\xbf", CSV.as_bytes()].concat().as_slice()).1.unwrap();
    assert!(matches!(marked.fault, Fault::ByteOrderMark), "{marked}");
    assert_eq!((marked.line, marked.column), (1, Some(1)));
}

#[test]
fn a_row_has_a_field_for_every_column() {
    let [header, first] = [0, 1].map(|line| CSV.lines().nth(line).unwrap());
    for (row, actual) in [(format!("{first},"), 47), (first.replacen(',', "", 1), 45), (String::new(), 1)] {
        let (read, error) = read_csv(format!("{header}\n{first}\n{row}\n").as_bytes());
        let error = error.unwrap();
        assert!(
            matches!(error.fault, Fault::WrongWidth { expected: 46, actual: width } if width == actual),
            "{error}"
        );
        assert_eq!((read, error.line), (1, 3));
    }
}

#[test]
fn quotes_are_those_of_the_standard() {
    let [header, first] = [0, 1].map(|line| CSV.lines().nth(line).unwrap());
    let id = first.split(',').next().unwrap();
    let file = |field: &str| format!("{header}\r\n{}\r\n", first.replacen(id, field, 1));
    assert!(read_csv(file(&format!("\"{id}\"")).as_bytes()).1.is_none());
    for field in [format!("\"{id}"), format!("{id}\""), format!("\"{id}\"x"), format!("x\"{id}\"")] {
        let error = read_csv(file(&field).as_bytes()).1.unwrap();
        assert!(matches!(error.fault, Fault::BadQuotes), "{field}: {error}");
        assert_eq!((error.line, error.column, error.field.as_deref()), (2, Some(1), Some("account")));
    }
}

#[test]
fn bytes_that_are_no_text_are_named() {
    for (text, field) in [("Prüfung", "reason"), ("purchase,", "source")] {
        let mut file = CSV.as_bytes().to_vec();
        let place = file.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
        file[place + 2] = 0xff;
        let line = file[..place].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        let error = read_csv(file.as_slice()).1.unwrap();
        assert!(matches!(error.fault, Fault::NotUtf8), "{error}");
        assert_eq!((error.line, error.field.as_deref()), (line, Some(field)));
    }
}

#[test]
fn a_cut_file_is_noticed_wherever_it_is_cut() {
    for cut in 1..CSV.len() {
        let whole = &CSV.as_bytes()[..cut];
        let lines = whole.iter().filter(|byte| **byte == b'\n').count();
        let (read, error) = read_csv(whole);
        assert_eq!(read, lines.saturating_sub(1));
        match error {
            None => assert!(whole.ends_with(b"\n"), "cut at {cut}"),
            Some(error) => {
                assert!(matches!(error.fault, Fault::Truncated), "{error}");
                assert_eq!(error.line, lines as u64 + 1);
            }
        }
        let failed = read_csv(Failing(whole)).1.unwrap();
        assert!(
            matches!(&failed.fault, Fault::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof)
        );
        assert_eq!(failed.line, lines as u64 + 1);
    }
}

#[test]
fn ten_megabytes_in_a_field_are_refused_before_they_are_read() {
    let begin = format!("{}\r\nacacacac", CSV.lines().next().unwrap()).into_bytes();
    let mut endless = Endless { begin, fill: b'a', given: 0 };
    let error = read_csv(&mut endless).1.unwrap();
    assert!(matches!(error.fault, Fault::FieldTooLong { limit: FIELD_LIMIT }), "{error}");
    assert_eq!((error.line, error.column, error.field.as_deref()), (2, Some(1), Some("account")));
    assert!(error.value.unwrap().chars().count() <= 65 && endless.given <= 2 * LINE_LIMIT);

    let mut commas = Endless { begin: CSV.lines().next().unwrap().into(), fill: b',', given: 0 };
    let error = read_csv(&mut commas).1.unwrap();
    assert!(matches!(error.fault, Fault::LineTooLong { limit: LINE_LIMIT }), "{error}");
    assert_eq!(error.line, 1);
    assert!(commas.given <= 2 * LINE_LIMIT);

    let error = outcome("grant", "reference", &"0".repeat(FIELD_LIMIT + 1)).unwrap();
    assert!(matches!(error.fault, Fault::FieldTooLong { limit: FIELD_LIMIT }), "{error}");
}
