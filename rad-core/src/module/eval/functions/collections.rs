//! Functions over lists, sets, tuples, maps and objects.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::Arguments;
use super::strings::visible_length;
use crate::module::convert::{convert_value, distinct};
use crate::module::eval::operators::equal;
use crate::module::eval::{Fault, Outcome};
use crate::module::types::{Type, unify};
use crate::module::value::Value;

pub(super) fn call(args: &Arguments<'_>) -> Option<Outcome> {
    Some(match args.function {
        "length" => length(args),
        "contains" => position(args).map(|found| Value::Bool(found.is_some())),
        "index" => position(args).and_then(|found| match found {
            Some(index) => Ok(Value::Number(index.into())),
            None => Err(args.fail("the value is not in the list")),
        }),
        "alltrue" => bools(args).map(|mut bools| Value::Bool(bools.all(|value| value == Value::Bool(true)))),
        "anytrue" => bools(args).map(|mut bools| Value::Bool(bools.any(|value| value == Value::Bool(true)))),
        "keys" => keys(args),
        "values" => values(args),
        "lookup" => lookup(args),
        "element" => element(args),
        "concat" => concat(args),
        "flatten" => flatten(args),
        "distinct" => list_of_any(args).and_then(|items| first_of_each(items).map(Value::List)),
        "compact" => compact(args),
        "reverse" => args.items(0).map(|items| Value::List(items.iter().rev().cloned().collect())),
        "sort" => args.strings(0).map(|mut items| {
            items.sort_unstable();
            Value::List(items.into_iter().map(Value::String).collect())
        }),
        "slice" => slice(args),
        "range" => range(args),
        "merge" => merge(args),
        "zipmap" => zipmap(args),
        "coalesce" => coalesce(args),
        "coalescelist" => coalesce_list(args),
        "one" => one(args),
        "setunion" | "setintersection" | "setsubtract" => set_operation(args),
        "tolist" => converted(args, &Type::List(Box::new(Type::Any))),
        "toset" => converted(args, &Type::Set(Box::new(Type::Any))),
        "tomap" => converted(args, &Type::Map(Box::new(Type::Any))),
        "tostring" => converted(args, &Type::String),
        "tonumber" => converted(args, &Type::Number),
        "tobool" => converted(args, &Type::Bool),
        "jsondecode" => json_decode(args),
        "jsonencode" => json_encode(args),
        "sensitive" | "nonsensitive" => args.count(1..=1).and_then(|()| args.value(0).cloned()),
        _ => return None,
    })
}

fn length(args: &Arguments<'_>) -> Outcome {
    args.count(1..=1)?;
    let length = match args.value(0)? {
        Value::String(text) => visible_length(text),
        Value::List(items) | Value::Set(items) | Value::Tuple(items) => items.len(),
        Value::Map(entries) | Value::Object(entries) => entries.len(),
        other => return Err(args.fail(format_args!("{} has no length", other.kind()))),
    };
    Ok(Value::Number(length.into()))
}

