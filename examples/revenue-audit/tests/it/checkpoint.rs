//! Checkpoints: what the entries alone cannot show, offline and in a database.

use std::fs;
use std::path::Path;

use rad_billing::{SqliteLedger, sqlite};
use rad_core::checkpoint::{CheckpointsExt, SigningKey};
use rad_core::ledger::{Ledger, Post};
use rad_core::simulation::Simulation;
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::common::{Said, audit};

const MARKET: Simulation = Simulation { accounts: 8, entries: 300, seed: 11 };

/// A ledger with two checkpoints, its export, and the newest checkpoint in a file; tells the public key.
async fn books(directory: &Path) -> String {
    let key = SigningKey::from_hex(&"a7".repeat(32).into()).unwrap();
    let pool = sqlite::open(&directory.join("rad.db")).await.unwrap();
    let ledger = SqliteLedger::new(pool.clone());
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
    for half in posts.chunks(posts.len().div_ceil(2)) {
        ledger.post_batch(half).await.unwrap();
        ledger.checkpoint(&key, chrono::Utc::now()).await.unwrap();
    }
    pool.close().await;
    let said = audit(
        directory,
        &["export", "sqlite:rad.db", "-o", "books.jsonl", "--checkpoint", "books.checkpoint", "--json"],
    );
    assert_eq!((said.code, &said.json()["checkpoint"]["number"]), (0, &Value::from(2)), "{said:?}");
    key.public().to_string()
}

fn verify(directory: &Path, source: &str, key: &str, more: &[&str]) -> Said {
    audit(directory, &[&["verify", source, "--json", "--checkpoint-key", key], more].concat())
}

const FILE: [&str; 2] = ["--checkpoint", "books.checkpoint"];

#[tokio::test]
async fn whole_books_extend_their_checkpoints() {
    let directory = tempfile::tempdir().unwrap();
    let key = books(directory.path()).await;
    for (source, more, checkpoints) in
        [("books.jsonl", &FILE[..], 1), ("sqlite:rad.db", &FILE[..], 2), ("sqlite:rad.db", &[][..], 2)]
    {
        let said = verify(directory.path(), source, &key, more);
        assert_eq!(said.code, 0, "{said:?}");
        let checked = &said.json()["checkpoints"];
        assert_eq!(
            (&checked["checkpoints"], &checked["last"]["key"]),
            (&checkpoints.into(), &key.as_str().into())
        );
    }
    let text = audit(directory.path(), &["verify", "sqlite:rad.db", "--checkpoint-key", &key]);
    assert!(text.out.contains("2 checkpoints") && text.out.contains(&key), "{text:?}");
}

#[tokio::test]
async fn an_export_that_was_cut_is_found_by_its_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let key = books(directory.path()).await;
    let text = fs::read_to_string(directory.path().join("books.jsonl")).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let account = |line: &str| -> (String, u64) {
        let entry = &serde_json::from_str::<Value>(line).unwrap()["entry"];
        (entry["account"].as_str().unwrap().to_owned(), entry["seq"].as_u64().unwrap())
    };
    let last = account(lines[lines.len() - 1]);
    let middle = account(lines[lines.len() / 2]).0;
    let first_of = |name: &str| lines.iter().filter(|line| account(line).0 == name).count() as u64;
    let without = |gone: &dyn Fn(&str, u64) -> bool| -> String {
        let stays = |line: &&&str| {
            let (name, seq) = account(line);
            !gone(&name, seq)
        };
        lines.iter().filter(stays).copied().collect()
    };
    let middle_last = first_of(&middle);
    for (cut, kind, name, seq) in [
        (lines[..lines.len() - 1].concat(), "CutOff", &last.0, last.1),
        (without(&|name, seq| name == middle && seq == middle_last), "CutOff", &middle, middle_last),
        (without(&|name, _| name == middle), "AccountRemoved", &middle, 1),
        (without(&|name, _| name == last.0), "AccountRemoved", &last.0, 1),
    ] {
        fs::write(directory.path().join("cut.jsonl"), cut).unwrap();
        let alone = audit(directory.path(), &["verify", "cut.jsonl"]);
        assert_eq!(alone.code, 0, "the entries alone do not show it: {alone:?}");
        let said = verify(directory.path(), "cut.jsonl", &key, &FILE);
        assert_eq!(said.code, 1, "{said:?}");
        let found = said.json()["findings"].as_array().unwrap().clone();
        assert_eq!(found.len(), 1, "{found:?}");
        let place = (&found[0]["kind"], &found[0]["account"], &found[0]["seq"]);
        assert_eq!(place, (&kind.into(), &name.as_str().into(), &seq.into()));
    }
}

