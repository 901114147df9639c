//! Functions over text.

use regex::{Captures, Regex};
use rust_decimal::Decimal;
use unicode_segmentation::UnicodeSegmentation as _;

use super::Arguments;
use crate::module::eval::pattern::compile;
use crate::module::eval::{Fault, Outcome};
use crate::module::value::{Value, number_text};

pub(super) fn call(args: &Arguments<'_>) -> Option<Outcome> {
    Some(match args.function {
        "lower" => map(args, |text| per_char(text, char::to_lowercase)),
        "upper" => map(args, |text| per_char(text, char::to_uppercase)),
        "title" => map(args, title),
        "trimspace" => map(args, |text| text.trim().to_owned()),
        "chomp" => map(args, |text| text.trim_end_matches(['\n', '\r']).to_owned()),
        "strrev" => map(args, |text| text.graphemes(true).rev().collect()),
        "trim" => pair(args, |text, set| Value::String(text.trim_matches(|c| set.contains(c)).to_owned())),
        "trimprefix" => {
            pair(args, |text, end| Value::String(text.strip_prefix(end).unwrap_or(text).to_owned()))
        }
        "trimsuffix" => {
            pair(args, |text, end| Value::String(text.strip_suffix(end).unwrap_or(text).to_owned()))
        }
        "startswith" => pair(args, |text, start| Value::Bool(text.starts_with(start))),
        "endswith" => pair(args, |text, end| Value::Bool(text.ends_with(end))),
        "strcontains" => pair(args, |text, part| Value::Bool(text.contains(part))),
        "split" => pair(args, split),
        "join" => join(args),
        "replace" => replace(args),
        "substr" => substr(args),
        "format" => format(args),
        "regex" => regex(args),
        "regexall" => regex_all(args),
        _ => return None,
    })
}

/// How many characters a reader sees, which is what `length` counts.
pub(super) fn visible_length(text: &str) -> usize {
    text.graphemes(true).count()
}

fn map(args: &Arguments<'_>, change: impl Fn(&str) -> String) -> Outcome {
    args.count(1..=1)?;
    Ok(Value::String(change(&args.string(0)?)))
}

fn pair(args: &Arguments<'_>, combine: impl Fn(&str, &str) -> Value) -> Outcome {
    args.count(2..=2)?;
    Ok(combine(&args.string(0)?, &args.string(1)?))
}

/// Terraform changes the case of each character by itself and keeps those that would become several.
fn per_char<I: Iterator<Item = char> + ExactSizeIterator>(text: &str, change: impl Fn(char) -> I) -> String {
    text.chars()
        .map(|c| {
            let mut changed = change(c);
            if changed.len() == 1 { changed.next().unwrap_or(c) } else { c }
        })
        .collect()
}

fn title(text: &str) -> String {
    let mut inside = false;
    let mut output = String::with_capacity(text.len());
    for c in text.chars() {
        match inside {
            true => output.push(c),
            false => output.push_str(&per_char(c.encode_utf8(&mut [0; 4]), char::to_uppercase)),
        }
        inside = c.is_alphanumeric() || c == '_' || (!c.is_ascii() && !c.is_whitespace());
    }
    output
}

fn split(separator: &str, text: &str) -> Value {
    let parts: Vec<Value> = match separator {
        "" => text.chars().map(|c| Value::String(c.into())).collect(),
        _ => text.split(separator).map(|part| Value::String(part.to_owned())).collect(),
    };
    Value::List(parts)
}

fn join(args: &Arguments<'_>) -> Outcome {
    args.count(2..=usize::MAX)?;
    let separator = args.string(0)?;
    let mut parts = Vec::new();
    for index in 1..args.values.len() {
        parts.extend(args.strings(index)?);
    }
    let length: usize = parts.iter().map(|part| part.len() + separator.len()).sum();
    bounded(length)?;
    Ok(Value::String(parts.join(&separator)))
}

fn replace(args: &Arguments<'_>) -> Outcome {
    args.count(3..=3)?;
    let (text, old, new) = (args.string(0)?, args.string(1)?, args.string(2)?);
    bounded(text.len().saturating_add(1).saturating_mul(new.len().max(1)))?;
    let pattern = old.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    Ok(Value::String(match pattern {
        Some(pattern) => compile(pattern)?.replace_all(&text, new.as_str()).into_owned(),
        None => text.replace(&old, &new),
    }))
}

/// Refuses to build texts that no condition needs.
fn bounded(length: usize) -> Result<(), Fault> {
    if length > 1 << 22 { Err(Fault::deferred("a text grows too long")) } else { Ok(()) }
}

