//! Sums of what a query names: from whole days, deltas, and the lines of days that are not whole.

use chrono::{DateTime, Datelike, NaiveDate};
use rad_core::error::BackendError;
use rad_core::id::{AccountId, ModuleId};
use rad_core::ledger::{RevenueGroups, RevenueQuery, RevenueTotals, arrange_groups};
use rad_core::revenue::{Group, Grouping};
use sqlx::FromRow;

use super::super::listing::{Sql, ceiling, narrow_lines};
use super::super::micros::Micros;
use super::{AGENT, DAY, MODULE, PARTNER, totals};
use crate::database::bytes;

/// Sums over revenue lines as a database gives them.
#[derive(Debug, Clone, Copy, FromRow)]
pub(in super::super) struct SumsRow {
    lines: i64,
    gross: i64,
    partner_share: i64,
    agent_share: i64,
}

impl From<SumsRow> for RevenueTotals {
    fn from(row: SumsRow) -> Self {
        totals(row.lines, row.gross, row.partner_share, row.agent_share)
    }
}

/// The sums of somebody, or of a module; of nobody where the id is empty.
#[derive(Debug, FromRow)]
pub(in super::super) struct GroupRow {
    part: Vec<u8>,
    #[sqlx(flatten)]
    sums: SumsRow,
}

/// The sums of a day.
#[derive(Debug, FromRow)]
pub(in super::super) struct DayRow {
    part: i64,
    #[sqlx(flatten)]
    sums: SumsRow,
}

/// Selects a [`SumsRow`].
pub(in super::super) fn select_sums(sql: &mut impl Sql, query: &RevenueQuery) {
    select(sql, query, None);
}

/// Selects [`GroupRow`]s, or for days and months [`DayRow`]s.
pub(in super::super) fn select_groups(sql: &mut impl Sql, query: &RevenueQuery, by: Grouping) {
    select(sql, query, Some(by));
    sql.text(" GROUP BY 1");
}

/// The groups of what [`select_groups`] selected.
pub(in super::super) fn grouped(
    query: &RevenueQuery,
    by: Grouping,
    rows: Vec<GroupRow>,
) -> Result<RevenueGroups, BackendError> {
    let parts = rows.into_iter().map(|row| Ok((group(by, &row.part)?, row.sums.into())));
    arrange(query, by, parts.collect::<Result<_, BackendError>>()?)
}

/// The groups of what [`select_groups`] selected of days and months.
pub(in super::super) fn days_grouped(
    query: &RevenueQuery,
    by: Grouping,
    rows: Vec<DayRow>,
) -> Result<RevenueGroups, BackendError> {
    let part = |row: DayRow| {
        let date = date(row.part).ok_or_else(|| unreadable("day"))?;
        let group = match by {
            Grouping::Month => Group::Month(date.year(), date.month()),
            _ => Group::Day(date),
        };
        Ok((group, row.sums.into()))
    };
    arrange(query, by, rows.into_iter().map(part).collect::<Result<_, BackendError>>()?)
}

fn arrange(query: &RevenueQuery, by: Grouping, parts: RevenueGroups) -> Result<RevenueGroups, BackendError> {
    arrange_groups(by, parts, query.page_size())
}

fn group(by: Grouping, id: &[u8]) -> Result<Group, BackendError> {
    let somebody = || match id {
        [] => Ok(None),
        id => bytes(id).map(AccountId::from_bytes).map(Some).ok_or_else(|| unreadable("id")),
    };
    match by {
        Grouping::Partner => somebody().map(Group::Partner),
        Grouping::Agent => somebody().map(Group::Agent),
        Grouping::Account => somebody()?.map(Group::Account).ok_or_else(|| unreadable("account")),
        _ => bytes(id).map(ModuleId::from_bytes).map(Group::Module).ok_or_else(|| unreadable("module")),
    }
}

/// The day that is so many days after 1970-01-01.
pub(super) fn date(day: i64) -> Option<NaiveDate> {
    Some(DateTime::from_timestamp_micros(day.checked_mul(DAY)?)?.date_naive())
}

fn unreadable(column: &'static str) -> BackendError {
    BackendError::corrupt("adding up revenue", format!("column {column} has no valid value"))
}

/// A range of time: whole days, of which the sums are kept, and what is before and after them, of which they are not.
struct Span {
    /// The first whole day, and the one after the last; without bound where there is none.
    days: Option<(Option<i64>, Option<i64>)>,
    /// Pieces of time, from and to; one that is empty where there is nothing else.
    rest: Vec<(Micros, Micros)>,
}

impl Span {
    fn of(query: &RevenueQuery) -> Self {
        let (from, to) = (query.from.map(|at| ceiling(at).0), query.to.map(|at| ceiling(at).0));
        let first = from.map(|from| from.div_euclid(DAY) + i64::from(from.rem_euclid(DAY) > 0));
        let end = to.map(|to| to.div_euclid(DAY));
        if let (Some(from), Some(to), true) = (from, to, first >= end) {
            // Not one whole day between them.
            return Self { days: None, rest: vec![(Micros(from), Micros(to))] };
        }
        let midnight = |day: i64| day.saturating_mul(DAY);
        let before = from.zip(first).map(|(from, first)| (from, midnight(first)));
        let after = to.zip(end).map(|(to, end)| (midnight(end), to));
        let rest = [before, after].into_iter().flatten().filter(|(from, to)| from < to);
        Self { days: Some((first, end)), rest: rest.map(|(from, to)| (Micros(from), Micros(to))).collect() }
    }
}

