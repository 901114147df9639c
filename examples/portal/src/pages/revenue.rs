//! `/revenue`: the lines and totals that the account may see.

use std::collections::hash_map::{Entry, HashMap};

use askama::Template;
use axum::extract::Query;
use rad_core::id::{AccountId, ModuleId};
use rad_core::ledger::{RevenueGroups, RevenueQuery, RevenueTotals};
use rad_core::money::{Currency, Rate};
use rad_core::page::{Cursor, Page};
use rad_core::platform::{Actor, Capability, PlatformError, RevenueRow, RevenueView};
use rad_core::revenue::{Group, Grouping};
use serde::Deserialize;

use super::{Answer, days, page, query};
use crate::error::PageError;
use crate::layout::{Layout, Section};
use crate::session::Session;
use crate::show;

/// Lines on one page.
const LINES: u32 = 100;

/// Days in the chart.
const BARS: u32 = 14;

#[derive(Template)]
#[template(path = "pages/revenue.html")]
struct RevenuePage {
    layout: Layout,
    json: String,
    views: Vec<(String, &'static str, bool)>,
    view: &'static str,
    from: String,
    to: String,
    modules: Vec<(String, String, bool)>,
    currency: String,
    problem: Option<String>,
    totals: Vec<(&'static str, String)>,
    bars: Vec<Bar>,
    chart_width: usize,
    full: bool,
    rows: Vec<RowView>,
    filtered: bool,
    next: Option<String>,
    previous: Option<String>,
}

struct RowView {
    module: String,
    time: String,
    machine_time: String,
    deployment: String,
    credits: String,
    purchased: String,
    amounts: Vec<String>,
    names: Vec<String>,
}

struct Bar {
    x: usize,
    y: i64,
    height: i64,
    label: String,
    short: String,
    amount: String,
}

/// Which lines to show.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    view: String,
    from: String,
    to: String,
    module: String,
    page: Option<String>,
}

/// The name of a view in addresses, and on the page.
pub(super) fn view_name(view: RevenueView) -> (&'static str, &'static str) {
    match view {
        RevenueView::All => ("all", "All revenue"),
        RevenueView::Partner => ("partner", "My modules"),
        RevenueView::Agent => ("agent", "My referrals"),
    }
}

impl Wanted {
    /// The view that is asked for, or the widest there is.
    pub(super) fn view(&self, views: &[RevenueView]) -> Result<RevenueView, PageError> {
        let named = [RevenueView::All, RevenueView::Partner, RevenueView::Agent]
            .into_iter()
            .find(|view| view_name(*view).0 == self.view);
        match (named, views.first()) {
            (Some(view), _) => Ok(view),
            (None, _) if !self.view.is_empty() => {
                Err(PageError::BadRequest("view is one of all, partner, agent".to_owned()))
            }
            (None, Some(widest)) => Ok(*widest),
            (None, None) => Err(PlatformError::Forbidden { capability: Capability::SeeRevenue }.into()),
        }
    }

    /// The query, both days included.
    pub(super) fn query(&self) -> Result<RevenueQuery, PlatformError> {
        let (from, to) = days::range(&self.from, &self.to)?;
        Ok(RevenueQuery {
            module: module(&self.module)?,
            from,
            to,
            page: self.page.clone().map(Cursor::new),
            limit: LINES,
            ..RevenueQuery::default()
        })
    }
}

fn module(text: &str) -> Result<Option<ModuleId>, PlatformError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| PlatformError::Invalid {
        field: "module",
        reason: format!("{:?} is not the id of a module", text.chars().take(40).collect::<String>()),
    })
}

/// `GET /revenue`
pub(super) async fn show(session: Session, Query(wanted): Query<Wanted>) -> Answer {
    let actor = &session.actor;
    let views = actor.revenue_views().await?;
    let view = wanted.view(&views)?;
    let (asked, problem) = match wanted.query() {
        Ok(query) => (query, None),
        Err(refusal) => (RevenueQuery { limit: LINES, ..RevenueQuery::default() }, Some(refusal.to_string())),
    };
    // The modules to choose from are those of all lines, not of the selection.
    let all = RevenueQuery { limit: RevenueQuery::MOST, ..RevenueQuery::default() };
    let known = actor.revenue_by(view, all, Grouping::Module).await?;
    let chosen = asked.module;
    let days = RevenueQuery { limit: BARS, page: None, ..asked.clone() };
    let days = actor.revenue_by(view, days, Grouping::Day).await?;
    let (lines, totals, currency) = actor.revenue(view, asked).await?;
    let names = Names::of(actor, &known, &lines).await?;
    let (key, _) = view_name(view);
    let address = |path: &str, view: &str, page: &str| {
        let Wanted { from, to, module, .. } = &wanted;
        let pairs = [("view", view), ("from", from), ("to", to), ("module", module), ("page", page)];
        format!("{path}{}", query(&pairs))
    };
    let turn =
        |cursor: &Option<Cursor>| cursor.as_ref().map(|cursor| address("/revenue", key, cursor.as_str()));
    let bars = bars(view, &days, currency);
    page(RevenuePage {
        layout: session.layout("Revenue", Section::Revenue).await?,
        json: address("/api/v1/revenue", key, ""),
        views: views.iter().map(|choice| tab(*choice, view, address)).collect(),
        view: key,
        modules: names.choices(chosen),
        currency: currency.to_string(),
        problem,
        totals: totals_view(view, &totals, currency, actor.revenue_share(view).await?),
        chart_width: bars.len() * 48,
        bars,
        full: view == RevenueView::All,
        filtered: [&wanted.from, &wanted.to, &wanted.module].iter().any(|text| !text.is_empty()),
        next: turn(&lines.next),
        previous: turn(&lines.previous),
        rows: lines.items.iter().map(|row| row_view(row, &names, currency)).collect(),
        from: wanted.from.clone(),
        to: wanted.to.clone(),
    })
}

