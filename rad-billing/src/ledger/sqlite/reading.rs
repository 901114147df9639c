//! Pages of entries and revenue lines, and the sums over lines.

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{EntryQuery, Posted, RevenueQuery, RevenueTotals};
use rad_core::page::{Cursor, Page};
use rad_core::revenue::RevenueLine;
use sqlx::sqlite::SqlitePool;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::rows::{EntryRow, LineRow};
use crate::sqlite::{bytes, failed};

pub(super) async fn entries(pool: &SqlitePool, query: &EntryQuery) -> Result<Page<Posted>, BackendError> {
    let limit = query.limit.clamp(1, EntryQuery::MOST) as usize;
    let mut sql = QueryBuilder::new("SELECT * FROM ledger_entries WHERE account = ");
    sql.push_bind(query.account.as_bytes().to_vec());
    if let Some(category) = query.category {
        sql.push(" AND category = ").push_bind(category.as_str());
    }
    if let Some(deployment) = query.deployment {
        sql.push(" AND deployment = ").push_bind(deployment.to_string());
    }
    if let Some(seq) = query.after.as_ref().and_then(|cursor| cursor.as_str().parse::<i64>().ok()) {
        sql.push(if query.oldest_first { " AND seq > " } else { " AND seq < " }).push_bind(seq);
    }
    sql.push(if query.oldest_first { " ORDER BY seq" } else { " ORDER BY seq DESC" });
    sql.push(" LIMIT ").push_bind(limit as i64 + 1);
    let rows = sql.build().fetch_all(pool).await.map_err(failed("listing entries"))?;
    let items = rows.iter().take(limit).map(|row| EntryRow::read(row)?.posted());
    let items: Vec<Posted> = items.collect::<Result<_, _>>()?;
    let next = items.last().filter(|_| rows.len() > limit);
    let next = next.map(|last| Cursor::new(last.entry.seq.to_string()));
    Ok(Page { items, next })
}

pub(super) async fn revenue(
    pool: &SqlitePool,
    query: &RevenueQuery,
) -> Result<Page<RevenueLine>, BackendError> {
    let limit = query.limit.clamp(1, RevenueQuery::MOST) as usize;
    let mut sql = QueryBuilder::new("SELECT * FROM ledger_lines WHERE ");
    conditions(&mut sql, query);
    if let Some(place) = query.after.as_ref().and_then(Place::read) {
        sql.push(" AND (at, account, entry, place) < (").push_bind(place.at);
        sql.push(", ").push_bind(place.account.as_bytes().to_vec());
        sql.push(", ").push_bind(place.entry).push(", ").push_bind(place.place).push(")");
    }
    sql.push(" ORDER BY at DESC, account DESC, entry DESC, place DESC LIMIT ").push_bind(limit as i64 + 1);
    let rows = sql.build().fetch_all(pool).await.map_err(failed("listing revenue"))?;
    let lines: Vec<LineRow> = rows.iter().take(limit).map(LineRow::read).collect::<Result<_, _>>()?;
    let next = lines.last().filter(|_| rows.len() > limit).and_then(Place::of).map(|place| place.write());
    let items = lines.iter().map(LineRow::revenue_line).collect::<Result<_, _>>()?;
    Ok(Page { items, next })
}

pub(super) async fn revenue_totals(
    pool: &SqlitePool,
    query: &RevenueQuery,
) -> Result<RevenueTotals, BackendError> {
    let mut sql = QueryBuilder::new(
        "SELECT count(*) AS lines, coalesce(sum(gross), 0) AS gross, coalesce(sum(partner_share), 0) AS partner,
                coalesce(sum(agent_share), 0) AS agent, coalesce(sum(platform_share), 0) AS platform
         FROM ledger_lines WHERE ",
    );
    conditions(&mut sql, query);
    let row = sql.build().fetch_one(pool).await.map_err(failed("adding up revenue"))?;
    let sum = |name: &str| row.try_get::<i64, _>(name).map_err(failed("adding up revenue"));
    Ok(RevenueTotals {
        lines: sum("lines")?.unsigned_abs(),
        gross: sum("gross")?,
        partner: sum("partner")?,
        agent: sum("agent")?,
        platform: sum("platform")?,
    })
}

pub(super) async fn accounts(
    pool: &SqlitePool,
    after: Option<AccountId>,
    limit: u32,
) -> Result<Vec<AccountId>, BackendError> {
    let after = after.map(|after| after.as_bytes().to_vec()).unwrap_or_default();
    let ids: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT account FROM ledger_accounts WHERE account > ? ORDER BY account LIMIT ?")
            .bind(after)
            .bind(limit)
            .fetch_all(pool)
            .await
            .map_err(failed("listing accounts"))?;
    let id = |stored: &Vec<u8>| {
        let id = bytes(stored).map(AccountId::from_bytes);
        id.ok_or_else(|| BackendError::corrupt("listing accounts", "an id has not 16 bytes"))
    };
    ids.iter().map(id).collect()
}

/// A line's place in the order of listings.
struct Place {
    at: i64,
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
        Cursor::new(format!("{} {} {} {}", self.at, self.account, self.entry, self.place))
    }

    fn read(cursor: &Cursor) -> Option<Self> {
        let mut parts = cursor.as_str().split(' ');
        Some(Self {
            at: parts.next()?.parse().ok()?,
            account: parts.next()?.parse().ok()?,
            entry: parts.next()?.parse().ok()?,
            place: parts.next()?.parse().ok()?,
        })
    }
}

fn conditions(sql: &mut QueryBuilder<Sqlite>, query: &RevenueQuery) {
    sql.push("1 = 1");
    let ids = [
        (" AND partner = ", query.partner.map(|id| *id.as_bytes())),
        (" AND agent = ", query.agent.map(|id| *id.as_bytes())),
        (" AND account = ", query.account.map(|id| *id.as_bytes())),
        (" AND module = ", query.module.map(|id| *id.as_bytes())),
    ];
    for (condition, id) in ids {
        if let Some(id) = id {
            sql.push(condition).push_bind(id.to_vec());
        }
    }
    for (condition, at) in [(" AND at >= ", query.from), (" AND at < ", query.to)] {
        if let Some(at) = at {
            sql.push(condition).push_bind(at.timestamp_micros());
        }
    }
}
