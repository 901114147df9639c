//! Conversion of values to a type constraint, by the rules Terraform applies to the value of a variable.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde_json::Value as Json;

use super::types::{Attribute, Type, unify};
use super::value::{Value, number_text, parse_number};

/// Converts a value to a type, as Terraform does when the value is given for a variable of that type.
///
/// Numbers and bools become strings, and strings that spell one become numbers or bools; the attributes of an
/// object that its type does not name are dropped, optional ones that are missing or null are filled in; the
/// elements of a set are distinct and, where they are simple, in order. Null is a value of every type: whether a
/// variable takes it is decided elsewhere. Converting a converted value changes nothing.
///
/// ```
/// use rad_core::module::{Type, convert};
/// use serde_json::json;
///
/// let ty: Type = "object({ port = number, paths = optional(set(string), [\"/\"]) })".parse().unwrap();
/// assert_eq!(convert(&json!({"port": "443", "extra": 1}), &ty).unwrap(), json!({"port": 443, "paths": ["/"]}));
/// assert_eq!(convert(&json!({"port": "https"}), &ty).unwrap_err().to_string(), ".port: a number is required");
/// ```
///
/// # Errors
/// [`ConvertError`] names the first part that does not fit, and what is needed there.
pub fn convert(value: &Json, ty: &Type) -> Result<Json, ConvertError> {
    typed(value, ty)?.to_json().map_err(|e| ConvertError::new(e.to_string()))
}

/// Why a value does not fit its type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConvertError {
    /// Which part of the value, as an expression would name it: `.backup.keep_days`, `[2]`; empty for the whole.
    pub path: String,
    /// What is needed there.
    pub message: String,
}

impl std::error::Error for ConvertError {}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.path.is_empty() { "" } else { ": " };
        write!(f, "{}{separator}{}", self.path, self.message)
    }
}

impl ConvertError {
    fn new(message: impl Into<String>) -> Self {
        Self { path: String::new(), message: message.into() }
    }

    fn below(mut self, step: &str) -> Self {
        self.path.insert_str(0, step);
        self
    }
}

/// A JSON value as a value of the type.
pub(super) fn typed(value: &Json, ty: &Type) -> Result<Value, ConvertError> {
    let value = Value::from_json(value).map_err(|e| ConvertError::new(e.to_string()))?;
    convert_value(value, ty)
}

/// [`convert`] on values that are known to be lists, sets, maps, …
pub(super) fn convert_value(value: Value, ty: &Type) -> Result<Value, ConvertError> {
    if value == Value::Null {
        return Ok(Value::Null);
    }
    match ty {
        Type::Any => Ok(value),
        Type::Bool => to_bool(value),
        Type::Number => to_number(value),
        Type::String => to_string(value),
        Type::List(element) => Ok(Value::List(elements(value, element, "list")?)),
        Type::Set(element) => Ok(Value::Set(distinct(elements(value, element, "set")?))),
        Type::Map(element) => to_map(value, element),
        Type::Object(attributes) => {
            let (Value::Map(entries) | Value::Object(entries)) = value else {
                return Err(ConvertError::new("an object is required"));
            };
            to_object(entries, attributes)
        }
        Type::Tuple(types) => to_tuple(value, types),
    }
}

/// The elements without repetitions, simple ones in the order Terraform iterates over a set of them.
pub(super) fn distinct(items: Vec<Value>) -> Vec<Value> {
    let mut seen = HashSet::with_capacity(items.len());
    let mut items: Vec<Value> = items.into_iter().filter(|item| seen.insert(format!("{item:?}"))).collect();
    items.sort_by(|a, b| match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => std::cmp::Ordering::Equal,
    });
    items
}

fn to_bool(value: Value) -> Result<Value, ConvertError> {
    match &value {
        Value::Bool(_) => Ok(value),
        Value::String(text) => match text.as_str() {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            "True" | "TRUE" | "False" | "FALSE" => {
                Err(ConvertError::new("a bool is required: write it in lower case, true or false"))
            }
            _ => Err(ConvertError::new("a bool is required")),
        },
        _ => Err(ConvertError::new("a bool is required")),
    }
}

fn to_number(value: Value) -> Result<Value, ConvertError> {
    match &value {
        Value::Number(number) => Ok(Value::Number(number.normalize())),
        Value::String(text) => {
            let number = parse_number(text).ok_or_else(|| ConvertError::new("a number is required"))?;
            Ok(Value::Number(number.normalize()))
        }
        _ => Err(ConvertError::new("a number is required")),
    }
}

