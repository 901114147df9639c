//! Values as Terraform's expressions see them: lists, sets and tuples are told apart, as are maps and objects.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::Value as Json;

use super::types::{Attribute, Type};

/// A known value.
///
/// Numbers are decimal with 28 digits: more than any real setting has, and exact where binary fractions are not.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Decimal),
    String(String),
    List(Vec<Value>),
    Set(Vec<Value>),
    Tuple(Vec<Value>),
    Map(BTreeMap<String, Value>),
    Object(BTreeMap<String, Value>),
}

/// A number that 28 decimal digits, or a JSON number, cannot hold exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is too large or has too many digits to be kept exactly")]
pub(super) struct NumberError(String);

impl Value {
    /// The value of a JSON text without a type constraint: arrays are tuples, objects are objects.
    pub(super) fn from_json(json: &Json) -> Result<Self, NumberError> {
        Ok(match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Number(decimal(number)?),
            Json::String(text) => Self::String(text.clone()),
            Json::Array(items) => Self::Tuple(items.iter().map(Self::from_json).collect::<Result<_, _>>()?),
            Json::Object(entries) => Self::Object(
                entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), Self::from_json(value)?)))
                    .collect::<Result<_, NumberError>>()?,
            ),
        })
    }

    /// The value as JSON, as Terraform reads it from a variables file.
    pub(super) fn to_json(&self) -> Result<Json, NumberError> {
        Ok(match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Number(number) => Json::Number(json_number(*number)?),
            Self::String(text) => Json::String(text.clone()),
            Self::List(items) | Self::Set(items) | Self::Tuple(items) => {
                Json::Array(items.iter().map(Self::to_json).collect::<Result<_, _>>()?)
            }
            Self::Map(entries) | Self::Object(entries) => Json::Object(
                entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), value.to_json()?)))
                    .collect::<Result<_, NumberError>>()?,
            ),
        })
    }

    /// The narrowest type the value has; the element type of an empty collection and the type of null are `any`.
    pub(super) fn ty(&self) -> Type {
        match self {
            Self::Null => Type::Any,
            Self::Bool(_) => Type::Bool,
            Self::Number(_) => Type::Number,
            Self::String(_) => Type::String,
            Self::List(items) => Type::List(Box::new(common_type(items))),
            Self::Set(items) => Type::Set(Box::new(common_type(items))),
            Self::Tuple(items) => Type::Tuple(items.iter().map(Self::ty).collect()),
            Self::Map(entries) => Type::Map(Box::new(common_type(entries.values()))),
            Self::Object(entries) => Type::Object(
                entries.iter().map(|(name, value)| (name.clone(), Attribute::required(value.ty()))).collect(),
            ),
        }
    }

    /// What the value is, for messages: `a string`, `a list`, ….
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Set(_) => "a set",
            Self::Tuple(_) => "a tuple",
            Self::Map(_) => "a map",
            Self::Object(_) => "an object",
        }
    }

    /// The elements of a list, set or tuple.
    pub(super) fn items(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) | Self::Set(items) | Self::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a map or object, in the order of their keys.
    pub(super) fn entries(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Self::Map(entries) | Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    /// A rough measure of the memory and work the value stands for: one per node and per 16 bytes of text.
    pub(super) fn weight(&self) -> u64 {
        let text = |text: &str| (text.len() / 16) as u64;
        1 + match self {
            Self::Null | Self::Bool(_) | Self::Number(_) => 0,
            Self::String(value) => text(value),
            Self::List(items) | Self::Set(items) | Self::Tuple(items) => items.iter().map(Self::weight).sum(),
            Self::Map(entries) | Self::Object(entries) => {
                entries.iter().map(|(key, value)| text(key) + value.weight()).sum()
            }
        }
    }
}

/// The text of a number: no exponent, no trailing zeros.
pub(super) fn number_text(number: Decimal) -> String {
    number.normalize().to_string()
}

/// Reads a decimal number, with optional sign, fraction and exponent, as Terraform does for strings.
pub(super) fn parse_number(text: &str) -> Option<Decimal> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned.is_empty() || unsigned.len() > 64 || !unsigned.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let number = scaled(whole, fraction, exponent)?;
    Some(if text.starts_with('-') { -number } else { number })
}

/// `whole.fraction × 10^exponent`, if 28 digits hold it exactly.
fn scaled(whole: &str, fraction: &str, exponent: i32) -> Option<Decimal> {
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let trimmed = significant.trim_end_matches('0');
    if trimmed.is_empty() {
        return Some(Decimal::ZERO);
    }
    let leading = i32::try_from(digits.len() - significant.len()).ok()?;
    let scale = i32::try_from(trimmed.len()).ok()? - (point - leading);
    let mantissa = trimmed.parse::<i128>().ok()?;
    if scale >= 0 {
        Decimal::try_from_i128_with_scale(mantissa, u32::try_from(scale).ok()?).ok()
    } else {
        let power = 10_i128.checked_pow(u32::try_from(-scale).ok()?)?;
        Decimal::try_from_i128_with_scale(mantissa.checked_mul(power)?, 0).ok()
    }
}

fn decimal(number: &serde_json::Number) -> Result<Decimal, NumberError> {
    parse_number(&number.to_string()).ok_or_else(|| NumberError(number.to_string()))
}

fn json_number(number: Decimal) -> Result<serde_json::Number, NumberError> {
    let text = number_text(number);
    if let Ok(integer) = text.parse::<i64>() {
        return Ok(integer.into());
    }
    if let Ok(integer) = text.parse::<u64>() {
        return Ok(integer.into());
    }
    let float = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
    float.filter(|float| decimal(float) == Ok(number)).ok_or(NumberError(text))
}

fn common_type<'a>(items: impl IntoIterator<Item = &'a Value>) -> Type {
    let types: Vec<Type> = items.into_iter().map(Value::ty).collect();
    super::types::unify(&types).unwrap_or(Type::Any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_read_as_terraform_reads_them() {
        for (text, expected) in [
            ("5", "5"),
            ("+5", "5"),
            ("-0.50", "-0.5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e3", "1000"),
            ("12.5E-1", "1.25"),
            ("0e999", "0"),
            ("1e28", "10000000000000000000000000000"),
        ] {
            assert_eq!(parse_number(text).map(number_text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "-", ".", "e5", "0x10", "1_000", " 1", "1 ", "Inf", "NaN", "1e", "1e30", "--1"] {
            assert_eq!(parse_number(text), None, "{text}");
        }
    }

    #[test]
    fn json_round_trips() {
        let json = json!({"a": [1, 2.5, "x", null, true], "b": 18_446_744_073_709_551_615_u64});
        assert_eq!(Value::from_json(&json).unwrap().to_json().unwrap(), json);
        assert!(Value::from_json(&json!(1e300)).is_err());
        assert!(Value::Number("12345678901234567890123.5".parse().unwrap()).to_json().is_err());
    }
}
