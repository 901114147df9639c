//! Transactions: postings that add up to nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{ChartAccount, Unit};
use crate::id::AccountId;
use crate::revenue::Violation;

/// What one entry, or the passing of time, means in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Whose credits moved.
    pub payer: AccountId,
    /// When: the time of the entry; of an expiry the moment the credits became void.
    pub at: DateTime<Utc>,
    /// Why.
    pub cause: Cause,
    /// In the order of the chart, each account once, none of them zero. In each [`Unit`] they add up to nothing.
    pub postings: Vec<Posting>,
}

/// Why there is a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// An entry.
    Entry {
        /// Its number in its account.
        seq: u64,
        /// Its kind, as in JSON.
        kind: &'static str,
    },
    /// Credits or holds ran out.
    Expiry,
}

impl Cause {
    /// The kind of the entry, or `expiry`.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Entry { kind, .. } => kind,
            Self::Expiry => "expiry",
        }
    }
}

/// What is debited to an account or, negative, credited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Posting {
    /// The account.
    pub account: ChartAccount,
    /// How much, in millionths of the account's [`Unit`].
    pub micros: i64,
}

impl Transaction {
    pub(super) const fn new(payer: AccountId, at: DateTime<Utc>, cause: Cause) -> Self {
        Self { payer, at, cause, postings: Vec::new() }
    }

    /// Debits an account.
    pub(super) fn debit(&mut self, account: ChartAccount, micros: i64) -> Result<(), Violation> {
        match self.postings.iter_mut().find(|posting| posting.account == account) {
            Some(posting) => posting.micros = posting.micros.checked_add(micros).ok_or(TOO_MUCH)?,
            None if micros == 0 => {}
            None => self.postings.push(Posting { account, micros }),
        }
        Ok(())
    }

    /// Credits an account.
    pub(super) fn credit(&mut self, account: ChartAccount, micros: i64) -> Result<(), Violation> {
        self.debit(account, micros.checked_neg().ok_or(TOO_MUCH)?)
    }

    /// Puts the postings in order and insists that they add up; `None` if there are none.
    pub(super) fn finish(mut self) -> Result<Option<Self>, Violation> {
        self.postings.retain(|posting| posting.micros != 0);
        self.postings.sort_unstable_by_key(|posting| posting.account);
        if !self.is_balanced() {
            return Err(Violation::Inconsistent { what: "a transaction that does not add up" });
        }
        Ok((!self.postings.is_empty()).then_some(self))
    }

    /// Whether debits and credits are equal, in each unit.
    pub fn is_balanced(&self) -> bool {
        [Unit::Money, Unit::Credits].into_iter().all(|unit| {
            let of_unit = self.postings.iter().filter(|posting| posting.account.unit() == unit);
            of_unit.map(|posting| i128::from(posting.micros)).sum::<i128>() == 0
        })
    }
}

const TOO_MUCH: Violation = Violation::Overflow { what: "a posting" };

/// The balance of each account: what was debited to it less what was credited, in millionths of its [`Unit`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Balances(BTreeMap<ChartAccount, i128>);

impl Balances {
    /// Adds the postings of a transaction.
    pub fn add(&mut self, transaction: &Transaction) {
        for posting in &transaction.postings {
            self.debit(posting.account, posting.micros.into());
        }
    }

    /// Adds all of other balances.
    pub fn add_all(&mut self, other: &Self) {
        for (account, micros) in other.iter() {
            self.debit(account, micros);
        }
    }

    /// The balance of an account.
    pub fn of(&self, account: ChartAccount) -> i128 {
        self.0.get(&account).copied().unwrap_or(0)
    }

    /// The accounts with a balance other than zero, in the order of the chart.
    pub fn iter(&self) -> impl Iterator<Item = (ChartAccount, i128)> {
        self.0.iter().map(|(account, micros)| (*account, *micros))
    }

    /// Debits an account; a balance of zero is as none, so that equal balances are equal.
    pub(super) fn debit(&mut self, account: ChartAccount, micros: i128) {
        // 2^64 postings of the largest size fit.
        let sum = self.of(account).saturating_add(micros);
        if sum == 0 {
            self.0.remove(&account);
        } else {
            self.0.insert(account, sum);
        }
    }
}
