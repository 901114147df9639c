//! Terraform's operators.

use hcl_edit::expr::{BinaryOperator, UnaryOperator};
use rust_decimal::Decimal;

use super::{Fault, Outcome};
use crate::module::convert::convert_value;
use crate::module::types::Type;
use crate::module::value::Value;

/// `!value` or `-value`.
pub(super) fn unary(operator: UnaryOperator, operand: Value) -> Outcome {
    match operator {
        UnaryOperator::Not => Ok(Value::Bool(!bool_operand(operand)?)),
        UnaryOperator::Neg => Ok(Value::Number((-number_operand(operand)?).normalize())),
    }
}

/// `left operator right`.
///
/// Terraform before 1.12 evaluates both sides of `&&` and `||`, later versions stop when the left side decides: where
/// that makes a difference the result is deferred.
pub(super) fn binary(operator: BinaryOperator, left: Outcome, right: Outcome) -> Outcome {
    use BinaryOperator::{And, Div, Eq, Greater, GreaterEq, Less, LessEq, Minus, Mod, Mul, NotEq, Or, Plus};
    if let And | Or = operator {
        let left = bool_operand(left?)?;
        let decided = left == (operator == Or);
        return match right.and_then(bool_operand) {
            Ok(right) => Ok(Value::Bool(if operator == And { left && right } else { left || right })),
            Err(Fault::Failed(message)) if decided => Err(Fault::deferred(format!(
                "one side of {} decides but the other fails ({message}), which versions of Terraform treat \
                 differently",
                operator.as_str()
            ))),
            Err(fault) => Err(fault),
        };
    }
    let (left, right) = (left?, right?);
    match operator {
        Eq => equal(&left, &right).map(Value::Bool),
        NotEq => equal(&left, &right).map(|equal| Value::Bool(!equal)),
        _ => {
            let (left, right) = (number_operand(left)?, number_operand(right)?);
            let number = |result: Option<Decimal>| {
                result
                    .map(|number| Value::Number(number.normalize()))
                    .ok_or_else(|| Fault::deferred("a number grows too large"))
            };
            match operator {
                Less => Ok(Value::Bool(left < right)),
                LessEq => Ok(Value::Bool(left <= right)),
                Greater => Ok(Value::Bool(left > right)),
                GreaterEq => Ok(Value::Bool(left >= right)),
                Plus => number(left.checked_add(right)),
                Minus => number(left.checked_sub(right)),
                Mul => number(left.checked_mul(right)),
                // Terraform's numbers have infinities.
                Div | Mod if right.is_zero() => Err(Fault::deferred("a division by zero")),
                Div => exact_quotient(left, right).map(|quotient| Value::Number(quotient.normalize())),
                Mod => number(left.checked_rem(right)),
                Eq | NotEq | And | Or => Err(Fault::deferred("not arithmetic")),
            }
        }
    }
}

/// Terraform divides with 512 binary digits: what does not come out even here may differ from it in the last place.
fn exact_quotient(left: Decimal, right: Decimal) -> Result<Decimal, Fault> {
    let quotient = left.checked_div(right).filter(|quotient| quotient.checked_mul(right) == Some(left));
    quotient.ok_or_else(|| Fault::deferred("a division that does not come out even"))
}

/// Equality as `==` and `contains` have it: values of different types differ.
pub(super) fn equal(left: &Value, right: &Value) -> Result<bool, Fault> {
    match (left, right) {
        (Value::Null, Value::Null) => Ok(true),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Number(a), Value::Number(b)) => Ok(a == b),
        (Value::String(a), Value::String(b)) => Ok(a == b),
        (Value::List(a), Value::List(b)) | (Value::Set(a), Value::Set(b)) if a.is_empty() && b.is_empty() => {
            Err(Fault::deferred("whether two empty collections are equal depends on their element types"))
        }
        (Value::Map(a), Value::Map(b)) if a.is_empty() && b.is_empty() => {
            Err(Fault::deferred("whether two empty maps are equal depends on their element types"))
        }
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            all(a.len() == b.len(), a.iter().zip(b))
        }
        (Value::Set(a), Value::Set(b)) => Ok(a.len() == b.len() && a.iter().all(|item| b.contains(item))),
        (Value::Map(a), Value::Map(b)) | (Value::Object(a), Value::Object(b)) => {
            all(a.keys().eq(b.keys()), a.values().zip(b.values()))
        }
        _ => Ok(false),
    }
}

fn all<'a>(same_shape: bool, pairs: impl Iterator<Item = (&'a Value, &'a Value)>) -> Result<bool, Fault> {
    if !same_shape {
        return Ok(false);
    }
    for (a, b) in pairs {
        if !equal(a, b)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn bool_operand(value: Value) -> Result<bool, Fault> {
    match convert_value(value, &Type::Bool) {
        Ok(Value::Bool(value)) => Ok(value),
        Ok(_) => Err(Fault::failed("an operand must not be null")),
        Err(e) => Err(Fault::failed(format!("unsuitable operand: {e}"))),
    }
}

fn number_operand(value: Value) -> Result<Decimal, Fault> {
    match convert_value(value, &Type::Number) {
        Ok(Value::Number(number)) => Ok(number),
        Ok(_) => Err(Fault::failed("an operand must not be null")),
        Err(e) => Err(Fault::failed(format!("unsuitable operand: {e}"))),
    }
}