fn position(args: &Arguments<'_>) -> Result<Option<usize>, Fault> {
    args.count(2..=2)?;
    let wanted = args.value(1)?;
    for (index, item) in args.items(0)?.iter().enumerate() {
        if equal(item, wanted)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

fn bools(args: &Arguments<'_>) -> Result<std::vec::IntoIter<Value>, Fault> {
    args.count(1..=1)?;
    Ok(args.list(0, Type::Bool)?.into_iter())
}

fn entries<'a>(args: &'a Arguments<'_>, index: usize) -> Result<&'a BTreeMap<String, Value>, Fault> {
    let value = args.value(index)?;
    value.entries().ok_or_else(|| args.fail(format_args!("a map is required, not {}", value.kind())))
}

fn keys(args: &Arguments<'_>) -> Outcome {
    args.count(1..=1)?;
    let keys = entries(args, 0)?.keys().cloned().map(Value::String).collect();
    Ok(if matches!(args.value(0)?, Value::Map(_)) { Value::List(keys) } else { Value::Tuple(keys) })
}

fn values(args: &Arguments<'_>) -> Outcome {
    args.count(1..=1)?;
    let values = entries(args, 0)?.values().cloned().collect();
    Ok(if matches!(args.value(0)?, Value::Map(_)) { Value::List(values) } else { Value::Tuple(values) })
}

fn lookup(args: &Arguments<'_>) -> Outcome {
    args.count(2..=3)?;
    let key = args.string(1)?;
    let entries = entries(args, 0)?;
    match (entries.get(&key), args.values.get(2)) {
        (Some(found), _) => Ok(found.clone()),
        (None, Some(default)) => match (args.value(0)?.ty(), default) {
            (Type::Map(element), default) => {
                convert_value(default.clone(), &element).map_err(|e| args.fail(e))
            }
            (_, default) => Ok(default.clone()),
        },
        (None, None) => Err(args.fail(format_args!("there is no key {key:?} and no default"))),
    }
}

fn element(args: &Arguments<'_>) -> Outcome {
    args.count(2..=2)?;
    if matches!(args.value(0)?, Value::Set(_)) {
        return Err(args.fail("a set has no order"));
    }
    let (items, index) = (args.items(0)?, args.integer(1)?);
    let Ok(index) = usize::try_from(index) else {
        return Err(Fault::deferred("element with a negative index, which not every Terraform takes"));
    };
    let position = index.checked_rem(items.len()).ok_or_else(|| args.fail("the list is empty"))?;
    items.get(position).cloned().ok_or_else(|| args.fail("the list is empty"))
}

fn concat(args: &Arguments<'_>) -> Outcome {
    args.count(1..=usize::MAX)?;
    let mut all = Vec::new();
    for index in 0..args.values.len() {
        all.extend_from_slice(args.items(index)?);
    }
    let lists = args.values.iter().all(|value| matches!(value, Value::List(_)));
    Ok(if lists { Value::List(all) } else { Value::Tuple(all) })
}

fn flatten(args: &Arguments<'_>) -> Outcome {
    fn add(items: &[Value], output: &mut Vec<Value>) {
        for item in items {
            match item.items() {
                Some(inner) => add(inner, output),
                None => output.push(item.clone()),
            }
        }
    }
    args.count(1..=1)?;
    let mut output = Vec::new();
    add(args.items(0)?, &mut output);
    Ok(Value::Tuple(output))
}

fn list_of_any(args: &Arguments<'_>) -> Result<Vec<Value>, Fault> {
    args.count(1..=1)?;
    args.list(0, Type::Any)
}

fn first_of_each(items: Vec<Value>) -> Result<Vec<Value>, Fault> {
    let mut seen = std::collections::HashSet::with_capacity(items.len());
    Ok(items.into_iter().filter(|item| seen.insert(format!("{item:?}"))).collect())
}

fn compact(args: &Arguments<'_>) -> Outcome {
    args.count(1..=1)?;
    let mut items = args.list(0, Type::String)?;
    items.retain(|item| !matches!(item, Value::Null) && *item != Value::String(String::new()));
    Ok(Value::List(items))
}

fn slice(args: &Arguments<'_>) -> Outcome {
    args.count(3..=3)?;
    let (start, end) = (args.integer(1)?, args.integer(2)?);
    let bounds = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let items = bounds.and_then(|(start, end)| args.items(0).ok()?.get(start..end));
    let items = items.ok_or_else(|| args.fail("the bounds are outside of the list"))?.to_vec();
    Ok(if matches!(args.value(0)?, Value::List(_)) { Value::List(items) } else { Value::Tuple(items) })
}

/// Terraform refuses ranges of more than 1,024 numbers.
fn range(args: &Arguments<'_>) -> Outcome {
    args.count(1..=3)?;
    let (start, end) = match args.values.len() {
        1 => (Decimal::ZERO, args.number(0)?),
        _ => (args.number(0)?, args.number(1)?),
    };
    let step = match args.values.len() {
        3 => args.number(2)?,
        _ if end < start => Decimal::NEGATIVE_ONE,
        _ => Decimal::ONE,
    };
    if step.is_zero() || (step > Decimal::ZERO) != (end >= start) {
        return Err(args.fail("the step must lead from the start to the end"));
    }
    let mut numbers = Vec::new();
    let mut next = start;
    while if step > Decimal::ZERO { next < end } else { next > end } {
        if numbers.len() == 1024 {
            return Err(args.fail("more than 1,024 numbers"));
        }
        numbers.push(Value::Number(next));
        next = next.checked_add(step).ok_or_else(|| Fault::deferred("a number grows too large"))?;
    }
    Ok(Value::List(numbers))
}

fn merge(args: &Arguments<'_>) -> Outcome {
    let mut merged = BTreeMap::new();
    let mut maps = true;
    for (index, value) in args.values.iter().enumerate() {
        if *value != Value::Null {
            maps &= matches!(value, Value::Map(_));
            merged.extend(entries(args, index)?.clone());
        }
    }
    Ok(if maps && !merged.is_empty() { Value::Map(merged) } else { Value::Object(merged) })
}

fn zipmap(args: &Arguments<'_>) -> Outcome {
    args.count(2..=2)?;
    let (keys, values) = (args.strings(0)?, args.items(1)?);
    if keys.len() != values.len() {
        return Err(args.fail("as many keys as values are needed"));
    }
    let entries = keys.into_iter().zip(values.iter().cloned()).collect();
    Ok(if matches!(args.value(1)?, Value::List(_)) { Value::Map(entries) } else { Value::Object(entries) })
}

/// The first value that is neither null nor an empty string.
fn coalesce(args: &Arguments<'_>) -> Outcome {
    let types: Vec<Type> = args.values.iter().map(Value::ty).collect();
    let common = unify(&types).ok_or_else(|| args.fail("all arguments must have one type"))?;
    let empty = |value: &&Value| **value != Value::Null && **value != Value::String(String::new());
    let found = args.values.iter().find(empty);
    let found = found.ok_or_else(|| args.fail("every argument is null or empty"))?;
    convert_value(found.clone(), &common).map_err(|e| args.fail(e))
}

fn coalesce_list(args: &Arguments<'_>) -> Outcome {
    let found = args.values.iter().find(|value| value.items().is_some_and(|items| !items.is_empty()));
    found.cloned().ok_or_else(|| args.fail("every list is empty"))
}

fn one(args: &Arguments<'_>) -> Outcome {
    args.count(1..=1)?;
    match args.items(0)? {
        [] => Ok(Value::Null),
        [only] => Ok(only.clone()),
        more => Err(args.fail(format_args!("at most one element is allowed, not {}", more.len()))),
    }
}

fn set_operation(args: &Arguments<'_>) -> Outcome {
    let sets: Vec<Vec<Value>> =
        (0..args.values.len()).map(|index| args.list(index, Type::Any)).collect::<Result<_, _>>()?;
    let types: Vec<Type> = sets.iter().flatten().map(Value::ty).collect();
    let common = unify(&types).ok_or_else(|| args.fail("all sets must have one type"))?;
    let convert = |items: Vec<Value>| {
        items.into_iter().map(|item| convert_value(item, &common)).collect::<Result<Vec<_>, _>>()
    };
    let mut sets = sets.into_iter().map(|items| convert(items).map_err(|e| args.fail(e)));
    let mut result = sets.next().unwrap_or_else(|| Err(args.fail("a set is missing")))?;
    for set in sets {
        let set = set?;
        match args.function {
            "setunion" => result.extend(set),
            "setintersection" => result.retain(|item| set.contains(item)),
            _ => result.retain(|item| !set.contains(item)),
        }
    }
    Ok(Value::Set(distinct(result)))
}

fn converted(args: &Arguments<'_>, ty: &Type) -> Outcome {
    args.count(1..=1)?;
    convert_value(args.value(0)?.clone(), ty).map_err(|e| args.fail(e))
}

fn json_decode(args: &Arguments<'_>) -> Outcome {
    args.count(1..=1)?;
    let json: serde_json::Value =
        serde_json::from_str(&args.string(0)?).map_err(|_| args.fail("not JSON"))?;
    Value::from_json(&json).map_err(|e| Fault::deferred(e.to_string()))
}

/// JSON as Terraform writes it, which is safe to stand in HTML.
fn json_encode(args: &Arguments<'_>) -> Outcome {
    args.count(1..=1)?;
    let json = args.value(0)?.to_json().map_err(|e| Fault::deferred(e.to_string()))?;
    let mut text = String::new();
    for c in json.to_string().chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    Ok(Value::String(text))
}
