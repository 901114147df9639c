//! What exactly is wrong with a line of JSON: looked for only once it is known that something is.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::cell::{Cell, Flaw};
use super::csv::KINDS;
use super::{Fault, ReadError};
use crate::id::{AccountId, DeploymentId};
use crate::money::{Amount, Credits, CreditsPerUnit, Currency, Money, Rate};
use crate::revenue::{
    Bucket, BurnOrder, EntryKey, EntryKind, LotSource, Reason, RevenueBasis, ReversalCause, Rounding,
};
use crate::source::{CommitId, Digest};

/// The error about a line that no record could be read from.
pub(super) fn unreadable(number: u64, text: &str, error: &serde_json::Error) -> ReadError {
    let Ok(line) = serde_json::from_str::<Value>(text) else {
        let fault = Fault::Json { reason: error.to_string() };
        return ReadError::new(number, fault).at_column(error.column() as u64).with_value(text.as_bytes());
    };
    if let Some(found) = misspelt(number, &mut Path::default(), &line) {
        return found;
    }
    let reason = error.to_string();
    match reason.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        Some(field) => ReadError::new(number, Fault::Missing { of: "records" }).in_field(field.to_owned()),
        None => ReadError::new(number, Fault::Json { reason }).with_value(text.as_bytes()),
    }
}

/// Compares a line with what was read from it, written again: both must say the same, field by field.
pub(super) fn compare(number: u64, text: &str, again: &[u8]) -> Result<(), ReadError> {
    let parse = |text: &[u8]| serde_json::from_slice::<Value>(text);
    let both = parse(text.as_bytes()).and_then(|line| parse(again).map(|read| (line, read)));
    let (line, read) =
        both.map_err(|error| ReadError::new(number, Fault::Json { reason: error.to_string() }))?;
    let mut path = Path::default();
    let found = misspelt(number, &mut path, &line).or_else(|| difference(number, &mut path, &line, &read));
    found.map_or(Ok(()), Err)
}

/// The names and places of the fields that lead to a value.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn within<T>(&mut self, name: &str, look: impl FnOnce(&mut Self) -> T) -> T {
        self.0.push(name.to_owned());
        let found = look(self);
        self.0.pop();
        found
    }

    fn error(&self, number: u64, value: Option<&Value>, fault: Fault) -> ReadError {
        let error = ReadError::new(number, fault).in_field(self.0.join("."));
        match value {
            Some(Value::String(text)) => error.with_value(text.as_bytes()),
            Some(value) => error.with_value(value.to_string().as_bytes()),
            None => error,
        }
    }

    /// The names, without places in lists.
    fn names(&self) -> Vec<&str> {
        self.0
            .iter()
            .map(String::as_str)
            .filter(|name| !name.starts_with(|c: char| c.is_ascii_digit()))
            .collect()
    }
}

/// The first difference: a field that is not read, one that is missing, or a value in another spelling.
fn difference(number: u64, path: &mut Path, line: &Value, read: &Value) -> Option<ReadError> {
    match (line, read) {
        (Value::Object(line), Value::Object(read)) => {
            let unread = line.iter().find(|(name, _)| !read.contains_key(*name));
            if let Some((name, value)) = unread {
                let fault = Fault::Unwanted { of: "records of this kind" };
                return Some(path.within(name, |path| path.error(number, Some(value), fault)));
            }
            read.iter().find_map(|(name, read)| {
                path.within(name, |path| match line.get(name) {
                    Some(line) => difference(number, path, line, read),
                    None => Some(path.error(number, None, Fault::Missing { of: "records of this kind" })),
                })
            })
        }
        (Value::Array(line), Value::Array(read)) if line.len() == read.len() => {
            line.iter().zip(read).enumerate().find_map(|(place, (line, read))| {
                path.within(&place.to_string(), |path| difference(number, path, line, read))
            })
        }
        (line, read) if line == read => None,
        (line, _) => {
            Some(path.error(number, Some(line), Fault::Malformed { wanted: "the value in its one spelling" }))
        }
    }
}

/// The first value, in the order of names, that is not one of its field.
fn misspelt(number: u64, path: &mut Path, value: &Value) -> Option<ReadError> {
    if let Some(fault) = fault_of(path, value) {
        return Some(path.error(number, Some(value), fault));
    }
    match value {
        Value::Object(fields) => {
            fields.iter().find_map(|(name, value)| path.within(name, |path| misspelt(number, path, value)))
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(place, value)| path.within(&place.to_string(), |path| misspelt(number, path, value))),
        _ => None,
    }
}

