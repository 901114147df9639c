//! That listings and sums are looked up, and nothing is read whole or put into order, however much there is.

use chrono::{DateTime, TimeDelta, Utc};
use rad_core::id::{AccountId, DeploymentId, ModuleId};
use rad_core::ledger::{Category, EntryQuery, LinePlace, RevenueQuery};
use rad_core::page::Turn;
use rad_core::revenue::{EntryKind, Grouping};
use sqlx::{QueryBuilder, Row as _, Sqlite};

use super::listing::{Sql, select_entries, select_lines};
use super::totals::{select_groups, select_sums};

fn id() -> [u8; 16] {
    [7; 16]
}

fn time() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_770_000_000_123_456).unwrap()
}

/// Queries of entries, by name.
fn entry_queries() -> Vec<(&'static str, EntryQuery)> {
    let all = EntryQuery { limit: 50, ..EntryQuery::new(AccountId::from_bytes(id())) };
    let module = Some(ModuleId::from_bytes(id()));
    let deployment: Option<DeploymentId> = Some(DeploymentId::new());
    let to = Some(time() + TimeDelta::days(1));
    vec![
        ("all", all.clone()),
        ("kind", EntryQuery { kind: Some(EntryKind::Refund), ..all.clone() }),
        ("category", EntryQuery { category: Some(Category::Purchase), ..all.clone() }),
        ("deployment", EntryQuery { deployment, ..all.clone() }),
        ("module", EntryQuery { module, ..all.clone() }),
        ("module and kind", EntryQuery { module, kind: Some(EntryKind::Refund), ..all.clone() }),
        ("text", EntryQuery { text: Some("award".to_owned()), ..all.clone() }),
        ("time", EntryQuery { from: Some(time()), to, ..all }),
    ]
}

fn line_queries() -> Vec<(&'static str, RevenueQuery)> {
    let all = RevenueQuery { limit: 50, ..RevenueQuery::default() };
    let (account, module) = (Some(AccountId::from_bytes(id())), Some(ModuleId::from_bytes(id())));
    vec![
        ("all", all.clone()),
        ("partner", RevenueQuery { partner: account, ..all.clone() }),
        ("agent", RevenueQuery { agent: account, ..all.clone() }),
        ("account", RevenueQuery { account, ..all.clone() }),
        ("module", RevenueQuery { module, ..all.clone() }),
        ("partner and module", RevenueQuery { partner: account, module, ..all }),
    ]
}

/// The pages of every query: the first, one after and one before a place. `check` is given a name, the plan, and whether it may
/// put what it looked up in order, as for a page of several kinds.
async fn every_page<S: Sql>(
    new: impl Fn() -> S,
    explain: impl AsyncFn(S) -> String,
    check: impl Fn(&str, &str, bool),
) {
    for (name, query) in entry_queries() {
        for turn in [Turn::First, Turn::After(9), Turn::Before(9)] {
            let mut sql = new();
            select_entries(&mut sql, &query, turn).unwrap();
            check(&format!("entries by {name}, {turn:?}"), &explain(sql).await, query.category.is_some());
        }
    }
    let place = LinePlace { at: 1, account: AccountId::from_bytes(id()), entry: 1, index: 0 };
    for (name, query) in line_queries() {
        for turn in [Turn::First, Turn::After(place), Turn::Before(place)] {
            for (from, to) in [(None, None), (Some(time()), Some(time() + TimeDelta::days(9)))] {
                let mut sql = new();
                select_lines(&mut sql, &RevenueQuery { from, to, ..query.clone() }, turn);
                check(&format!("lines by {name}, {turn:?}"), &explain(sql).await, false);
            }
        }
    }
}

/// The sums of every query but those of one payer, over all time, over whole days, and with ends that are none.
async fn every_sum<S: Sql>(
    new: impl Fn() -> S,
    explain: impl AsyncFn(S) -> String,
    check: impl Fn(&str, &str, bool),
) {
    let midnight = DateTime::from_timestamp_micros(1_769_990_400_000_000).unwrap();
    let ranges = [
        (None, None, false),
        (Some(midnight), Some(midnight + TimeDelta::days(9)), false),
        (Some(time()), Some(time() + TimeDelta::days(9)), true),
    ];
    for (name, query) in line_queries().into_iter().filter(|(_, query)| query.account.is_none()) {
        for (from, to, has_ends) in ranges {
            let query = RevenueQuery { from, to, ..query.clone() };
            let mut sql = new();
            select_sums(&mut sql, &query);
            check(&format!("sums by {name}"), &explain(sql).await, has_ends);
            for by in [Grouping::Day, Grouping::Module, Grouping::Partner] {
                if by == Grouping::Partner && query.module.is_some() && query.partner.is_none() {
                    // Sums by partner and module are found by partners first: a module's are looked for among all.
                    continue;
                }
                let mut sql = new();
                select_groups(&mut sql, &query, by);
                check(&format!("sums by {name} for every {by:?}"), &explain(sql).await, has_ends);
            }
        }
    }
}

