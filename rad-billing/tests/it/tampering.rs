//! Whatever is changed behind the ledger, verifying the account finds it.

use rad_billing::SqliteLedger;
use rad_core::conformance::ledger;
use rad_core::id::AccountId;
use rad_core::ledger::{Finding, Ledger};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Row};

use crate::{Database, database};

/// A file with one account in which every kind of entry happened, opened by somebody whom nothing keeps from changing it.
struct Books {
    database: Database,
    pool: SqlitePool,
    ledger: SqliteLedger,
    account: AccountId,
}

async fn books() -> Books {
    let database = database().await.unwrap();
    let ledger = SqliteLedger::new(database.pool.clone());
    ledger::posting::does_what_the_engine_does(&ledger).await;
    let account = ledger.accounts(None, 1).await.unwrap()[0];
    let triggers = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name LIKE 'ledger%'";
    let triggers: Vec<String> = sqlx::query_scalar(triggers).fetch_all(&database.pool).await.unwrap();
    for trigger in triggers {
        run(&database.pool, &format!("DROP TRIGGER {trigger}")).await;
    }
    let pool = unguarded(&database, "rad.db").await;
    let ledger = SqliteLedger::new(pool.clone());
    assert_eq!(ledger.verify(account).await.unwrap(), []);
    Books { database, pool, ledger, account }
}

async fn unguarded(database: &Database, file: &str) -> SqlitePool {
    let options = database.pool.connect_options().as_ref().clone();
    let options = options
        .filename(database.dir.path().join(file))
        .foreign_keys(false)
        .synchronous(SqliteSynchronous::Off)
        .pragma("ignore_check_constraints", "ON");
    SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap()
}

async fn run(pool: &SqlitePool, sql: &str) -> u64 {
    let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(pool).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}")).rows_affected()
}

impl Books {
    /// Changes a column of the rows with `id = number` in several ways, one after the other, and gives what verifying
    /// found each time.
    async fn change(&self, table: &str, column: &str, id: &str, number: i64) -> Vec<Vec<Finding>> {
        let select =
            format!("SELECT rowid, typeof({column}), CAST({column} AS BLOB) FROM {table} WHERE {id} = ?");
        let row = sqlx::query(AssertSqlSafe(select)).bind(number).fetch_one(&self.pool).await.unwrap();
        let (rowid, kind): (i64, String) = (row.get(0), row.get(1));
        let kind = if kind == "null" { null_kind(column) } else { &kind };
        let original: Option<Vec<u8>> = row.get(2);
        let update = format!("UPDATE {table} SET {column} = CAST(? AS {kind}) WHERE rowid = {rowid}");
        let mut findings = Vec::new();
        for wrong in wrong_values(kind, original.as_deref()) {
            sqlx::query(AssertSqlSafe(update.clone())).bind(wrong).execute(&self.pool).await.unwrap();
            findings.push(self.ledger.verify(self.account).await.unwrap());
        }
        sqlx::query(AssertSqlSafe(update)).bind(original).execute(&self.pool).await.unwrap();
        findings
    }
}

/// The type of a column that is empty.
fn null_kind(column: &str) -> &'static str {
    if ["category", "deployment"].contains(&column) { "TEXT" } else { "BLOB" }
}

/// Values with a flipped bit here and there; something where nothing was.
fn wrong_values(kind: &str, original: Option<&[u8]>) -> Vec<Vec<u8>> {
    let Some(original) = original else { return vec![b"0123456789abcdef".to_vec()] };
    if kind == "integer" {
        let number: i64 = String::from_utf8(original.to_vec()).unwrap().parse().unwrap();
        return [number ^ 1, number ^ 0x100].map(|wrong| wrong.to_string().into_bytes()).to_vec();
    }
    let step = (original.len() / 12).max(1);
    let flip = |place: usize| {
        let mut wrong = original.to_vec();
        wrong[place] ^= 1;
        wrong
    };
    (0..original.len()).step_by(step).map(flip).collect()
}

