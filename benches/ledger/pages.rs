//! What a long history costs: pages, totals, `verify`, bytes on the disk.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use rad_billing::PostgresLedger;
use rad_core::id::AccountId;
use rad_core::ledger::{EntryQuery, Ledger as _, RevenueQuery};
use rad_core::simulation::Market;
use rad_core::verification::{Verification, VerifyOptions, verify_all};
use sqlx::postgres::{PgPool, PgPoolOptions};

use crate::table::Table;
use crate::{books, median};

/// Who posts the histories.
const CALLERS: u64 = 4;

/// How often each page is asked for; the median counts.
const ASKED: usize = 301;

/// The longest that a page of the large history may take, as a multiple of the small one's.
const MOST_GROWTH: f64 = 1.5;

/// Entries a second that verifying everything is to reach.
const VERIFIED: f64 = 500_000.0;

pub(crate) async fn run(few: (PgPool, u64), many: (PgPool, u64), explains: bool) -> anyhow::Result<()> {
    let mut histories = Vec::new();
    for (pool, entries) in [few, many] {
        histories.push(History::filled(pool, entries).await?);
    }
    let [few, many] = <[History; 2]>::try_from(histories).ok().context("two histories")?;
    let heading = format!("Pages of {} and of {} entries, microseconds:", few.entries, many.entries);
    let mut table = Table::new(heading);
    for (name, page) in PAGES {
        let times = (few.time_of(page).await?, many.time_of(page).await?);
        table.growth(name, times.0, times.1, Some(MOST_GROWTH));
    }
    table.print();
    for history in [&few, &many] {
        history.print_figures().await?;
    }
    if explains {
        many.explain().await?;
    }
    Ok(())
}

/// Pages that people look at.
const PAGES: [(&str, Page); 7] = [
    ("transactions of an account", Page::Transactions),
    ("revenue of a partner, newest", Page::OfPartner),
    ("revenue of a module, newest", Page::OfModule),
    ("revenue of everybody, newest", Page::OfEverybody),
    ("totals of a partner, a month", Page::TotalsOfPartner),
    ("totals of a module, a month", Page::TotalsOfModule),
    ("totals of everybody, a month", Page::Totals),
];

#[derive(Debug, Clone, Copy)]
enum Page {
    Transactions,
    OfPartner,
    OfModule,
    OfEverybody,
    TotalsOfPartner,
    TotalsOfModule,
    Totals,
}

/// A ledger with a simulated history.
struct History {
    pool: PgPool,
    ledger: PostgresLedger,
    market: Market,
    accounts: Vec<AccountId>,
    entries: u64,
    filled: Duration,
}

impl History {
    async fn filled(pool: PgPool, entries: u64) -> anyhow::Result<Self> {
        let ledger = PostgresLedger::new(pool.clone());
        let filled = books::fill(&ledger, entries, CALLERS).await?;
        // As a server does by itself in time: what is measured after must not meet it half done.
        ledger.fold_totals().await?;
        sqlx::query("VACUUM (ANALYZE)").execute(&pool).await?;
        sqlx::query("CHECKPOINT").execute(&pool).await?;
        let accounts = ledger.accounts(None, 1_000).await?;
        let market = books::simulation(entries).market()?;
        Ok(Self { pool, ledger, market, accounts, entries, filled })
    }

    /// The median of the times that a page takes, in microseconds.
    async fn time_of(&self, page: Page) -> anyhow::Result<f64> {
        let mut random = fastrand::Rng::with_seed(1);
        let mut times = Vec::with_capacity(ASKED);
        let mut found = 0;
        for _ in 0..ASKED {
            let begin = Instant::now();
            found += self.ask_for(page, &mut random).await?;
            times.push(begin.elapsed().as_secs_f64() * 1e6);
        }
        ensure!(found > 0, "{page:?}: nothing is there");
        Ok(median(times))
    }

