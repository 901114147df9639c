//! A row of a statement, and how it is written.

use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;

use super::super::{EntryId, LineKind};
use super::{Period, Subject};
use crate::id::{DeploymentId, ModuleId};
use crate::money::{Credits, Currency};
use crate::source::CommitId;

/// The columns of a statement, in order. `FORMAT.md` says what each means.
pub const COLUMNS: [&str; 22] = [
    "statement_id",
    "period_start",
    "period_end",
    "entry_id",
    "original_entry_id",
    "type",
    "booked_at",
    "effective_at",
    "deployment_id",
    "module",
    "version",
    "payee",
    "gross_credits",
    "awarded",
    "purchased",
    "currency",
    "gross_minor",
    "share_bps",
    "rule_version",
    "share_minor",
    "net",
    "running_balance",
];

/// One revenue line, as the subject of a statement sees it. What takes back is negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The entry that booked it.
    pub entry: EntryId,
    /// The charge that it takes back or restores; `None` for a charge itself.
    pub original: Option<EntryId>,
    /// Why there is a line.
    pub kind: LineKind,
    /// When it was booked: the time of the entry. It decides the period.
    pub booked_at: DateTime<Utc>,
    /// When the charge was captured: since when the rates are fixed.
    pub effective_at: DateTime<Utc>,
    /// The deployment.
    pub deployment: DeploymentId,
    /// The module.
    pub module: ModuleId,
    /// The commit of the module that was deployed.
    pub version: CommitId,
    /// All credits of the line.
    pub credits: Credits,
    /// The awarded ones of them, which earn nothing.
    pub awarded: Credits,
    /// The purchased ones of them.
    pub purchased: Credits,
    /// The currency.
    pub currency: Currency,
    /// True revenue, in minor units.
    pub gross: i64,
    /// The subject's share of the gross, in basis points.
    pub share_bps: u16,
    /// The version of the share rules in force at the charge.
    pub rule_version: u32,
    /// The subject's share, in minor units.
    pub share: i64,
    /// The opening balance and all shares up to this row, in minor units.
    pub balance: i64,
}

impl Row {
    pub(super) fn cells(&self, subject: Subject, period: Period) -> [String; COLUMNS.len()] {
        [
            subject.statement_id(period),
            time(period.start()),
            time(period.end()),
            self.entry.to_string(),
            self.original.map(|entry| entry.to_string()).unwrap_or_default(),
            self.kind.as_str().to_owned(),
            time(self.booked_at),
            time(self.effective_at),
            self.deployment.to_string(),
            self.module.to_string(),
            self.version.to_string(),
            subject.payee(),
            self.credits.to_string(),
            self.awarded.to_string(),
            self.purchased.to_string(),
            self.currency.to_string(),
            self.gross.to_string(),
            self.share_bps.to_string(),
            self.rule_version.to_string(),
            self.share.to_string(),
            in_units(self.share, self.currency),
            in_units(self.balance, self.currency),
        ]
    }
}

/// Minor units as units of the currency, with all its decimals: -60 cents are `-0.60`.
fn in_units(minor: i64, currency: Currency) -> String {
    Decimal::new(minor, currency.minor_digits().into()).to_string()
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
