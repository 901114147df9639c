//! What the books say that an entry did, beside what the replay says.

use rad_core::export::{Recorded, RecordedLine};
use rad_core::revenue::Effect;
use serde::Serialize;
use serde_json::Value;

use super::finding::Wrong;

/// The most differences that one finding names.
const NAMED: usize = 8;

/// What differs: one finding for the parts, one for the lines, one for the balance.
pub(super) fn compare(recorded: &Recorded, effect: &Effect, found: &mut impl FnMut(Wrong)) {
    if recorded.parts != effect.parts {
        found(differs("the parts", "parts", &recorded.parts, &effect.parts));
    }
    let same = recorded.lines.len() == effect.lines.len()
        && recorded
            .lines
            .iter()
            .zip(&effect.lines)
            .all(|(line, replayed)| *line == RecordedLine::from(replayed));
    if !same {
        let lines: Vec<_> = effect.lines.iter().map(RecordedLine::from).collect();
        found(differs("the revenue lines", "lines", &recorded.lines, &lines));
    }
    if recorded.balance_after != effect.balance_after {
        found(differs("the balances", "balance_after", &recorded.balance_after, &effect.balance_after));
    }
}

fn differs<T: Serialize>(what: &'static str, field: &str, recorded: &T, replayed: &T) -> Wrong {
    let value = |side: &T| serde_json::to_value(side).unwrap_or(Value::Null);
    let mut differences = Vec::new();
    list(field, &value(recorded), &value(replayed), &mut differences);
    if differences.len() > NAMED {
        let more = differences.len() - NAMED;
        differences.truncate(NAMED);
        differences.push(format!("and {more} more"));
    }
    Wrong::RecordedDiffers { what, differences }
}

/// Lists the fields that differ, by their paths.
fn list(path: &str, recorded: &Value, replayed: &Value, differences: &mut Vec<String>) {
    match (recorded, replayed) {
        (Value::Object(one), Value::Object(other)) => {
            for (name, value) in one {
                list(&format!("{path}.{name}"), value, other.get(name).unwrap_or(&Value::Null), differences);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            for place in 0..one.len().max(other.len()) {
                let side = |values: &[Value]| values.get(place).cloned().unwrap_or(Value::Null);
                list(&format!("{path}[{place}]"), &side(one), &side(other), differences);
            }
        }
        _ if recorded == replayed => {}
        _ => differences.push(format!("{path} is {}, the replay gives {}", shown(recorded), shown(replayed))),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "absent".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
