//! Ledgers in databases: what they say is what the file of the same entries says, and nothing is written.

use std::fs::File;
use std::path::Path;

use rad_billing::{PostgresLedger, SqliteLedger, postgres, sqlite};
use rad_core::export::{JsonlWriter, Record};
use rad_core::id::AccountId;
use rad_core::ledger::{Ledger, Post, Posted};
use rad_core::simulation::Simulation;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::common::audit;

/// The books of a small market: in a file, and posted to a ledger.
const MARKET: Simulation = Simulation { accounts: 20, entries: 1_500, seed: 7 };

/// An address whose tables are in a new schema of the server that `make test` starts.
async fn postgres_address() -> SecretString {
    let server = std::env::var("RAD_TEST_POSTGRES_URL").expect(
        "RAD_TEST_POSTGRES_URL is not set: `make test` starts a PostgreSQL for the tests and sets it",
    );
    let schema = format!("test_{}", AccountId::new().to_string().replace('-', "_"));
    let mut connection = PgConnection::connect(&server).await.unwrap();
    connection.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await.unwrap();
    format!("{server}?options[search_path]={schema}").into()
}

/// Posts the market to a ledger in batches that span accounts, and writes what was posted into `books.jsonl`.
async fn fill(ledger: &dyn Ledger, directory: &Path) {
    let market = MARKET.market().unwrap();
    let posts: Vec<Post> = market
        .entries()
        .map(|entry| Post {
            account: entry.account,
            key: entry.key,
            at: entry.at,
            actor: entry.actor,
            body: entry.body,
        })
        .collect();
    let mut file = JsonlWriter::new(File::create(directory.join("books.jsonl")).unwrap());
    for batch in posts.chunks(97) {
        let posted: Vec<Posted> = ledger.post_batch(batch).await.unwrap();
        posted.iter().for_each(|posted| file.write(&Record::of(posted)).unwrap());
    }
    file.finish().unwrap();
}

