//! Keeps the books of all accounts of a replay and writes them down.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use rad_core::money::Currency;
use rad_core::revenue::journal::{Balances, Books, Cause, ChartAccount, Proof, Transaction};
use rad_core::revenue::{AccountState, Entry, Violation};
use rad_core::source::Digest;
use serde::Serialize;

use super::{About, Format, Group, Sink, Sums, Writer};
use crate::failure::{Failure, InputError, InputFault};
use crate::figures::exact;
use crate::fold::Applied;

/// The days that both formats can write.
const YEARS: std::ops::RangeInclusive<i32> = 1_000..=9_998;

/// A journal in the making.
pub struct Booking {
    writer: Writer<Sink>,
    output: String,
    currency: Currency,
    group: Group,
    end: Option<NaiveDate>,
    books: Books,
    passed: Vec<Transaction>,
    sums: Sums,
    balances: Balances,
    proof: Proof,
    last: Option<NaiveDate>,
    transactions: u64,
}

/// An account whose postings do not add up to what the engine says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The account.
    pub account: String,
    /// The sum of its postings.
    pub booked: String,
    /// What the engine's own figures call for.
    pub engine: String,
}

impl Booking {
    /// Begins a journal on `out`, which messages call `output`; it ends with the day `end`, if there is one.
    ///
    /// # Errors
    /// [`InputFault::Write`]; [`Failure::Unread`] once nobody reads the output.
    pub fn new(
        out: Sink,
        output: &str,
        format: Format,
        currency: Currency,
        group: Group,
        end: Option<NaiveDate>,
    ) -> Result<Self, Failure> {
        let writer = Writer::new(out, format, currency).map_err(|error| unwritable(output, error))?;
        Ok(Self {
            writer,
            output: output.to_owned(),
            currency,
            group,
            end,
            books: Books::new(currency),
            passed: Vec::new(),
            sums: Sums::default(),
            balances: Balances::default(),
            proof: Proof::new(currency),
            last: None,
            transactions: 0,
        })
    }

    /// Books what runs out in an account before its next entry.
    ///
    /// # Errors
    /// The engine's, which only a state that is not the account's can meet.
    pub fn before(&mut self, state: &AccountState, entry: &Entry) -> Result<(), Violation> {
        self.books.pass(state, entry.at, &mut self.passed)
    }

    /// Books an entry that was applied.
    ///
    /// # Errors
    /// The engine's: revenue in another currency, a sum that does not fit.
    pub fn entry(&mut self, applied: &Applied<'_>) -> Result<(), Violation> {
        self.books.post(applied.state, &applied.record.entry, applied.effect, &mut self.passed)?;
        applied.effect.lines.iter().try_for_each(|line| self.proof.add_line(line))
    }

    /// Ends an account: books what runs out until `at`, and counts what the engine says of it then.
    ///
    /// # Errors
    /// As [`entry`](Self::entry).
    pub fn end_account(&mut self, state: &AccountState, at: DateTime<Utc>) -> Result<(), Violation> {
        self.books.pass(state, at, &mut self.passed)?;
        self.books.clear();
        self.proof.add_account(state, at)
    }

    /// Writes what was booked since the last time, or adds it to its day or month. `hash` is that of the last entry.
    ///
    /// # Errors
    /// [`InputFault::Write`], [`InputFault::Argument`] if a day is in a year that the formats cannot write.
    pub fn write(&mut self, hash: Option<&Digest>) -> Result<(), Failure> {
        for transaction in std::mem::take(&mut self.passed) {
            let on = self.group.day_of(self.day(&transaction)?, self.end);
            self.balances.add(&transaction);
            if self.group != Group::Entry {
                self.sums.add(on, &transaction);
                continue;
            }
            let entry = match transaction.cause {
                Cause::Entry { seq, .. } => Some(seq),
                Cause::Expiry => None,
            };
            let about =
                About::One { payer: transaction.payer, entry, hash: hash.filter(|_| entry.is_some()) };
            let postings = transaction.postings.iter();
            let postings = postings.map(|posting| (posting.account, i128::from(posting.micros)));
            self.put(on, transaction.cause.kind(), about, postings)?;
        }
        Ok(())
    }

    /// Ends the journal, with what the engine says of every account as assertions if `assert`.
    ///
    /// # Errors
    /// [`InputFault::Write`]; [`Failure::Unread`] once nobody reads the output.
    pub fn finish(mut self, assert: bool) -> Result<(u64, Balances, Vec<Difference>), Failure> {
        for (on, kind, count, balances) in std::mem::take(&mut self.sums).iter() {
            if balances.iter().next().is_some() {
                let postings: Vec<_> = balances.iter().collect();
                self.put(on, kind, About::Sum(count), postings.into_iter())?;
            }
        }
        let written = match self.end.or(self.last).filter(|_| assert) {
            Some(on) => self.writer.assert(on, self.proof.balances()),
            None => Ok(()),
        };
        let finished = written.and_then(|()| self.writer.finish());
        finished.map_err(|error| unwritable(&self.output, error))?.finish()?;
        let digits = self.currency.minor_digits();
        let differences = differences(&self.balances, self.proof.balances(), digits);
        Ok((self.transactions, self.balances, differences))
    }

    fn put(
        &mut self,
        on: NaiveDate,
        kind: &str,
        about: About<'_>,
        postings: impl Iterator<Item = (ChartAccount, i128)> + Clone,
    ) -> Result<(), Failure> {
        self.last = self.last.max(Some(on));
        self.transactions = self.transactions.saturating_add(1);
        let written = self.writer.write(on, kind, about, postings);
        written.map_err(|error| unwritable(&self.output, error))
    }

    fn day(&self, transaction: &Transaction) -> Result<NaiveDate, Failure> {
        let on = transaction.at.date_naive();
        if YEARS.contains(&on.year()) {
            return Ok(on);
        }
        let fault = InputFault::Argument {
            value: transaction.at.to_rfc3339(),
            reason: format!(
                "account {} has money that moves in a year no journal can say",
                transaction.payer
            ),
            mend: "end the journal before it with --as-of".into(),
        };
        Err(InputError::new(&self.output, fault).into())
    }
}

/// The accounts in which two balances differ.
fn differences(booked: &Balances, engine: &Balances, digits: u8) -> Vec<Difference> {
    let accounts: std::collections::BTreeSet<_> =
        booked.iter().chain(engine.iter()).map(|(account, _)| account).collect();
    let differ = accounts.into_iter().filter(|account| booked.of(*account) != engine.of(*account));
    differ
        .map(|account| Difference {
            account: account.to_string(),
            booked: exact(booked.of(account), digits),
            engine: exact(engine.of(account), digits),
        })
        .collect()
}

fn unwritable(output: &str, error: std::io::Error) -> Failure {
    match error.kind() {
        // A reader such as `head` has closed the pipe.
        std::io::ErrorKind::BrokenPipe => Failure::Unread,
        _ => InputError::new(output, InputFault::Write(error)).into(),
    }
}
