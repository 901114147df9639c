//! Bundles that somebody changed: what was changed is found and named.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use flate2::read::GzDecoder;
use rad_core::export::Record;
use rad_core::revenue::Body;
use rad_core::source::Digest;
use serde_json::{Value, json};

use crate::books::{self, REVERSED};
use crate::bundle::Bundle;
use crate::common::audit;

/// What somebody does to a part of a bundle.
type Change<T> = fn(&mut T);

fn of_reversed(records: &[Record], seq: u64) -> usize {
    records.iter().position(|record| record.entry.account == REVERSED && record.entry.seq == seq).unwrap()
}

#[test]
fn a_changed_byte_of_any_file_is_found_in_that_file() {
    for file in ["statement.csv", "statement.html", "entries.jsonl.gz"] {
        let bundle = Bundle::new();
        let mut bytes = fs::read(bundle.path(file)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(bundle.path(file), &bytes).unwrap();
        let findings = bundle.findings();
        assert!(findings.iter().all(|[of, ..]| of == file), "{findings:?}");
        assert!(findings[0][2].contains("SHA-256"), "{findings:?}");

        bytes.truncate(middle);
        fs::write(bundle.path(file), &bytes).unwrap();
        assert!(bundle.findings()[0][2].contains("bytes; the manifest says"), "{file}");
    }
}

#[test]
fn a_cent_is_found_in_its_row_even_under_a_new_digest() {
    let bundle = Bundle::new();
    let csv = bundle.read("statement.csv");
    let row = csv.lines().nth(3).unwrap();
    fs::write(bundle.path("statement.csv"), csv.replace(row, &row.replace(",-60,-0.60,", ",-59,-0.59,")))
        .unwrap();
    bundle.fix_digests();
    let place = |column: &str| format!("line 4, {column}");
    assert_eq!(
        bundle.findings(),
        [
            [
                "statement.csv".into(),
                place("share_minor"),
                "it is \"-59\"; the entries give \"-60\"".to_owned()
            ],
            ["statement.csv".into(), place("net"), "it is \"-0.59\"; the entries give \"-0.60\"".to_owned()],
        ]
    );
}

#[test]
fn rows_that_are_gone_doubled_or_made_up_are_named() {
    let reversal = format!("reversal {REVERSED}:5 of {REVERSED}:4");
    let cases: [(Change<Vec<String>>, String, String); 3] = [
        (|lines| drop(lines.remove(3)), "before line 4".to_owned(), format!("the row {reversal} is missing")),
        (|lines| drop(lines.pop()), "at the end".to_owned(), "is missing".to_owned()),
        (
            |lines| lines.insert(2, lines[2].replace(":5,", ":9,")),
            "line 3".to_owned(),
            "the entries give no row refund".to_owned(),
        ),
    ];
    for (change, place, problem) in cases {
        let bundle = Bundle::new();
        let csv = bundle.read("statement.csv");
        let mut lines: Vec<String> = csv.lines().map(str::to_owned).collect();
        change(&mut lines);
        fs::write(bundle.path("statement.csv"), lines.join("\r\n") + "\r\n").unwrap();
        bundle.fix_digests();
        let findings = bundle.findings();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0][1], place);
        assert!(findings[0][2].contains(&problem), "{findings:?}");
    }
}

#[test]
fn other_columns_and_line_ends_are_named() {
    let cases: [(Change<String>, &str, &str); 3] = [
        (|csv| *csv = csv.replace("\r\n", "\n"), "", "CRLF"),
        (|csv| *csv = csv.replacen("net", "gross", 1), "line 1", "the columns are not"),
        (|csv| *csv = csv.replacen(",USD,", ",USD,,", 1), "line 2", "23 cells in place of 22"),
    ];
    for (change, place, problem) in cases {
        let bundle = Bundle::new();
        let mut csv = bundle.read("statement.csv");
        change(&mut csv);
        fs::write(bundle.path("statement.csv"), csv).unwrap();
        bundle.fix_digests();
        let findings = bundle.findings();
        assert_eq!((findings.len(), findings[0][1].as_str()), (1, place), "{findings:?}");
        assert!(findings[0][2].contains(problem), "{findings:?}");
    }
}

