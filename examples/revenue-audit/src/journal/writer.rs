//! Writes transactions as hledger and beancount read them. The same transactions give the same bytes.

use std::collections::BTreeSet;
use std::io::{self, Write};

use chrono::{Days, NaiveDate};
use rad_core::id::AccountId;
use rad_core::money::Currency;
use rad_core::revenue::journal::{Balances, ChartAccount, Class, Unit};
use rad_core::source::Digest;

use crate::figures::exact;

/// The program the journal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// hledger's journal format.
    Hledger,
    /// beancount's.
    Beancount,
}

/// What a transaction stands for, beside its kind.
#[derive(Debug, Clone, Copy)]
pub enum About<'a> {
    /// One entry of an account, or the passing of time in it.
    One {
        /// The account.
        payer: AccountId,
        /// The number of the entry.
        entry: Option<u64>,
        /// The hash of the entry.
        hash: Option<&'a Digest>,
    },
    /// So many transactions of the kind.
    Sum(u64),
}

/// The kinds of transactions, which hledger wants declared; the last is that of the assertions.
const KINDS: &str = "grant capture release refund unfreeze reversal expiry project_debit adjustment hold freeze \
    share_rules balances";

/// Credits, where a balance is in credits.
const CREDIT: &str = "CREDIT";

/// The day beancount opens accounts on: the first that it can read.
const OPENED: &str = "1000-01-01";

/// Writes one journal.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    format: Format,
    currency: Currency,
    declared: BTreeSet<ChartAccount>,
}

impl<W: Write> Writer<W> {
    /// Begins a journal: declares commodities and the accounts that belong to nobody in particular.
    ///
    /// # Errors
    /// That of the output.
    pub fn new(out: W, format: Format, currency: Currency) -> io::Result<Self> {
        let mut writer = Self { out, format, currency, declared: BTreeSet::new() };
        let out = &mut writer.out;
        match format {
            Format::Hledger => {
                // Six decimals: hledger insists that transactions add up to as many as the commodity shows.
                writeln!(out, "decimal-mark .\ncommodity 1000.000000 {currency}")?;
                writeln!(out, "commodity 1000.000000 {CREDIT}")?;
                for tag in ["payer", "entry", "hash", "transactions"] {
                    writeln!(out, "tag {tag}")?;
                }
                for kind in KINDS.split_whitespace() {
                    writeln!(out, "payee {kind}")?;
                }
            }
            Format::Beancount => {
                writeln!(out, "option \"title\" \"Credits and revenue\"")?;
                writeln!(out, "option \"operating_currency\" \"{currency}\"")?;
                // Transactions must add up exactly.
                writeln!(out, "option \"inferred_tolerance_multiplier\" \"0\"")?;
                writeln!(out, "{OPENED} commodity {currency}\n{OPENED} commodity {CREDIT}")?;
            }
        }
        for account in ChartAccount::FIXED {
            writer.declare(account)?;
        }
        Ok(writer)
    }

    /// Writes a transaction.
    ///
    /// # Errors
    /// That of the output.
    pub fn write(
        &mut self,
        on: NaiveDate,
        kind: &str,
        about: About<'_>,
        postings: impl Iterator<Item = (ChartAccount, i128)> + Clone,
    ) -> io::Result<()> {
        for (account, _) in postings.clone() {
            self.declare(account)?;
        }
        match self.format {
            Format::Hledger => {
                write!(self.out, "\n{on} * {kind}  ; ")?;
                match about {
                    About::Sum(transactions) => write!(self.out, "transactions:{transactions}")?,
                    About::One { payer, entry, hash } => {
                        write!(self.out, "payer:{payer}")?;
                        entry.map_or(Ok(()), |entry| write!(self.out, ", entry:{entry}"))?;
                        hash.map_or(Ok(()), |hash| write!(self.out, ", hash:{hash}"))?;
                    }
                }
                writeln!(self.out)?;
            }
            Format::Beancount => {
                writeln!(self.out, "\n{on} * \"{kind}\"")?;
                match about {
                    About::Sum(transactions) => writeln!(self.out, "  transactions: {transactions}")?,
                    About::One { payer, entry, hash } => {
                        writeln!(self.out, "  payer: \"{payer}\"")?;
                        entry.map_or(Ok(()), |entry| writeln!(self.out, "  entry: {entry}"))?;
                        hash.map_or(Ok(()), |hash| writeln!(self.out, "  hash: \"{hash}\""))?;
                    }
                }
            }
        }
        for (account, micros) in postings {
            let amount = self.amount(account, micros);
            writeln!(self.out, "    {account}  {amount}")?;
        }
        Ok(())
    }

    /// Asserts the balance of every account at the end of a day after which nothing is written.
    ///
    /// # Errors
    /// That of the output.
    pub fn assert(&mut self, on: NaiveDate, balances: &Balances) -> io::Result<()> {
        for (account, _) in balances.iter() {
            self.declare(account)?;
        }
        match self.format {
            Format::Hledger => writeln!(self.out, "\n{on} * balances")?,
            Format::Beancount => writeln!(self.out)?,
        }
        let next = on.checked_add_days(Days::new(1)).unwrap_or(on);
        for account in self.declared.iter().copied() {
            let amount = self.amount(account, balances.of(account));
            match self.format {
                Format::Hledger => {
                    let nothing = self.amount(account, 0);
                    writeln!(self.out, "    {account}  {nothing} = {amount}")?;
                }
                Format::Beancount => {
                    let exactly = amount.replacen(' ', " ~ 0 ", 1);
                    writeln!(self.out, "{next} balance {account}  {exactly}")?;
                }
            }
        }
        Ok(())
    }

    /// Ends the journal.
    ///
    /// # Errors
    /// That of the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    /// What an account is counted in.
    pub fn commodity(account: ChartAccount, currency: &Currency) -> &str {
        match account.unit() {
            Unit::Money => currency.as_str(),
            Unit::Credits => CREDIT,
        }
    }

    fn declare(&mut self, account: ChartAccount) -> io::Result<()> {
        if !self.declared.insert(account) {
            return Ok(());
        }
        let meaning = account.meaning();
        match self.format {
            Format::Hledger => {
                writeln!(self.out, "\naccount {account}  ; type:{}\n    ; {meaning}", letter(account.class()))
            }
            Format::Beancount => {
                let commodity = Self::commodity(account, &self.currency);
                writeln!(self.out, "\n{OPENED} open {account} {commodity}\n  meaning: \"{meaning}\"")
            }
        }
    }

    fn amount(&self, account: ChartAccount, micros: i128) -> String {
        let digits = match (self.format, account.unit()) {
            // beancount's reports show as many decimals as most amounts have: all of them.
            (Format::Beancount, _) => 6,
            (Format::Hledger, Unit::Money) => self.currency.minor_digits(),
            (Format::Hledger, Unit::Credits) => 0,
        };
        format!("{} {}", exact(micros, digits), Self::commodity(account, &self.currency))
    }
}

/// hledger's letter for a class of accounts.
const fn letter(class: Class) -> char {
    match class {
        Class::Asset => 'A',
        Class::Liability => 'L',
        Class::Equity => 'E',
        Class::Income => 'R',
        Class::Expense => 'X',
    }
}
