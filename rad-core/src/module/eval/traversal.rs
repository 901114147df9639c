//! Steps into values: attributes, indexes and splats.

use hcl_edit::expr::{BinaryOperator, Expression, Traversal, TraversalOperator};
use rust_decimal::prelude::ToPrimitive as _;

use super::{Fault, Outcome, Scope, evaluate, text};
use crate::module::convert::convert_value;
use crate::module::types::Type;
use crate::module::value::Value;

type Step = hcl_edit::Decorated<TraversalOperator>;

/// The value of `root.step[step]…`.
pub(super) fn evaluate_traversal(traversal: &Traversal, scope: &mut Scope<'_>) -> Outcome {
    let mut steps = traversal.operators.as_slice();
    if let Expression::Variable(root) = &traversal.expr
        && !scope.is_local(root.as_str())
    {
        let (Some(first), "var") = (steps.first(), root.as_str()) else {
            return Err(unknown_root(root.as_str(), scope));
        };
        let name = match first.value() {
            TraversalOperator::GetAttr(name) => name.as_str().to_owned(),
            TraversalOperator::Index(index) => text(evaluate(index, scope)?)?,
            _ => return Err(Fault::deferred("var.* is not a variable")),
        };
        let mut value = scope.variable(&name)?;
        steps = &steps[1..];
        // Plain attributes first, by reference: conditions name one attribute of a large object again and again.
        while let Some((TraversalOperator::GetAttr(name), rest)) =
            steps.split_first().map(|(step, rest)| (step.value(), rest))
        {
            let Some(inner) = value.entries().and_then(|entries| entries.get(name.as_str())) else { break };
            value = inner;
            steps = rest;
        }
        scope.spend(value.weight())?;
        return walk(value.clone(), steps, scope);
    }
    let value = evaluate(&traversal.expr, scope)?;
    walk(value, steps, scope)
}

/// Defers the comparison of a splat over null: whether it is an empty list or tuple depends on the type of the null.
pub(super) fn check_comparable(
    operator: BinaryOperator,
    operand: &Expression,
    value: &Outcome,
) -> Result<(), Fault> {
    let compares = matches!(operator, BinaryOperator::Eq | BinaryOperator::NotEq);
    let Expression::Traversal(traversal) = operand else { return Ok(()) };
    let is_splat = |step: &Step| {
        matches!(step.value(), TraversalOperator::FullSplat(_) | TraversalOperator::AttrSplat(_))
    };
    match value {
        Ok(Value::Tuple(items))
            if compares && items.is_empty() && traversal.operators.iter().any(is_splat) =>
        {
            Err(Fault::deferred("the comparison of an empty splat"))
        }
        _ => Ok(()),
    }
}

fn unknown_root(root: &str, scope: &Scope<'_>) -> Fault {
    if scope.allows_functions() {
        Fault::deferred(format!("{root} is not a variable"))
    } else {
        Fault::failed(format!("a constant is needed here, but {root} is a reference"))
    }
}

fn walk(mut value: Value, mut steps: &[Step], scope: &mut Scope<'_>) -> Outcome {
    while let Some((step, rest)) = steps.split_first() {
        steps = rest;
        value = match step.value() {
            TraversalOperator::GetAttr(name) => attribute(value, name.as_str())?,
            TraversalOperator::Index(index) => {
                let index = evaluate(index, scope)?;
                element(value, &index)?
            }
            TraversalOperator::LegacyIndex(index) => element(value, &Value::Number((*index.value()).into()))?,
            TraversalOperator::FullSplat(_) => return splat(value, steps, scope),
            TraversalOperator::AttrSplat(_) => {
                let plain = |step: &&Step| matches!(step.value(), TraversalOperator::GetAttr(_));
                let (inner, rest) = steps.split_at(steps.iter().take_while(plain).count());
                steps = rest;
                splat(value, inner, scope)?
            }
        };
    }
    Ok(value)
}

/// `value.name`
fn attribute(value: Value, name: &str) -> Outcome {
    match value {
        Value::Map(mut entries) | Value::Object(mut entries) => entries
            .remove(name)
            .ok_or_else(|| Fault::failed(format!("there is no attribute or element {name:?}"))),
        Value::Null => Err(Fault::failed(format!("null has no attribute {name:?}"))),
        other => Err(Fault::failed(format!("{} has no attribute {name:?}", other.kind()))),
    }
}

/// `value[index]`
pub(super) fn element(value: Value, index: &Value) -> Outcome {
    match value {
        Value::List(mut items) | Value::Tuple(mut items) => {
            let position = match convert_value(index.clone(), &Type::Number) {
                Ok(Value::Number(number)) if number.is_integer() => number.to_usize(),
                Ok(Value::Number(_)) => None,
                _ => return Err(Fault::failed("the index of a list is a number")),
            };
            match position.filter(|position| *position < items.len()) {
                Some(position) => Ok(items.swap_remove(position)),
                None => Err(Fault::failed(format!("the index is outside of a list of {}", items.len()))),
            }
        }
        Value::Map(_) | Value::Object(_) => attribute(value, &text(index.clone())?),
        Value::Null => Err(Fault::failed("null has no elements")),
        other => Err(Fault::failed(format!("{} has no element by index", other.kind()))),
    }
}

/// `value[*]…`: the steps taken from every element; a single value is a list of itself, null an empty one.
fn splat(value: Value, steps: &[Step], scope: &mut Scope<'_>) -> Outcome {
    let (items, list) = match value {
        Value::List(items) | Value::Set(items) => (items, true),
        Value::Tuple(items) => (items, false),
        Value::Null => (Vec::new(), false),
        single => (vec![single], false),
    };
    let items = items.into_iter().map(|item| walk(item, steps, scope)).collect::<Result<_, _>>()?;
    Ok(if list { Value::List(items) } else { Value::Tuple(items) })
}