#[test]
fn a_changed_page_is_found_at_its_line() {
    let bundle = Bundle::new();
    let page = bundle.read("statement.html");
    let line = page.lines().position(|line| line.contains("−0.40")).unwrap() + 1;
    fs::write(bundle.path("statement.html"), page.replacen("−0.40", "−0.04", 1)).unwrap();
    bundle.fix_digests();
    let findings = bundle.findings();
    assert_eq!(
        (findings.len(), findings[0][1].as_str()),
        (1, format!("line {line}").as_str()),
        "{findings:?}"
    );
}

#[test]
fn entries_that_are_gone_or_changed_are_named() {
    let entry = |seq: u64| format!("entry {REVERSED}:{seq}");
    let cases: [(Change<Vec<Record>>, String, &str); 5] = [
        (|records| drop(records.remove(of_reversed(records, 2))), entry(3), "where entry 2 should"),
        (|records| drop(records.remove(of_reversed(records, 6))), entry(5), "the manifest's head is entry 6"),
        (
            |records| records.retain(|record| record.entry.account != REVERSED),
            format!("account {REVERSED}"),
            "no entries",
        ),
        (
            |records| {
                let at = of_reversed(records, 2);
                if let Body::Grant(grant) = &mut records[at].entry.body {
                    grant.cost = "100".parse().unwrap();
                }
            },
            entry(2),
            "its hash is",
        ),
        (
            |records| {
                let at = of_reversed(records, 2);
                records[at].hash = None;
            },
            entry(2),
            "it has no hash",
        ),
    ];
    for (change, place, problem) in cases {
        let bundle = Bundle::new();
        bundle.change_records(change);
        let findings = bundle.findings();
        assert_eq!(findings[0][0], "entries.jsonl.gz");
        assert_eq!(findings[0][1], place, "{findings:?}");
        assert!(findings[0][2].contains(problem), "{findings:?}");
    }
}

#[test]
fn a_history_hashed_anew_does_not_reach_the_head() {
    let bundle = Bundle::new();
    bundle.change_records(|records| {
        let at = of_reversed(records, 2);
        if let Body::Grant(grant) = &mut records[at].entry.body {
            grant.cost = "100".parse().unwrap();
        }
        let mut head = Digest::ZERO;
        for record in records.iter_mut().filter(|record| record.entry.account == REVERSED) {
            head = record.entry.hash(&head);
            record.hash = Some(head);
        }
    });
    let findings = bundle.findings();
    assert_eq!(findings[0][..2], ["manifest.json".to_owned(), format!("entry {REVERSED}:6")], "{findings:?}");
    assert!(
        findings.iter().any(|[file, place, _]| file == "statement.csv" && place == "line 4, gross_minor")
    );
    assert!(findings.iter().any(|[file, place, _]| file == "manifest.json" && place == "totals.gross_minor"));
}

#[test]
fn rates_that_were_not_in_force_are_found() {
    let bundle = Bundle::new();
    bundle.change_records(|records| {
        let other = books::records(&[books::history(REVERSED, books::example("21", Vec::new()))]);
        records.retain(|record| record.entry.account != REVERSED);
        records.extend(other);
        records.sort_by_key(|record| record.entry.id());
    });
    let findings = bundle.findings();
    assert_eq!(findings[0][1], format!("entry {REVERSED}:4"), "{findings:?}");
    assert!(findings[0][2].contains("partner_share is 21 %, not 20 %"), "{findings:?}");
}