    /// Asks for every page once by a connection whose server tells how it answers.
    async fn explain(mut self) -> anyhow::Result<()> {
        let settings = [
            ("session_preload_libraries", "auto_explain"),
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_analyze", "on"),
            ("auto_explain.log_buffers", "on"),
            ("auto_explain.log_level", "notice"),
        ];
        let options = self.pool.connect_options().as_ref().clone().options(settings);
        self.ledger =
            PostgresLedger::new(PgPoolOptions::new().max_connections(1).connect_with(options).await?);
        // The client writes down what the server notices.
        let plain = tracing_subscriber::fmt().with_ansi(false).with_target(false).without_time();
        plain.with_env_filter("sqlx::postgres::notice=info").init();
        let mut random = fastrand::Rng::with_seed(1);
        for (name, page) in PAGES {
            tracing::info!(target: "sqlx::postgres::notice", "{name}");
            self.ask_for(page, &mut random).await?;
        }
        Ok(())
    }

    /// Asks for a page of somebody, and gives how much is on it.
    async fn ask_for(&self, page: Page, random: &mut fastrand::Rng) -> anyhow::Result<u64> {
        let all = RevenueQuery { limit: 50, ..RevenueQuery::default() };
        let from = START + TimeDelta::days(random.i64(0..330));
        let month = RevenueQuery { from: Some(from), to: Some(from + TimeDelta::days(30)), ..all.clone() };
        let partner = random.choice(self.market.partners()).copied();
        let module = random.choice(self.market.modules());
        let query = match page {
            Page::Transactions => return self.transactions(random).await,
            Page::OfPartner => RevenueQuery { partner, ..all },
            Page::OfModule => RevenueQuery { module, ..all },
            Page::OfEverybody => all,
            Page::TotalsOfPartner => RevenueQuery { partner, ..month },
            Page::TotalsOfModule => RevenueQuery { module, ..month },
            Page::Totals => month,
        };
        Ok(match page {
            Page::OfPartner | Page::OfModule | Page::OfEverybody => {
                self.ledger.revenue(&query).await?.items.len() as u64
            }
            _ => self.ledger.revenue_totals(&query).await?.lines,
        })
    }

    async fn transactions(&self, random: &mut fastrand::Rng) -> anyhow::Result<u64> {
        let account = *random.choice(&self.accounts).context("there are no accounts")?;
        let query = EntryQuery { limit: 50, ..EntryQuery::new(account) };
        Ok(self.ledger.entries(&query).await?.items.len() as u64)
    }

    async fn print_figures(&self) -> anyhow::Result<()> {
        let mut table = Table::new(format!("A history of {} entries in PostgreSQL:", self.entries));
        let rate = |took: Duration| self.entries as f64 / took.as_secs_f64();
        table.figure("posted in batches", rate(self.filled), "entries/s", None);
        let begin = Instant::now();
        self.verify().await?;
        table.figure("verified, all accounts and totals", rate(begin.elapsed()), "entries/s", Some(VERIFIED));
        let tables: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT relname::text, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class
             WHERE relkind = 'r' AND relname LIKE 'ledger\\_%' ORDER BY 1",
        )
        .fetch_all(&self.pool)
        .await?;
        let bytes = |bytes: i64| bytes as f64 / self.entries as f64;
        let all: i64 = tables.iter().map(|(_, table, indexes)| table + indexes).sum();
        table.figure("on the disk, indexes included", bytes(all), "bytes an entry", None);
        for (name, rows, indexes) in tables {
            table.figure(
                &format!("  {name}"),
                bytes(rows),
                &format!("and {:.1} of indexes", bytes(indexes)),
                None,
            );
        }
        table.print();
        Ok(())
    }

    async fn verify(&self) -> anyhow::Result<()> {
        let options = VerifyOptions::default();
        let verified = verify_all(&self.ledger, Verification::default(), &options, |_| ()).await?;
        ensure!(verified.is_sound(), "{:?} {:?}", verified.findings, verified.totals);
        ensure!(verified.entries >= self.entries / 2, "only {} entries were verified", verified.entries);
        Ok(())
    }
}

/// The first day of a simulated year.
const START: DateTime<Utc> = match DateTime::from_timestamp(1_767_225_600, 0) {
    Some(start) => start,
    None => DateTime::UNIX_EPOCH,
};
