//! How times, amounts and statuses are written on pages.

use chrono::{DateTime, Utc};
use rad_core::deployment::DeploymentStatus;
use rad_core::money::{Credits, Currency, Money};

/// A time for people, to the minute, in UTC.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y, %H:%M").to_string()
}

/// A time for machines: RFC 3339.
pub(crate) fn machine_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// An amount of minor units as money.
pub(crate) fn minor(minor: i64, currency: Currency) -> String {
    Money::from_minor(minor, currency)
        .map_or_else(|| format!("{minor} minor units"), |money| money.to_string())
}

/// An amount of minor units without its currency, for tables that say it once.
pub(crate) fn bare_minor(minor: i64, currency: Currency) -> String {
    let shown = self::minor(minor, currency);
    shown.strip_suffix(currency.as_str()).map_or_else(|| shown.clone(), |number| number.trim_end().to_owned())
}

/// Credits with their sign, for what moves.
pub(crate) fn signed(credits: Credits) -> String {
    if credits.is_positive() { format!("+{credits}") } else { credits.to_string().replace('-', "−") }
}

/// How long something took.
pub(crate) fn duration(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let seconds = (to - from).num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `service_name` as people write it.
pub(crate) fn humanised(name: &str) -> String {
    let spaced = name.replace(['_', '-'], " ");
    let mut letters = spaced.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A number of things, in the singular or plural: `1 output`, `2 outputs`.
pub(crate) fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// The class a status is coloured by.
pub(crate) fn status_class(status: DeploymentStatus) -> String {
    status.as_str().replace(' ', "-")
}