#[test]
fn what_the_manifest_claims_is_derived_again() {
    let cases: [(Change<Value>, &str); 7] = [
        (|manifest| manifest["totals"]["share_minor"] = json!(-61), "totals.share_minor"),
        (|manifest| manifest["opening_balance_minor"] = json!(1), "opening_balance_minor"),
        (|manifest| manifest["closing_balance_minor"] = json!(1), "closing_balance_minor"),
        (|manifest| manifest["rule_versions"] = json!([1, 2]), "rule_versions"),
        (|manifest| manifest["statement_id"] = json!("0".repeat(32)), "statement_id"),
        (|manifest| manifest["currency"] = json!("EUR"), "currency"),
        (|manifest| manifest["payee"] = json!("platform"), "payee"),
    ];
    for (change, place) in cases {
        let bundle = Bundle::new();
        bundle.change_manifest(change);
        let findings = bundle.findings();
        assert_eq!(
            (findings.len(), findings[0][0].as_str(), findings[0][1].as_str()),
            (1, "manifest.json", place)
        );
    }
    let bundle = Bundle::new();
    bundle.change_manifest(|manifest| manifest["heads"][1]["hash"] = json!("0".repeat(64)));
    let findings = bundle.findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0][2].starts_with("heads: the hash is 0000"), "{findings:?}");
}

#[test]
fn files_outside_the_bundle_are_refused() {
    for name in ["/etc/passwd", "../books.jsonl.gz", "other.csv", "manifest.json", ""] {
        let bundle = Bundle::new();
        bundle.change_manifest(|manifest| manifest["files"][1]["name"] = json!(name));
        let said = bundle.verify();
        assert_eq!(said.code, 2, "{said:?}");
        assert_eq!(said.json()["error"]["value"], name);
    }
    for file in ["manifest.json", "statement.csv", "entries.jsonl.gz"] {
        let bundle = Bundle::new();
        let elsewhere = bundle.directory.path().join("elsewhere");
        fs::rename(bundle.path(file), &elsewhere).unwrap();
        let said = bundle.verify();
        assert_eq!((said.code, said.json()["error"]["kind"].as_str()), (2, Some("Open")), "{said:?}");
        symlink(&elsewhere, bundle.path(file)).unwrap();
        let said = bundle.verify();
        assert_eq!((said.code, said.json()["error"]["value"].as_str()), (2, Some("a link")), "{said:?}");
    }
}

#[test]
fn what_is_no_manifest_is_unreadable() {
    for (text, wanted) in [("", "line 1, column 0"), ("{}", "missing field"), ("[1,", "line 1")] {
        let bundle = Bundle::new();
        fs::write(bundle.path("manifest.json"), text).unwrap();
        let said = bundle.verify();
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(wanted), "{}", said.err);
    }
    let bundle = Bundle::new();
    bundle.change_manifest(|manifest| manifest["format"] = json!("rad.statement.v2"));
    assert!(bundle.verify().err.contains("rad.statement.v1"));
    let bundle = Bundle::new();
    bundle.change_manifest(|manifest| manifest["period_end"] = manifest["period_start"].clone());
    assert_eq!(bundle.verify().code, 2);
    assert_eq!(audit(bundle.directory.path(), &["verify-bundle", "nowhere"]).code, 2);
    // A digest that fits a file that is no export: nothing was altered, but nothing can be read either.
    let bundle = Bundle::new();
    fs::write(bundle.path("entries.jsonl.gz"), "no archive").unwrap();
    bundle.fix_digests();
    assert_eq!(bundle.verify().code, 2);
}

#[test]
fn more_entries_than_the_heads_count_are_not_read_on() {
    let bundle = Bundle::new();
    bundle.change_records(|records| {
        let last = records[records.len() - 1].clone();
        records.extend(std::iter::repeat_n(last, 100));
    });
    let findings = bundle.findings();
    assert!(findings.iter().any(|[_, _, problem]| problem.contains("more entries than the")), "{findings:?}");
}

#[test]
fn the_archive_is_what_any_program_reads() {
    let bundle = Bundle::new();
    let mut text = String::new();
    let file: &Path = &bundle.path("entries.jsonl.gz");
    GzDecoder::new(fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 1 + 5 + 6 + 7);
    assert!(
        text.lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok_and(|value| value["hash"].is_string()))
    );
}
