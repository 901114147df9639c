//! Whatever is changed behind the ledger by somebody whom nothing keeps from it, verifying the account finds it.

use rad_billing::PostgresLedger;
use rad_core::conformance::ledger;
use rad_core::id::AccountId;
use rad_core::ledger::{Finding, Ledger};
use sqlx::postgres::PgPool;

use super::{pool, run};

/// A schema with one account in which every kind of entry happened, without triggers and constraints.
struct Books {
    pool: PgPool,
    ledger: PostgresLedger,
    account: AccountId,
}

async fn books() -> Books {
    let pool = pool().await;
    let ledger = PostgresLedger::new(pool.clone());
    ledger::posting::does_what_the_engine_does(&ledger).await;
    let account = ledger.accounts(None, 1).await.unwrap()[0];
    for sql in [
        "ALTER TABLE ledger_entries DISABLE TRIGGER USER",
        "ALTER TABLE ledger_lines DISABLE TRIGGER USER",
        "ALTER TABLE ledger_lines DROP CONSTRAINT ledger_lines_account_entry_fkey",
        "ALTER TABLE ledger_lines DROP CONSTRAINT ledger_lines_check",
    ] {
        run(&pool, sql).await;
    }
    Books { pool, ledger, account }
}

impl Books {
    /// Changes something, gives what verifying finds, and takes the change back.
    async fn findings_after(&self, table: &str, sql: &str) -> Vec<Finding> {
        run(&self.pool, &format!("CREATE TABLE saved AS SELECT * FROM {table}")).await;
        assert!(run(&self.pool, sql).await > 0, "{sql}: nothing was changed");
        let found = self.ledger.verify(self.account).await.unwrap();
        run(&self.pool, &format!("DELETE FROM {table}")).await;
        run(&self.pool, &format!("INSERT INTO {table} SELECT * FROM saved")).await;
        run(&self.pool, "DROP TABLE saved").await;
        found
    }
}

/// Expressions that change a value of a column a little.
const ENTRY_CHANGES: [(&str, &str); 10] = [
    ("at", "at + interval '1 microsecond'"),
    ("key", "set_byte(key, 15, get_byte(key, 15) # 1)"),
    ("actor", "coalesce(set_byte(actor, 0, get_byte(actor, 0) # 1), '\\x30313233343536373839616263646566')"),
    ("kind", "kind || 's'"),
    ("category", "CASE category WHEN 'grant' THEN 'purchase' ELSE 'grant' END"),
    ("deployment", "CASE WHEN deployment IS NULL THEN '234567abcdef' END"),
    ("body", "overlay(body PLACING '~' FROM length(body) / 2)"),
    ("effect", "regexp_replace(effect, '\"credits\":\"', '\"credits\":\"1') || ' '"),
    ("hash", "set_byte(hash, 31, get_byte(hash, 31) # 128)"),
    ("seq", "seq + 1000"),
];

#[tokio::test]
async fn a_changed_value_in_any_column_of_any_entry_is_found_there() {
    let books = books().await;
    let entries = books.ledger.state(books.account).await.unwrap().seq();
    assert!(entries > 15, "too few kinds of entries: {entries}");
    for seq in [1, 4, 7, entries - 1] {
        for (column, changed) in ENTRY_CHANGES {
            let sql = format!("UPDATE ledger_entries SET {column} = {changed} WHERE seq = {seq}");
            let found = books.findings_after("ledger_entries", &sql).await;
            let first = found.iter().filter_map(|finding| finding.seq).min();
            assert_eq!(first, Some(seq), "{sql}: {found:?}");
        }
    }
    assert_eq!(books.ledger.verify(books.account).await.unwrap(), [], "every change was taken back");
}

#[tokio::test]
async fn rows_that_go_come_or_change_are_found() {
    let books = books().await;
    for sql in [
        "DELETE FROM ledger_entries WHERE seq = 3",
        "DELETE FROM ledger_entries WHERE seq = (SELECT max(seq) FROM ledger_entries)",
        "DELETE FROM ledger_entries",
        "UPDATE ledger_entries SET account = set_byte(account, 0, 255) WHERE seq = 2",
        "DELETE FROM ledger_lines WHERE entry = (SELECT min(entry) FROM ledger_lines)",
        "UPDATE ledger_lines SET entry = 9999 WHERE entry = (SELECT min(entry) FROM ledger_lines)",
        "UPDATE ledger_lines SET account = set_byte(account, 0, 255)",
        "INSERT INTO ledger_lines SELECT account, entry, place + 9, at, partner, agent, module, gross,
             partner_share, agent_share, platform_share, line FROM ledger_lines LIMIT 1",
        "UPDATE ledger_lines SET at = at - interval '1 microsecond'",
        "UPDATE ledger_lines SET partner = agent",
        "UPDATE ledger_lines SET agent = NULL",
        "UPDATE ledger_lines SET module = partner",
        "UPDATE ledger_lines SET gross = gross + 1",
        "UPDATE ledger_lines SET partner_share = partner_share + 1",
        "UPDATE ledger_lines SET agent_share = agent_share + 1",
        "UPDATE ledger_lines SET platform_share = platform_share - 1",
        "UPDATE ledger_lines SET line = line || ' '",
        "UPDATE ledger_accounts SET seq = seq + 1",
        "UPDATE ledger_accounts SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1)",
        "UPDATE ledger_accounts SET state = replace(state, '\"volume\":\"', '\"volume\":\"1')",
        "UPDATE ledger_lots SET is_open = NOT is_open WHERE id = 1",
        "UPDATE ledger_lots SET lot = replace(lot, '\"open\":\"', '\"open\":\"9')",
        "UPDATE ledger_charges SET charge = replace(charge, '\"refunded\":\"', '\"refunded\":\"9')",
        "DELETE FROM ledger_lots WHERE id = 1",
        "DELETE FROM ledger_charges",
        "DELETE FROM ledger_charge_lots",
        "DELETE FROM ledger_accounts",
        "INSERT INTO ledger_holds SELECT account, 1, '{}' FROM ledger_accounts",
        "INSERT INTO ledger_lots SELECT account, 999, true, '{}' FROM ledger_accounts",
    ] {
        let table = sql.split(' ').find(|word| word.starts_with("ledger_")).unwrap();
        assert!(!books.findings_after(table, sql).await.is_empty(), "{sql}: nothing is found");
    }
    assert_eq!(books.ledger.verify(books.account).await.unwrap(), [], "every change was taken back");
}
