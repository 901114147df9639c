//! Reading which attributes drifted, from a plan as the engine shows it
//! (<https://developer.hashicorp.com/terraform/internals/json-format#plan-representation>).

use std::collections::HashMap;

use rad_core::runner::DriftedAttribute;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The most attributes of a resource that are told.
const ATTRIBUTES: usize = 100;

/// The most bytes of a value that are told.
const VALUE: usize = 1024;

#[derive(Deserialize)]
struct ShownPlan {
    #[serde(default)]
    resource_drift: Vec<ShownDrift>,
}

#[derive(Deserialize)]
struct ShownDrift {
    address: String,
    change: ShownChange,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ShownChange {
    before: Value,
    after: Value,
    before_sensitive: Value,
    after_sensitive: Value,
}

/// The attributes that differ of each changed resource, by its address; nothing where this is no plan.
pub(super) fn attributes(plan: &str) -> HashMap<String, Vec<DriftedAttribute>> {
    let drift = serde_json::from_str::<ShownPlan>(plan).map(|plan| plan.resource_drift).unwrap_or_default();
    drift.into_iter().map(|drift| (drift.address, drift.change.attributes())).collect()
}

impl ShownChange {
    fn attributes(&self) -> Vec<DriftedAttribute> {
        let (Value::Object(before), Value::Object(after)) = (&self.before, &self.after) else {
            return Vec::new();
        };
        let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let differ = names.into_iter().filter(|name| {
            let (before, after) = (value(before, name), value(after, name));
            // Providers read back what was never set as empty.
            before != after && !(is_empty(before) && is_empty(after))
        });
        differ.take(ATTRIBUTES).map(|name| self.attribute(before, after, name)).collect()
    }

    fn attribute(
        &self,
        before: &Map<String, Value>,
        after: &Map<String, Value>,
        name: &str,
    ) -> DriftedAttribute {
        let hidden =
            [&self.before_sensitive, &self.after_sensitive].into_iter().any(|marks| is_marked(marks, name));
        let shown = |of| (!hidden).then(|| shortened(value(of, name).to_string()));
        DriftedAttribute { name: name.to_owned(), was: shown(before), is: shown(after) }
    }
}

fn value<'a>(of: &'a Map<String, Value>, name: &str) -> &'a Value {
    of.get(name).unwrap_or(&Value::Null)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// Whether the marks of a resource say that an attribute, or something in it, is sensitive.
fn is_marked(marks: &Value, name: &str) -> bool {
    match marks {
        Value::Object(marks) => marks.get(name).is_some_and(holds_mark),
        marks => holds_mark(marks),
    }
}

fn holds_mark(marks: &Value) -> bool {
    match marks {
        Value::Bool(marked) => *marked,
        Value::Array(list) => list.iter().any(holds_mark),
        Value::Object(map) => map.values().any(holds_mark),
        _ => false,
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > VALUE {
        text.truncate(text.floor_char_boundary(VALUE));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Terraform 1.11.4 shows it with the provider hashicorp/aws 5.100.0, attributes that are the same left out but one.
    const SHOWN: &str = r#"{"format_version":"1.2","resource_drift":[
        {"address":"aws_ssm_parameter.gone","change":{"actions":["delete"],"before":{"id":"gone"},"after":null,
          "before_sensitive":{"tags_all":{},"value":true},"after_sensitive":false}},
        {"address":"aws_ssm_parameter.plain","change":{"actions":["update"],
          "before":{"id":"plain","insecure_value":"one","tags":null,"value":null},
          "after":{"id":"plain","insecure_value":"two","tags":{},"value":null},
          "before_sensitive":{"tags_all":{},"value":true},"after_sensitive":{"tags":{},"value":true}}},
        {"address":"aws_ssm_parameter.size","change":{"actions":["update"],
          "before":{"id":"size","value":"small"},"after":{"id":"size","value":"large"},
          "before_sensitive":{"value":true},"after_sensitive":{"tags":{},"value":true}}}]}"#;

    fn attribute(name: &str, values: Option<(&str, &str)>) -> DriftedAttribute {
        let (was, is) = values.map(|(was, is)| (was.to_owned(), is.to_owned())).unzip();
        DriftedAttribute { name: name.to_owned(), was, is }
    }

    #[test]
    fn attributes_that_differ_are_read_and_sensitive_ones_only_named() {
        let read = attributes(SHOWN);
        assert_eq!(read["aws_ssm_parameter.gone"], []);
        assert_eq!(
            read["aws_ssm_parameter.plain"],
            [attribute("insecure_value", Some(("\"one\"", "\"two\"")))]
        );
        assert_eq!(read["aws_ssm_parameter.size"], [attribute("value", None)]);
    }

    #[test]
    fn a_mark_anywhere_in_an_attribute_hides_it() {
        let change = |marks: &str| {
            let plan = format!(
                r#"{{"resource_drift":[{{"address":"a","change":{{"before":{{"x":1}},"after":{{"x":{{"y":[2]}}}},
                   "before_sensitive":false,"after_sensitive":{marks}}}}}]}}"#
            );
            attributes(&plan).remove("a").unwrap_or_default()
        };
        for hiding in ["true", r#"{"x":true}"#, r#"{"x":{"y":[true]}}"#] {
            assert_eq!(change(hiding), [attribute("x", None)], "{hiding}");
        }
        assert_eq!(change("{}"), [attribute("x", Some(("1", r#"{"y":[2]}"#)))]);
    }

    #[test]
    fn what_is_no_plan_tells_nothing_and_long_values_are_cut() {
        assert!(attributes("[a line of 3000000 bytes was left out]").is_empty());
        let long = shortened("é".repeat(VALUE));
        assert!(long.len() <= VALUE + 4 && long.ends_with("é…"));
    }
}
