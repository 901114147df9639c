//! Terraform's functions, as far as conditions use them; any other is deferred to Terraform.

mod collections;
mod networks;
mod numbers;
mod strings;

use hcl_edit::expr::FuncArgs;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::{Fault, Outcome, Scope, evaluate};
use crate::module::convert::convert_value;
use crate::module::types::Type;
use crate::module::value::Value;

/// Functions that take null as an argument; all others fail on it.
const TAKE_NULL: [&str; 14] = [
    "coalesce",
    "coalescelist",
    "format",
    "jsonencode",
    "lookup",
    "merge",
    "nonsensitive",
    "sensitive",
    "tobool",
    "tolist",
    "tomap",
    "tonumber",
    "toset",
    "tostring",
];

/// `try(…)` and `can(…)`, whose arguments may fail.
pub(super) fn attempt(name: &str, arguments: &FuncArgs, scope: &mut Scope<'_>) -> Outcome {
    let mut last = None;
    for argument in arguments.iter() {
        match (evaluate(argument, scope), name) {
            (Ok(_), "can") => return Ok(Value::Bool(true)),
            (Err(Fault::Failed(_)), "can") => return Ok(Value::Bool(false)),
            (Err(Fault::Failed(message)), _) => last = Some(message),
            (outcome, _) => return outcome,
        }
    }
    Err(match last {
        Some(message) => Fault::failed(format!("no argument of try could be evaluated: {message}")),
        None => Fault::failed(format!("{name} needs an argument")),
    })
}

/// A function with the values of its arguments.
pub(super) fn call(name: &str, arguments: Vec<Value>, scope: &Scope<'_>) -> Outcome {
    scope.spend(arguments.iter().map(Value::weight).sum())?;
    if arguments.contains(&Value::Null) && !TAKE_NULL.contains(&name) {
        return match known(name) {
            true => Err(Fault::failed(format!("{name}: an argument is null"))),
            false => Err(Fault::deferred(format!("the function {name}"))),
        };
    }
    let arguments = Arguments { function: name, values: arguments };
    let outcome = strings::call(&arguments)
        .or_else(|| collections::call(&arguments))
        .or_else(|| numbers::call(&arguments))
        .or_else(|| networks::call(&arguments))
        .unwrap_or_else(|| Err(Fault::deferred(format!("the function {name}"))))?;
    scope.spend(outcome.weight())?;
    Ok(outcome)
}

/// Whether the function is one of ours: called without arguments, only an unknown one is deferred.
fn known(name: &str) -> bool {
    let arguments = Arguments { function: name, values: Vec::new() };
    strings::call(&arguments).is_some()
        || collections::call(&arguments).is_some()
        || numbers::call(&arguments).is_some()
        || networks::call(&arguments).is_some()
}

/// The arguments of one call.
pub(super) struct Arguments<'a> {
    function: &'a str,
    values: Vec<Value>,
}

impl Arguments<'_> {
    fn fail(&self, message: impl std::fmt::Display) -> Fault {
        Fault::failed(format!("{}: {message}", self.function))
    }

    fn value(&self, index: usize) -> Result<&Value, Fault> {
        self.values.get(index).ok_or_else(|| self.fail("an argument is missing"))
    }

    /// Refuses more or fewer arguments than the function takes.
    fn count(&self, allowed: std::ops::RangeInclusive<usize>) -> Result<(), Fault> {
        if allowed.contains(&self.values.len()) {
            return Ok(());
        }
        Err(self.fail(format_args!(
            "takes {} to {} arguments, not {}",
            allowed.start(),
            allowed.end(),
            self.values.len()
        )))
    }

    fn convert(&self, index: usize, ty: &Type) -> Outcome {
        let value = convert_value(self.value(index)?.clone(), ty).map_err(|e| self.fail(e))?;
        match value {
            Value::Null => Err(self.fail("an argument is null")),
            value => Ok(value),
        }
    }

    fn string(&self, index: usize) -> Result<String, Fault> {
        super::text(self.convert(index, &Type::String)?)
    }

    fn number(&self, index: usize) -> Result<Decimal, Fault> {
        match self.convert(index, &Type::Number)? {
            Value::Number(number) => Ok(number),
            other => Err(self.fail(format_args!("a number is required, not {}", other.kind()))),
        }
    }

    fn integer(&self, index: usize) -> Result<i64, Fault> {
        let number = self.number(index)?;
        number
            .is_integer()
            .then(|| number.to_i64())
            .flatten()
            .ok_or_else(|| self.fail("a whole number is required"))
    }

    /// An argument that is converted to a list of one type.
    fn list(&self, index: usize, element: Type) -> Result<Vec<Value>, Fault> {
        match self.convert(index, &Type::List(Box::new(element)))? {
            Value::List(items) => Ok(items),
            other => Err(self.fail(format_args!("a list is required, not {}", other.kind()))),
        }
    }

    fn strings(&self, index: usize) -> Result<Vec<String>, Fault> {
        self.list(index, Type::String)?
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                other => Err(self.fail(format_args!("a string is required, not {}", other.kind()))),
            })
            .collect()
    }

    /// The elements of a list, set or tuple, of whatever types.
    fn items(&self, index: usize) -> Result<&[Value], Fault> {
        let value = self.value(index)?;
        value.items().ok_or_else(|| self.fail(format_args!("a list is required, not {}", value.kind())))
    }
}
