//! An evaluator for the expressions of `validation` blocks, with Terraform's operators, functions and conversions.
//!
//! What it cannot know before a plan (a function it does not have, a reference to something other than a variable)
//! it never guesses: the verdict is then *deferred*, and Terraform's own plan decides.

mod functions;
mod operators;
mod pattern;
mod scope;
mod template;
mod traversal;

use std::collections::BTreeMap;

use hcl_edit::expr::{Expression, ForExpr, FuncCall, ObjectKey};
use hcl_edit::parser::parse_expr;
use serde_json::Value as Json;

use super::convert::convert_value;
use super::types::{Type, unify};
use super::value::Value;

pub(super) use scope::Scope;

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// Terraform refuses the expression too.
    #[error("{0}")]
    Failed(String),
    /// Only Terraform can tell.
    #[error("cannot be known before a plan: {0}")]
    Deferred(String),
}

impl Fault {
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    pub(super) fn deferred(reason: impl Into<String>) -> Self {
        Self::Deferred(reason.into())
    }
}

pub(super) type Outcome = Result<Value, Fault>;

/// Why an expression is no constant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoConstant {
    /// Terraform refuses it too.
    #[error("{0}")]
    Refused(String),
    /// A number in it is one that only Terraform keeps exactly.
    #[error("{0}")]
    Inexact(String),
}

/// The value of an expression that may use neither variables nor functions, such as a variable's default.
pub(super) fn constant(expression: &Expression) -> Result<Json, NoConstant> {
    let value = match expression {
        // The common cases, without an evaluator.
        Expression::Null(_) => return Ok(Json::Null),
        Expression::Bool(value) => return Ok(Json::Bool(*value.value())),
        Expression::String(text) => return Ok(Json::String(text.value().clone())),
        _ => {
            let mut scope = Scope::constant();
            evaluate(expression, &mut scope).map_err(|fault| match fault {
                Fault::Deferred(message) if scope.is_inexact() => NoConstant::Inexact(message),
                Fault::Failed(message) | Fault::Deferred(message) => NoConstant::Refused(message),
            })?
        }
    };
    value.to_json().map_err(|e| NoConstant::Inexact(e.to_string()))
}

/// What a condition says about the values of the variables.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The condition holds.
    Accepted,
    /// The condition does not hold.
    Refused,
    /// The condition cannot be evaluated with these values; Terraform would stop with this message.
    Failed(String),
    /// The condition needs something that is known only to a plan: what.
    Deferred(String),
}

/// Evaluates the source text of a condition over the values of variables.
pub(super) fn judge(condition: &str, variables: &BTreeMap<String, Value>) -> Verdict {
    let outcome = parse(condition)
        .and_then(|expression| evaluate(&expression, &mut Scope::new(variables)))
        .and_then(|value| match value {
            Value::Null => Err(Fault::failed("the condition is null; it must be true or false")),
            value => convert_value(value, &Type::Bool)
                .map_err(|_| Fault::failed("the condition is not a bool; it must be true or false")),
        });
    match outcome {
        Ok(Value::Bool(true)) => Verdict::Accepted,
        Ok(_) => Verdict::Refused,
        Err(Fault::Failed(message)) => Verdict::Failed(message),
        Err(Fault::Deferred(reason)) => Verdict::Deferred(reason),
    }
}

