//! Functions over numbers.

use rust_decimal::{Decimal, RoundingStrategy};

use super::Arguments;
use crate::module::eval::{Fault, Outcome};
use crate::module::types::Type;
use crate::module::value::Value;

pub(super) fn call(args: &Arguments<'_>) -> Option<Outcome> {
    Some(match args.function {
        "abs" => one(args, |number| number.abs()),
        "floor" => one(args, |number| number.floor()),
        "ceil" => one(args, |number| number.round_dp_with_strategy(0, RoundingStrategy::ToPositiveInfinity)),
        "signum" => one(args, |number| match number {
            zero if zero.is_zero() => Decimal::ZERO,
            negative if negative.is_sign_negative() => Decimal::NEGATIVE_ONE,
            _ => Decimal::ONE,
        }),
        "max" => extreme(args, Decimal::max),
        "min" => extreme(args, Decimal::min),
        "sum" => sum(args),
        "pow" => pow(args),
        "parseint" => parse_int(args),
        _ => return None,
    })
}

fn one(args: &Arguments<'_>, change: impl Fn(Decimal) -> Decimal) -> Outcome {
    args.count(1..=1)?;
    Ok(Value::Number(change(args.number(0)?).normalize()))
}

fn extreme(args: &Arguments<'_>, choose: impl Fn(Decimal, Decimal) -> Decimal) -> Outcome {
    let mut result = args.number(0)?;
    for index in 1..args.values.len() {
        result = choose(result, args.number(index)?);
    }
    Ok(Value::Number(result))
}

fn sum(args: &Arguments<'_>) -> Outcome {
    args.count(1..=1)?;
    let mut total: Option<Decimal> = None;
    for item in args.list(0, Type::Number)? {
        let Value::Number(number) = item else { return Err(args.fail("an element is null")) };
        let next = total.unwrap_or(Decimal::ZERO).checked_add(number);
        total = Some(next.ok_or_else(|| Fault::deferred("a number grows too large"))?);
    }
    total.map(Value::Number).ok_or_else(|| args.fail("an empty list has no sum"))
}

/// Whole, not negative exponents; roots are left to Terraform.
fn pow(args: &Arguments<'_>) -> Outcome {
    args.count(2..=2)?;
    let (base, exponent) = (args.number(0)?, args.number(1)?);
    let large = || Fault::deferred("a power that is not a whole number of moderate size");
    let exponent = args.integer(1).ok().filter(|e| (0..=96).contains(e) && !exponent.is_sign_negative());
    let exponent = exponent.ok_or_else(large)?;
    let mut result = Decimal::ONE;
    for _ in 0..exponent {
        result = result.checked_mul(base).ok_or_else(large)?;
    }
    Ok(Value::Number(result.normalize()))
}

fn parse_int(args: &Arguments<'_>) -> Outcome {
    args.count(2..=2)?;
    let (text, base) = (args.string(0)?, args.integer(1)?);
    let base = u32::try_from(base).ok().filter(|base| (2..=62).contains(base));
    let base = base.ok_or_else(|| args.fail("the base lies between 2 and 62"))?;
    if base > 36 || text.len() > 24 {
        return Err(Fault::deferred("a long number or one of an unusual base"));
    }
    i128::from_str_radix(&text, base)
        .map_err(|_| args.fail(format_args!("{text:?} is not a whole number of base {base}")))
        .and_then(|number| {
            let number = Decimal::try_from_i128_with_scale(number, 0);
            number.map(Value::Number).map_err(|_| Fault::deferred("a number grows too large"))
        })
}
