//! `GET /api/v1/revenue`: the revenue page for programs, under the same session and the same rules.

use axum::Json;
use axum::extract::Query;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use rad_core::id::{AccountId, DeploymentId, ModuleId};
use rad_core::ledger::RevenueTotals;
use rad_core::money::{Credits, Currency};
use rad_core::page::{Cursor, Page};
use rad_core::platform::RevenueRow;
use serde::Serialize;

use super::Answer;
use super::revenue::{Wanted, view_name};
use crate::session::Session;

/// A page of revenue. Amounts are whole minor units of `currency`, such as cents.
#[derive(Serialize)]
struct Revenue {
    view: &'static str,
    currency: Currency,
    totals: RevenueTotals,
    lines: Vec<Line>,
    /// The next page, and the one before: `page` of another request.
    next: Option<Cursor>,
    previous: Option<Cursor>,
}

#[derive(Serialize)]
struct Line {
    module: ModuleId,
    deployment: DeploymentId,
    at: DateTime<Utc>,
    credits: Credits,
    awarded: Credits,
    purchased: Credits,
    revenue: i64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    shares: Option<Shares>,
}

/// Everybody's shares, for those who see all.
#[derive(Serialize)]
struct Shares {
    account: AccountId,
    publisher: Option<AccountId>,
    agent_account: Option<AccountId>,
    gross: i64,
    partner: i64,
    agent: i64,
    platform: i64,
}

/// `GET /api/v1/revenue`, also `/api/revenue`
pub(super) async fn revenue(session: Session, Query(wanted): Query<Wanted>) -> Answer {
    let view = wanted.view(&session.actor.revenue_views().await?)?;
    let (page, totals, currency) = session.actor.revenue(view, wanted.query()?).await?;
    let Page { items, next, previous } = page;
    let lines = items.into_iter().map(line).collect();
    Ok(Json(Revenue { view: view_name(view).0, currency, totals, lines, next, previous }).into_response())
}

fn line(row: RevenueRow) -> Line {
    Line {
        module: row.module,
        deployment: row.deployment,
        at: row.at,
        credits: row.credits,
        awarded: row.awarded,
        purchased: row.purchased,
        revenue: row.revenue,
        shares: row.line.map(|line| Shares {
            account: line.account,
            publisher: line.publisher,
            agent_account: line.agent_account,
            gross: line.gross,
            partner: line.partner,
            agent: line.agent,
            platform: line.platform,
        }),
    }
}