fn tab(
    choice: RevenueView,
    shown: RevenueView,
    address: impl Fn(&str, &str, &str) -> String,
) -> (String, &'static str, bool) {
    let (key, label) = view_name(choice);
    (address("/revenue", key, ""), label, choice == shown)
}

/// The names behind the ids on the page.
struct Names {
    modules: HashMap<ModuleId, String>,
    accounts: HashMap<AccountId, String>,
}

impl Names {
    async fn of(actor: &Actor, known: &RevenueGroups, lines: &Page<RevenueRow>) -> Result<Self, PageError> {
        let known = known.iter().filter_map(|(group, _)| match group {
            Group::Module(module) => Some(*module),
            _ => None,
        });
        let ids: Vec<ModuleId> = known.chain(lines.items.iter().map(|row| row.module)).collect();
        let mut names = Self { modules: actor.module_names(&ids).await?, accounts: HashMap::new() };
        // Only who sees whole lines sees whose they are.
        for line in lines.items.iter().filter_map(|row| row.line.as_ref()) {
            for id in [Some(line.account), line.publisher].into_iter().flatten() {
                if let Entry::Vacant(unknown) = names.accounts.entry(id) {
                    unknown.insert(actor.account_of(id).await?.email);
                }
            }
        }
        Ok(names)
    }

    fn module(&self, id: ModuleId) -> String {
        self.modules.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    fn account(&self, id: AccountId) -> String {
        self.accounts.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    fn choices(&self, chosen: Option<ModuleId>) -> Vec<(String, String, bool)> {
        let named = self.modules.iter();
        let mut all: Vec<_> =
            named.map(|(id, name)| (id.to_string(), name.clone(), chosen == Some(*id))).collect();
        all.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
        all
    }
}

fn totals_view(
    view: RevenueView,
    totals: &RevenueTotals,
    currency: Currency,
    rate: Option<Rate>,
) -> Vec<(&'static str, String)> {
    let amounts = match view {
        RevenueView::All => vec![
            ("Gross", totals.gross),
            ("Partners", totals.partner),
            ("Agents", totals.agent),
            ("Platform", totals.platform),
        ],
        RevenueView::Partner => vec![("Your share", totals.partner)],
        RevenueView::Agent => vec![("Your share", totals.agent)],
    };
    let amounts = amounts.into_iter().map(|(label, minor)| (label, show::minor(minor, currency)));
    let rate = rate.map(|rate| ("Your rate now", rate.to_string()));
    amounts.chain([("Lines", totals.lines.to_string())]).chain(rate).collect()
}

fn row_view(row: &RevenueRow, names: &Names, currency: Currency) -> RowView {
    let (amounts, people) = match &row.line {
        Some(line) => (
            vec![line.gross, line.partner, line.agent, line.platform],
            vec![
                names.account(line.account),
                line.publisher.map_or_else(|| "platform".to_owned(), |id| names.account(id)),
            ],
        ),
        None => (vec![row.revenue], Vec::new()),
    };
    RowView {
        module: names.module(row.module),
        time: show::time(row.at),
        machine_time: show::machine_time(row.at),
        deployment: row.deployment.to_string(),
        credits: row.credits.to_string(),
        purchased: row.purchased.to_string(),
        amounts: amounts.into_iter().map(|minor| show::bare_minor(minor, currency)).collect(),
        names: people,
    }
}

/// The latest days of the selection that have revenue, as bars of at most 90 units.
fn bars(view: RevenueView, days: &RevenueGroups, currency: Currency) -> Vec<Bar> {
    let revenue = |totals: &RevenueTotals| match view {
        RevenueView::All => totals.gross,
        RevenueView::Partner => totals.partner,
        RevenueView::Agent => totals.agent,
    };
    let most = days.iter().map(|(_, totals)| revenue(totals)).max().unwrap_or(0).max(1);
    let shown = days.iter().rev().filter_map(|(group, totals)| match group {
        Group::Day(date) => Some((*date, revenue(totals))),
        _ => None,
    });
    let bars = shown.enumerate().map(|(index, (date, minor))| {
        let height = (i128::from(minor.max(0)) * 90 / i128::from(most)).max(2);
        let height = i64::try_from(height).unwrap_or(90);
        Bar {
            x: index * 48 + 6,
            y: 98 - height,
            height,
            label: date.to_string(),
            short: date.format("%-d %b").to_string(),
            amount: show::minor(minor, currency),
        }
    });
    bars.collect()
}
