//! Pages of revenue lines.

use rad_core::error::BackendError;
use rad_core::ledger::{LinePlace, RevenueQuery};
use rad_core::page::{Page, Turn};
use rad_core::revenue::RevenueLine;
use sqlx::FromRow;

use super::super::rows::{line_at, number};
use super::sql::{Sql, ceiling};

/// Where a line stands among those that an entry booked, and what the entry did: the line follows from both.
#[derive(Debug, FromRow)]
pub(in super::super) struct BookedRow {
    place: i64,
    effect: Vec<u8>,
}

/// Selects [`BookedRow`]s of a page of revenue lines, and one more if there is another page.
pub(in super::super) fn select_lines(sql: &mut impl Sql, query: &RevenueQuery, turn: Turn<LinePlace>) {
    sql.text(
        "SELECT place,
                (SELECT effect FROM ledger_entries
                 WHERE ledger_entries.account = ledger_lines.account AND ledger_entries.seq = ledger_lines.entry)
                AS effect
         FROM ledger_lines WHERE 1 = 1",
    );
    narrow_lines(sql, query);
    for (condition, at) in [(" AND at >= ", query.from), (" AND at < ", query.to)] {
        if let Some(at) = at {
            sql.text(condition).time(ceiling(at));
        }
    }
    let rises = turn.rises(false);
    if let Some(place) = turn.place() {
        // No line is at a number that the database cannot keep.
        let [entry, index] = [place.entry, place.index].map(|place| number(place).unwrap_or(i64::MAX));
        sql.text(if rises {
            " AND (at, account, entry, place) > ("
        } else {
            " AND (at, account, entry, place) < ("
        });
        sql.time(super::super::micros::Micros(place.at));
        sql.text(", ").bytes(place.account.as_bytes());
        sql.text(", ").number(entry).text(", ").number(index).text(")");
    }
    sql.text(if rises {
        " ORDER BY at, account, entry, place LIMIT "
    } else {
        " ORDER BY at DESC, account DESC, entry DESC, place DESC LIMIT "
    });
    sql.number(query.page_size() as i64 + 1);
}

/// Adds the conditions on whose the lines are.
pub(in super::super) fn narrow_lines(sql: &mut impl Sql, query: &RevenueQuery) {
    let ids = [
        (" AND partner = ", query.partner.map(|id| *id.as_bytes())),
        (" AND agent = ", query.agent.map(|id| *id.as_bytes())),
        (" AND account = ", query.account.map(|id| *id.as_bytes())),
        (" AND module = ", query.module.map(|id| *id.as_bytes())),
    ];
    for (condition, id) in ids {
        if let Some(id) = id {
            sql.text(condition).bytes(&id);
        }
    }
}

/// The page of what [`select_lines`] selected.
pub(in super::super) fn page_of_lines(
    query: &RevenueQuery,
    turn: Turn<LinePlace>,
    rows: &[BookedRow],
) -> Result<Page<RevenueLine>, BackendError> {
    let line = |row: &BookedRow| {
        let line = line_at(row.place, &row.effect)?;
        Ok((LinePlace::of(&line, usize::try_from(row.place).unwrap_or(usize::MAX)), line))
    };
    let found = rows.iter().map(line).collect::<Result<_, BackendError>>()?;
    Ok(turn.page(found, query.page_size(), |(place, _)| *place).map(|(_, line)| line))
}