/// What a command says of a source in JSON, without the source's name.
fn said(directory: &Path, arguments: &[&str]) -> Value {
    let said = audit(directory, &[arguments, &["--json"]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    let password = arguments.iter().find_map(|argument| argument.split_once("//rad:")?.1.split('@').next());
    assert!(password.is_none_or(|password| !said.out.contains(password)), "{}", said.out);
    let mut json = said.json();
    json.as_object_mut().unwrap().remove("source");
    json
}

fn says_what_the_file_says(directory: &Path, source: &str) {
    let file = said(directory, &["replay", "books.jsonl", "--by", "module"]);
    assert!(file["entries"].as_u64() >= Some(MARKET.entries), "{file}");
    assert_eq!(said(directory, &["replay", source, "--by", "module"]), file);
}

#[tokio::test]
async fn a_ledger_on_sqlite_says_what_its_export_says() {
    let directory = tempfile::tempdir().unwrap();
    let pool = sqlite::open(&directory.path().join("rad.db")).await.unwrap();
    let ledger = SqliteLedger::new(pool.clone());
    fill(&ledger, directory.path()).await;
    // Whoever closes the file last copies its log into it.
    ledger.drain().await;
    pool.close().await;
    let before = std::fs::read(directory.path().join("rad.db")).unwrap();
    says_what_the_file_says(directory.path(), "sqlite:rad.db");
    assert!(std::fs::read(directory.path().join("rad.db")).unwrap() == before, "reading writes nothing");
}

#[tokio::test]
async fn a_ledger_on_postgres_says_what_its_export_says() {
    let directory = tempfile::tempdir().unwrap();
    let address = postgres_address().await;
    fill(&PostgresLedger::new(postgres::open(&address).await.unwrap()), directory.path()).await;
    says_what_the_file_says(directory.path(), address.expose_secret());
}

#[tokio::test]
async fn a_ledger_is_exported_as_it_says_and_verified_as_sound() {
    let directory = tempfile::tempdir().unwrap();
    let address = postgres_address().await;
    let pool = sqlite::open(&directory.path().join("rad.db")).await.unwrap();
    fill(&SqliteLedger::new(pool), directory.path()).await;
    fill(&PostgresLedger::new(postgres::open(&address).await.unwrap()), directory.path()).await;
    let books = std::fs::read(directory.path().join("books.jsonl")).unwrap();
    for source in ["sqlite:rad.db", address.expose_secret()] {
        let exported = said(directory.path(), &["export", source, "-o", "exported.jsonl", "--force"]);
        assert_eq!(exported["entries"], MARKET.entries, "{exported}");
        assert_eq!(exported["accounts"], MARKET.accounts + 1, "{exported}");
        assert!(std::fs::read(directory.path().join("exported.jsonl")).unwrap() == books, "{source}");

        let of_database = said(directory.path(), &["verify", source]);
        let mut of_file = said(directory.path(), &["verify", "exported.jsonl"]);
        of_file["checked"]["stored"] = (MARKET.accounts + 1).into();
        assert_eq!(of_database, of_file, "{source}");
    }
}

/// What somebody who can do everything changes in the database, the kind of finding it leads to, and where.
const CHANGES: [(&str, &str, u64); 6] = [
    ("UPDATE ledger_entries SET at = at + interval '1 microsecond' WHERE seq = 5", "HashDiffers", 5),
    ("UPDATE ledger_entries SET body = '\\x00' WHERE seq = 6", "Stored", 6),
    ("DELETE FROM ledger_entries WHERE seq = (SELECT max(seq) FROM ledger_entries)", "Stored", 0),
    (
        "UPDATE ledger_accounts SET seq = seq + 1 WHERE seq = (SELECT max(seq) FROM ledger_accounts)",
        "Stored",
        737,
    ),
    ("UPDATE ledger_lines SET partner = agent WHERE agent IS NOT NULL", "Stored", u64::MAX),
    ("DELETE FROM ledger_entries", "Stored", 0),
];

#[tokio::test]
async fn what_is_changed_behind_a_ledger_is_found_and_located() {
    let directory = tempfile::tempdir().unwrap();
    for (sql, kind, seq) in CHANGES {
        let address = postgres_address().await;
        let pool = postgres::open(&address).await.unwrap();
        fill(&PostgresLedger::new(pool.clone()), directory.path()).await;
        for sql in [
            "DROP TRIGGER ledger_entries_never_change ON ledger_entries",
            "DROP TRIGGER ledger_lines_never_change ON ledger_lines",
            sql,
        ] {
            pool.execute(sql).await.unwrap();
        }
        let said = audit(directory.path(), &["verify", address.expose_secret(), "--json"]);
        assert_eq!(said.code, 1, "{sql}: {said:?}");
        let found = said.json()["findings"].as_array().unwrap().clone();
        let located = |found: &Value| found["kind"] == kind && (seq == u64::MAX || found["seq"] == seq);
        assert!(found.iter().any(located), "{sql}: {found:?}");
    }
}

#[tokio::test]
async fn a_database_that_is_none_of_a_ledger_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let missing = audit(directory.path(), &["replay", "sqlite:rad.db", "--json"]);
    assert_eq!((missing.code, &missing.json()["error"]["kind"]), (2, &"Open".into()), "{missing:?}");
    assert!(!directory.path().join("rad.db").exists(), "a missing file is not made");

    std::fs::write(directory.path().join("empty.db"), "").unwrap();
    let address = postgres_address().await;
    for source in ["sqlite:empty.db", address.expose_secret()] {
        let refused = audit(directory.path(), &["replay", source, "--json"]);
        let error = &refused.json()["error"];
        assert_eq!((refused.code, &error["kind"]), (2, &"Database".into()), "{refused:?}");
        let reason = error["reason"].as_str().unwrap();
        assert!(reason.contains("older than this release"), "{reason}");
    }
    assert_eq!(std::fs::read(directory.path().join("empty.db")).unwrap(), b"");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_the_password() {
    let directory = tempfile::tempdir().unwrap();
    let said = audit(directory.path(), &["replay", "postgres://rad:hush@127.0.0.1:1/books", "--json"]);
    let error = &said.json()["error"];
    assert_eq!((said.code, &error["source"]), (2, &"postgres://rad@127.0.0.1:1/books".into()), "{said:?}");
    assert_eq!(error["mend"], "try again in a moment");
    assert!(!said.out.contains("hush") && !said.err.contains("hush"), "{said:?}");
}