/// What is wrong with the value of a field; `None` for fields that have others in them, or that no record has.
fn fault_of(path: &Path, value: &Value) -> Option<Fault> {
    let names = path.names();
    let name = *names.last()?;
    if value.is_null() && OPTIONAL.contains(&name) {
        return None;
    }
    match names.as_slice() {
        ["entry" | "recorded"] | ["recorded", "parts" | "lines" | "balance_after"] => nested(value),
        ["hash"] => text::<Digest>(value),
        ["entry", ..] => fault_in_entry(name, value),
        ["recorded", "lines", "charge"] | ["recorded", "parts", "charge" | "entry" | "lot"] => {
            whole::<u64>(value)
        }
        ["recorded", "lines", "gross" | "partner" | "agent" | "platform"]
        | ["recorded", "parts", "gross_minor"] => whole::<i64>(value),
        ["recorded", "parts", "bucket"] => text::<Bucket>(value),
        ["recorded", "parts", "cost" | "gross"] => text::<Amount>(value),
        ["recorded", "parts", "credits"]
        | [
            "recorded",
            "balance_after",
            "awarded" | "purchased" | "held_awarded" | "held_purchased" | "frozen" | "debt",
        ] => text::<Credits>(value),
        _ => None,
    }
}

/// The fields that can be `null`.
const OPTIONAL: [&str; 9] = [
    "actor",
    "paid",
    "expires",
    "reference",
    "deployment",
    "module",
    "publisher",
    "agent",
    "allowance_earns",
];

fn fault_in_entry(name: &str, value: &Value) -> Option<Fault> {
    match name {
        "body" | "paid" | "terms" | "overrides" => nested(value),
        "account" | "actor" | "publisher" | "agent" | "partner" | "module" => text::<AccountId>(value),
        "seq" | "hold" | "charge" | "lot" => whole::<u64>(value),
        "version" | "rule_version" => whole::<u32>(value),
        "at" | "expires" | "effective" => time(value),
        "key" | "reference" | "project" => text::<EntryKey>(value),
        "kind" => {
            let known = value.as_str().and_then(|name| name.parse::<EntryKind>().ok());
            known.is_none().then(|| Flaw::Name.fault(KINDS))
        }
        "source" => text::<LotSource>(value),
        "bucket" => text::<Bucket>(value),
        "credits" | "amount" => text::<Credits>(value),
        "cost" => text::<Amount>(value),
        "money" => any::<Money>(value, "an amount, a blank and a currency, such as 10.00 USD"),
        "rate" => any::<Decimal>(value, "a decimal number"),
        "burn" => text::<BurnOrder>(value),
        "deployment" => text::<DeploymentId>(value),
        "commit" => text::<CommitId>(value),
        "partner_share" | "agent_share" | "share" => text::<Rate>(value),
        "basis" if value.is_object() => None,
        "basis" => any::<RevenueBasis>(value, "lot_cost, or credits_per_unit with its price"),
        "allowance_earns" | "credits_per_unit" => text::<CreditsPerUnit>(value),
        "rounding" => text::<Rounding>(value),
        "currency" => text::<Currency>(value),
        "reason" => text::<Reason>(value),
        "cause" => text::<ReversalCause>(value),
        _ => None,
    }
}

fn nested(value: &Value) -> Option<Fault> {
    let nested = value.is_object() || value.is_array();
    (!nested).then(|| Flaw::Form.fault("an object or a list, as the schema says"))
}

fn text<T: Cell>(value: &Value) -> Option<Fault> {
    let flaw = value.as_str().map_or(Err(Flaw::Form), |text| T::parse(text.as_bytes()).map(drop));
    flaw.err().map(|flaw| flaw.fault(T::WANTED))
}

fn whole<T: Cell + DeserializeOwned>(value: &Value) -> Option<Fault> {
    let flaw = if value.is_number() { Flaw::Range } else { Flaw::Form };
    T::deserialize(value).err().map(|_| flaw.fault(T::WANTED))
}

fn time(value: &Value) -> Option<Fault> {
    let wanted = "a time in UTC in whole microseconds, such as 2026-10-01T08:00:00.250Z";
    match DateTime::<Utc>::deserialize(value) {
        Ok(at) if at.timestamp_subsec_nanos().is_multiple_of(1_000) => None,
        _ => Some(Flaw::Form.fault(wanted)),
    }
}

fn any<T: DeserializeOwned>(value: &Value, wanted: &'static str) -> Option<Fault> {
    T::deserialize(value).err().map(|_| Flaw::Form.fault(wanted))
}