fn to_string(value: Value) -> Result<Value, ConvertError> {
    match value {
        Value::String(_) => Ok(value),
        Value::Number(number) => Ok(Value::String(number_text(number))),
        Value::Bool(value) => Ok(Value::String(value.to_string())),
        _ => Err(ConvertError::new("a string is required")),
    }
}

fn elements(value: Value, element: &Type, kind: &str) -> Result<Vec<Value>, ConvertError> {
    let (Value::List(items) | Value::Set(items) | Value::Tuple(items)) = value else {
        return Err(ConvertError::new(format!("a {kind} of {} is required", plural(element))));
    };
    let items: Vec<Value> = items
        .into_iter()
        .enumerate()
        .map(|(index, item)| convert_value(item, element).map_err(|e| e.below(&format!("[{index}]"))))
        .collect::<Result<_, _>>()?;
    match open_type(element, items.iter())? {
        Some(common) => items.into_iter().map(|item| convert_value(item, &common)).collect(),
        None => Ok(items),
    }
}

fn to_map(value: Value, element: &Type) -> Result<Value, ConvertError> {
    let (Value::Map(entries) | Value::Object(entries)) = value else {
        return Err(ConvertError::new(format!("a map of {} is required", plural(element))));
    };
    let entries: BTreeMap<String, Value> = entries
        .into_iter()
        .map(|(key, item)| match convert_value(item, element) {
            Ok(item) => Ok((key, item)),
            Err(e) => Err(e.below(&format!("[{key:?}]"))),
        })
        .collect::<Result<_, _>>()?;
    let Some(common) = open_type(element, entries.values())? else { return Ok(Value::Map(entries)) };
    let entries = entries.into_iter().map(|(key, item)| Ok((key, convert_value(item, &common)?)));
    Ok(Value::Map(entries.collect::<Result<_, ConvertError>>()?))
}

/// The common type of the elements where the constraint leaves it open with `any`.
fn open_type<'a>(
    element: &Type,
    items: impl Iterator<Item = &'a Value>,
) -> Result<Option<Type>, ConvertError> {
    if !is_open(element) {
        return Ok(None);
    }
    let types: Vec<Type> = items.map(Value::ty).collect();
    unify(&types).map(Some).ok_or_else(|| ConvertError::new("all elements must have the same type"))
}

fn is_open(ty: &Type) -> bool {
    match ty {
        Type::Any => true,
        Type::Bool | Type::Number | Type::String => false,
        Type::List(element) | Type::Set(element) | Type::Map(element) => is_open(element),
        Type::Object(attributes) => attributes.values().any(|attribute| is_open(&attribute.ty)),
        Type::Tuple(types) => types.iter().any(is_open),
    }
}

fn to_object(
    mut entries: BTreeMap<String, Value>,
    attributes: &indexmap::IndexMap<String, Attribute>,
) -> Result<Value, ConvertError> {
    let mut object = BTreeMap::new();
    for (name, attribute) in attributes {
        let given = match entries.remove(name) {
            Some(Value::Null) if attribute.default.is_some() => None,
            given => given,
        };
        let below = |e: ConvertError| e.below(&format!(".{name}"));
        let value = match (given, &attribute.default) {
            (Some(value), _) => convert_value(value, &attribute.ty).map_err(below)?,
            (None, Some(default)) => typed(default, &attribute.ty).map_err(below)?,
            (None, None) if attribute.optional => Value::Null,
            (None, None) => return Err(ConvertError::new(format!("attribute {name:?} is required"))),
        };
        object.insert(name.clone(), value);
    }
    Ok(Value::Object(object))
}

fn to_tuple(value: Value, types: &[Type]) -> Result<Value, ConvertError> {
    let (Value::List(items) | Value::Tuple(items)) = value else {
        return Err(ConvertError::new(format!("a tuple of {} elements is required", types.len())));
    };
    if items.len() != types.len() {
        let message = format!("a tuple of {} elements is required, not {}", types.len(), items.len());
        return Err(ConvertError::new(message));
    }
    let converted = items
        .into_iter()
        .zip(types)
        .enumerate()
        .map(|(index, (item, ty))| convert_value(item, ty).map_err(|e| e.below(&format!("[{index}]"))));
    Ok(Value::Tuple(converted.collect::<Result<_, _>>()?))
}

/// How a message names many values of a type.
fn plural(ty: &Type) -> &'static str {
    match ty {
        Type::Any => "any type",
        Type::Bool => "bools",
        Type::Number => "numbers",
        Type::String => "strings",
        Type::List(_) => "lists",
        Type::Set(_) => "sets",
        Type::Map(_) => "maps",
        Type::Object(_) => "objects",
        Type::Tuple(_) => "tuples",
    }
}
