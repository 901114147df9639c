//! The balances that the engine's own figures call for, without a look at any transaction.

use chrono::{DateTime, Utc};

use super::books::minor_in_micros;
use super::place::{LotBooks, owed};
use super::{Balances, ChartAccount};
use crate::money::Currency;
use crate::revenue::{AccountState, LineKind, RevenueLine, Violation};

/// Sums over revenue lines and final states. The [`Balances`] of all transactions must equal it: the identities are
/// listed in the [module](super).
#[derive(Debug, Clone)]
pub struct Proof {
    currency: Currency,
    balances: Balances,
}

impl Proof {
    /// The proof of books in the platform's currency.
    pub fn new(currency: Currency) -> Self {
        Self { currency, balances: Balances::default() }
    }

    /// Counts a revenue line.
    ///
    /// # Errors
    /// [`Violation::Overflow`] if it does not fit.
    pub fn add_line(&mut self, line: &RevenueLine) -> Result<(), Violation> {
        let micros = |minor| minor_in_micros(minor, self.currency).map(i128::from);
        let (gross, partner, agent) = (micros(line.gross)?, micros(line.partner)?, micros(line.agent)?);
        let books = &mut self.balances;
        books.debit(ChartAccount::of_revenue(line.kind), gross.saturating_neg());
        let taken_back = matches!(line.kind, LineKind::Refund | LineKind::Reversal);
        let (partners, agents) = match taken_back {
            true => (ChartAccount::PartnerClawback, ChartAccount::AgentClawback),
            false => (ChartAccount::PartnerShares, ChartAccount::AgentShares),
        };
        books.debit(partners, partner);
        books.debit(agents, agent);
        if let Some(id) = line.publisher {
            books.debit(ChartAccount::PartnerPayable(id), partner.saturating_neg());
        }
        if let Some(id) = line.agent_account {
            books.debit(ChartAccount::AgentPayable(id), agent.saturating_neg());
        }
        Ok(())
    }

    /// Counts the final state of an account, as it is at `at`, a time not before its last entry.
    ///
    /// # Errors
    /// [`Violation::Overflow`] if a sum does not fit.
    pub fn add_account(&mut self, state: &AccountState, at: DateTime<Utc>) -> Result<(), Violation> {
        let mut above_cost = 0_i128;
        for lot in state.lots() {
            let books = LotBooks::of(lot, state, at)?;
            let booked = minor_in_micros(lot.booked, self.currency)?;
            for (account, micros) in [
                (ChartAccount::CashReceived, lot.cost.micros()),
                (ChartAccount::CashReturned, lot.reversed_cost.micros().saturating_neg()),
                (ChartAccount::DeferredCredits, books.deferred.micros().saturating_neg()),
                (ChartAccount::Breakage, books.breakage.micros().saturating_neg()),
                (ChartAccount::Removed, books.removed.micros().saturating_neg()),
                (ChartAccount::DeferredUnrounded, booked.saturating_sub(lot.earned.micros())),
            ] {
                self.balances.debit(account, micros.into());
            }
            let spent = lot.spent_cost().micros();
            above_cost = above_cost.saturating_add(lot.earned.micros().saturating_sub(spent).into());
        }
        let projects = cost_of_projects(state);
        self.balances.debit(ChartAccount::Projects, projects.saturating_neg());
        self.balances.debit(ChartAccount::Basis, above_cost.saturating_add(projects));
        let owed = i128::from(owed(state, at)?.micros());
        self.balances.debit(ChartAccount::DebtsReceivable, owed);
        self.balances.debit(ChartAccount::Claims, owed.saturating_neg());
        Ok(())
    }

    /// What the balance of each account must be.
    pub const fn balances(&self) -> &Balances {
        &self.balances
    }
}

/// What the credits had cost that project debits took and still have.
fn cost_of_projects(state: &AccountState) -> i128 {
    let charges = state.snapshot().charges.into_iter().filter(|charge| charge.terms.is_none());
    charges.flat_map(|charge| charge.parts).map(|part| i128::from(part.cost.micros())).sum()
}