#[tokio::test]
async fn what_was_removed_from_a_database_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let key = books(directory.path()).await;
    let pool = sqlite::open(&directory.path().join("rad.db")).await.unwrap();
    let triggers = "SELECT name FROM sqlite_schema WHERE type = 'trigger'";
    let triggers: Vec<String> = sqlx::query_scalar(triggers).fetch_all(&pool).await.unwrap();
    let run =
        async |sql: String| sqlx::query(AssertSqlSafe(sql)).execute(&pool).await.unwrap().rows_affected();
    for trigger in triggers {
        run(format!("DROP TRIGGER {trigger}")).await;
    }
    // The newest checkpoint: only the file knows that there was one.
    run("DELETE FROM ledger_checkpoint_heads WHERE checkpoint = 2".to_owned()).await;
    run("DELETE FROM ledger_checkpoints WHERE number = 2".to_owned()).await;
    let said = verify(directory.path(), "sqlite:rad.db", &key, &[]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = verify(directory.path(), "sqlite:rad.db", &key, &FILE);
    let found = said.json()["checkpoints"]["findings"].clone();
    assert_eq!((said.code, &found[0]["problem"]["kind"]), (1, &"not_kept".into()), "{said:?}");
    // An account, wholly.
    let account = "(SELECT account FROM ledger_checkpoint_heads ORDER BY account DESC LIMIT 1)";
    let tables = "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c ON c.name = 'account'
        WHERE t.type = 'table' AND t.name LIKE 'ledger%' AND t.name NOT LIKE 'ledger_checkpoint%'
        ORDER BY t.name = 'ledger_entries'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&pool).await.unwrap();
    for table in tables {
        run(format!("DELETE FROM {table} WHERE account = {account}")).await;
    }
    let said = verify(directory.path(), "sqlite:rad.db", &key, &[]);
    let found = said.json()["findings"].clone();
    assert_eq!((said.code, &found[0]["kind"]), (1, &"AccountRemoved".into()), "{said:?}");
}

#[tokio::test]
async fn checkpoints_of_others_and_broken_ones_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let key = books(directory.path()).await;
    let stranger = SigningKey::from_hex(&"a8".repeat(32).into()).unwrap().public().to_string();
    for source in ["books.jsonl", "sqlite:rad.db"] {
        let said = verify(directory.path(), source, &stranger, &FILE);
        let found = said.json()["checkpoints"]["findings"][0].clone();
        assert_eq!((said.code, &found["problem"]["kind"]), (1, &"foreign_key".into()), "{said:?}");
    }
    let alone = verify(directory.path(), "books.jsonl", &key, &[]);
    assert_eq!((alone.code, &alone.json()["error"]["kind"]), (2, &"Argument".into()), "{alone:?}");

    let whole = fs::read_to_string(directory.path().join("books.checkpoint")).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    fs::write(directory.path().join("books.checkpoint"), lines[..3].concat()).unwrap();
    let said = verify(directory.path(), "books.jsonl", &key, &FILE);
    assert_eq!((said.code, &said.json()["error"]["kind"]), (2, &"Checkpoint".into()), "{said:?}");
}
