//! Whatever is changed behind the ledger by somebody whom nothing keeps from it, verifying finds it.

use rad_billing::PostgresLedger;
use rad_core::conformance::ledger;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row as _};

use super::{pool, run};
use crate::tampering::{Books, Column, Kind, Row, Tampered};

/// A schema without triggers, and without the constraints that a superuser would drop first.
struct Unguarded {
    pool: PgPool,
}

impl Unguarded {
    /// With the books of accounts in which every kind of entry happened.
    async fn with_books() -> Self {
        let pool = pool().await;
        let ledger = PostgresLedger::new(pool.clone());
        ledger::posting::does_what_the_engine_does(&ledger).await;
        // Some of the sums of days are folded, some are not.
        assert!(ledger.fold_totals().await.unwrap() > 0);
        ledger::revenue::books_back_what_is_refunded(&ledger).await;
        unguard(&pool).await;
        Self { pool }
    }
}

/// Switches all triggers off, and drops the constraints between tables and on values.
pub(super) async fn unguard(pool: &PgPool) {
    let guards = "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
            FROM pg_constraint WHERE contype IN ('c', 'f') AND conrelid::regclass::text LIKE 'ledger\\_%'
                AND connamespace = current_schema()::regnamespace
        UNION ALL
        SELECT format('ALTER TABLE %s DISABLE TRIGGER USER', oid::regclass) FROM pg_class
            WHERE relkind = 'r' AND relname LIKE 'ledger\\_%'
                AND relnamespace = current_schema()::regnamespace";
    let guards: Vec<String> = sqlx::query_scalar(guards).fetch_all(pool).await.unwrap();
    for sql in guards {
        run(pool, &sql).await;
    }
}

impl Tampered for Unguarded {
    const SAME: &str = "IS NOT DISTINCT FROM";

    async fn columns(&self) -> Vec<(String, Column)> {
        let columns = self.texts(
            "SELECT t.relname::text, a.attname::text, a.atttypid::regtype::text, a.attnotnull::text,
                 coalesce(a.attnum = ANY (i.indkey), false)::text
             FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
                 LEFT JOIN pg_index i ON i.indrelid = t.oid AND i.indisprimary
             WHERE t.relkind = 'r' AND t.relname LIKE 'ledger\\_%' AND t.relnamespace = current_schema()::regnamespace
             ORDER BY t.relname, a.attnum",
        );
        let column = |row: Row| {
            let mut row = row.into_iter().map(Option::unwrap);
            let mut next = || row.next().unwrap();
            let (table, name, kind) = (next(), next(), next());
            let kind = match kind.as_str() {
                "bytea" => Kind::Bytes,
                "text" => Kind::Text,
                "bigint" | "integer" | "smallint" => Kind::Number,
                "timestamp with time zone" => Kind::Time,
                "boolean" => Kind::Flag,
                other => panic!("{table}.{name} is {other}"),
            };
            (table, Column { name, kind, can_be_empty: next() == "false", in_key: next() == "true" })
        };
        columns.await.into_iter().map(column).collect()
    }

    async fn texts(&self, sql: &str) -> Vec<Row> {
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&self.pool).await.unwrap();
        rows.iter().map(|row| (0..row.len()).map(|column| row.get(column)).collect()).collect()
    }

    async fn run(&self, sql: &str) -> Result<u64, sqlx::Error> {
        Ok(sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await?.rows_affected())
    }

    fn as_text(&self, Column { name, kind, .. }: &Column) -> String {
        match kind {
            Kind::Bytes => format!("encode({name}, 'hex')"),
            // Microseconds since 1970: exact, and a number.
            Kind::Time => format!("(extract(epoch FROM {name}) * 1000000)::bigint::text"),
            _ => format!("{name}::text"),
        }
    }

    fn literal(&self, kind: Kind, text: &str) -> String {
        match kind {
            Kind::Bytes => format!("'\\x{text}'::bytea"),
            Kind::Text => format!("'{}'", text.replace('\'', "''")),
            Kind::Time => format!("('epoch'::timestamptz + {text} * interval '1 microsecond')"),
            Kind::Number | Kind::Flag => text.to_owned(),
        }
    }
}

#[tokio::test]
async fn a_changed_value_in_any_column_of_any_row_is_found() {
    let database = Unguarded::with_books().await;
    let ledger = PostgresLedger::new(database.pool.clone());
    let mut books = Books::read(&database, &ledger).await;
    books.every_change_is_found(1).await;
    assert!(books.tried() > 400, "only {} changes were tried", books.tried());
}

#[tokio::test]
async fn rows_that_go_or_come_are_found() {
    let database = Unguarded::with_books().await;
    let ledger = PostgresLedger::new(database.pool.clone());
    let mut books = Books::read(&database, &ledger).await;
    books.every_row_that_goes_or_comes_is_found().await;
    assert!(books.tried() > 40, "only {} changes were tried", books.tried());
}

#[tokio::test]
async fn entries_that_change_their_places_are_found() {
    let database = Unguarded::with_books().await;
    let ledger = PostgresLedger::new(database.pool.clone());
    Books::read(&database, &ledger).await.swapped_entries_are_found().await;
}
