//! Listings: the SQL that both databases take, with the values bound as each wants it, and pages made of what comes back.

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{EntryQuery, Posted, RevenueQuery, RevenueTotals};
use rad_core::page::{Cursor, Page};
use rad_core::revenue::RevenueLine;
use sqlx::{ColumnIndex, Decode, FromRow, QueryBuilder, Row, Sqlite, Type};

use super::micros::Micros;
use super::rows::{EntryRow, LineRow, line_at};
use crate::database::{bytes, failed};

/// SQL being written for a database.
pub(super) trait Sql {
    fn text(&mut self, sql: &'static str) -> &mut Self;
    fn id(&mut self, id: &[u8; 16]) -> &mut Self;
    fn bytes(&mut self, bytes: Vec<u8>) -> &mut Self;
    fn name(&mut self, name: String) -> &mut Self;
    fn number(&mut self, number: i64) -> &mut Self;
    fn time(&mut self, time: Micros) -> &mut Self;
}

macro_rules! write_sql_for {
    ($database:ty) => {
        impl Sql for QueryBuilder<$database> {
            fn text(&mut self, sql: &'static str) -> &mut Self {
                self.push(sql)
            }

            fn id(&mut self, id: &[u8; 16]) -> &mut Self {
                self.push_bind(id.to_vec())
            }

            fn bytes(&mut self, bytes: Vec<u8>) -> &mut Self {
                self.push_bind(bytes)
            }

            fn name(&mut self, name: String) -> &mut Self {
                self.push_bind(name)
            }

            fn number(&mut self, number: i64) -> &mut Self {
                self.push_bind(number)
            }

            fn time(&mut self, time: Micros) -> &mut Self {
                self.push_bind(time)
            }
        }
    };
}

write_sql_for!(Sqlite);
#[cfg(feature = "postgres")]
write_sql_for!(sqlx::Postgres);

/// Selects a page of entries, and one more if there is another page.
pub(super) fn select_entries(sql: &mut impl Sql, query: &EntryQuery) {
    sql.text("SELECT * FROM ledger_entries WHERE account = ").id(query.account.as_bytes());
    if let Some(category) = query.category {
        sql.text(" AND category = ").name(category.to_string());
    }
    if let Some(deployment) = query.deployment {
        sql.text(" AND deployment = ").name(deployment.to_string());
    }
    if let Some(seq) = query.after.as_ref().and_then(|cursor| cursor.as_str().parse::<i64>().ok()) {
        sql.text(if query.oldest_first { " AND seq > " } else { " AND seq < " }).number(seq);
    }
    sql.text(if query.oldest_first { " ORDER BY seq" } else { " ORDER BY seq DESC" });
    sql.text(" LIMIT ").number(entries_on_page(query) as i64 + 1);
}

/// The page of what [`select_entries`] selected.
pub(super) fn page_of_entries(query: &EntryQuery, rows: &[EntryRow]) -> Result<Page<Posted>, BackendError> {
    let limit = entries_on_page(query);
    let items: Vec<Posted> = rows.iter().take(limit).map(EntryRow::posted).collect::<Result<_, _>>()?;
    let next = items.last().filter(|_| rows.len() > limit);
    let next = next.map(|last| Cursor::new(last.entry.seq.to_string()));
    Ok(Page { items, next })
}

/// Selects a page of revenue lines, and one more if there is another page.
pub(super) fn select_lines(sql: &mut impl Sql, query: &RevenueQuery) {
    sql.text(
        "SELECT ledger_lines.*,
                (SELECT effect FROM ledger_entries
                 WHERE ledger_entries.account = ledger_lines.account AND ledger_entries.seq = ledger_lines.entry)
                AS effect
         FROM ledger_lines WHERE ",
    );
    conditions(sql, query);
    if let Some(place) = query.after.as_ref().and_then(Place::read) {
        sql.text(" AND (at, account, entry, place) < (").time(place.at);
        sql.text(", ").id(place.account.as_bytes());
        sql.text(", ").number(place.entry).text(", ").number(place.place).text(")");
    }
    sql.text(" ORDER BY at DESC, account DESC, entry DESC, place DESC LIMIT ");
    sql.number(lines_on_page(query) as i64 + 1);
}

/// The page of what [`select_lines`] selected: the lines as the effects of their entries have them.
pub(super) fn page_of_lines<'r, R: Row>(
    query: &RevenueQuery,
    rows: &'r [R],
) -> Result<Page<RevenueLine>, BackendError>
where
    LineRow: FromRow<'r, R>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    &'static str: ColumnIndex<R>,
{
    let limit = lines_on_page(query);
    let line = |row: &'r R| {
        let effect: Vec<u8> = row.try_get("effect").map_err(failed("listing revenue"))?;
        line_at(LineRow::read(row)?.place, &effect)
    };
    let items = rows.iter().take(limit).map(line).collect::<Result<_, _>>()?;
    let last = rows.get(limit.saturating_sub(1)).filter(|_| rows.len() > limit);
    let last = last.map(LineRow::read).transpose()?;
    Ok(Page { items, next: last.as_ref().and_then(Place::of).map(|place| place.write()) })
}

