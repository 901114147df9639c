//! Revenue as each role may see it.

use chrono::{DateTime, Utc};

use super::{Actor, Capability, PlatformError};
use crate::access::Role;
use crate::id::{DeploymentId, ModuleId};
use crate::ledger::{RevenueGroups, RevenueQuery, RevenueTotals};
use crate::money::{Credits, Currency};
use crate::page::Page;
use crate::revenue::{Grouping, RevenueLine};

/// Whose eyes a revenue page is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RevenueView {
    /// All lines, everybody's shares.
    All,
    /// Charges of modules one published, one's own share.
    Partner,
    /// Charges of accounts one referred, one's own share.
    Agent,
}

/// A line of a revenue page.
#[derive(Debug, Clone, PartialEq)]
pub struct RevenueRow {
    /// The module.
    pub module: ModuleId,
    /// The deployment.
    pub deployment: DeploymentId,
    /// When it was booked.
    pub at: DateTime<Utc>,
    /// What was charged; negative for what was taken back.
    pub credits: Credits,
    /// The part paid with awarded credits.
    pub awarded: Credits,
    /// The part paid with purchased credits.
    pub purchased: Credits,
    /// What the viewer earned, in minor units: the own share; gross for those who see all.
    pub revenue: i64,
    /// The whole line, for those who see all.
    pub line: Option<RevenueLine>,
}

impl Actor {
    /// The views of revenue that the account has, the widest first.
    ///
    /// # Errors
    /// A failure of a backend.
    pub async fn revenue_views(&self) -> Result<Vec<RevenueView>, PlatformError> {
        let settings = self.settings().await?;
        let roles = self.account().roles;
        let mut views = Vec::new();
        if self.can(Capability::SeeAllRevenue) {
            views.push(RevenueView::All);
        }
        if roles.has(Role::Partner) && settings.partner_revenue_page {
            views.push(RevenueView::Partner);
        }
        if roles.has(Role::Agent) && settings.agent_revenue_page {
            views.push(RevenueView::Agent);
        }
        Ok(views)
    }

    /// A page of revenue and the totals of all that `query` names. Whatever `query` says, the view limits it to what the
    /// account may see.
    ///
    /// # Errors
    /// Forbidden for a view the account does not have.
    pub async fn revenue(
        &self,
        view: RevenueView,
        query: RevenueQuery,
    ) -> Result<(Page<RevenueRow>, RevenueTotals, Currency), PlatformError> {
        let query = self.limited(view, query).await?;
        let page = self.parts.ledger.revenue(&query).await?.map(|line| row(view, line));
        let totals = own_totals(view, self.parts.ledger.revenue_totals(&query).await?);
        Ok((page, totals, self.settings().await?.currency))
    }

    /// The totals of what `query` names, for each day, month or module of it: as many as its limit says.
    ///
    /// # Errors
    /// Forbidden for a view the account does not have; [`Invalid`](PlatformError::Invalid) for groups that are people, which
    /// only those see who see all.
    pub async fn revenue_by(
        &self,
        view: RevenueView,
        query: RevenueQuery,
        by: Grouping,
    ) -> Result<RevenueGroups, PlatformError> {
        let query = self.limited(view, query).await?;
        let names_nobody = matches!(by, Grouping::Day | Grouping::Month | Grouping::Module);
        if view != RevenueView::All && !names_nobody {
            let reason = "this view is broken down by day, month or module".to_owned();
            return Err(PlatformError::Invalid { field: "by", reason });
        }
        let groups = self.parts.ledger.revenue_by(&query, by).await?;
        Ok(groups.into_iter().map(|(group, totals)| (group, own_totals(view, totals))).collect())
    }

    /// The query limited to what a view shows.
    async fn limited(&self, view: RevenueView, query: RevenueQuery) -> Result<RevenueQuery, PlatformError> {
        if !self.revenue_views().await?.contains(&view) {
            let capability = match view {
                RevenueView::All => Capability::SeeAllRevenue,
                _ => Capability::SeeRevenue,
            };
            return Err(PlatformError::Forbidden { capability });
        }
        Ok(match view {
            RevenueView::All => query,
            RevenueView::Partner => {
                RevenueQuery { partner: Some(self.id()), agent: None, account: None, ..query }
            }
            RevenueView::Agent => {
                RevenueQuery { agent: Some(self.id()), partner: None, account: None, ..query }
            }
        })
    }
}

fn row(view: RevenueView, line: RevenueLine) -> RevenueRow {
    let revenue = match view {
        RevenueView::All => line.gross,
        RevenueView::Partner => line.partner,
        RevenueView::Agent => line.agent,
    };
    RevenueRow {
        module: line.module,
        deployment: line.deployment,
        at: line.at,
        credits: line.credits,
        awarded: line.awarded,
        purchased: line.purchased,
        revenue,
        line: (view == RevenueView::All).then_some(line),
    }
}

/// Totals without the shares of others.
fn own_totals(view: RevenueView, totals: RevenueTotals) -> RevenueTotals {
    let lines = totals.lines;
    match view {
        RevenueView::All => totals,
        RevenueView::Partner => RevenueTotals { lines, partner: totals.partner, ..Default::default() },
        RevenueView::Agent => RevenueTotals { lines, agent: totals.agent, ..Default::default() },
    }
}
