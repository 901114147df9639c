//! Reading which attributes drifted, from a plan as the engine shows it
//! (<https://developer.hashicorp.com/terraform/internals/json-format#plan-representation>).

use std::collections::HashMap;

use rad_core::mask::Mask;
use rad_core::runner::{DriftedAttribute, MOST_RESOURCES};
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::text::{shortened, shown};

/// A plan with more bytes is not read.
pub(super) const LARGEST_PLAN: u64 = 64 * 1024 * 1024;

/// A resource with more bytes is not read: what it takes in memory is many times as much.
const LARGEST_RESOURCE: usize = 1024 * 1024;

/// The most attributes of a resource that are told.
const ATTRIBUTES: usize = 100;

/// The most bytes of a name or a value that are told.
const VALUE: usize = 1024;

/// The attributes that differ of each resource that drifted, as far as it is told of them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Differing {
    /// By the address of the resource.
    pub(super) attributes: HashMap<String, Vec<DriftedAttribute>>,
    /// How many resources are too large to be read.
    pub(super) too_large: usize,
}

#[derive(serde::Deserialize)]
struct ShownPlan<'a> {
    #[serde(borrow, default, deserialize_with = "first_ones")]
    resource_drift: Vec<&'a RawValue>,
}

#[derive(serde::Deserialize)]
struct ShownDrift {
    address: String,
    change: ShownChange,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct ShownChange {
    before: Value,
    after: Value,
    before_sensitive: Value,
    after_sensitive: Value,
}

/// The attributes that differ of each changed resource, as they may be shown; `None` where the engine showed no plan.
pub(super) fn attributes(shown: &[u8], mask: &Mask) -> Option<Differing> {
    // Warnings may stand before it.
    let start = shown.iter().position(|byte| *byte == b'{')?;
    let plan = ShownPlan::deserialize(&mut serde_json::Deserializer::from_slice(&shown[start..])).ok()?;
    let mut differing = Differing::default();
    for resource in plan.resource_drift {
        if resource.get().len() > LARGEST_RESOURCE {
            differing.too_large += 1;
        } else if let Ok(drift) = serde_json::from_str::<ShownDrift>(resource.get()) {
            differing.attributes.insert(drift.address, drift.change.attributes(mask));
        }
    }
    Some(differing)
}

/// As many of a list as are told, unread.
fn first_ones<'a, D: Deserializer<'a>>(list: D) -> Result<Vec<&'a RawValue>, D::Error> {
    struct FirstOnes;

    impl<'a> Visitor<'a> for FirstOnes {
        type Value = Vec<&'a RawValue>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut first = Vec::new();
            while let Some(item) = list.next_element::<&RawValue>()? {
                if first.len() < MOST_RESOURCES {
                    first.push(item);
                }
            }
            Ok(first)
        }
    }

    list.deserialize_seq(FirstOnes)
}

impl ShownChange {
    fn attributes(&self, mask: &Mask) -> Vec<DriftedAttribute> {
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
        differ.take(ATTRIBUTES).map(|name| self.attribute(before, after, name, mask)).collect()
    }

    fn attribute(
        &self,
        before: &Map<String, Value>,
        after: &Map<String, Value>,
        name: &str,
        mask: &Mask,
    ) -> DriftedAttribute {
        let hidden =
            [&self.before_sensitive, &self.after_sensitive].into_iter().any(|marks| is_marked(marks, name));
        let told = |text: &str| shortened(shown(mask, text), VALUE);
        let value = |of| (!hidden).then(|| told(&value(of, name).to_string()));
        DriftedAttribute { name: told(name), was: value(before), is: value(after) }
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

    /// Without anything to mask.
    fn read(plan: &str) -> HashMap<String, Vec<DriftedAttribute>> {
        attributes(plan.as_bytes(), &Mask::default()).unwrap().attributes
    }

    #[test]
    fn attributes_that_differ_are_read_and_sensitive_ones_only_named() {
        let read = read(SHOWN);
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
            read(&plan).remove("a").unwrap_or_default()
        };
        for hiding in ["true", r#"{"x":true}"#, r#"{"x":{"y":[true]}}"#] {
            assert_eq!(change(hiding), [attribute("x", None)], "{hiding}");
        }
        assert_eq!(change("{}"), [attribute("x", Some(("1", r#"{"y":[2]}"#)))]);
    }

    #[test]
    fn what_is_no_plan_tells_nothing() {
        for no_plan in ["", "{", "[]", r#"{"resource_drift":1}"#] {
            assert_eq!(attributes(no_plan.as_bytes(), &Mask::default()), None, "{no_plan}");
        }
        for empty in ["{}", r#"a warning{"resource_drift":[1,{"address":"a"}]}"#] {
            assert!(read(empty).is_empty(), "{empty}");
        }
    }

    /// A plan in which the one attribute `x` of each resource became this.
    fn became(values: &[String]) -> String {
        let changes = values.iter().enumerate().map(|(index, value)| {
            format!(r#"{{"address":"a[{index}]","change":{{"before":{{"x":1}},"after":{{"x":"{value}"}}}}}}"#)
        });
        format!(r#"{{"resource_drift":[{}]}}"#, changes.collect::<Vec<_>>().join(","))
    }

    #[test]
    fn a_long_value_is_cut_after_it_was_masked() {
        let secret = "s3cret-that-n0body-kn0ws";
        let mask = Mask::new([&Value::from(secret)]);
        for before in VALUE - secret.len() - 2..VALUE + 2 {
            let plan = became(&[format!("{}{secret}{}", "y".repeat(before), "z".repeat(VALUE))]);
            let mut told = attributes(plan.as_bytes(), &mask).unwrap().attributes;
            let is = told.remove("a[0]").and_then(|mut all| all.pop()?.is).unwrap();
            assert!(is.len() <= VALUE + 3 && is.ends_with('…'), "{is}");
            assert!(!is.contains("s3"), "{before}: {is}");
        }
    }

    #[test]
    fn resources_that_are_too_large_or_too_many_are_not_read() {
        let plan = became(&["small".into(), "x".repeat(LARGEST_RESOURCE), "small".into()]);
        let differing = attributes(plan.as_bytes(), &Mask::default()).unwrap();
        let mut told: Vec<&str> = differing.attributes.keys().map(String::as_str).collect();
        told.sort_unstable();
        assert_eq!((told, differing.too_large), (vec!["a[0]", "a[2]"], 1));
        let many = became(&vec!["small".into(); MOST_RESOURCES + 1]);
        assert_eq!(read(&many).len(), MOST_RESOURCES);
    }
}
