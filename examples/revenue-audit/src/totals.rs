//! What all entries did, summed over accounts: credits by where they went, and the money behind them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rad_core::money::Amount;
use rad_core::revenue::{AccountState, Balance, Body, Move, PLATFORM_ACCOUNT, Place};
use serde::Serialize;

use crate::figures::Sum;
use crate::fold::Applied;
use crate::period::Period;

/// Sums over the entries of a period, and what is left at its end.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Totals {
    /// Entries in the period.
    pub entries: u64,
    /// Accounts with entries up to the end of the period; the one with the share rules is not counted.
    pub accounts: u64,
    /// Credits.
    pub credits: CreditTotals,
    /// What was paid for credits, in the platform's currency.
    pub received: Sum,
    /// What of that was paid back or lost in disputes.
    pub paid_back: Sum,
    /// What was reversed of the lots of the account in hand, so far.
    #[serde(skip)]
    reversed: BTreeMap<u64, Amount>,
}

/// Credits. Over all of time,
/// `granted = spent + expired + removed + reversed + spendable + held + frozen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CreditTotals {
    /// Arrived.
    pub granted: Sum,
    /// Paid for charges and projects, less what was refunded or reversed.
    pub spent: Sum,
    /// Became void, at the time they did, less what a reversal took of them.
    pub expired: Sum,
    /// Taken away by adjustments, less what a reversal took of them.
    pub removed: Sum,
    /// Taken back with their payment.
    pub reversed: Sum,
    /// Usable at the end of the period; without one, after the last entry of each account.
    pub spendable: Sum,
    /// Reserved at that time.
    pub held: Sum,
    /// Frozen at that time.
    pub frozen: Sum,
    /// Owed at that time.
    pub debt: Sum,
}

impl Totals {
    /// Adds what an entry did.
    pub fn add_entry(&mut self, applied: &Applied<'_>, period: Period) {
        let entry = &applied.record.entry;
        for change in &applied.effect.moves {
            if period.contains(time_of(change, applied.state, entry.at)) {
                self.credits.add_move(change);
            }
        }
        let paid_back = self.paid_back_by(&entry.body, applied.state);
        if period.contains(entry.at) {
            self.entries = self.entries.saturating_add(1);
            self.paid_back.add_amount(paid_back);
            if let Body::Grant(grant) = &entry.body {
                self.received.add_amount(grant.cost);
            }
        }
    }

    /// Adds what an account is left with, and what of it ran out after its last entry.
    pub fn end_account(&mut self, state: &AccountState, period: Period) {
        self.reversed.clear();
        let Some(last) = state.last().filter(|_| state.account() != PLATFORM_ACCOUNT) else { return };
        self.accounts = self.accounts.saturating_add(1);
        let end = period.last().map_or(last, |end| end.max(last));
        let start = period.from.map_or(last, |from| from.clamp(last, end));
        let left = state.balance(end);
        self.credits.expired = self.credits.expired.plus(unspent(state.balance(start))).minus(unspent(left));
        self.credits.spendable.add(left.spendable());
        self.credits.held.add(left.held());
        self.credits.frozen.add(left.frozen);
        self.credits.debt.add(left.debt);
    }

    /// What a reversal took of the cost of its lot.
    fn paid_back_by(&mut self, body: &Body, state: &AccountState) -> Amount {
        let Body::Reversal(reversal) = body else { return Amount::ZERO };
        let now = state.lot(reversal.lot).map_or(Amount::ZERO, |lot| lot.reversed_cost);
        let before = self.reversed.insert(reversal.lot, now).unwrap_or_default();
        now.checked_sub(before).unwrap_or_default()
    }
}

impl CreditTotals {
    fn add_move(&mut self, change: &Move) {
        if change.from == Place::Outside {
            self.granted.add(change.credits);
        }
        if let Some(sum) = self.place_mut(change.from) {
            sum.subtract(change.credits);
        }
        if let Some(sum) = self.place_mut(change.to) {
            sum.add(change.credits);
        }
    }

    /// Where credits end; what is still in its lot is counted at the end.
    const fn place_mut(&mut self, place: Place) -> Option<&mut Sum> {
        match place {
            Place::Spent => Some(&mut self.spent),
            Place::Expired => Some(&mut self.expired),
            Place::Removed => Some(&mut self.removed),
            Place::Reversed => Some(&mut self.reversed),
            Place::Outside | Place::Open | Place::Frozen | Place::Held => None,
        }
    }
}

/// When a move took place: unused credits become void when they expire, not when the next entry books it.
fn time_of(change: &Move, state: &AccountState, booked: DateTime<Utc>) -> DateTime<Utc> {
    match (change.from, change.to) {
        (Place::Open | Place::Frozen, Place::Expired) => {
            state.lot(change.lot).and_then(|lot| lot.expires).unwrap_or(booked)
        }
        _ => booked,
    }
}

fn unspent(balance: Balance) -> Sum {
    let mut sum = Sum::default();
    for credits in [balance.spendable(), balance.held(), balance.frozen] {
        sum.add(credits);
    }
    sum
}

/// Whether everything that was granted is somewhere: holds for totals over all of time.
pub fn is_conserved(credits: &CreditTotals) -> bool {
    let CreditTotals { granted, spent, expired, removed, reversed, spendable, held, frozen, debt: _ } =
        *credits;
    let places = [spent, expired, removed, reversed, spendable, held, frozen];
    places.into_iter().fold(Sum::default(), Sum::plus) == granted
}