/// Sums over revenue lines as a database gives them.
#[derive(Debug, FromRow)]
pub(super) struct SumsRow {
    lines: i64,
    gross: i64,
    partner: i64,
    agent: i64,
    platform: i64,
}

impl From<SumsRow> for RevenueTotals {
    fn from(row: SumsRow) -> Self {
        let SumsRow { lines, gross, partner, agent, platform } = row;
        Self { lines: lines.unsigned_abs(), gross, partner, agent, platform }
    }
}

/// Selects a [`SumsRow`].
pub(super) fn select_sums(sql: &mut impl Sql, query: &RevenueQuery) {
    sql.text(
        "SELECT count(*) AS lines, CAST(coalesce(sum(gross), 0) AS BIGINT) AS gross,
                CAST(coalesce(sum(partner_share), 0) AS BIGINT) AS partner,
                CAST(coalesce(sum(agent_share), 0) AS BIGINT) AS agent,
                CAST(coalesce(sum(platform_share), 0) AS BIGINT) AS platform
         FROM ledger_lines WHERE ",
    );
    conditions(sql, query);
}

/// Selects the ids of accounts.
pub(super) fn select_accounts(sql: &mut impl Sql, after: Option<AccountId>, limit: u32) {
    sql.text("SELECT account FROM ledger_accounts WHERE ");
    match after {
        Some(after) => sql.text("account > ").id(after.as_bytes()),
        None => sql.text("1 = 1"),
    };
    sql.text(" ORDER BY account LIMIT ").number(i64::from(limit));
}

/// The accounts of what [`select_accounts`] selected.
pub(super) fn accounts(ids: &[Vec<u8>]) -> Result<Vec<AccountId>, BackendError> {
    let id = |stored: &Vec<u8>| {
        let id = bytes(stored).map(AccountId::from_bytes);
        id.ok_or_else(|| BackendError::corrupt("listing accounts", "an id has not 16 bytes"))
    };
    ids.iter().map(id).collect()
}

fn entries_on_page(query: &EntryQuery) -> usize {
    query.limit.clamp(1, EntryQuery::MOST) as usize
}

fn lines_on_page(query: &RevenueQuery) -> usize {
    query.limit.clamp(1, RevenueQuery::MOST) as usize
}

fn conditions(sql: &mut impl Sql, query: &RevenueQuery) {
    sql.text("1 = 1");
    let ids = [
        (" AND partner = ", query.partner.map(|id| *id.as_bytes())),
        (" AND agent = ", query.agent.map(|id| *id.as_bytes())),
        (" AND account = ", query.account.map(|id| *id.as_bytes())),
        (" AND module = ", query.module.map(|id| *id.as_bytes())),
    ];
    for (condition, id) in ids {
        if let Some(id) = id {
            sql.text(condition).id(&id);
        }
    }
    for (condition, at) in [(" AND at >= ", query.from), (" AND at < ", query.to)] {
        if let Some(at) = at {
            sql.text(condition).time(Micros(at.timestamp_micros()));
        }
    }
}

/// A line's place in the order of listings.
struct Place {
    at: Micros,
    account: AccountId,
    entry: i64,
    place: i64,
}

impl Place {
    fn of(row: &LineRow) -> Option<Self> {
        let account = AccountId::from_bytes(bytes(&row.account)?);
        Some(Self { at: row.at, account, entry: row.entry, place: row.place })
    }

    fn write(&self) -> Cursor {
        Cursor::new(format!("{} {} {} {}", self.at.0, self.account, self.entry, self.place))
    }

    fn read(cursor: &Cursor) -> Option<Self> {
        let mut parts = cursor.as_str().split(' ');
        Some(Self {
            at: Micros(parts.next()?.parse().ok()?),
            account: parts.next()?.parse().ok()?,
            entry: parts.next()?.parse().ok()?,
            place: parts.next()?.parse().ok()?,
        })
    }
}
