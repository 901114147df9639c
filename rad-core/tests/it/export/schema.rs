//! The committed JSON Schema and the reader take the same records, and refuse the same.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rad_core::strategies::cases;
use serde_json::{Value, json};

use super::bad_jsonl::{lines, paths};
use super::{bare_records, exports, jsonl_of, read_jsonl};
use crate::json_schema::Judge;

const SCHEMA: &str = include_str!("../../../schema/record.schema.json");

struct Schema(Judge);

impl Schema {
    fn new() -> Self {
        Self(Judge::new(&serde_json::from_str(SCHEMA).unwrap()))
    }

    /// What is wrong with a record; `None` if nothing is.
    fn refusal(&self, record: &Value) -> Option<String> {
        self.0.refusal(record)
    }

    /// Whether it refuses what the reader refuses, and takes what that takes.
    fn agrees_on(&self, record: &Value) -> Result<bool, String> {
        let read = read_jsonl(format!("{record}\n").as_bytes()).1.map(|error| error.to_string());
        let valid = self.refusal(record);
        match read.is_some() == valid.is_some() {
            true => Ok(valid.is_none()),
            false => Err(format!("{record}\nreader: {read:?}\nschema: {valid:?}")),
        }
    }
}

#[test]
fn what_is_refused_is_refused_by_both() {
    let schema = Schema::new();
    let mut refused = 0;
    for line in lines() {
        assert_eq!(schema.agrees_on(&line), Ok(true));
        for path in paths(&line).into_iter().filter(|path| !path.is_empty()) {
            let (parent, name) = path.rsplit_once('/').unwrap();
            let bad = [json!("a@b"), json!(""), json!(-1.5), json!(true), json!(null), json!([]), json!({})];
            for bad in bad {
                let mut changed = line.clone();
                *changed.pointer_mut(&path).unwrap() = bad;
                refused += usize::from(!schema.agrees_on(&changed).unwrap());
            }
            let mut changed = line.clone();
            if let Some(fields) = changed.pointer_mut(parent).unwrap().as_object_mut() {
                fields.remove(name);
                refused += usize::from(!schema.agrees_on(&changed).unwrap());
                let mut changed = line.clone();
                changed.pointer_mut(parent).unwrap()["note"] = json!(1);
                refused += usize::from(!schema.agrees_on(&changed).unwrap());
            }
        }
    }
    assert!(refused > 2_000, "{refused}");
}

#[test]
fn spellings_are_refused_by_both() {
    let schema = Schema::new();
    let numbers = [
        "1.50",
        "+1",
        "01",
        "-0",
        "1e3",
        ".5",
        "5.",
        "0.0000001",
        " 1",
        "101",
        "0.5",
        "-2",
        "0",
        "100",
        "12.34",
    ];
    let times = [
        "2026-10-01T08:00:00.250000Z",
        "2026-10-01T08:00:00.2501Z",
        "2026-10-01T08:00:00+00:00",
        "2026-10-01 08:00:00Z",
        "2026-13-01T08:00:00Z",
        "2026-10-01T24:00:00Z",
        "2026-10-01T08:00:00.000Z",
        "2026-10-01T08:00:00Z",
        "2026-10-01T08:00:00.000001Z",
        "+10000-01-01T00:00:00Z",
        "-0001-01-01T00:00:00Z",
    ];
    let texts = ["a,b", "\"", " late", "late ", "a\tb", "a@b", "ß", "x"];
    let all = lines();
    let reached: Vec<_> = [
        "/entry/body/credits",
        "/entry/body/partner_share",
        "/entry/body/allowance_earns",
        "/entry/at",
        "/entry/body/expires",
        "/entry/body/reason",
    ]
    .into_iter()
    .zip([&numbers[..], &numbers[..], &numbers[..], &times[..], &times[..], &texts[..]])
    .collect();
    for (path, values) in reached {
        let holds = |line: &&Value| line.pointer(path).is_some_and(Value::is_string);
        let line = all.iter().find(holds).unwrap_or_else(|| panic!("nothing has {path}"));
        let mut outcomes = BTreeSet::new();
        for value in values {
            let mut changed = line.clone();
            *changed.pointer_mut(path).unwrap() = json!(value);
            outcomes.insert(schema.agrees_on(&changed).unwrap());
        }
        assert_eq!(outcomes.len(), 2, "{path}: some are good, some are bad");
    }
}

#[test]
fn kinds_and_fields_are_those_of_the_types() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let kinds = schema["$defs"]["entry"]["properties"]["body"]["oneOf"].as_array().unwrap();
    let mut seen = BTreeSet::new();
    for line in lines() {
        let body = &line["entry"]["body"];
        let kind = body["kind"].as_str().unwrap();
        let fields: BTreeSet<_> = body.as_object().unwrap().keys().collect();
        let documented = schema["$defs"][kind]["properties"].as_object().unwrap().keys().collect();
        assert_eq!(fields, documented, "{kind}");
        assert!(kinds.contains(&json!({ "$ref": format!("#/$defs/{kind}") })), "{kind}");
        seen.insert(kind.to_owned());
    }
    assert_eq!(seen.len(), kinds.len());
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn whatever_is_written_is_valid(records in exports(), bare in bare_records()) {
        let schema = Schema::new();
        for file in [jsonl_of(&records), jsonl_of(&[bare])] {
            for line in std::str::from_utf8(&file).unwrap().lines() {
                prop_assert_eq!(schema.refusal(&serde_json::from_str(line).unwrap()), None);
            }
        }
    }
}
