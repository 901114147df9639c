//! Books that are whole, in every format: what they come to, and that nothing is wrong with them.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use rad_core::money::{Amount, Credits};
use rad_core::revenue::{Body, Grouping, Summary};
use serde_json::Value;

use crate::sample::{Books, MARKET, Sample};

const FORMATS: [&str; 4] = ["books.csv", "books.jsonl", "books.csv.gz", "books.jsonl.gz"];

#[test]
fn every_format_replays_to_the_same_and_is_found_sound() {
    let sample = Sample::new();
    let mut results = Vec::new();
    for name in FORMATS {
        let books = Books::of(&sample, name);
        let verified = books.run("verify", &[]);
        assert_eq!(verified.code, 0, "{verified:?}");
        let (verified, replayed) = (verified.json(), books.run("replay", &["--by", "module"]));
        assert_eq!(replayed.code, 0, "{replayed:?}");
        let mut replayed = replayed.json();
        assert_eq!(replayed["source"], name);
        replayed["source"].take();
        results.push((verified["checked"].clone(), replayed));
        assert_eq!((&verified["sound"], &verified["findings"]), (&true.into(), &Vec::<Value>::new().into()));
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{results:#?}");
    let checked = &results[0].0;
    for field in ["entries", "replayed", "hashes", "recorded"] {
        assert_eq!(checked[field], MARKET.entries, "{field}");
    }
    assert_eq!(
        (&checked["accounts"], &checked["conserved"]),
        (&MARKET.accounts.into(), &MARKET.accounts.into())
    );
    assert_eq!((&checked["share_rules"], &checked["terms_unchecked"]), (&5.into(), &0.into()));
}

#[test]
fn a_replay_comes_to_what_the_engine_says() {
    let market = MARKET.market().unwrap();
    let mut summary = Summary::new(Grouping::Partner);
    let (mut received, mut granted) = (Amount::ZERO, Credits::ZERO);
    let mut histories = market.histories();
    while let Some((entry, effect)) = histories.step() {
        effect.lines.iter().for_each(|line| summary.add(line).unwrap());
        if let Body::Grant(grant) = &entry.body {
            received = received.checked_add(grant.cost).unwrap();
            granted = granted.checked_add(grant.credits).unwrap();
        }
        if let Body::Adjustment(adjustment) = &entry.body
            && adjustment.amount.is_positive()
        {
            granted = granted.checked_add(adjustment.amount).unwrap();
        }
    }
    let books = Books::of(&Sample::new(), "books.csv");
    let replayed = books.run("replay", &["--by", "partner"]).json();
    assert_eq!(replayed["received"], received.to_string());
    assert_eq!(replayed["credits"]["granted"], granted.to_string());
    let revenue = &replayed["revenue"][0];
    assert_eq!(revenue["currency"], "USD");
    let total = summary.total().unwrap();
    let wanted = [total.gross, total.partner, total.agent, total.platform];
    let fields = ["gross_minor", "partner_minor", "agent_minor", "platform_minor"];
    assert_eq!(fields.map(|field| revenue["total"][field].as_i64().unwrap()), wanted);
    assert_eq!(revenue["groups"].as_array().unwrap().len(), summary.groups().count());
}

#[test]
fn credits_are_all_somewhere_and_groups_add_up_to_the_total() {
    let books = Books::of(&Sample::new(), "books.jsonl");
    for by in ["partner", "agent", "module", "account", "month"] {
        let replayed = books.run("replay", &["--by", by]).json();
        let credits: BTreeMap<String, i64> = micros(&replayed["credits"]);
        let places = ["spent", "expired", "removed", "reversed", "spendable", "held", "frozen"];
        assert_eq!(credits["granted"], places.map(|place| credits[place]).iter().sum::<i64>());
        let filled = places.iter().filter(|place| credits[**place] > 0);
        assert!(filled.count() >= 6 && credits["spent"] > 0, "{credits:?}");
        let revenue = &replayed["revenue"][0];
        assert_eq!(revenue["by"], by);
        for field in ["lines", "gross_minor", "partner_minor", "agent_minor", "platform_minor"] {
            let groups = revenue["groups"].as_array().unwrap();
            let sum: i64 = groups.iter().map(|group| group[field].as_i64().unwrap()).sum();
            assert_eq!(revenue["total"][field], sum, "{field} by {by}");
        }
        let text = books.text("replay", &["--by", by]).out;
        assert!(text.contains("revenue in USD") && text.contains(by), "{text}");
    }
}

#[test]
fn periods_that_meet_add_up_to_the_whole_year() {
    let books = Books::of(&Sample::new(), "books.csv");
    let middle = "2026-07-14T09:30:00Z";
    let whole = books.run("replay", &["--to", "2027-01-01"]).json();
    let parts = [
        books.run("replay", &["--to", middle]),
        books.run("replay", &["--from", middle, "--to", "2027-01-01"]),
    ]
    .map(|said| said.json());
    for field in ["granted", "spent", "expired", "removed", "reversed"] {
        let [first, second] = [0, 1].map(|part: usize| micros(&parts[part]["credits"])[field]);
        assert_eq!(micros(&whole["credits"])[field], first + second, "{field}");
        assert!(first != 0 && second != 0, "{field}");
    }
    for field in ["lines", "gross_minor", "partner_minor"] {
        let of = |part: &Value| part["revenue"][0]["total"][field].as_i64().unwrap();
        assert_eq!(of(&whole), of(&parts[0]) + of(&parts[1]), "{field}");
    }
    for field in ["spendable", "held", "frozen", "debt"] {
        assert_eq!(whole["credits"][field], parts[1]["credits"][field], "{field}");
    }
}

#[test]
fn a_gzip_file_of_several_members_is_read_to_its_end() {
    let sample = Sample::new();
    let plain = Books::of(&sample, "books.csv");
    let text = std::fs::read(plain.path()).unwrap();
    let (head, tail) = text.split_at(text.len() / 2);
    let books = Books::named("books.csv.gz");
    let member = |bytes: &[u8]| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    };
    std::fs::write(books.path(), [member(head), member(tail)].concat()).unwrap();
    let verified = books.run("verify", &[]);
    assert_eq!((verified.code, &verified.json()["checked"]["entries"]), (0, &MARKET.entries.into()));
}

#[test]
fn what_an_export_leaves_out_everywhere_is_said_and_is_no_finding() {
    let mut sample = Sample::new();
    for record in &mut sample.records {
        (record.hash, record.recorded) = (None, None);
    }
    sample.records.retain(|record| !matches!(record.entry.body, Body::ShareRules(_)));
    let said = Books::of(&sample, "books.csv").run("verify", &[]);
    assert_eq!(said.code, 0, "{said:?}");
    let absent = said.json()["absent"].as_array().unwrap().clone();
    let absent: Vec<_> =
        absent.iter().map(|what| what.as_str().unwrap().split(':').next().unwrap()).collect();
    assert_eq!(absent, ["hashes", "recorded results", "share rules"]);
    assert!(said.json()["checked"]["terms_unchecked"].as_u64() > Some(0));
}

/// The fields of an object of decimal texts, in millionths.
fn micros(object: &Value) -> BTreeMap<String, i64> {
    let fields = object.as_object().unwrap().iter();
    let micros = |value: &Value| value.as_str().unwrap().parse::<Credits>().unwrap().micros();
    fields.map(|(name, value)| (name.clone(), micros(value))).collect()
}
