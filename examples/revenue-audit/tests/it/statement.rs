//! `statement`, and what `verify-bundle` says of what it wrote.

use std::fs;
use std::path::Path;

use crate::books::{self, AGENT, FINANCE, MODULE, PARTNER, REVERSED};
use crate::common::{Said, audit};

const SOURCE: &str = "books.jsonl.gz";

fn draw(directory: &Path, subject: &[&str], month: &str, output: &str) -> Said {
    let mut arguments = vec!["statement", SOURCE, "--month", month, "-o", output, "--json"];
    arguments.extend_from_slice(subject);
    audit(directory, &arguments)
}

fn market() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    books::write(&books::market("20"), &directory.path().join(SOURCE));
    directory
}

#[test]
fn the_partners_statement_of_the_example_is_the_golden_one() {
    let directory = market();
    let partner = PARTNER.to_string();
    let said = draw(directory.path(), &["--partner", &partner], "2026-11", "out");
    assert_eq!(said.code, 0, "{said:?}");
    let csv = fs::read_to_string(directory.path().join("out/statement.csv")).unwrap();
    assert_eq!(csv.replace("\r\n", "\n"), include_str!("../golden/partner-2026-11.csv"));

    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(directory.path().join("out/manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest, said.json()["manifest"]);
    assert_eq!(manifest["opening_balance_minor"], 180, "three charges of 0.60 in October");
    // −0.60; −0.60 + 0.72; −0.20, then −0.40, then 20 credits repaid at 6.00 × 20 / 50 = 2.40 → 0.48.
    assert_eq!(manifest["totals"]["share_minor"], -60 - 60 + 72 - 20 - 40 + 48);
    assert_eq!(manifest["closing_balance_minor"], 120);
    assert!(manifest["totals"].get("shares").is_none(), "a partner does not see what others earn");
    assert_eq!(manifest["rounding"][0], "floor_then_largest_remainder");
    assert_eq!(
        (manifest["rule_versions"][0].as_u64(), manifest["heads"].as_array().unwrap().len()),
        (Some(1), 4)
    );
    assert_eq!(manifest["source"]["name"], SOURCE);
}

#[test]
fn the_page_is_one_file_without_scripts_and_shows_the_figures() {
    let directory = market();
    let said = draw(directory.path(), &["--partner", &PARTNER.to_string()], "2026-11", "out");
    assert_eq!(said.code, 0, "{said:?}");
    let page = fs::read_to_string(directory.path().join("out/statement.html")).unwrap();
    for wanted in
        ["Partner statement", "November 2026", "Opening balance", "1.80", "−0.60", "20 %", "lang=\"en\""]
    {
        assert!(page.contains(wanted), "{wanted}");
    }
    for unwanted in ["<script", "http:", "https:", "url(", "src="] {
        assert!(!page.contains(unwanted), "{unwanted}");
    }
}

#[test]
fn every_subject_has_a_statement_that_proves_itself_and_they_add_up() {
    let directory = market();
    let (partner, agent, module) = (PARTNER.to_string(), AGENT.to_string(), MODULE.to_string());
    let (payer, nobody) = (REVERSED.to_string(), FINANCE.to_string());
    let subjects: [&[&str]; 6] = [
        &["--partner", &partner],
        &["--agent", &agent],
        &["--platform"],
        &["--module", &module],
        &["--account", &payer],
        &["--partner", &nobody],
    ];
    for month in ["2026-10", "2026-11"] {
        let mut shares = Vec::new();
        for (place, subject) in subjects.iter().enumerate() {
            let output = format!("{month}-{place}");
            let said = draw(directory.path(), subject, month, &output);
            assert_eq!(said.code, 0, "{said:?}");
            let totals = said.json()["manifest"]["totals"].clone();
            shares.push((totals["share_minor"].as_i64().unwrap(), totals["gross_minor"].as_i64().unwrap()));
            let checked = audit(directory.path(), &["verify-bundle", &output, "--json"]);
            assert_eq!((checked.code, checked.json()["problems"].as_u64()), (0, Some(0)), "{checked:?}");
            assert_eq!(checked.json()["rows"], totals["rows"]);
        }
        let [partner, agent, platform, module, ..] = shares[..] else { panic!("six statements") };
        assert_eq!(partner.0 + agent.0 + platform.0, platform.1, "{month}");
        assert_eq!(module, (platform.1, platform.1), "the one module earns everything");
        assert_eq!(shares[5], (0, 0));
    }
}

#[test]
fn a_period_of_days_adds_up_with_the_others() {
    let directory = market();
    let partner = PARTNER.to_string();
    let mut shares = 0;
    for (from, to) in [
        ("2026-10-01", "2026-11-02"),
        ("2026-11-02", "2026-11-02T09:15:00Z"),
        ("2026-11-02T09:15:00Z", "2027-01-01"),
    ] {
        let arguments =
            ["statement", SOURCE, "--partner", &partner, "--from", from, "--to", to, "-o", to, "--json"];
        let said = audit(directory.path(), &arguments);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(said.json()["manifest"]["opening_balance_minor"], shares);
        shares += said.json()["manifest"]["totals"]["share_minor"].as_i64().unwrap();
        assert_eq!(audit(directory.path(), &["verify-bundle", to]).code, 0);
    }
    assert_eq!(shares, 120);
}

#[test]
fn what_cannot_be_drawn_says_why() {
    let directory = market();
    let partner = PARTNER.to_string();
    assert_eq!(draw(directory.path(), &["--platform"], "2026-10", "out").code, 0);
    for (arguments, code, wanted) in [
        (vec!["--month", "2026-13", "--platform", "-o", "a"], 2, "2026-10"),
        (vec!["--month", "2026-10", "-o", "a"], 2, "required"),
        (vec!["--month", "2026-10", "--platform", "--partner", &partner, "-o", "a"], 2, "cannot be used"),
        (vec!["--platform", "-o", "a"], 2, "required"),
        (vec!["--from", "2026-10-02", "--to", "2026-10-01", "--platform", "-o", "a"], 2, "after --from"),
        (vec!["--month", "2026-10", "--platform", "-o", "out"], 2, "new or empty"),
    ] {
        let said = audit(directory.path(), &[&["statement", SOURCE], &arguments[..]].concat());
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.err.contains(wanted), "{wanted}: {}", said.err);
    }
    let mut records = books::records(&books::market("20"));
    let at = records.iter().position(|record| record.entry.account == REVERSED).unwrap();
    records[at].entry.actor = None;
    books::write_records(&records, &directory.path().join(SOURCE));
    let said = draw(directory.path(), &["--platform"], "2026-10", "b");
    assert_eq!((said.code, said.json()["error"]["kind"].as_str()), (1, Some("Altered")), "{said:?}");
    assert!(said.err.contains(&format!("{REVERSED}:1")), "{}", said.err);
    let left = fs::read_dir(directory.path().join("b")).unwrap().count();
    assert_eq!(left, 0, "half a bundle is none");
}
