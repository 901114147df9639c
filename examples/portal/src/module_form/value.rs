//! From what was typed to JSON values, and from values to what stands in the inputs.

use indexmap::IndexMap;
use rad_core::module::{Manifest, Type, ValueProblem, Values, Variable};
use serde_json::{Map, Value};

use super::Node;

/// The values typed for `variables`. What was left blank has none; texts become numbers and the like later, by the
/// rules of the module's types.
///
/// # Errors
/// What cannot be written as a value at all: a key that is missing or comes twice.
pub(crate) fn values<'a>(
    variables: impl IntoIterator<Item = &'a Variable>,
    typed: &Node,
) -> Result<Values, Vec<ValueProblem>> {
    let mut values = Values::new();
    let mut problems = Vec::new();
    for variable in variables {
        let Some(node) = typed.child(&variable.name) else { continue };
        let mut reader = Reader { problems: Vec::new() };
        if let Some(value) = reader.value(node, &variable.ty, "") {
            values.insert(variable.name.clone(), value);
        }
        let wrong = reader.problems.into_iter();
        problems.extend(wrong.map(|(path, message)| ValueProblem::new(&variable.name, &path, message)));
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

struct Reader {
    problems: Vec<(String, String)>,
}

impl Reader {
    /// The value at a node; `None` if it was left blank.
    fn value(&mut self, node: &Node, ty: &Type, path: &str) -> Option<Value> {
        match ty {
            Type::String => node.text().filter(|text| !text.is_empty()).map(Value::from),
            Type::Number => trimmed(node).map(Value::from),
            Type::Bool => trimmed(node).map(|text| text.parse().map_or(Value::from(text), Value::Bool)),
            Type::Any => trimmed(node).map(|text| serde_json::from_str(text).unwrap_or(Value::from(text))),
            Type::List(inner) | Type::Set(inner) => {
                let mut items = Vec::new();
                for (_, row) in node.rows() {
                    let path = format!("{path}[{}]", items.len());
                    items.extend(self.value(row, inner, &path));
                }
                (!items.is_empty()).then_some(Value::Array(items))
            }
            Type::Map(inner) => self.map(node, inner, path),
            Type::Object(attributes) => {
                let mut object = Map::new();
                for (name, attribute) in attributes {
                    let value = node
                        .child(name)
                        .and_then(|node| self.value(node, &attribute.ty, &format!("{path}.{name}")));
                    object.extend(value.map(|value| (name.clone(), value)));
                }
                (!object.is_empty()).then_some(Value::Object(object))
            }
            Type::Tuple(types) => {
                let items: Vec<_> = (0..)
                    .zip(types)
                    .map(|(index, ty)| {
                        let path = format!("{path}[{index}]");
                        node.child(&index.to_string()).and_then(|node| self.value(node, ty, &path))
                    })
                    .collect();
                let blank = items.iter().all(Option::is_none);
                (!blank).then(|| items.into_iter().map(Option::unwrap_or_default).collect())
            }
        }
    }

    fn map(&mut self, node: &Node, inner: &Type, path: &str) -> Option<Value> {
        let mut map = Map::new();
        for (number, row) in node.rows() {
            let key = row.child("key").and_then(trimmed);
            let value = row
                .child("value")
                .and_then(|node| self.value(node, inner, &format!("{path}[{:?}]", key.unwrap_or_default())));
            match (key, value) {
                (None, None) => {}
                (None, Some(_)) => {
                    self.problems
                        .push((path.to_owned(), format!("row {} has a value and no key", number + 1)));
                }
                (Some(key), _) if map.contains_key(key) => {
                    self.problems.push((path.to_owned(), format!("the key {key:?} comes twice")));
                }
                (Some(key), value) => {
                    let blank = || if *inner == Type::String { Value::from("") } else { Value::Null };
                    map.insert(key.to_owned(), value.unwrap_or_else(blank));
                }
            }
        }
        (!map.is_empty()).then_some(Value::Object(map))
    }
}

fn trimmed(node: &Node) -> Option<&str> {
    node.text().map(str::trim).filter(|text| !text.is_empty())
}

impl Node {
    /// What stands in the inputs for values of a module's variables.
    pub(crate) fn of(values: &Values, manifest: &Manifest) -> Self {
        let typed = values.iter().filter_map(|(name, value)| {
            let variable = manifest.variable(name).filter(|_| !value.is_null())?;
            Some((name.clone(), node_of(value, &variable.ty)))
        });
        Self::Group(typed.collect())
    }
}

/// What stands in the inputs for a value of a type.
pub(super) fn node_of(value: &Value, ty: &Type) -> Node {
    match (ty, value) {
        (Type::Object(attributes), Value::Object(object)) => {
            let children = attributes.iter().filter_map(|(name, attribute)| {
                let value = object.get(name).or(attribute.default.as_ref())?;
                Some((name.clone(), node_of(value, &attribute.ty)))
            });
            Node::Group(children.collect())
        }
        (Type::List(inner) | Type::Set(inner), Value::Array(items)) => {
            numbered(items.iter().map(|item| node_of(item, inner)))
        }
        (Type::Tuple(types), Value::Array(items)) => {
            numbered(items.iter().zip(types).map(|(item, ty)| node_of(item, ty)))
        }
        (Type::Map(inner), Value::Object(map)) => numbered(map.iter().map(|(key, value)| {
            Node::Group(IndexMap::from([
                ("key".to_owned(), Node::Text(key.clone())),
                ("value".to_owned(), node_of(value, inner)),
            ]))
        })),
        (_, value) => Node::Text(text_of(value)),
    }
}

fn numbered(nodes: impl Iterator<Item = Node>) -> Node {
    let group: IndexMap<_, _> = nodes.enumerate().map(|(index, node)| (index.to_string(), node)).collect();
    if group.is_empty() { Node::Text(String::new()) } else { Node::Group(group) }
}

/// A value as a text that means the same when it is read again.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => serde_json::to_string_pretty(value).unwrap_or_default(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fields::Fields;

    const TYPE: &str = "object({ name = string, size = optional(number, 2), tags = map(string), \
                        ports = list(object({ port = number, open = bool })), pair = tuple([string, number]) })";

    fn value(ty: &str, form: &str) -> Option<Value> {
        let node = Node::read(&Fields::parse(form.as_bytes()).unwrap(), "v");
        let mut reader = Reader { problems: Vec::new() };
        let value = reader.value(node.child("x")?, &ty.parse().unwrap(), "");
        assert_eq!(reader.problems, []);
        value
    }

    #[test]
    fn nested_values_survive_the_way_through_a_form() {
        let ty: Type = TYPE.parse().unwrap();
        let given = json!({
            "name": "a", "size": 3, "tags": {"k": "v"},
            "ports": [{"port": 1, "open": false}], "pair": ["p", 4],
        });
        let mut reader = Reader { problems: Vec::new() };
        let read = reader.value(&node_of(&given, &ty), &ty, "").unwrap();
        assert_eq!(
            rad_core::module::convert(&read, &ty).unwrap(),
            rad_core::module::convert(&given, &ty).unwrap()
        );
    }

    #[test]
    fn what_is_blank_has_no_value() {
        assert_eq!(value("string", "v/x="), None);
        assert_eq!(value("number", "v/x=+"), None);
        assert_eq!(value("list(string)", "v/x=&v/x/0=&v/x/1="), None);
        assert_eq!(value("map(string)", "v/x=&v/x/0/key=&v/x/0/value="), None);
        assert_eq!(value("object({ a = string })", "v/x/a="), None);
    }

    #[test]
    fn what_is_typed_is_kept_for_the_type_to_judge() {
        assert_eq!(value("number", "v/x=abc"), Some(json!("abc")));
        assert_eq!(value("bool", "v/x=false&v/x=true"), Some(json!(true)));
        assert_eq!(value("list(number)", "v/x=&v/x/0=&v/x/7=5"), Some(json!(["5"])));
        assert_eq!(value("any", "v/x=[1,2]"), Some(json!([1, 2])));
        assert_eq!(value("any", "v/x=plain"), Some(json!("plain")));
        assert_eq!(value("map(string)", "v/x/0/key=a&v/x/0/value="), Some(json!({"a": ""})));
    }
}
