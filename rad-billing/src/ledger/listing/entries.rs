//! Pages of entries.

use chrono::{DateTime, Utc};
use rad_core::error::BackendError;
use rad_core::ledger::{EntryQuery, Posted};
use rad_core::page::{Page, Turn};
use rad_core::revenue::EntryKind;

use super::super::rows::{EntryRow, number};
use super::sql::{Sql, ceiling};

/// Selects a page of entries, and one more if there is another page.
///
/// What is found by kind or category is found kind by kind, for an account's entries of one kind are in order in an index;
/// the first of each are put into one order.
pub(in super::super) fn select_entries(
    sql: &mut impl Sql,
    query: &EntryQuery,
    turn: Turn<u64>,
) -> Result<(), BackendError> {
    let kinds = kinds(query);
    let is_found_otherwise = query.deployment.is_some() || query.module.is_some() || query.text.is_some();
    if kinds.len() < 2 || is_found_otherwise {
        return select(sql, query, turn, &kinds);
    }
    sql.text("SELECT * FROM (");
    for (index, kind) in kinds.iter().enumerate() {
        sql.text(if index == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
        select(sql, query, turn, &[*kind])?;
        sql.text(") AS of_kind");
    }
    sql.text(") AS found");
    order(sql, query, turn);
    Ok(())
}

/// The page of what [`select_entries`] selected.
pub(in super::super) fn page_of_entries(
    query: &EntryQuery,
    turn: Turn<u64>,
    rows: &[EntryRow],
) -> Result<Page<Posted>, BackendError> {
    let found = rows.iter().map(EntryRow::posted).collect::<Result<_, _>>()?;
    Ok(turn.page(found, query.page_size(), |posted: &Posted| posted.entry.seq))
}

/// The kinds that entries can be of; none if they can be of any.
fn kinds(query: &EntryQuery) -> Vec<EntryKind> {
    match (query.kind, query.category) {
        (Some(kind), _) => vec![kind],
        (None, Some(category)) => category.kinds().to_vec(),
        (None, None) => Vec::new(),
    }
}

fn select(
    sql: &mut impl Sql,
    query: &EntryQuery,
    turn: Turn<u64>,
    kinds: &[EntryKind],
) -> Result<(), BackendError> {
    sql.text("SELECT * FROM ledger_entries WHERE account = ").bytes(query.account.as_bytes());
    for (index, kind) in kinds.iter().enumerate() {
        sql.text(if index == 0 { " AND kind IN (" } else { ", " }).name(kind.to_string());
    }
    sql.text(if kinds.is_empty() { "" } else { ")" });
    if let Some(category) = query.category {
        sql.text(" AND category = ").name(category.to_string());
    }
    if let Some(deployment) = query.deployment {
        sql.text(" AND deployment = ").name(deployment.to_string());
    }
    if let Some(module) = query.module {
        sql.text(" AND module = ").bytes(module.as_bytes());
    }
    note(sql, query);
    if let Some(from) = query.from {
        sql.text(" AND seq > ");
        last_before(sql, query, from);
    }
    if let Some(to) = query.to {
        sql.text(" AND seq <= ");
        last_before(sql, query, to);
    }
    if let Some(place) = turn.place() {
        // No entry has a number that the database cannot keep.
        let place = number(*place).unwrap_or(i64::MAX);
        sql.text(if turn.rises(query.oldest_first) { " AND seq > " } else { " AND seq < " }).number(place);
    }
    order(sql, query, turn);
    Ok(())
}

fn order(sql: &mut impl Sql, query: &EntryQuery, turn: Turn<u64>) {
    sql.text(if turn.rises(query.oldest_first) { " ORDER BY seq" } else { " ORDER BY seq DESC" });
    sql.text(" LIMIT ").number(query.page_size() as i64 + 1);
}

fn note<S: Sql>(sql: &mut S, query: &EntryQuery) {
    match query.wanted_text() {
        None => {}
        // No note has this character, and PostgreSQL takes no text with it.
        Some(text) if text.contains('\0') => drop(sql.text(" AND 1 = 0")),
        Some(text) => {
            sql.text(" AND note IS NOT NULL AND ").text(S::FIND).text("(note, ").name(text).text(") > 0");
        }
    }
}

/// The number of the account's last entry before a time; 0 if there is none.
///
/// In an account time never runs backwards, so the number is found by halving, as in a sorted list: a handful of look-ups by
/// number, and no index over times.
fn last_before(sql: &mut impl Sql, query: &EntryQuery, time: DateTime<Utc>) {
    let (account, time) = (query.account.as_bytes(), ceiling(time));
    sql.text(
        "(WITH RECURSIVE search (low, high) AS (
            SELECT CAST(0 AS BIGINT), coalesce((SELECT seq FROM ledger_accounts WHERE account = ",
    );
    sql.bytes(account).text("), 0) UNION ALL SELECT CASE WHEN probe.at < ").time(time);
    sql.text(" THEN probe.seq ELSE low END, CASE WHEN probe.at < ").time(time);
    sql.text(
        " THEN high ELSE probe.seq - 1 END
            FROM search JOIN ledger_entries AS probe ON probe.seq = (low + high + 1) / 2 AND probe.account = ",
    );
    sql.bytes(account).text(" WHERE low < high) SELECT low FROM search WHERE low = high)");
}
