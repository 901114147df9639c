//! The statements that posting writes rows with.
//!
//! Each takes a list of rows, of which those without an account are left out: the list always has one of a few lengths.
//!
//! What fails rolls the whole transaction back. Otherwise SQLite would have to be able to take back one statement alone, and
//! keep every page that it changes as it was before.

use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;

use super::super::posting::{Gone, Took};
use super::super::rows::{EntryRow, HeadRow, LineRow, StateRow};
use super::super::totals::DeltaRow;

/// A row that posting writes.
pub(super) trait Row {
    /// How many parameters a row takes.
    const COLUMNS: usize;

    /// What is done with rows, up to their list, and after it.
    const STATEMENT: [&'static str; 2];

    fn bind(self, arguments: &mut SqliteArguments) -> Result<(), BoxDynError>;
}

macro_rules! row {
    ($row:ty, $statement:expr, $self:ident => $($value:expr),+ $(,)?) => {
        impl Row for $row {
            const COLUMNS: usize = [$(stringify!($value)),+].len();
            const STATEMENT: [&'static str; 2] = $statement;

            fn bind($self, arguments: &mut SqliteArguments) -> Result<(), BoxDynError> {
                $(arguments.add($value)?;)+
                Ok(())
            }
        }
    };
}

// A head that is not, or no longer, where its book began is given no account, which no row can be without.
row!(
    (HeadRow, i64),
    [
        "INSERT OR ROLLBACK INTO ledger_accounts (account, seq, hash, state)
         SELECT CASE coalesce((SELECT seq FROM ledger_accounts WHERE account = column1), 0)
                WHEN column5 THEN column1 END, column2, column3, column4
         FROM (VALUES ",
        ") WHERE column1 IS NOT NULL
         ON CONFLICT DO UPDATE SET seq = excluded.seq, hash = excluded.hash, state = excluded.state;",
    ],
    self => self.0.account, self.0.seq, self.0.hash, self.0.state, self.1,
);

row!(
    EntryRow,
    [
        "INSERT OR ROLLBACK INTO ledger_entries
            (account, seq, at, key, actor, kind, category, deployment, module, note, body, effect, hash)
         SELECT * FROM (VALUES ",
        ") WHERE column1 IS NOT NULL;",
    ],
    self => self.account, self.seq, self.at, self.key, self.actor, self.kind, self.category, self.deployment,
    self.module, self.note, self.body, self.effect, self.hash,
);

row!(
    LineRow,
    [
        "INSERT OR ROLLBACK INTO ledger_lines
            (account, entry, place, at, partner, agent, module, gross, partner_share, agent_share, platform_share)
         SELECT * FROM (VALUES ",
        ") WHERE column1 IS NOT NULL;",
    ],
    self => self.account, self.entry, self.place, self.at, self.partner, self.agent, self.module, self.gross,
    self.partner_share, self.agent_share, self.platform_share,
);

row!(
    Took,
    [
        "INSERT OR ROLLBACK INTO ledger_charge_lots (account, lot, charge) SELECT * FROM (VALUES ",
        ") WHERE column1 IS NOT NULL ON CONFLICT DO NOTHING;",
    ],
    self => self.account, self.lot, self.charge,
);

row!(
    StateRow,
    [
        "INSERT OR ROLLBACK INTO ledger_state (account, kind, id, is_open, value) SELECT * FROM (VALUES ",
        ") WHERE column1 IS NOT NULL
         ON CONFLICT DO UPDATE SET is_open = excluded.is_open, value = excluded.value;",
    ],
    self => self.account, self.kind, self.id, self.is_open, self.value,
);

row!(
    Gone,
    ["DELETE FROM ledger_state WHERE (account, kind, id) IN (VALUES ", ");"],
    self => self.account, self.kind, self.id,
);

row!(
    DeltaRow,
    [
        "INSERT OR ROLLBACK INTO ledger_revenue_deltas (day, partner, agent, module, lines, gross, partner_share, agent_share)
         SELECT * FROM (VALUES ",
        ") WHERE column1 IS NOT NULL;",
    ],
    self => self.day, self.partner, self.agent, self.module, self.lines, self.gross, self.partner_share,
    self.agent_share,
);