#[tokio::test]
async fn sqlite_looks_everything_up() {
    let dir = tempfile::tempdir().unwrap();
    let pool = crate::sqlite::open(&dir.path().join("rad.db")).await.unwrap();
    let explain = async |mut sql: QueryBuilder<Sqlite>| {
        let rows = sql.build().fetch_all(&pool).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("\n")
    };
    let new = || QueryBuilder::<Sqlite>::new("EXPLAIN QUERY PLAN ");
    every_page(new, explain, |name, plan, may_merge| {
        for step in plan.lines().filter(|step| step.contains("ledger_") || step.contains("probe")) {
            let is_whole =
                step.contains("SCAN") && !step.contains("USING COVERING INDEX ledger_lines_by_time");
            assert!(!is_whole, "{name}: {step} reads everything:\n{plan}");
        }
        assert!(may_merge || !plan.contains("TEMP B-TREE"), "{name} sorts:\n{plan}");
    })
    .await;
    every_sum(new, explain, |name, plan, has_ends| {
        let of =
            |table: &str| plan.lines().filter(|step| step.contains(table)).collect::<Vec<_>>().join("\n");
        let days = of("ledger_revenue_days");
        assert!(days.contains("SEARCH") && !days.contains("SCAN"), "{name} reads all sums:\n{plan}");
        let lines = of("ledger_lines");
        assert_eq!(!lines.is_empty(), has_ends, "{name}:\n{plan}");
        assert!(!lines.contains("SCAN"), "{name} reads all lines:\n{plan}");
    })
    .await;
}

#[cfg(feature = "postgres")]
mod postgres {
    use sqlx::postgres::{PgPool, PgPoolOptions};
    use sqlx::{AssertSqlSafe, Executor as _, Postgres, QueryBuilder};

    use super::{AccountId, every_page, every_sum};

    /// A schema of its own, with so much in its tables that reading one whole is never the best plan.
    async fn pool() -> PgPool {
        let server = std::env::var("RAD_TEST_POSTGRES_URL").expect(
            "RAD_TEST_POSTGRES_URL is not set: `make test` starts a PostgreSQL for the tests and sets it",
        );
        let schema = format!("test_{}", AccountId::new().to_string().replace('-', "_"));
        let pool = PgPoolOptions::new().max_connections(1).connect(&server).await.unwrap();
        pool.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await.unwrap();
        let address = format!("{server}?options[search_path]={schema}").into();
        let pool = crate::postgres::open(&address).await.unwrap();
        for sql in [ENTRIES, LINES, DAYS] {
            pool.execute(sql).await.unwrap();
        }
        for table in ["ledger_entries", "ledger_lines", "ledger_revenue_days"] {
            pool.execute(AssertSqlSafe(format!("VACUUM ANALYZE {table}"))).await.unwrap();
        }
        pool
    }

    const ENTRIES: &str = "INSERT INTO ledger_entries
            (account, seq, at, key, kind, category, deployment, module, note, body, effect, hash)
        SELECT decode(repeat(CASE WHEN a = 0 THEN '07' ELSE lpad(to_hex(a + 16), 2, '0') END, 16), 'hex'), n,
            'epoch'::timestamptz + n * interval '1 minute', decode(md5(n || '.' || a), 'hex'),
            (ARRAY['grant', 'hold', 'capture', 'release', 'refund'])[1 + n % 5],
            CASE n % 5 WHEN 0 THEN 'purchase' ELSE 'deployment' END, 'd' || (n % 900),
            decode(md5((n % 40)::text), 'hex'), CASE n % 5 WHEN 0 THEN 'purchase' END,
            '\\x00', '\\x00', decode(repeat('00', 32), 'hex')
        FROM generate_series(1, 4000) AS n, generate_series(0, 9) AS a";
    const LINES: &str = "INSERT INTO ledger_lines
            (account, entry, place, at, partner, agent, module, gross, partner_share, agent_share, platform_share)
        SELECT account, seq, 0, at, decode(md5((seq % 20)::text), 'hex'),
            CASE seq % 3 WHEN 0 THEN decode(md5((seq % 50)::text), 'hex') END, module, 3, 1, 1, 1
        FROM ledger_entries";
    const DAYS: &str = "INSERT INTO ledger_revenue_days
        SELECT scope, CASE WHEN scope & 1 = 0 THEN ''::bytea ELSE decode(md5(p::text), 'hex') END,
            ''::bytea, CASE WHEN scope & 4 = 0 THEN ''::bytea ELSE decode(md5(m::text), 'hex') END, d, 1, 3, 1, 1
        FROM generate_series(0, 5) AS scope, generate_series(1, 20) AS p, generate_series(1, 20) AS m,
            generate_series(20000, 20200) AS d
        ON CONFLICT DO NOTHING";

    #[tokio::test]
    async fn postgres_looks_everything_up() {
        let pool = pool().await;
        let explain = async |mut sql: QueryBuilder<Postgres>| {
            sql.build_query_scalar::<String>().fetch_all(&pool).await.unwrap().join("\n")
        };
        let new = || QueryBuilder::<Postgres>::new("EXPLAIN (COSTS OFF) ");
        every_page(new, explain, |name, plan, may_merge| {
            assert!(!plan.contains("Seq Scan"), "{name} reads everything:\n{plan}");
            assert!(may_merge || !plan.contains("Sort"), "{name} sorts:\n{plan}");
        })
        .await;
        every_sum(new, explain, |name, plan, has_ends| {
            assert!(!plan.contains("Seq Scan on ledger_revenue_days"), "{name} reads all sums:\n{plan}");
            assert!(!plan.contains("Seq Scan on ledger_lines"), "{name} reads all lines:\n{plan}");
            assert_eq!(plan.contains("ledger_lines"), has_ends, "{name}:\n{plan}");
        })
        .await;
    }
}