#[tokio::test]
async fn a_changed_value_in_any_column_of_any_entry_is_found_there() {
    let books = books().await;
    let entries = i64::try_from(books.ledger.state(books.account).await.unwrap().seq()).unwrap();
    let mut tried = 0;
    for seq in 1..=entries {
        for column in ["at", "key", "actor", "kind", "category", "deployment", "body", "effect", "hash"] {
            for found in books.change("ledger_entries", column, "seq", seq).await {
                tried += 1;
                let first = found.iter().filter_map(|finding| finding.seq).min();
                assert_eq!(first, Some(seq.unsigned_abs()), "entry {seq}, {column}: {found:?}");
            }
        }
    }
    assert!(tried > 800, "only {tried} changes were tried");
    assert_eq!(books.ledger.verify(books.account).await.unwrap(), [], "every change was taken back");
}

#[tokio::test]
async fn a_changed_value_in_any_column_of_any_line_is_found() {
    let books = books().await;
    let entries = "SELECT DISTINCT entry FROM ledger_lines";
    let entries: Vec<i64> = sqlx::query_scalar(entries).fetch_all(&books.pool).await.unwrap();
    assert!(entries.len() >= 4, "too few entries booked revenue: {entries:?}");
    let names = ["place", "at", "partner", "agent", "module", "line"];
    let sums = ["gross", "partner_share", "agent_share", "platform_share"];
    for entry in entries {
        for column in names.into_iter().chain(sums) {
            for found in books.change("ledger_lines", column, "entry", entry).await {
                assert!(!found.is_empty(), "line of {entry}, {column}: nothing is found");
            }
        }
    }
    assert_eq!(books.ledger.verify(books.account).await.unwrap(), [], "every change was taken back");
}

#[tokio::test]
async fn rows_that_go_come_or_change_their_place_are_found() {
    let books = books().await;
    let copies = [
        "DELETE FROM ledger_entries WHERE seq = 3",
        "DELETE FROM ledger_entries WHERE seq = (SELECT max(seq) FROM ledger_entries)",
        "DELETE FROM ledger_entries",
        "UPDATE ledger_entries SET seq = CASE seq WHEN 2 THEN -3 WHEN 3 THEN -2 ELSE -seq END;
         UPDATE ledger_entries SET seq = -seq",
        "UPDATE ledger_entries SET account = randomblob(16) WHERE seq = 2",
        "DELETE FROM ledger_lines WHERE rowid = 1",
        "UPDATE ledger_lines SET entry = 9999 WHERE rowid = 1",
        "UPDATE ledger_lines SET account = randomblob(16) WHERE rowid = 1",
        "INSERT INTO ledger_lines SELECT account, entry, place + 1, at, partner, agent, module, gross,
             partner_share, agent_share, platform_share, line FROM ledger_lines WHERE rowid = 1",
        "UPDATE ledger_accounts SET seq = seq + 1",
        "UPDATE ledger_accounts SET hash = zeroblob(32)",
        "UPDATE ledger_accounts SET state = replace(state, '\"volume\":\"', '\"volume\":\"1')",
        "UPDATE ledger_lots SET is_open = 1 - is_open WHERE id = 1",
        "UPDATE ledger_lots SET lot = replace(lot, '\"open\":\"', '\"open\":\"9')",
        "UPDATE ledger_charges SET charge = replace(charge, '\"refunded\":\"', '\"refunded\":\"9')",
        "DELETE FROM ledger_lots WHERE id = 1",
        "DELETE FROM ledger_charges",
        "DELETE FROM ledger_charge_lots",
        "DELETE FROM ledger_accounts",
        "INSERT INTO ledger_holds SELECT account, 1, '{}' FROM ledger_accounts",
        "INSERT INTO ledger_lots SELECT account, 999, 1, '{}' FROM ledger_accounts",
    ];
    for (number, sql) in copies.into_iter().enumerate() {
        let file = format!("copy-{number}.db");
        let path = books.database.dir.path().join(&file);
        run(&books.pool, &format!("VACUUM INTO '{}'", path.display())).await;
        let copy = unguarded(&books.database, &file).await;
        let ledger = SqliteLedger::new(copy.clone());
        assert_eq!(ledger.verify(books.account).await.unwrap(), [], "a copy is as good as the original");
        assert!(run(&copy, sql).await > 0, "{sql}: nothing was changed");
        let found = ledger.verify(books.account).await.unwrap();
        assert!(!found.is_empty(), "{sql}: nothing is found");
    }
}
