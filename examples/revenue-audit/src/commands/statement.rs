//! `statement`: what somebody earned in a period, as a directory that proves itself.

use std::io::{self, Write};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use rad_core::export::Record;
use rad_core::id::{AccountId, ModuleId};
use rad_core::revenue::statement::{Drawing, Period, Subject};
use rad_core::revenue::{PLATFORM_ACCOUNT, Violation};
use serde::Serialize;

use super::Command;
use crate::bundle::{CSV, ENTRIES, HTML, MANIFEST, Manifest, SourceIdentity, Writer};
use crate::chain::Chain;
use crate::failure::{Altered, Failure, InputError, InputFault, Refusal};
use crate::figures::minor;
use crate::fold::{Applied, Fold, Step};
use crate::output::Report;
use crate::period::moment;
use crate::source::Wanted;

/// Draw a statement: CSV, a page to print, the entries behind it and a manifest, all in one directory.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("subject").required(true))]
#[command(group = clap::ArgGroup::new("span").required(true).args(["month", "from"]))]
pub struct Statement {
    /// A file or database with the entries.
    pub source: String,
    /// The share of this partner.
    #[arg(long, value_name = "ID", group = "subject")]
    pub partner: Option<AccountId>,
    /// The share of this agent.
    #[arg(long, value_name = "ID", group = "subject")]
    pub agent: Option<AccountId>,
    /// Everybody's shares of this module.
    #[arg(long, value_name = "ID", group = "subject")]
    pub module: Option<ModuleId>,
    /// Everybody's shares of what this account paid.
    #[arg(long, value_name = "ID", group = "subject")]
    pub account: Option<AccountId>,
    /// The platform's share of everything.
    #[arg(long, group = "subject")]
    pub platform: bool,
    /// The month in UTC, such as 2026-10.
    #[arg(long, value_name = "MONTH")]
    pub month: Option<Period>,
    /// In place of a month: what was booked at or after this day or time.
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "to")]
    pub from: Option<DateTime<Utc>>,
    /// What was booked before this day or time.
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "from")]
    pub to: Option<DateTime<Utc>>,
    /// The directory to write; it must be new or empty.
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
}

/// What was written.
#[derive(Debug, Serialize)]
pub struct Drawn {
    /// Where.
    pub directory: String,
    /// The manifest.
    pub manifest: Manifest,
}

impl Command for Statement {
    type Report = Drawn;

    fn run(&self) -> Result<Drawn, Failure> {
        let period = self.period()?;
        let mut fold = Fold::open(&self.source, Wanted::Entries)?.until(Some(period.end()));
        let shown = fold.source().to_owned();
        let mut writer = Writer::create(&self.output)?;
        let mut drawing = Drawing::new(self.subject(), period);
        let mut history = History::default();
        while let Some(step) = fold.step()? {
            match step {
                Step::Entry(applied) => {
                    let concerned = drawing.take(&applied.record.entry, applied.effect);
                    let concerned = concerned.map_err(|violation| refusal(&shown, &applied, violation))?;
                    history.add(&shown, &applied, concerned)?;
                }
                Step::AccountEnd(_) => history.end(&mut writer)?,
            }
        }
        let statement = drawing.finish().map_err(|_| {
            InputError::new(&shown, InputFault::TooLarge { what: "a balance of the statement" })
        })?;
        let manifest = writer.finish(&statement, SourceIdentity::of(&self.source, &shown)?)?;
        Ok(Drawn { directory: self.output.display().to_string(), manifest })
    }
}

impl Statement {
    fn subject(&self) -> Subject {
        let accounts = [self.partner.map(Subject::Partner), self.agent.map(Subject::Agent)];
        let others = [self.module.map(Subject::Module), self.account.map(Subject::Account)];
        accounts.into_iter().chain(others).flatten().next().unwrap_or(Subject::Platform)
    }

    fn period(&self) -> Result<Period, InputError> {
        let (from, to) = match (self.month, self.from, self.to) {
            (Some(month), ..) => return Ok(month),
            (None, from, to) => (from.unwrap_or_default(), to.unwrap_or_default()),
        };
        Period::new(from, to).map_err(|error| {
            let fault = InputFault::Argument {
                value: to.to_rfc3339(),
                reason: error.to_string(),
                mend: "give a time after --from".to_owned(),
            };
            InputError::new("--to", fault)
        })
    }
}

/// The entries of the account at hand, kept until it is known whether the statement concerns it.
#[derive(Debug, Default)]
struct History {
    records: Vec<Record>,
    chain: Chain,
    concerned: bool,
}

impl History {
    fn add(&mut self, source: &str, applied: &Applied<'_>, concerned: bool) -> Result<(), Box<Altered>> {
        let entry = &applied.record.entry;
        let hash = self.chain.follow(applied.record, source, applied.line)?;
        self.records.push(Record { entry: entry.clone(), hash: Some(hash), recorded: None });
        self.concerned |= concerned || entry.account == PLATFORM_ACCOUNT;
        Ok(())
    }

    fn end(&mut self, writer: &mut Writer) -> Result<(), InputError> {
        if self.concerned {
            writer.history(&self.records)?;
        }
        self.records.clear();
        self.chain = Chain::default();
        self.concerned = false;
        Ok(())
    }
}

fn refusal(source: &str, applied: &Applied<'_>, violation: Violation) -> Refusal {
    let entry = &applied.record.entry;
    Refusal {
        source: source.to_owned(),
        line: applied.line,
        account: entry.account,
        seq: entry.seq,
        violation,
    }
}

impl Report for Drawn {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let manifest = &self.manifest;
        writeln!(out, "statement {} of {}", manifest.statement_id, manifest.subject)?;
        writeln!(out, "from {} up to {}", manifest.period_start, manifest.period_end)?;
        writeln!(out, "{} rows, {} credits", manifest.totals.rows, manifest.totals.gross_credits)?;
        if let Some(currency) = manifest.currency {
            let figures = [
                ("gross", manifest.totals.gross_minor),
                ("opening balance", manifest.opening_balance_minor),
                ("share", manifest.totals.share_minor),
                ("closing balance", manifest.closing_balance_minor),
            ];
            for (name, units) in figures {
                writeln!(out, "{name:<16}{:>16} {currency}", minor(units, currency))?;
            }
        }
        let (accounts, entries) = (manifest.heads.len(), manifest.entries());
        writeln!(
            out,
            "{}: {CSV}, {HTML}, {MANIFEST}, and {ENTRIES} with {entries} entries of {accounts} accounts",
            self.directory
        )
    }
}
