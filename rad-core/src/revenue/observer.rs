//! Learning what an entry does while it is applied.

use super::{Balance, DebtChange, Earning, Effect, Move, Part};

/// Learns what entries do, one thing after the other, in the order of an [`Effect`]'s lists. `Effect` is the observer that keeps
/// everything; one that only adds up revenue does not pay for the rest. `()` ignores all.
///
/// Every method does nothing unless it is implemented. What was learned of an entry that is then refused means nothing.
pub trait Observer {
    /// An entry is about to be applied.
    fn begin(&mut self) {}

    /// Credits of a lot change their place.
    fn moved(&mut self, _step: Move) {}

    /// A lot pays for a charge or, negative, gets it back.
    fn attributed(&mut self, _part: &Part) {}

    /// Revenue is booked.
    fn earned(&mut self, _earning: &Earning<'_>) {}

    /// Debt arises or goes.
    fn owed(&mut self, _change: DebtChange) {}

    /// A hold had lapsed by the time of the entry.
    fn lapsed(&mut self, _hold: u64) {}

    /// The entry is applied, and this is the balance after it.
    fn applied(&mut self, _balance_after: Balance) {}
}

impl Observer for () {}

impl Observer for Effect {
    fn begin(&mut self) {
        self.clear();
    }

    fn moved(&mut self, step: Move) {
        self.moves.push(step);
    }

    fn attributed(&mut self, part: &Part) {
        self.parts.push(*part);
    }

    fn earned(&mut self, earning: &Earning<'_>) {
        self.lines.push(earning.line());
    }

    fn owed(&mut self, change: DebtChange) {
        self.debts.push(change);
    }

    fn lapsed(&mut self, hold: u64) {
        self.lapsed.push(hold);
    }

    fn applied(&mut self, balance_after: Balance) {
        self.balance_after = balance_after;
    }
}
