//! Drawing a statement from entries and what they did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::super::exact::Exact;
use super::super::{
    Body, Booked as _, ChargeTerms, Effect, Entry, EntryId, RevenueLine, Rounding, Totals, Violation,
};
use super::{Period, Row, Statement, Subject};
use crate::id::AccountId;
use crate::money::Currency;

/// A statement in the making: a fold over entries and their effects.
///
/// Each account's entries come in their order from the first on, and one account after the other; in which order the
/// accounts come changes nothing. What it keeps is the rows of the period and the charges of the account at hand.
///
/// ```
/// use rad_core::revenue::AccountState;
/// use rad_core::revenue::statement::{Drawing, Subject};
/// # let histories: [Vec<rad_core::revenue::Entry>; 0] = [];
///
/// let mut drawing = Drawing::new(Subject::Platform, "2026-10".parse()?);
/// for history in histories.iter().filter(|history| !history.is_empty()) {
///     let mut state = AccountState::new(history[0].account);
///     for entry in history {
///         drawing.take(entry, &state.apply(entry)?)?;
///     }
/// }
/// assert_eq!(drawing.finish()?.closing, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Drawing {
    subject: Subject,
    period: Period,
    account: Option<AccountId>,
    /// Of the account at hand, the charges concerned.
    charges: BTreeMap<u64, Origin>,
    currency: Option<Currency>,
    opening: i64,
    totals: Totals,
    rows: Vec<Row>,
    rule_versions: BTreeSet<u32>,
    roundings: BTreeSet<Rounding>,
}

/// What a row needs of its charge.
#[derive(Debug, Clone)]
struct Origin {
    at: DateTime<Utc>,
    terms: Arc<ChargeTerms>,
}

impl Drawing {
    /// Begins a statement.
    pub fn new(subject: Subject, period: Period) -> Self {
        Self {
            subject,
            period,
            account: None,
            charges: BTreeMap::new(),
            currency: None,
            opening: 0,
            totals: Totals::default(),
            rows: Vec::new(),
            rule_versions: BTreeSet::new(),
            roundings: BTreeSet::new(),
        }
    }

    /// Takes the next entry and what it did; says whether the statement, its opening balance included, concerns it. Entries
    /// after the period concern none.
    ///
    /// # Errors
    /// [`Violation::UnknownCharge`] for a line whose charge was not taken before it, [`Violation::CurrencyChanged`] if the
    /// lines are in more than one currency, [`Violation::Overflow`]; the drawing is then of no use any more.
    pub fn take(&mut self, entry: &Entry, effect: &Effect) -> Result<bool, Violation> {
        if self.account != Some(entry.account) {
            self.account = Some(entry.account);
            self.charges.clear();
        }
        if entry.at >= self.period.end() {
            return Ok(false);
        }
        if let Body::Capture(capture) = &entry.body
            && self.subject.concerns(entry.account, &capture.terms)
        {
            let origin = Origin { at: entry.at, terms: Arc::clone(&capture.terms) };
            self.charges.insert(entry.seq, origin);
        }
        let subject = self.subject;
        let mut concerned = false;
        for line in effect.lines.iter().filter(|line| subject.concerns_line(line)) {
            self.add(line)?;
            concerned = true;
        }
        Ok(concerned)
    }

    /// The statement of all that was taken.
    ///
    /// # Errors
    /// [`Violation::Overflow`] if a balance does not fit.
    pub fn finish(mut self) -> Result<Statement, Violation> {
        // Lines of one entry stay in their order.
        self.rows.sort_by_key(|row| (row.booked_at, row.entry));
        let mut balance = self.opening;
        for row in &mut self.rows {
            balance = balance.plus(row.share)?;
            row.balance = balance;
        }
        Ok(Statement {
            subject: self.subject,
            period: self.period,
            currency: self.currency,
            opening: self.opening,
            closing: balance,
            totals: self.totals,
            rule_versions: self.rule_versions,
            roundings: self.roundings,
            rows: self.rows,
        })
    }

    fn add(&mut self, line: &RevenueLine) -> Result<(), Violation> {
        if let Some(expected) = self.currency.filter(|currency| *currency != line.currency) {
            return Err(Violation::CurrencyChanged { expected, actual: line.currency });
        }
        self.currency = Some(line.currency);
        let share = self.subject.share_of_line(line);
        if line.at < self.period.start() {
            self.opening = self.opening.plus(share)?;
            return Ok(());
        }
        let unknown = Violation::UnknownCharge { charge: line.charge };
        let origin = self.charges.get(&line.charge).ok_or(unknown)?;
        let account = line.account;
        self.rows.push(Row {
            entry: EntryId { account, seq: line.entry },
            original: line.original.map(|seq| EntryId { account, seq }),
            kind: line.kind,
            booked_at: line.at,
            effective_at: origin.at,
            deployment: line.deployment,
            module: line.module,
            version: origin.terms.commit.clone(),
            credits: line.credits,
            awarded: line.awarded,
            purchased: line.purchased,
            currency: line.currency,
            gross: line.gross,
            share_bps: self.subject.rate_at(&origin.terms),
            rule_version: line.policies.rule_version,
            share,
            balance: 0,
        });
        self.totals.add(&line.figures())?;
        self.rule_versions.insert(line.policies.rule_version);
        self.roundings.insert(line.policies.rounding);
        Ok(())
    }
}
