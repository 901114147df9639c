//! From entries and their effects to transactions.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::place::{LotBooks, owed};
use super::{Cause, ChartAccount, Transaction};
use crate::money::{Credits, Currency};
use crate::revenue::{AccountState, Body, Effect, Entry, Part, RevenueLine, Violation};

/// The books of one account: turns its entries into [`Transaction`]s, one after the other from the first on.
///
/// ```
/// use rad_core::id::AccountId;
/// use rad_core::money::Currency;
/// use rad_core::revenue::journal::{Books, ChartAccount};
/// use rad_core::revenue::{AccountState, Body, Bucket, Effect, EntryKey, Grant, LotSource};
///
/// let mut state = AccountState::new(AccountId::new());
/// let bought = Body::Grant(Grant {
///     source: LotSource::Purchase,
///     bucket: Bucket::Purchased,
///     credits: "100".parse()?,
///     cost: "10".parse()?,
///     paid: None,
///     expires: None,
///     reference: None,
/// });
/// let entry = state.draft("2026-10-01T08:00:00Z".parse()?, EntryKey::derive("bought", &[]), None, bought);
///
/// let mut books = Books::new(Currency::USD);
/// let mut transactions = Vec::new();
/// books.apply(&mut state, &entry, &mut Effect::default(), &mut transactions)?;
/// let postings = &transactions[0].postings;
/// assert_eq!((postings[0].account, postings[0].micros), (ChartAccount::CashReceived, 10_000_000));
/// assert_eq!((postings[1].account, postings[1].micros), (ChartAccount::DeferredCredits, -10_000_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Books {
    currency: Currency,
    /// What is booked for each lot, in the order of their ids.
    lots: Vec<(u64, LotBooks)>,
    /// What is booked as owed.
    owed: Credits,
    /// What runs out when, as far as it is still ahead.
    due: BTreeMap<DateTime<Utc>, Vec<Due>>,
}

#[derive(Debug, Clone, Copy)]
enum Due {
    Lot(u64),
    Hold(u64),
}

/// What is to be booked at a moment between two entries.
struct Passed {
    at: DateTime<Utc>,
    lots: Vec<(u64, LotBooks)>,
    owed: Credits,
}

const LOT_LOST: Violation = Violation::Inconsistent { what: "a lot is missing: books need the whole state" };

impl Books {
    /// Empty books, for an account whose costs are in `currency`, the platform's.
    pub const fn new(currency: Currency) -> Self {
        Self { currency, lots: Vec::new(), owed: Credits::ZERO, due: BTreeMap::new() }
    }

    /// Empties them for another account, and keeps their memory.
    pub fn clear(&mut self) {
        self.lots.clear();
        self.owed = Credits::ZERO;
        self.due.clear();
    }

    /// Applies the next entry to `state`, and appends what it means: a transaction for each moment at which something ran
    /// out since the entry before, then its own. Neither is there if no money moves: for holds, releases, gifts.
    ///
    /// `state` must be whole, not [compact](AccountState::compact), and the one these books have followed.
    ///
    /// # Errors
    /// The reason why the entry cannot be applied: nothing has changed. [`Violation::CurrencyChanged`] if it earned in
    /// another currency, [`Violation::Overflow`] if a posting does not fit, [`Violation::Inconsistent`] if `state` is not
    /// the one: then throw away state and books.
    pub fn apply(
        &mut self,
        state: &mut AccountState,
        entry: &Entry,
        effect: &mut Effect,
        transactions: &mut Vec<Transaction>,
    ) -> Result<(), Violation> {
        let passed = self.passed(state, entry.at)?;
        state.apply_into(entry, effect)?;
        self.book_passed(state, passed, transactions)?;
        self.post(state, entry, effect, transactions)
    }

