//! Terraform's type constraints as a tree.
//!
//! The grammar is that of <https://developer.hashicorp.com/terraform/language/expressions/type-constraints>.

use std::fmt;
use std::str::FromStr;

use hcl_edit::expr::{Expression, FuncCall, ObjectKey};
use hcl_edit::parser::parse_expr;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::convert::convert;
use super::eval::constant;

/// A type constraint.
///
/// Parsed from and printed in Terraform's own syntax, which is also its serialized form.
///
/// ```
/// use rad_core::module::Type;
///
/// let ty: Type = "map(object({ port = number, host = optional(string, \"localhost\") }))".parse()?;
/// assert!(matches!(ty, Type::Map(_)));
/// assert_eq!(ty.to_string().parse(), Ok(ty));
/// # Ok::<(), rad_core::module::TypeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Type {
    /// Any type: the value decides. Also the constraint of a variable that has none.
    #[default]
    Any,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// Text.
    String,
    /// A sequence of elements of one type.
    List(Box<Type>),
    /// Distinct elements of one type, without order.
    Set(Box<Type>),
    /// Elements of one type by key.
    Map(Box<Type>),
    /// Named attributes, each of its own type, in the order they are declared.
    Object(IndexMap<String, Attribute>),
    /// A fixed number of elements, each of its own type.
    Tuple(Vec<Type>),
}

/// One attribute of an object type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attribute {
    /// The type of the attribute.
    pub ty: Type,
    /// Whether a value may leave the attribute out: `optional(…)`.
    pub optional: bool,
    /// What stands in when it is left out or null: the second argument of `optional`, already of the type.
    pub default: Option<Json>,
}

impl Attribute {
    /// An attribute that every value must have.
    pub const fn required(ty: Type) -> Self {
        Self { ty, optional: false, default: None }
    }

    /// An attribute that may be left out, and what then stands in for it.
    pub const fn optional(ty: Type, default: Option<Json>) -> Self {
        Self { ty, optional: true, default }
    }
}

/// A text that is not a type constraint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct TypeError {
    /// What is wrong and what can stand there.
    pub message: String,
}

impl Type {
    /// Whether values of the type are a single bool, number or string.
    pub const fn is_primitive(&self) -> bool {
        matches!(self, Self::Bool | Self::Number | Self::String)
    }

    /// Reads a type constraint from an expression that is parsed already.
    pub(super) fn from_expression(expression: &Expression) -> Result<Self, TypeError> {
        match expression {
            Expression::Variable(name) => Self::from_keyword(name.as_str()),
            Expression::FuncCall(call) => Self::from_call(call),
            Expression::Parenthesis(inner) => Self::from_expression(inner.inner()),
            Expression::String(text) => Err(error(format!(
                "a type is written without quotes: {} instead of \"{0}\"",
                text.value().chars().take(40).collect::<String>()
            ))),
            _ => Err(error("expected a type such as string, number, bool, any or list(string)")),
        }
    }

    fn from_keyword(name: &str) -> Result<Self, TypeError> {
        Ok(match name {
            "any" => Self::Any,
            "bool" => Self::Bool,
            "number" => Self::Number,
            "string" => Self::String,
            // Without an argument these two stand for any element type; the others need one.
            "list" => Self::List(Box::new(Self::Any)),
            "map" => Self::Map(Box::new(Self::Any)),
            "set" => return Err(error("set needs the type of its elements: set(string)")),
            "object" => return Err(error("object needs its attributes: object({ name = string })")),
            "tuple" => return Err(error("tuple needs the types of its elements: tuple([string, number])")),
            _ => {
                return Err(error(format!(
                    "{name:?} is not a type: use string, number, bool, any, list, set, \
                                          map, object or tuple"
                )));
            }
        })
    }

