//! The statement as a page to read and to print: one file, nothing from outside, no script.

use askama::Template;
use chrono::{DateTime, Utc};
use rad_core::money::Currency;
use rad_core::revenue::LineKind;
use rad_core::revenue::statement::{Period, Row, Statement, Subject};

use super::SourceIdentity;
use crate::figures::minor;

/// Renders a statement. The same statement gives the same bytes.
pub(super) fn render(statement: &Statement, source: &SourceIdentity) -> Result<String, askama::Error> {
    let money =
        |minor_units| statement.currency.map_or("0".to_owned(), |currency| figure(minor_units, currency));
    let page = Page {
        id: statement.id(),
        title: title(statement.subject),
        subject: statement.subject.to_string(),
        share_name: share_name(statement.subject),
        period: period(statement.period),
        start: moment(statement.period.start()),
        end: moment(statement.period.end()),
        currency: statement.currency.map_or("no currency".to_owned(), |currency| currency.to_string()),
        opening: money(statement.opening),
        share: money(statement.share()),
        closing: money(statement.closing),
        gross: money(statement.totals.gross),
        credits: sign(statement.totals.credits.to_string()),
        awarded: sign(statement.totals.awarded.to_string()),
        purchased: sign(statement.totals.purchased.to_string()),
        rounding: list(statement.roundings.iter().map(|rounding| rounding.as_str().to_owned())),
        rule_versions: list(statement.rule_versions.iter().map(u32::to_string)),
        source: &source.name,
        rows: statement.rows.iter().map(Line::of).collect(),
    };
    page.render()
}

#[derive(Template)]
#[template(path = "statement.html")]
struct Page<'a> {
    id: String,
    title: &'static str,
    subject: String,
    share_name: &'static str,
    period: String,
    start: String,
    end: String,
    currency: String,
    opening: String,
    share: String,
    closing: String,
    gross: String,
    credits: String,
    awarded: String,
    purchased: String,
    rounding: String,
    rule_versions: String,
    source: &'a str,
    rows: Vec<Line>,
}

/// A row as the page shows it.
struct Line {
    booked: String,
    kind: &'static str,
    takes_back: bool,
    entry: String,
    original: Option<String>,
    deployment: String,
    module: String,
    version: String,
    awarded: String,
    purchased: String,
    gross: String,
    rate: String,
    rule_version: u32,
    share: String,
    balance: String,
}

impl Line {
    fn of(row: &Row) -> Self {
        Self {
            booked: moment(row.booked_at),
            kind: kind(row.kind),
            takes_back: matches!(row.kind, LineKind::Refund | LineKind::Reversal),
            entry: row.entry.to_string(),
            // The account is that of the entry.
            original: row
                .original
                .map(|charge| format!("charge {} of {}", charge.seq, day(row.effective_at))),
            deployment: row.deployment.to_string(),
            module: row.module.to_string(),
            version: row.version.short().to_owned(),
            awarded: sign(row.awarded.to_string()),
            purchased: sign(row.purchased.to_string()),
            gross: figure(row.gross, row.currency),
            rate: percent(row.share_bps),
            rule_version: row.rule_version,
            share: figure(row.share, row.currency),
            balance: figure(row.balance, row.currency),
        }
    }
}

const fn title(subject: Subject) -> &'static str {
    match subject {
        Subject::Partner(_) => "Partner statement",
        Subject::Agent(_) => "Agent statement",
        Subject::Module(_) => "Module statement",
        Subject::Account(_) => "Payer statement",
        _ => "Platform statement",
    }
}

const fn share_name(subject: Subject) -> &'static str {
    match subject {
        Subject::Partner(_) => "Partner’s share",
        Subject::Agent(_) => "Agent’s share",
        Subject::Platform => "Platform’s share",
        _ => "All shares",
    }
}

const fn kind(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Charge => "Charge",
        LineKind::Refund => "Refund",
        LineKind::Reversal => "Payment reversed",
        LineKind::Repayment => "Debt repaid",
        _ => "Other",
    }
}

/// A month by its name, anything else by its ends.
fn period(period: Period) -> String {
    match period.to_string().len() {
        7 => period.start().format("%B %Y").to_string(),
        _ => format!("{} to {}", moment(period.start()), moment(period.end())),
    }
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

fn figure(units: i64, currency: Currency) -> String {
    sign(minor(units, currency))
}

/// A number with a minus instead of a hyphen, which screen readers read as one.
fn sign(number: String) -> String {
    number.replace('-', "−")
}

/// Basis points as percent: 1 250 are `12.5 %`.
fn percent(basis_points: u16) -> String {
    let (whole, rest) = (basis_points / 100, basis_points % 100);
    let decimals = format!("{rest:02}");
    match decimals.trim_end_matches('0') {
        "" => format!("{whole} %"),
        decimals => format!("{whole}.{decimals} %"),
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_percentages() {
        for (points, text) in
            [(0, "0 %"), (2_000, "20 %"), (1_250, "12.5 %"), (5, "0.05 %"), (10_000, "100 %")]
        {
            assert_eq!(percent(points), text);
        }
    }
}
