//! Listings and sums in both databases: the same SQL, read from a pool.

use rad_core::id::AccountId;
use rad_core::ledger::{
    EntryQuery, LedgerError, Posted, RevenueGroups, RevenueQuery, RevenueTotals, TotalsFinding,
};
use rad_core::page::Page;
use rad_core::revenue::{Grouping, RevenueLine};
use sqlx::QueryBuilder;

use super::listing;
use super::totals::{self, CheckRow, SumsRow};
use crate::database::failed;

const ADDING_UP: &str = "adding up revenue";

/// What a ledger lists and adds up; each as the method of [`Ledger`](rad_core::ledger::Ledger) of that name.
pub(super) trait Queries {
    async fn entries(&self, query: &EntryQuery) -> Result<Page<Posted>, LedgerError>;
    async fn revenue(&self, query: &RevenueQuery) -> Result<Page<RevenueLine>, LedgerError>;
    async fn revenue_totals(&self, query: &RevenueQuery) -> Result<RevenueTotals, LedgerError>;
    async fn revenue_by(&self, query: &RevenueQuery, by: Grouping) -> Result<RevenueGroups, LedgerError>;
    async fn accounts(&self, after: Option<AccountId>, limit: u32) -> Result<Vec<AccountId>, LedgerError>;
    /// The sums of days that are not those of their lines.
    async fn wrong_days(&self) -> Result<Vec<TotalsFinding>, LedgerError>;
}

/// The databases take the same SQL; only their pools have no type in common.
macro_rules! queries_of {
    ($pool:ty, $database:ty) => {
        impl Queries for $pool {
            async fn entries(&self, query: &EntryQuery) -> Result<Page<Posted>, LedgerError> {
                let (turn, mut sql) = (query.turn()?, QueryBuilder::<$database>::new(""));
                listing::select_entries(&mut sql, query, turn)?;
                let rows = sql.build_query_as().fetch_all(self).await.map_err(failed("listing entries"))?;
                Ok(listing::page_of_entries(query, turn, &rows)?)
            }

            async fn revenue(&self, query: &RevenueQuery) -> Result<Page<RevenueLine>, LedgerError> {
                let (turn, mut sql) = (query.turn()?, QueryBuilder::<$database>::new(""));
                listing::select_lines(&mut sql, query, turn);
                let rows = sql.build_query_as().fetch_all(self).await.map_err(failed("listing revenue"))?;
                Ok(listing::page_of_lines(query, turn, &rows)?)
            }

            async fn revenue_totals(&self, query: &RevenueQuery) -> Result<RevenueTotals, LedgerError> {
                let mut sql = QueryBuilder::<$database>::new("");
                totals::select_sums(&mut sql, query);
                let sums = sql.build_query_as::<SumsRow>().fetch_one(self).await;
                Ok(sums.map_err(failed(ADDING_UP))?.into())
            }

            async fn revenue_by(
                &self,
                query: &RevenueQuery,
                by: Grouping,
            ) -> Result<RevenueGroups, LedgerError> {
                let mut sql = QueryBuilder::<$database>::new("");
                totals::select_groups(&mut sql, query, by);
                let groups = match by {
                    Grouping::Day | Grouping::Month => {
                        let rows = sql.build_query_as().fetch_all(self).await;
                        totals::days_grouped(query, by, rows.map_err(failed(ADDING_UP))?)
                    }
                    _ => {
                        let rows = sql.build_query_as().fetch_all(self).await;
                        totals::grouped(query, by, rows.map_err(failed(ADDING_UP))?)
                    }
                };
                Ok(groups?)
            }

            async fn accounts(
                &self,
                after: Option<AccountId>,
                limit: u32,
            ) -> Result<Vec<AccountId>, LedgerError> {
                let mut sql = QueryBuilder::<$database>::new("");
                listing::select_accounts(&mut sql, after, limit);
                let ids = sql.build_query_scalar().fetch_all(self).await;
                Ok(listing::accounts(&ids.map_err(failed("listing accounts"))?)?)
            }

            async fn wrong_days(&self) -> Result<Vec<TotalsFinding>, LedgerError> {
                let mut sql = QueryBuilder::<$database>::new("");
                totals::select_wrong_days(&mut sql);
                let rows = sql.build_query_as::<CheckRow>().fetch_all(self).await;
                let rows = rows.map_err(failed("comparing totals with lines"))?;
                Ok(rows.into_iter().map(TotalsFinding::from).collect())
            }
        }
    };
}

queries_of!(sqlx::SqlitePool, sqlx::Sqlite);
#[cfg(feature = "postgres")]
queries_of!(sqlx::PgPool, sqlx::Postgres);
