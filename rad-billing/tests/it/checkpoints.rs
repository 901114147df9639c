//! Checkpoints show what the tables alone do not: who may write to all of them can make them fit together.

use async_trait::async_trait;
use rad_billing::{SqliteLedger, sqlite};
use rad_core::checkpoint::{Head, SignedCheckpoint};
use rad_core::conformance::checkpoint::{all, attacks};
use rad_core::id::AccountId;
use rad_core::ledger::{Ledger, Post};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqlitePool;

use crate::tampering::unguarded;
use crate::{Database, database};

/// How a database writes values.
pub(crate) struct Literals {
    pub(crate) bytes: fn(&[u8]) -> String,
    /// Of microseconds since 1970.
    pub(crate) time: fn(i64) -> String,
}

/// SQL that puts what another schema has of an account in the place of what is there.
pub(crate) fn swap(tables: &[String], account: &str, from: &str) -> Vec<String> {
    let swap = |table: &String| {
        [
            format!("DELETE FROM {table} WHERE account = {account}"),
            format!("INSERT INTO {table} SELECT * FROM {from}.{table} WHERE account = {account}"),
        ]
    };
    tables.iter().flat_map(swap).collect()
}

/// SQL that puts a checkpoint and its heads in the place of the one with this number.
pub(crate) fn replace(
    number: u64,
    by: Option<(SignedCheckpoint, Vec<Head>)>,
    literals: &Literals,
) -> Vec<String> {
    let mut sql = vec![
        format!("DELETE FROM ledger_checkpoint_heads WHERE checkpoint = {number}"),
        format!("DELETE FROM ledger_checkpoints WHERE number = {number}"),
    ];
    let Some((SignedCheckpoint { checkpoint, key, signature }, heads)) = by else { return sql };
    let bytes = literals.bytes;
    sql.push(format!(
        "INSERT INTO ledger_checkpoints (number, at, accounts, entries, root, changes, previous, key, signature)
         VALUES ({number}, {}, {}, {}, {}, {}, {}, {}, {})",
        (literals.time)(checkpoint.at.timestamp_micros()),
        checkpoint.accounts,
        checkpoint.entries,
        bytes(checkpoint.root.as_bytes()),
        bytes(checkpoint.changes.as_bytes()),
        bytes(checkpoint.previous.as_bytes()),
        bytes(key.as_bytes()),
        bytes(signature.as_bytes()),
    ));
    sql.extend(heads.iter().map(|Head { account, seq, hash }| {
        let (account, hash) = (bytes(account.as_bytes()), bytes(hash.as_bytes()));
        format!(
            "INSERT INTO ledger_checkpoint_heads (account, checkpoint, seq, hash)
             VALUES ({account}, {number}, {seq}, {hash})"
        )
    }));
    sql
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const LITERALS: Literals =
    Literals { bytes: |bytes| format!("x'{}'", hex(bytes)), time: |micros| micros.to_string() };

/// Whoever has the file.
#[derive(Debug)]
struct Insider {
    pool: SqlitePool,
    dir: tempfile::TempDir,
}

impl Insider {
    async fn run(&self, sql: impl IntoIterator<Item = String>) {
        for sql in sql {
            let done = sqlx::query(AssertSqlSafe(sql.clone())).execute(&self.pool).await;
            done.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }
}

#[async_trait]
impl attacks::Tamper for Insider {
    async fn rewrite(&self, account: AccountId, posts: &[Post]) {
        let path = self.dir.path().join(format!("{}.db", AccountId::new()));
        let pool = sqlite::open(&path).await.unwrap();
        SqliteLedger::new(pool.clone()).post_batch(posts).await.unwrap();
        pool.close().await;
        let tables =
            "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c ON c.name = 'account'
            WHERE t.type = 'table' AND t.name LIKE 'ledger%' AND t.name NOT LIKE 'ledger_checkpoint%'";
        let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&self.pool).await.unwrap();
        self.run([format!("ATTACH '{}' AS anew", path.display())]).await;
        self.run(swap(&tables, &(LITERALS.bytes)(account.as_bytes()), "anew")).await;
        self.run(["DETACH anew".to_owned()]).await;
    }

    async fn replace_checkpoint(&self, number: u64, by: Option<(SignedCheckpoint, Vec<Head>)>) {
        self.run(replace(number, by, &LITERALS)).await;
    }
}

#[tokio::test]
async fn checkpoints_keep_the_contract() {
    let database = database().await.unwrap();
    let ledger = SqliteLedger::new(database.pool.clone());
    all(&ledger).await;
    all(&ledger).await;
}

#[tokio::test]
async fn every_attack_is_found() {
    let database = database().await.unwrap();
    let pool = unguarded(&database).await;
    let ledger = SqliteLedger::new(database.pool.clone());
    let Database { dir, .. } = database;
    attacks::all(&ledger, &Insider { pool, dir }).await;
}

#[tokio::test]
async fn checkpoints_cannot_be_changed_through_sql() {
    let database = database().await.unwrap();
    all(&SqliteLedger::new(database.pool.clone())).await;
    for sql in [
        "UPDATE ledger_checkpoints SET entries = entries + 1",
        "DELETE FROM ledger_checkpoints",
        "INSERT OR REPLACE INTO ledger_checkpoints SELECT * FROM ledger_checkpoints",
        "UPDATE ledger_checkpoint_heads SET seq = seq + 1",
        "DELETE FROM ledger_checkpoint_heads",
        "INSERT OR REPLACE INTO ledger_checkpoint_heads SELECT * FROM ledger_checkpoint_heads",
    ] {
        assert!(sqlx::query(sql).execute(&database.pool).await.is_err(), "{sql}");
    }
}
