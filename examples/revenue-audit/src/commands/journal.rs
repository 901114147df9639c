//! `journal`: the books in double entry, for hledger or beancount.

use std::io::{self, Write};
use std::path::PathBuf;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use rad_core::money::Currency;
use rad_core::revenue::{Body, Entry, Violation};
use serde::Serialize;

use super::Command;
use crate::failure::{Failure, InputError, InputFault, Refusal};
use crate::figures::exact;
use crate::fold::{Fold, Step};
use crate::journal::{Booking, Difference, Format, Group, Sink, Writer};
use crate::output::{Report, write_table};
use crate::source::Wanted;

/// Write the entries as a journal of balanced double-entry transactions.
#[derive(Debug, clap::Args)]
pub struct Journal {
    /// A file or database with the entries.
    pub source: String,
    /// The program that is to read it.
    #[arg(long, value_enum)]
    pub format: Format,
    /// The file to write; without it the journal goes to standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file if it is there already.
    #[arg(long, requires = "output")]
    pub force: bool,
    /// What becomes one transaction.
    #[arg(long, value_enum, default_value_t)]
    pub group: Group,
    /// End with this day in UTC: later entries are left out, and what expires by then is booked.
    #[arg(long, value_name = "DAY")]
    pub as_of: Option<NaiveDate>,
    /// End the journal with the balances that the engine's own figures call for, as assertions.
    #[arg(long)]
    pub assert: bool,
    /// The platform's currency, where the source has no share rules that say it.
    #[arg(long, value_name = "CODE")]
    pub currency: Option<Currency>,
}

/// What was written.
#[derive(Debug, Serialize)]
pub struct Journaled {
    /// What was read.
    pub source: String,
    /// What the journal is for.
    pub format: Format,
    /// The file; `None` for standard output.
    pub output: Option<PathBuf>,
    /// What became one transaction.
    pub group: Group,
    /// Its last day, where one was given.
    pub as_of: Option<NaiveDate>,
    /// The platform's currency.
    pub currency: Currency,
    /// How many entries were read.
    pub entries: u64,
    /// How many transactions were written.
    pub transactions: u64,
    /// The balance of each account that has one.
    pub balances: Vec<AccountBalance>,
    /// Accounts whose postings do not add up to what the engine says; none, unless this program is wrong.
    pub differences: Vec<Difference>,
}

/// The balance of an account: debits less credits.
#[derive(Debug, Clone, Serialize)]
pub struct AccountBalance {
    /// The account.
    pub account: String,
    /// The balance.
    pub balance: String,
    /// What it is counted in.
    pub commodity: String,
}

impl Command for Journal {
    type Report = Journaled;

    fn run(&self) -> Result<Journaled, Failure> {
        let end = self.as_of.map(|day| self.end_of(day)).transpose()?;
        let after = end.and_then(|end| end.checked_add_signed(TimeDelta::microseconds(1)));
        let mut fold = Fold::open(&self.source, Wanted::Entries)?.until(after);
        let mut booking = None;
        let mut entries = 0_u64;
        let mut currency = self.currency;
        loop {
            if let (Some(booking), Some((state, entry))) = (&mut booking, fold.ahead()?) {
                let booked = Booking::before(booking, state, entry);
                booked.map_err(|violation| self.refusal(entry, None, violation))?;
            }
            let Some(step) = fold.step()? else { break };
            match step {
                Step::Entry(applied) => {
                    let entry = &applied.record.entry;
                    let booking = match &mut booking {
                        Some(booking) => booking,
                        None => {
                            let said = self.currency_by(entry)?;
                            currency = Some(said);
                            booking.insert(self.begin(said)?)
                        }
                    };
                    let booked = booking.entry(&applied);
                    booked.map_err(|violation| self.refusal(entry, applied.line, violation))?;
                    booking.write(applied.record.hash.as_ref())?;
                    entries = entries.saturating_add(1);
                }
                Step::AccountEnd(state) => {
                    if let Some(booking) = &mut booking {
                        let at = end.or(state.last()).unwrap_or_default();
                        let ended = booking.end_account(state, at);
                        ended.map_err(|violation| self.too_large(&violation))?;
                        booking.write(None)?;
                    }
                }
            }
        }
        let currency = currency.ok_or_else(|| self.no_currency())?;
        let booking = booking.map_or_else(|| self.begin(currency), Ok)?;
        let (transactions, balances, differences) = booking.finish(self.assert)?;
        let of = |(account, micros)| AccountBalance {
            account: format!("{account}"),
            balance: exact(micros, currency.minor_digits()),
            commodity: Writer::<Vec<u8>>::commodity(account, &currency).to_owned(),
        };
        Ok(Journaled {
            source: self.source.clone(),
            format: self.format,
            output: self.output.clone(),
            group: self.group,
            as_of: self.as_of,
            currency,
            entries,
            transactions,
            balances: balances.iter().map(of).collect(),
            differences,
        })
    }
}

impl Journal {
    fn begin(&self, currency: Currency) -> Result<Booking, Failure> {
        let name = self.output.as_ref().map_or("standard output".into(), |file| file.display().to_string());
        let out = Sink::create(self.output.as_deref(), self.force)?;
        Booking::new(out, &name, self.format, currency, self.group, self.as_of)
    }

    /// The last moment of a day.
    fn end_of(&self, day: NaiveDate) -> Result<DateTime<Utc>, InputError> {
        let next = day.checked_add_days(Days::new(1)).map(|next| next.and_time(NaiveTime::MIN).and_utc());
        let end = next.and_then(|next| next.checked_sub_signed(TimeDelta::microseconds(1)));
        end.ok_or_else(|| {
            let (reason, mend) = ("it is the end of the calendar".into(), "give an earlier day".into());
            InputError::new("--as-of", InputFault::Argument { value: day.to_string(), reason, mend })
        })
    }

    /// The platform's currency, which the first entry of an export says.
    fn currency_by(&self, first: &Entry) -> Result<Currency, InputError> {
        let said = match &first.body {
            Body::ShareRules(rules) => Some(rules.currency),
            _ => None,
        };
        self.currency.or(said).ok_or_else(|| self.no_currency())
    }

    fn no_currency(&self) -> InputError {
        let fault = InputFault::Argument {
            value: String::new(),
            reason: "the source begins with no share rules that say the platform's currency".into(),
            mend: "name it with --currency, such as --currency USD".into(),
        };
        InputError::new(&self.source, fault)
    }

    fn refusal(&self, entry: &Entry, line: Option<u64>, violation: Violation) -> Failure {
        let source = self.source.clone();
        Refusal { source, line, account: entry.account, seq: entry.seq, violation }.into()
    }

    fn too_large(&self, violation: &Violation) -> Failure {
        let what = match violation {
            Violation::Overflow { what } | Violation::Inconsistent { what } => what,
            _ => "a balance",
        };
        InputError::new(&self.source, InputFault::TooLarge { what }).into()
    }
}

impl Report for Journaled {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        // Both formats read a line that begins so as a comment.
        for Difference { account, booked, engine } in &self.differences {
            writeln!(out, "; WRONG: {account} has {booked}, and the engine's figures call for {engine}")?;
        }
        let Some(file) = &self.output else { return Ok(()) };
        let file = file.display();
        writeln!(out, "{file}: {} transactions of {} entries\n", self.transactions, self.entries)?;
        let row = |of: &AccountBalance| [of.account.clone(), format!("{} {}", of.balance, of.commodity)];
        write_table(out, ["account", "balance"], &self.balances.iter().map(row).collect::<Vec<_>>())
    }

    fn is_fine(&self) -> bool {
        self.differences.is_empty()
    }
}