    /// Appends what runs out up to `at`, a time not before the last entry: before an entry that is applied elsewhere, or
    /// for reports that end between two entries. Going on with entries at or after `at` gives the same transactions as never
    /// having asked.
    ///
    /// # Errors
    /// [`Violation::Overflow`], [`Violation::Inconsistent`] as for [`apply`](Self::apply).
    pub fn pass(
        &mut self,
        state: &AccountState,
        at: DateTime<Utc>,
        transactions: &mut Vec<Transaction>,
    ) -> Result<(), Violation> {
        let passed = self.passed(state, at)?;
        self.book_passed(state, passed, transactions)
    }

    /// Appends what an entry means that was applied elsewhere, after its time [passed](Self::pass): `state` is that after
    /// it, and `effect` what it did.
    ///
    /// # Errors
    /// [`Violation::CurrencyChanged`], [`Violation::Overflow`], [`Violation::Inconsistent`] as for [`apply`](Self::apply).
    pub fn post(
        &mut self,
        state: &AccountState,
        entry: &Entry,
        effect: &Effect,
        transactions: &mut Vec<Transaction>,
    ) -> Result<(), Violation> {
        let cause = Cause::Entry { seq: entry.seq, kind: entry.body.kind() };
        let mut transaction = Transaction::new(entry.account, entry.at, cause);
        if let Body::Grant(grant) = &entry.body {
            transaction.debit(ChartAccount::CashReceived, grant.cost.micros())?;
        }
        self.settle_lots(state, entry.at, effect, &mut transaction)?;
        for part in &effect.parts {
            book_part(part, &effect.lines, self.currency, &mut transaction)?;
        }
        for line in &effect.lines {
            book_line(line, self.currency, &mut transaction)?;
        }
        self.settle_owed(effect.balance_after.debt, &mut transaction)?;
        self.note_due(entry);
        transactions.extend(transaction.finish()?);
        Ok(())
    }

    /// What is to be booked for the time up to `at`.
    fn passed(&self, state: &AccountState, at: DateTime<Utc>) -> Result<Vec<Passed>, Violation> {
        let mut passed = Vec::new();
        for (&at, due) in self.due.range(..=at) {
            let mut lots = Vec::new();
            for due in due {
                let ids = match *due {
                    Due::Lot(lot) => vec![lot],
                    Due::Hold(id) => {
                        let hold = state.holds().find(|hold| hold.id == id);
                        hold.into_iter().flat_map(|hold| hold.parts).map(|(lot, _)| lot).collect()
                    }
                };
                for id in ids {
                    let lot = state.lot(id).ok_or(LOT_LOST)?;
                    lots.push((id, LotBooks::of(lot, state, at)?));
                }
            }
            passed.push(Passed { at, lots, owed: owed(state, at)? });
        }
        Ok(passed)
    }

    fn book_passed(
        &mut self,
        state: &AccountState,
        passed: Vec<Passed>,
        transactions: &mut Vec<Transaction>,
    ) -> Result<(), Violation> {
        for Passed { at, lots, owed } in passed {
            let mut transaction = Transaction::new(state.account(), at, Cause::Expiry);
            for (id, books) in lots {
                self.settle(id, books, &mut transaction)?;
            }
            self.settle_owed(owed, &mut transaction)?;
            self.due.remove(&at);
            transactions.extend(transaction.finish()?);
        }
        Ok(())
    }

    fn settle_lots(
        &mut self,
        state: &AccountState,
        at: DateTime<Utc>,
        effect: &Effect,
        transaction: &mut Transaction,
    ) -> Result<(), Violation> {
        for (place, step) in effect.moves.iter().enumerate() {
            let seen = effect.moves.iter().take(place).rev().any(|earlier| earlier.lot == step.lot);
            let lot = state.lot(step.lot).ok_or(LOT_LOST)?;
            if lot.is_paid() && !seen {
                self.settle(step.lot, LotBooks::of(lot, state, at)?, transaction)?;
            }
        }
        Ok(())
    }