fn select<S: Sql>(sql: &mut S, query: &RevenueQuery, by: Option<Grouping>) {
    sql.text(if by.is_some() { "SELECT part, " } else { "SELECT " });
    sql.text(
        "CAST(coalesce(sum(lines), 0) AS BIGINT) AS lines,
         CAST(coalesce(sum(gross), 0) AS BIGINT) AS gross,
         CAST(coalesce(sum(partner_share), 0) AS BIGINT) AS partner_share,
         CAST(coalesce(sum(agent_share), 0) AS BIGINT) AS agent_share FROM (",
    );
    // No sums are kept by payer: an account's own lines are few, and there are as many accounts as customers.
    if query.account.is_some() || by == Some(Grouping::Account) {
        let bounds = [query.from, query.to].map(|at| at.map(ceiling));
        lines(sql, query, by, bounds[0], bounds[1]);
    } else {
        let Span { days: whole, rest } = Span::of(query);
        let mut is_first = true;
        let mut union = |sql: &mut S| {
            sql.text(if std::mem::take(&mut is_first) { "" } else { " UNION ALL " });
        };
        if let Some((first, end)) = whole {
            union(sql);
            days(sql, query, by, first, end);
            union(sql);
            deltas(sql, query, by, first, end);
        }
        for (from, to) in &rest {
            union(sql);
            lines(sql, query, by, Some(*from), Some(*to));
        }
    }
    sql.text(") AS parts");
}

/// The sums of whole days.
fn days(
    sql: &mut impl Sql,
    query: &RevenueQuery,
    by: Option<Grouping>,
    first: Option<i64>,
    end: Option<i64>,
) {
    sql.text("SELECT ").text(part(by));
    sql.text("lines, gross, partner_share, agent_share FROM ledger_revenue_days WHERE scope = ");
    let dimensions = [
        (PARTNER, " AND partner = ", query.partner.map(|id| *id.as_bytes()), Grouping::Partner),
        (AGENT, " AND agent = ", query.agent.map(|id| *id.as_bytes()), Grouping::Agent),
        (MODULE, " AND module = ", query.module.map(|id| *id.as_bytes()), Grouping::Module),
    ];
    let named = dimensions.iter().filter(|(_, _, id, group)| id.is_some() || by == Some(*group));
    sql.number(named.map(|(bit, ..)| bit).sum());
    for (_, condition, id, group) in dimensions {
        match id {
            Some(id) => drop(sql.text(condition).bytes(&id)),
            None if by == Some(group) => {}
            None => drop(sql.text(condition).bytes(&[])),
        }
    }
    bound_days(sql, first, end);
}

/// What is not folded into the sums of whole days yet.
fn deltas(
    sql: &mut impl Sql,
    query: &RevenueQuery,
    by: Option<Grouping>,
    first: Option<i64>,
    end: Option<i64>,
) {
    sql.text("SELECT ").text(part(by));
    sql.text("lines, gross, partner_share, agent_share FROM ledger_revenue_deltas WHERE 1 = 1");
    narrow_lines(sql, query);
    bound_days(sql, first, end);
}

/// What sums of days are grouped by, as the first column.
const fn part(by: Option<Grouping>) -> &'static str {
    match by {
        None => "",
        Some(Grouping::Partner) => "partner AS part, ",
        Some(Grouping::Agent) => "agent AS part, ",
        Some(Grouping::Module) => "module AS part, ",
        Some(_) => "day AS part, ",
    }
}

fn bound_days(sql: &mut impl Sql, first: Option<i64>, end: Option<i64>) {
    for (condition, day) in [(" AND day >= ", first), (" AND day < ", end)] {
        if let Some(day) = day {
            sql.text(condition).number(day);
        }
    }
}

/// The lines of a piece of time.
fn lines<S: Sql>(
    sql: &mut S,
    query: &RevenueQuery,
    by: Option<Grouping>,
    from: Option<Micros>,
    to: Option<Micros>,
) {
    sql.text("SELECT ");
    match by {
        None => {}
        Some(Grouping::Partner) => drop(sql.text("coalesce(partner, ").bytes(&[]).text(") AS part, ")),
        Some(Grouping::Agent) => drop(sql.text("coalesce(agent, ").bytes(&[]).text(") AS part, ")),
        Some(Grouping::Module) => drop(sql.text("module AS part, ")),
        Some(Grouping::Account) => drop(sql.text("account AS part, ")),
        Some(_) => drop(sql.text(S::DAY).text(" AS part, ")),
    }
    sql.text("1 AS lines, gross, partner_share, agent_share FROM ledger_lines WHERE 1 = 1");
    narrow_lines(sql, query);
    for (condition, at) in [(" AND at >= ", from), (" AND at < ", to)] {
        if let Some(at) = at {
            sql.text(condition).time(at);
        }
    }
}
