//! Credits that arrive in a simulated account: what packages cost, in which currency, and when they expire.

use chrono::{DateTime, Datelike as _, Utc};
use rust_decimal::Decimal;

use super::dice::Dice;
use super::market::{DAY, moment, signed};
use crate::money::{Amount, Credits, Currency, Money};
use crate::revenue::{Body, Bucket, Grant, LotSource, Paid};

/// Packages: credits and cents. Some prices do not divide.
const PACKAGES: [(i64, i64); 8] = [
    (3, 1_000),
    (10, 999),
    (25, 2_450),
    (50, 4_500),
    (60, 5_000),
    (100, 9_000),
    (250, 19_999),
    (700, 49_900),
];
/// Foreign currencies: code, and millionths of a dollar for one unit.
const QUOTES: [(&str, u64); 5] =
    [("EUR", 1_083_500), ("GBP", 1_271_300), ("JPY", 6_713), ("KWD", 3_249_100), ("NGN", 641)];
/// What a month of a subscription costs: credits and cents.
const SUBSCRIPTIONS: [(i64, i64); 3] = [(30, 2_500), (80, 5_999), (200, 13_900)];

const MICROS: i64 = 1_000_000;
const MICROS_PER_CENT: i64 = 10_000;

/// Credits bought: most in dollars, without expiry.
pub(super) fn bought(dice: &mut Dice, at: DateTime<Utc>) -> Body {
    let (credits, cents) = dice.pick(PACKAGES);
    let (cost, paid) =
        if dice.chance(250) { abroad(dice, cents, at) } else { (cents * MICROS_PER_CENT, None) };
    let days = dice.chance(300).then(|| dice.pick([30, 90, 365]));
    grant(dice, LotSource::Purchase, credits, cost, paid, expiry(at, days))
}

/// The next period of a subscription; unused credits of it go after two months.
pub(super) fn period(dice: &mut Dice, at: DateTime<Utc>) -> Body {
    let (credits, cents) = dice.pick(SUBSCRIPTIONS);
    grant(dice, LotSource::Subscription, credits, cents * MICROS_PER_CENT, None, expiry(at, Some(62)))
}

/// Credits that cost nothing; most expire.
pub(super) fn given(dice: &mut Dice, source: LotSource, credits: i64, at: DateTime<Utc>) -> Body {
    let days = dice.chance(700).then(|| dice.pick([14, 30, 90]));
    grant(dice, source, credits, 0, None, expiry(at, days))
}

fn grant(
    dice: &mut Dice,
    source: LotSource,
    credits: i64,
    cost: i64,
    paid: Option<Box<Paid>>,
    expires: Option<DateTime<Utc>>,
) -> Body {
    Body::Grant(Grant {
        source,
        bucket: source.bucket().unwrap_or(Bucket::Awarded),
        credits: Credits::from_micros(credits * MICROS),
        cost: Amount::from_micros(cost),
        paid,
        expires,
        reference: Some(dice.bytes()),
    })
}

/// A price in cents, paid in another currency at the rate of the month: what arrives is seldom whole cents.
fn abroad(dice: &mut Dice, cents: i64, at: DateTime<Utc>) -> (i64, Option<Box<Paid>>) {
    let (code, quote) = dice.pick(QUOTES);
    let Ok(currency) = code.parse::<Currency>() else { return (cents * MICROS_PER_CENT, None) };
    // Up to 4 % more in the course of the year.
    let rate = signed(quote + quote * u64::from(at.month0()) * 4 / 1_100);
    let minor = i128::from(cents * MICROS_PER_CENT) * i128::from(MICROS)
        / (i128::from(rate) * i128::from(currency.micros_per_minor()));
    let minor = i64::try_from(minor).unwrap_or(1).max(1);
    let Some(money) = Money::from_minor(minor, currency) else { return (cents * MICROS_PER_CENT, None) };
    let cost = i128::from(money.amount().micros()) * i128::from(rate) / i128::from(MICROS);
    let rate = Decimal::new(rate, 6).normalize();
    (i64::try_from(cost).unwrap_or(0), Some(Box::new(Paid { money, rate })))
}

fn expiry(at: DateTime<Utc>, days: Option<i64>) -> Option<DateTime<Utc>> {
    days.map(|days| moment(at.timestamp_micros() + days * DAY))
}
