//! The replay that every command is built on: records through the engine, account by account.

use chrono::{DateTime, Utc};
use rad_core::export::Record;
use rad_core::revenue::{AccountState, Effect, Entry, PLATFORM_ACCOUNT};

use crate::failure::{Failure, Refusal};
use crate::progress::Progress;
use crate::source::{self, Records, Wanted};

/// A replay in progress. It holds the state of one account.
pub struct Fold {
    records: Box<dyn Records>,
    progress: Progress,
    record: Record,
    state: AccountState,
    effect: Effect,
    ahead: Ahead,
    /// Whether the end of the account in hand was given.
    is_ended: bool,
    until: Option<DateTime<Utc>>,
}

/// What comes next in a replay.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// An entry was applied.
    Entry(Applied<'a>),
    /// The account has no more entries; its state after them.
    AccountEnd(&'a AccountState),
}

/// An entry that was applied.
#[derive(Debug, Clone, Copy)]
pub struct Applied<'a> {
    /// The entry, with what the books say of it where that was wanted.
    pub record: &'a Record,
    /// What it did.
    pub effect: &'a Effect,
    /// The account after it.
    pub state: &'a AccountState,
    /// Its line, in sources that have lines.
    pub line: Option<u64>,
}

/// Whether the record in hand is still to be applied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ahead {
    Nothing,
    Record,
    End,
}

impl Fold {
    /// Begins before the first entry of a source.
    ///
    /// # Errors
    /// As [`source::open`].
    pub fn open(source: &str, wanted: Wanted) -> Result<Self, Failure> {
        Ok(Self::over(source::open(source, wanted)?))
    }

    /// Begins before the first of these records.
    pub fn over(records: Box<dyn Records>) -> Self {
        Self {
            records,
            progress: Progress::new(),
            record: Record::default(),
            state: AccountState::new(PLATFORM_ACCOUNT),
            effect: Effect::default(),
            ahead: Ahead::Nothing,
            is_ended: false,
            until: None,
        }
    }

    /// Leaves out entries at or after `until`, unread: accounts end before it.
    #[must_use]
    pub const fn until(mut self, until: Option<DateTime<Utc>>) -> Self {
        self.until = until;
        self
    }

    /// What the source was opened by.
    pub fn source(&self) -> &str {
        self.records.name()
    }

    /// The account in hand, and the entry of it that the next [`step`](Self::step) applies; `None` before the first entry of
    /// an account and after the last.
    ///
    /// # Errors
    /// [`Failure`] if the source cannot be read on.
    pub fn ahead(&mut self) -> Result<Option<(&AccountState, &Entry)>, Failure> {
        if self.ahead == Ahead::Nothing {
            self.advance()?;
        }
        let goes_on = self.state.seq() > 0 && self.goes_on();
        Ok(goes_on.then_some((&self.state, &self.record.entry)))
    }

    /// Applies the next entry; `None` after the last account.
    ///
    /// # Errors
    /// [`Failure`] if the source cannot be read on or the engine refuses the entry.
    pub fn step(&mut self) -> Result<Option<Step<'_>>, Failure> {
        if self.ahead == Ahead::Nothing {
            self.advance()?;
        }
        if !self.is_ended && self.state.seq() > 0 && !self.goes_on() {
            self.is_ended = true;
            return Ok(Some(Step::AccountEnd(&self.state)));
        }
        if self.ahead == Ahead::End {
            return Ok(None);
        }
        self.apply().map(|applied| Some(Step::Entry(applied)))
    }

    /// Whether the record ahead is of the account in hand.
    fn goes_on(&self) -> bool {
        self.ahead == Ahead::Record && self.record.entry.account == self.state.account()
    }

    /// Reads the next record that is to be applied.
    fn advance(&mut self) -> Result<(), Failure> {
        while self.records.next(&mut self.record)? {
            self.progress.note(&*self.records);
            if self.until.is_none_or(|until| self.record.entry.at < until) {
                self.ahead = Ahead::Record;
                return Ok(());
            }
        }
        self.ahead = Ahead::End;
        Ok(())
    }

    fn apply(&mut self) -> Result<Applied<'_>, Failure> {
        self.ahead = Ahead::Nothing;
        self.is_ended = false;
        let entry = &self.record.entry;
        if entry.account != self.state.account() {
            self.state.reset(entry.account);
        }
        self.state.apply_into(entry, &mut self.effect).map_err(|violation| Refusal {
            source: self.records.name().to_owned(),
            line: self.records.line(),
            account: entry.account,
            seq: entry.seq,
            violation,
        })?;
        let line = self.records.line();
        Ok(Applied { record: &self.record, effect: &self.effect, state: &self.state, line })
    }
}
