//! Everything that a group writes, as rows.

use rad_core::error::BackendError;
use rad_core::ledger::Posted;

use super::super::book::{Book, Changes};
use super::super::rows::{EntryRow, HOLD, HeadRow, LineRow, StateRow, number};
use super::super::totals::Deltas;

/// Everything that a group writes.
#[derive(Debug, Default)]
pub(in super::super) struct Writes {
    /// The heads of accounts, in the order of ids, each with the number of the last entry that it must still have; 0 if
    /// it must not be there.
    pub(in super::super) heads: Vec<(HeadRow, i64)>,
    pub(in super::super) entries: Vec<EntryRow>,
    pub(in super::super) lines: Vec<LineRow>,
    /// Which charges took from which lots.
    pub(in super::super) took: Vec<Took>,
    pub(in super::super) state: Vec<StateRow>,
    /// Rows of states that are no more.
    pub(in super::super) gone: Vec<Gone>,
    /// What the lines add to the totals of days.
    pub(in super::super) deltas: Deltas,
}

/// A lot and a charge that took from it: a row of `ledger_charge_lots`.
#[derive(Debug)]
pub(in super::super) struct Took {
    pub(in super::super) account: Vec<u8>,
    pub(in super::super) lot: i64,
    pub(in super::super) charge: i64,
}

/// Names a row of `ledger_state`.
#[derive(Debug)]
pub(in super::super) struct Gone {
    pub(in super::super) account: Vec<u8>,
    pub(in super::super) kind: i16,
    pub(in super::super) id: i64,
}

impl Writes {
    /// Adds an entry, its revenue lines, and which lots its charges took from.
    pub(super) fn append(&mut self, posted: &Posted) -> Result<(), BackendError> {
        self.entries.push(EntryRow::of(posted)?);
        for (place, line) in posted.effect.lines.iter().enumerate() {
            self.lines.push(LineRow::of(place, line)?);
            self.deltas.add(line);
        }
        for part in &posted.effect.parts {
            self.took.push(Took {
                account: posted.entry.account.as_bytes().to_vec(),
                lot: number(part.lot)?,
                charge: number(part.charge)?,
            });
        }
        Ok(())
    }

    /// Adds the head of an account and the rows of its state that changed.
    pub(super) fn save(&mut self, book: &Book) -> Result<(), BackendError> {
        let Changes { head, before, rows, gone } = book.changes()?;
        let gone = gone.into_iter().map(|id| Gone { account: head.account.clone(), kind: HOLD, id });
        self.gone.extend(gone);
        self.state.extend(rows);
        self.heads.push((head, before));
        Ok(())
    }
}