/// Evaluates the source text of an error message; `None` if its text cannot be known.
pub(super) fn render(message: &str, variables: &BTreeMap<String, Value>) -> Option<String> {
    let value = evaluate(&parse(message).ok()?, &mut Scope::new(variables)).ok()?;
    match convert_value(value, &Type::String).ok()? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn parse(source: &str) -> Result<Expression, Fault> {
    parse_expr(source).map_err(|e| Fault::deferred(format!("not an expression: {}", e.message())))
}

/// The value of an expression.
fn evaluate(expression: &Expression, scope: &mut Scope<'_>) -> Outcome {
    scope.spend(1)?;
    match expression {
        Expression::Null(_) => Ok(Value::Null),
        Expression::Bool(value) => Ok(Value::Bool(*value.value())),
        Expression::Number(number) => {
            // As it is written: the parser's own number is a binary fraction where it is no integer of 64 bits.
            let written = number.as_repr().map(|repr| (**repr).to_owned());
            let written = written.unwrap_or_else(|| number.value().to_string());
            super::value::parse_number(&written).map(Value::Number).ok_or_else(|| {
                scope.mark_inexact();
                Fault::deferred(format!("{written} has more digits than are kept"))
            })
        }
        Expression::String(text) => Ok(Value::String(text.value().clone())),
        Expression::Array(items) => {
            items.iter().map(|item| evaluate(item, scope)).collect::<Result<_, _>>().map(Value::Tuple)
        }
        Expression::Object(entries) => {
            let mut object = BTreeMap::new();
            for (key, value) in entries.iter() {
                let key = object_key(key, scope)?;
                object.insert(key, evaluate(value.expr(), scope)?);
            }
            Ok(Value::Object(object))
        }
        Expression::StringTemplate(template) => template::evaluate_template(template, scope),
        Expression::HeredocTemplate(heredoc) => template::evaluate_heredoc(&heredoc.template, scope),
        Expression::Parenthesis(inner) => evaluate(inner.inner(), scope),
        Expression::Variable(name) => scope.local(name.as_str()),
        Expression::Conditional(choice) => {
            let condition = truth(evaluate(&choice.cond_expr, scope)?)?;
            let (chosen, other) = match condition {
                true => (&choice.true_expr, &choice.false_expr),
                false => (&choice.false_expr, &choice.true_expr),
            };
            let chosen = evaluate(chosen, scope)?;
            same_type(chosen, evaluate(other, scope))
        }
        Expression::FuncCall(call) => function_call(call, scope),
        Expression::Traversal(traversal) => traversal::evaluate_traversal(traversal, scope),
        Expression::UnaryOp(operation) => {
            let operand = evaluate(&operation.expr, scope)?;
            operators::unary(*operation.operator.value(), operand)
        }
        Expression::BinaryOp(operation) => {
            let left = evaluate(&operation.lhs_expr, scope);
            let right = evaluate(&operation.rhs_expr, scope);
            for (operand, value) in [(&operation.lhs_expr, &left), (&operation.rhs_expr, &right)] {
                traversal::check_comparable(*operation.operator.value(), operand, value)?;
            }
            operators::binary(*operation.operator.value(), left, right)
        }
        Expression::ForExpr(comprehension) => evaluate_for(comprehension, scope),
    }
}

/// The bool a condition stands for.
fn truth(value: Value) -> Result<bool, Fault> {
    match convert_value(value, &Type::Bool) {
        Ok(Value::Bool(value)) => Ok(value),
        Ok(_) => Err(Fault::failed("a condition must not be null")),
        Err(e) => Err(Fault::failed(format!("a condition must be a bool: {e}"))),
    }
}

/// The text a key or a part of a template stands for.
fn text(value: Value) -> Result<String, Fault> {
    match convert_value(value, &Type::String) {
        Ok(Value::String(text)) => Ok(text),
        Ok(_) => Err(Fault::failed("a string must not be null here")),
        Err(e) => Err(Fault::failed(e.to_string())),
    }
}

/// The result of a choice takes the one type that both sides have in common.
fn same_type(chosen: Value, other: Outcome) -> Outcome {
    let Ok(other) = other else { return Ok(chosen) };
    match unify(&[chosen.ty(), other.ty()]) {
        Some(common) => convert_value(chosen, &common).map_err(|e| Fault::failed(e.to_string())),
        None => Err(Fault::failed(format!(
            "the two sides of a choice must have one type, but are {} and {}",
            chosen.kind(),
            other.kind()
        ))),
    }
}

fn object_key(key: &ObjectKey, scope: &mut Scope<'_>) -> Result<String, Fault> {
    match key {
        ObjectKey::Ident(name) => Ok(name.as_str().to_owned()),
        ObjectKey::Expression(Expression::Variable(name)) => Ok(name.as_str().to_owned()),
        ObjectKey::Expression(expression) => text(evaluate(expression, scope)?),
    }
}

fn function_call(call: &FuncCall, scope: &mut Scope<'_>) -> Outcome {
    let name = call.name.name.as_str();
    if !scope.allows_functions() {
        return Err(Fault::failed(format!("a constant is needed here, but {name}(…) is a function call")));
    }
    if call.name.is_namespaced() && call.name.namespace.iter().any(|part| part.as_str() != "core") {
        return Err(Fault::deferred(format!("{name}(…) is a function of a provider")));
    }
    match name {
        "try" | "can" => functions::attempt(name, &call.args, scope),
        _ if call.args.expand_final() => {
            let mut arguments: Vec<Value> = Vec::with_capacity(call.args.len());
            for argument in call.args.iter() {
                arguments.push(evaluate(argument, scope)?);
            }
            let last = arguments.pop().unwrap_or(Value::Null);
            let items = last.items().ok_or_else(|| {
                Fault::failed(format!("what `...` expands must be a list, not {}", last.kind()))
            })?;
            arguments.extend_from_slice(items);
            functions::call(name, arguments, scope)
        }
        _ => {
            let arguments =
                call.args.iter().map(|argument| evaluate(argument, scope)).collect::<Result<_, _>>()?;
            functions::call(name, arguments, scope)
        }
    }
}

fn evaluate_for(comprehension: &ForExpr, scope: &mut Scope<'_>) -> Outcome {
    let intro = &comprehension.intro;
    let collection = evaluate(&intro.collection_expr, scope)?;
    let key_name = intro.key_var.as_ref().map(|name| name.as_str());
    let mut list = Vec::new();
    let mut object: BTreeMap<String, Value> = BTreeMap::new();
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (key, value) in pairs(collection)? {
        let mut inner = scope.with(key_name, key, intro.value_var.as_str(), value);
        if let Some(condition) = &comprehension.cond
            && !truth(evaluate(&condition.expr, &mut inner)?)?
        {
            continue;
        }
        let key = match &comprehension.key_expr {
            Some(key) => Some(text(evaluate(key, &mut inner)?)?),
            None => None,
        };
        let value = evaluate(&comprehension.value_expr, &mut inner)?;
        match key {
            None => list.push(value),
            Some(key) if comprehension.grouping => groups.entry(key).or_default().push(value),
            Some(key) => {
                if object.insert(key.clone(), value).is_some() {
                    return Err(Fault::failed(format!(
                        "two elements of the for expression have the key {key:?}"
                    )));
                }
            }
        }
    }
    Ok(match (&comprehension.key_expr, comprehension.grouping) {
        (None, _) => Value::Tuple(list),
        (Some(_), true) => {
            Value::Object(groups.into_iter().map(|(key, values)| (key, Value::Tuple(values))).collect())
        }
        (Some(_), false) => Value::Object(object),
    })
}

/// What a `for` runs over: key and value of each element.
fn pairs(collection: Value) -> Result<Vec<(Value, Value)>, Fault> {
    match collection {
        Value::List(items) | Value::Tuple(items) => Ok(items
            .into_iter()
            .enumerate()
            .map(|(index, item)| (Value::Number(index.into()), item))
            .collect()),
        Value::Set(items) => Ok(items.into_iter().map(|item| (item.clone(), item)).collect()),
        Value::Map(entries) | Value::Object(entries) => {
            Ok(entries.into_iter().map(|(key, value)| (Value::String(key), value)).collect())
        }
        Value::Null => Err(Fault::failed("a null value cannot be iterated over")),
        other => Err(Fault::failed(format!("{} cannot be iterated over", other.kind()))),
    }
}