    /// Books what changed for a lot. What went to spent credits is the other side of [`book_part`].
    fn settle(&mut self, id: u64, now: LotBooks, transaction: &mut Transaction) -> Result<(), Violation> {
        let place = self.lots.binary_search_by_key(&id, |(lot, _)| *lot).unwrap_or_else(|place| {
            self.lots.insert(place, (id, LotBooks::default()));
            place
        });
        let (_, before) = self.lots.get_mut(place).ok_or(LOT_LOST)?;
        for (account, before, now) in [
            (ChartAccount::DeferredCredits, before.deferred, now.deferred),
            (ChartAccount::Breakage, before.breakage, now.breakage),
            (ChartAccount::Removed, before.removed, now.removed),
            (ChartAccount::CashReturned, before.returned, now.returned),
        ] {
            // Both are parts of a cost, which is not negative.
            transaction.credit(account, now.micros().saturating_sub(before.micros()))?;
        }
        *before = now;
        Ok(())
    }

    fn settle_owed(&mut self, now: Credits, transaction: &mut Transaction) -> Result<(), Violation> {
        let change = now.micros().saturating_sub(self.owed.micros());
        transaction.debit(ChartAccount::DebtsReceivable, change)?;
        transaction.credit(ChartAccount::Claims, change)?;
        self.owed = now;
        Ok(())
    }

    fn note_due(&mut self, entry: &Entry) {
        let due = match &entry.body {
            Body::Grant(grant) if grant.cost.is_positive() => {
                grant.expires.map(|at| (at, Due::Lot(entry.seq)))
            }
            Body::Hold(hold) => hold.expires.map(|at| (at, Due::Hold(entry.seq))),
            _ => None,
        };
        if let Some((at, due)) = due {
            self.due.entry(at).or_default().push(due);
        }
    }
}

/// The other side of the cost of spent credits: a project's or, apart from the whole minor units that [`book_line`] books,
/// what a charge yields.
fn book_part(
    part: &Part,
    lines: &[RevenueLine],
    currency: Currency,
    transaction: &mut Transaction,
) -> Result<(), Violation> {
    let (cost, gross) = (part.cost.micros(), part.gross.micros());
    // Every charge that earns has a line in the effect; project debits have none.
    if !lines.iter().any(|line| line.charge == part.charge) {
        return transaction.credit(ChartAccount::Projects, cost);
    }
    let whole = minor_in_micros(part.gross_minor, currency)?;
    // Cost and revenue of a part have the same sign.
    transaction.debit(ChartAccount::Basis, gross.saturating_sub(cost))?;
    transaction.credit(ChartAccount::DeferredUnrounded, gross.saturating_sub(whole))
}

fn book_line(line: &RevenueLine, currency: Currency, transaction: &mut Transaction) -> Result<(), Violation> {
    if line.currency != currency {
        return Err(Violation::CurrencyChanged { expected: currency, actual: line.currency });
    }
    transaction.credit(ChartAccount::of_revenue(line.kind), minor_in_micros(line.gross, currency)?)?;
    let partner = (line.partner, line.publisher.map(ChartAccount::PartnerPayable));
    let agent = (line.agent, line.agent_account.map(ChartAccount::AgentPayable));
    let partners = [ChartAccount::PartnerShares, ChartAccount::PartnerClawback];
    let agents = [ChartAccount::AgentShares, ChartAccount::AgentClawback];
    for ((minor, payable), [earned, clawback]) in [(partner, partners), (agent, agents)] {
        let payee = Violation::Inconsistent { what: "a share of nobody" };
        let Some(payable) = payable else { if minor == 0 { continue } else { return Err(payee) } };
        let micros = minor_in_micros(minor, currency)?;
        transaction.debit(if micros < 0 { clawback } else { earned }, micros)?;
        transaction.credit(payable, micros)?;
    }
    Ok(())
}

pub(super) fn minor_in_micros(minor: i64, currency: Currency) -> Result<i64, Violation> {
    minor.checked_mul(currency.micros_per_minor()).ok_or(Violation::Overflow { what: "revenue" })
}