    fn from_call(call: &FuncCall) -> Result<Self, TypeError> {
        let name = call.name.name.as_str();
        let mut arguments = call.args.iter();
        let (Some(argument), None) = (arguments.next(), arguments.next()) else {
            return Err(error(match name {
                "optional" => "optional(…) stands only for the attribute of an object".to_owned(),
                _ => format!("{name}(…) takes exactly one argument"),
            }));
        };
        let inner = |argument| Self::from_expression(argument).map(Box::new);
        match name {
            "list" => Ok(Self::List(inner(argument)?)),
            "set" => Ok(Self::Set(inner(argument)?)),
            "map" => Ok(Self::Map(inner(argument)?)),
            "object" => object(argument),
            "tuple" => match argument {
                Expression::Array(items) => {
                    Ok(Self::Tuple(items.iter().map(Self::from_expression).collect::<Result<_, _>>()?))
                }
                _ => Err(error("tuple takes a list of types: tuple([string, number])")),
            },
            "optional" => Err(error("optional(…) stands only for the attribute of an object")),
            _ => Err(error(format!(
                "{name:?} is not a type that takes an argument: use list, set, map, \
                                    object or tuple"
            ))),
        }
    }
}

fn object(argument: &Expression) -> Result<Type, TypeError> {
    let Expression::Object(entries) = argument else {
        return Err(error("object takes its attributes in braces: object({ name = string })"));
    };
    let mut attributes = IndexMap::with_capacity(entries.len());
    for (key, value) in entries.iter() {
        let name = match key {
            ObjectKey::Ident(name) => name.as_str(),
            ObjectKey::Expression(Expression::Variable(name)) => name.as_str(),
            ObjectKey::Expression(Expression::String(name)) => name.as_str(),
            ObjectKey::Expression(_) => return Err(error("the name of an attribute is a plain word")),
        };
        let attribute = attribute(value.expr()).map_err(|e| error(format!("attribute {name:?}: {e}")))?;
        if attributes.insert(name.to_owned(), attribute).is_some() {
            return Err(error(format!("attribute {name:?} is declared twice")));
        }
    }
    Ok(Type::Object(attributes))
}

fn attribute(expression: &Expression) -> Result<Attribute, TypeError> {
    let call = match expression {
        Expression::FuncCall(call) if call.name.name.as_str() == "optional" => call,
        _ => return Type::from_expression(expression).map(Attribute::required),
    };
    let mut arguments = call.args.iter();
    let (Some(ty), default, None) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err(error("optional takes a type and, if you like, a default: optional(string, \"x\")"));
    };
    let ty = Type::from_expression(ty)?;
    let default = default
        .map(|default| {
            let value = constant(default).map_err(|e| error(format!("the default: {e}")))?;
            convert(&value, &ty).map_err(|e| error(format!("the default does not suit its type: {e}")))
        })
        .transpose()?;
    Ok(Attribute::optional(ty, default))
}

fn error(message: impl Into<String>) -> TypeError {
    TypeError { message: message.into() }
}

impl FromStr for Type {
    type Err = TypeError;

    fn from_str(text: &str) -> Result<Self, TypeError> {
        let expression = parse_expr(text.trim()).map_err(|e| error(e.message().to_owned()))?;
        Self::from_expression(&expression)
    }
}

impl TryFrom<String> for Type {
    type Error = TypeError;

    fn try_from(text: String) -> Result<Self, TypeError> {
        text.parse()
    }
}

impl From<Type> for String {
    fn from(ty: Type) -> Self {
        ty.to_string()
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Bool => f.write_str("bool"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::List(element) => write!(f, "list({element})"),
            Self::Set(element) => write!(f, "set({element})"),
            Self::Map(element) => write!(f, "map({element})"),
            Self::Object(attributes) if attributes.is_empty() => f.write_str("object({})"),
            Self::Object(attributes) => {
                f.write_str("object({ ")?;
                for (index, (name, attribute)) in attributes.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    if hcl_edit::Ident::try_new(name.as_str()).is_ok() {
                        write!(f, "{name} = {attribute}")?;
                    } else {
                        write_literal(f, &Json::String(name.clone()))?;
                        write!(f, " = {attribute}")?;
                    }
                }
                f.write_str(" })")
            }
            Self::Tuple(elements) => {
                f.write_str("tuple([")?;
                for (index, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("])")
            }
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.optional, &self.default) {
            (false, _) => write!(f, "{}", self.ty),
            (true, None) => write!(f, "optional({})", self.ty),
            (true, Some(default)) => {
                write!(f, "optional({}, ", self.ty)?;
                write_literal(f, default)?;
                f.write_str(")")
            }
        }
    }
}