fn substr(args: &Arguments<'_>) -> Outcome {
    args.count(3..=3)?;
    let (text, offset, length) = (args.string(0)?, args.integer(1)?, args.integer(2)?);
    let clusters: Vec<&str> = text.graphemes(true).collect();
    let start = match usize::try_from(offset) {
        Ok(start) => start,
        // A negative offset counts from the end.
        Err(_) => clusters.len().saturating_sub(usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Ok(Value::String(clusters.into_iter().skip(start).take(length).collect()))
}

/// `format` with the verbs `%s %d %v %t %q %f %%`, zero padding, width and precision; others are deferred.
fn format(args: &Arguments<'_>) -> Outcome {
    let spec = args.string(0)?;
    let mut output = String::new();
    let mut rest = spec.chars().peekable();
    let mut next = 1;
    while let Some(c) = rest.next() {
        if c != '%' {
            output.push(c);
            continue;
        }
        let digits = |rest: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            let mut number = String::new();
            while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                number.push(digit);
            }
            number
        };
        let zero = rest.next_if_eq(&'0').is_some();
        let width = digits(&mut rest).parse::<usize>().unwrap_or(0);
        let precision = rest.next_if_eq(&'.').map(|_| digits(&mut rest).parse::<u32>().unwrap_or(0));
        bounded(width)?;
        let piece = match rest.next() {
            Some('%') => {
                output.push('%');
                continue;
            }
            Some(verb) => verb_text(args, next, verb, precision)?,
            None => return Err(args.fail("the format ends inside of a verb")),
        };
        next += 1;
        let missing = width.saturating_sub(visible_length(&piece));
        let (sign, number) = match piece.strip_prefix('-') {
            Some(number) if zero => ("-", number),
            _ => ("", piece.as_str()),
        };
        output.push_str(sign);
        output.extend(std::iter::repeat_n(if zero { '0' } else { ' ' }, missing));
        output.push_str(number);
    }
    if next < args.values.len() {
        return Err(args.fail("more arguments than verbs"));
    }
    Ok(Value::String(output))
}

fn verb_text(
    args: &Arguments<'_>,
    index: usize,
    verb: char,
    precision: Option<u32>,
) -> Result<String, Fault> {
    let value = args.value(index)?;
    let unknown = || Fault::deferred(format!("the verb %{verb} with {}", value.kind()));
    match (verb, precision) {
        ('s', None) => args.string(index),
        ('v', None) => match value {
            Value::Null => Ok("null".to_owned()),
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number_text(*number)),
            Value::Bool(value) => Ok(value.to_string()),
            _ => Err(unknown()),
        },
        ('t', None) => match value {
            Value::Bool(value) => Ok(value.to_string()),
            _ => Err(unknown()),
        },
        ('q', None) => {
            let text = args.string(index)?;
            if text.chars().any(|c| c.is_control() || !c.is_ascii()) {
                Err(unknown())
            } else {
                Ok(format!("{text:?}"))
            }
        }
        ('d', None) => Ok(number_text(args.number(index)?.trunc())),
        ('f', precision) => {
            let places = precision.unwrap_or(6).min(20);
            let number: Decimal = args
                .number(index)?
                .round_dp_with_strategy(places, rust_decimal::RoundingStrategy::MidpointNearestEven);
            Ok(format!("{number:.*}", places as usize))
        }
        _ => Err(unknown()),
    }
}

fn regex(args: &Arguments<'_>) -> Outcome {
    args.count(2..=2)?;
    let (pattern, text) = (compile(&args.string(0)?)?, args.string(1)?);
    match pattern.captures(&text) {
        Some(captures) => Ok(captured(&pattern, &captures)),
        None => Err(args.fail("the pattern does not match")),
    }
}

fn regex_all(args: &Arguments<'_>) -> Outcome {
    args.count(2..=2)?;
    let (pattern, text) = (compile(&args.string(0)?)?, args.string(1)?);
    Ok(Value::List(pattern.captures_iter(&text).map(|captures| captured(&pattern, &captures)).collect()))
}

/// The whole match, or the groups: as an object if they are named, as a tuple otherwise.
fn captured(pattern: &Regex, captures: &Captures<'_>) -> Value {
    let text = |group: Option<regex::Match<'_>>| {
        group.map_or(Value::Null, |group| Value::String(group.as_str().to_owned()))
    };
    if pattern.captures_len() == 1 {
        return text(captures.get(0));
    }
    let named: std::collections::BTreeMap<String, Value> =
        pattern.capture_names().flatten().map(|name| (name.to_owned(), text(captures.name(name)))).collect();
    if named.is_empty() {
        Value::Tuple(captures.iter().skip(1).map(text).collect())
    } else {
        Value::Object(named)
    }
}
