//! Checkpoints on PostgreSQL.

use async_trait::async_trait;
use rad_billing::{PostgresLedger, postgres};
use rad_core::checkpoint::{Head, SignedCheckpoint};
use rad_core::conformance::checkpoint::{all, attacks};
use rad_core::id::AccountId;
use rad_core::ledger::{Ledger, Post};
use sqlx::postgres::PgPool;

use super::tampering::unguard;
use super::{address, pool, run};
use crate::checkpoints::{Literals, hex, replace, swap};

const LITERALS: Literals = Literals {
    bytes: |bytes| format!("'\\x{}'::bytea", hex(bytes)),
    time: |micros| format!("('epoch'::timestamptz + {micros} * interval '1 microsecond')"),
};

/// A superuser.
#[derive(Debug)]
struct Insider {
    pool: PgPool,
}

impl Insider {
    async fn run(&self, sql: impl IntoIterator<Item = String>) {
        for sql in sql {
            run(&self.pool, &sql).await;
        }
    }
}

#[async_trait]
impl attacks::Tamper for Insider {
    async fn rewrite(&self, account: AccountId, posts: &[Post]) {
        let anew = postgres::open(&address().await).await.unwrap();
        PostgresLedger::new(anew.clone()).post_batch(posts).await.unwrap();
        let schema: String =
            sqlx::query_scalar("SELECT current_schema()::text").fetch_one(&anew).await.unwrap();
        anew.close().await;
        let tables = "SELECT t.relname::text FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid
            WHERE t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace AND a.attname = 'account'
                AND t.relname LIKE 'ledger\\_%' AND t.relname NOT LIKE 'ledger\\_checkpoint%'";
        let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&self.pool).await.unwrap();
        self.run(swap(&tables, &(LITERALS.bytes)(account.as_bytes()), &schema)).await;
    }

    async fn replace_checkpoint(&self, number: u64, by: Option<(SignedCheckpoint, Vec<Head>)>) {
        self.run(replace(number, by, &LITERALS)).await;
    }
}

#[tokio::test]
async fn checkpoints_keep_the_contract() {
    let ledger = super::ledger().await;
    all(&ledger).await;
    all(&ledger).await;
}

#[tokio::test]
async fn every_attack_is_found() {
    let pool = pool().await;
    unguard(&pool).await;
    attacks::all(&PostgresLedger::new(pool.clone()), &Insider { pool }).await;
}

#[tokio::test]
async fn checkpoints_cannot_be_changed_through_sql() {
    let pool = pool().await;
    all(&PostgresLedger::new(pool.clone())).await;
    for (table, column) in [("ledger_checkpoints", "entries"), ("ledger_checkpoint_heads", "seq")] {
        for sql in [
            format!("UPDATE {table} SET {column} = {column} + 1"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table} CASCADE"),
        ] {
            let refused = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).execute(&pool).await;
            assert!(refused.is_err(), "{sql}");
        }
    }
}