/// Writes a JSON value as a Terraform literal: the same but for template markers, which are doubled.
fn write_literal(f: &mut fmt::Formatter<'_>, value: &Json) -> fmt::Result {
    match value {
        Json::String(text) => write_quoted(f, text),
        Json::Array(items) => {
            f.write_str("[")?;
            for (index, item) in items.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { ", " })?;
                write_literal(f, item)?;
            }
            f.write_str("]")
        }
        Json::Object(entries) => {
            f.write_str("{")?;
            for (index, (key, item)) in entries.iter().enumerate() {
                f.write_str(if index == 0 { " " } else { ", " })?;
                write_literal(f, &Json::String(key.clone()))?;
                f.write_str(" = ")?;
                write_literal(f, item)?;
            }
            f.write_str(if entries.is_empty() { "}" } else { " }" })
        }
        simple => write!(f, "{simple}"),
    }
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '$' | '%' if rest.peek() == Some(&'{') => write!(f, "{c}{c}")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

/// The one type that values of all these types can take, by Terraform's rules; `None` where there is none.
///
/// `any` stands for "not known" and yields to every other type.
pub(super) fn unify(types: &[Type]) -> Option<Type> {
    let mut known = types.iter().filter(|ty| **ty != Type::Any);
    let Some(first) = known.next() else { return Some(Type::Any) };
    known.try_fold(first.clone(), |common, ty| unify_two(&common, ty))
}

fn unify_two(a: &Type, b: &Type) -> Option<Type> {
    use Type::{Any, Bool, List, Map, Number, Object, Set, String, Tuple};
    let boxed = |a: &Type, b: &Type| unify_two(a, b).map(Box::new);
    match (a, b) {
        _ if a == b => Some(a.clone()),
        (Any, other) | (other, Any) => Some(other.clone()),
        (String, Bool | Number) | (Bool | Number, String) => Some(String),
        (List(a), List(b)) => boxed(a, b).map(List),
        (Set(a), Set(b)) => boxed(a, b).map(Set),
        (Map(a), Map(b)) => boxed(a, b).map(Map),
        (Tuple(a), Tuple(b)) if a.len() == b.len() => {
            a.iter().zip(b).map(|(a, b)| unify_two(a, b)).collect::<Option<_>>().map(Tuple)
        }
        (Tuple(a), Tuple(b)) => {
            let all: Vec<Type> = a.iter().chain(b).cloned().collect();
            unify(&all).map(|element| List(Box::new(element)))
        }
        (List(element), Tuple(items)) | (Tuple(items), List(element)) => {
            boxed(element, &unify(items)?).map(List)
        }
        (Object(a), Object(b)) if a.len() == b.len() && a.keys().all(|key| b.contains_key(key)) => a
            .iter()
            .map(|(key, attribute)| {
                Some((key.clone(), Attribute::required(unify_two(&attribute.ty, &b.get(key)?.ty)?)))
            })
            .collect::<Option<_>>()
            .map(Object),
        (Object(a), Object(b)) => {
            let all: Vec<Type> = a.values().chain(b.values()).map(|attribute| attribute.ty.clone()).collect();
            unify(&all).map(|element| Map(Box::new(element)))
        }
        (Map(element), Object(attributes)) | (Object(attributes), Map(element)) => {
            let all: Vec<Type> = attributes.values().map(|attribute| attribute.ty.clone()).collect();
            boxed(element, &unify(&all)?).map(Map)
        }
        _ => None,
    }
}
