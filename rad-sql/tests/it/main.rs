//! Both databases take the same statements, and mean the same.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rad_core::access::Publisher;
use rad_core::error::FailureKind;
use rad_core::id::{AccountId, DeploymentId, RunId};
use rad_core::source::Digest;
use rad_sql::testing::{TestDatabase, one_of_each};
use rad_sql::{Database, Schema, is_taken, json, sql, word};

const SCHEMA: Schema = Schema::new(
    "sample_migrations",
    || sqlx::migrate!("./tests/migrations/sqlite"),
    || sqlx::migrate!("./tests/migrations/postgres"),
);

/// One database of each kind with the table `samples`.
async fn samples() -> Vec<TestDatabase> {
    let databases = one_of_each().await.unwrap();
    for test in &databases {
        SCHEMA.migrate(&test.database).await.unwrap();
    }
    databases
}

async fn keep(database: &Database, id: AccountId, number: i64) {
    let insert = sql("INSERT INTO samples (id, number) VALUES ($1, $2)").bind(id).bind(number);
    insert.execute(database, "keeping").await.unwrap();
}

#[tokio::test]
async fn what_is_bound_is_what_is_read() {
    let time = DateTime::from_timestamp_micros(1_770_000_000_123_456).unwrap();
    for TestDatabase { database, .. } in &samples().await {
        let (id, deployment) = (RunId::new(), DeploymentId::new());
        sql("INSERT INTO samples (id, text, number, flag, at) VALUES ($1, $2, $3, $4, $5)")
            .bind(id)
            .bind(deployment)
            .bind(7_u64)
            .bind(true)
            .bind(time)
            .execute(database, "keeping")
            .await
            .unwrap();
        let row = sql("SELECT * FROM samples").one(database, "reading").await.unwrap();
        assert_eq!(row.get::<RunId>("id").unwrap(), id);
        assert_eq!(row.get::<DeploymentId>("text").unwrap(), deployment);
        assert_eq!(row.get::<Option<u32>>("number").unwrap(), Some(7));
        assert!(row.get::<bool>("flag").unwrap());
        assert_eq!(row.get::<DateTime<Utc>>("at").unwrap(), time);
    }
}

#[tokio::test]
async fn what_is_empty_is_read_as_none_and_refused_where_there_must_be_something() {
    for TestDatabase { database, .. } in &samples().await {
        let platform = Publisher::Platform;
        let insert = sql("INSERT INTO samples (id, text, number, flag, at) VALUES ($1, $2, $3, $4, $5)");
        insert
            .bind(platform)
            .bind(None::<&str>)
            .bind(None::<i64>)
            .bind(None::<bool>)
            .bind(None::<DateTime<Utc>>)
            .execute(database, "keeping")
            .await
            .unwrap();
        let row = sql("SELECT * FROM samples").one(database, "reading").await.unwrap();
        assert_eq!(row.get::<Publisher>("id").unwrap(), platform);
        assert_eq!(row.get::<Option<String>>("text").unwrap(), None);
        assert_eq!(row.get::<Option<DateTime<Utc>>>("at").unwrap(), None);
        for error in [
            row.get::<String>("text").map(drop).unwrap_err(),
            row.get::<DateTime<Utc>>("at").map(drop).unwrap_err(),
            row.get::<Digest>("id").map(drop).unwrap_err(),
        ] {
            assert_eq!(error.kind(), FailureKind::Corrupt);
        }
    }
}

#[tokio::test]
async fn words_and_json_come_back_and_nonsense_is_corrupt() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mood {
        VeryGood,
    }
    assert!(word(["a", "b"]).is_err());
    for TestDatabase { database, .. } in &samples().await {
        for (id, text) in
            [(b"word", word(Mood::VeryGood)), (b"json", json(&[1, 2])), (b"none", Ok("{".into()))]
        {
            let insert =
                sql("INSERT INTO samples (id, text) VALUES ($1, $2)").bind(&id[..]).bind(text.unwrap());
            insert.execute(database, "keeping").await.unwrap();
        }
        let read = async |id: &[u8; 4]| {
            sql("SELECT text FROM samples WHERE id = $1")
                .bind(&id[..])
                .one(database, "reading")
                .await
                .unwrap()
        };
        assert_eq!(read(b"word").await.word::<Mood>("text").unwrap(), Mood::VeryGood);
        assert_eq!(read(b"json").await.json::<Vec<u8>>("text").unwrap(), [1, 2]);
        let nonsense = read(b"none").await;
        assert_eq!(nonsense.json::<Vec<u8>>("text").unwrap_err().kind(), FailureKind::Corrupt);
        assert_eq!(nonsense.word::<Mood>("text").unwrap_err().kind(), FailureKind::Corrupt);
    }
}

#[tokio::test]
async fn texts_are_found_in_texts_whatever_they_are() {
    for TestDatabase { database, .. } in &samples().await {
        let insert = sql("INSERT INTO samples (id, text) VALUES ($1, $2)").bind(AccountId::new());
        insert.bind("100% of ünder_score").execute(database, "keeping").await.unwrap();
        for (part, found) in [("% of ü", true), ("r_s", true), ("r.s", false), ("%ü", false), ("\0", false)]
        {
            let mut find = sql("SELECT 1 FROM samples WHERE instr(text, ");
            find.push_bind(part).push(") > 0");
            assert_eq!(find.finds(database, "looking").await.unwrap(), found, "{part}");
        }
    }
}

#[tokio::test]
async fn a_value_that_is_there_is_told_from_other_errors() {
    for TestDatabase { database, .. } in &samples().await {
        let id = AccountId::new();
        keep(database, id, 1).await;
        let again = sql("INSERT INTO samples (id) VALUES ($1)").bind(id).try_execute(database).await;
        assert!(is_taken(&again.unwrap_err()));
        let none =
            sql("INSERT INTO samples (id) VALUES ($1)").bind(None::<&[u8]>).try_execute(database).await;
        assert!(!is_taken(&none.unwrap_err()));
    }
}

#[tokio::test]
async fn a_transaction_that_is_dropped_did_nothing() {
    for TestDatabase { database, .. } in &samples().await {
        let id = AccountId::new();
        keep(database, id, 1).await;
        let mut transaction = database.begin().await.unwrap();
        sql("DELETE FROM samples").execute(&mut transaction, "clearing").await.unwrap();
        assert!(!sql("SELECT 1 FROM samples").finds(&mut transaction, "reading").await.unwrap());
        drop(transaction);
        assert!(sql("SELECT 1 FROM samples").finds(database, "reading").await.unwrap());
    }
}

#[tokio::test]
async fn a_snapshot_does_not_see_what_comes_later() {
    for TestDatabase { database, .. } in &samples().await {
        keep(database, AccountId::new(), 1).await;
        let mut snapshot = database.snapshot().await.unwrap();
        let count = "SELECT count(*) AS found FROM samples";
        let before: i64 = sql(count).one(&mut snapshot, "counting").await.unwrap().get("found").unwrap();
        keep(database, AccountId::new(), 2).await;
        let after: i64 = sql(count).one(&mut snapshot, "counting").await.unwrap().get("found").unwrap();
        assert_eq!((before, after), (1, 1));
    }
}

/// Reads, thinks, and writes what follows, behind a lock on the row or on a name.
async fn count_on(database: Database, by_name: bool) {
    let mut transaction = database.begin().await.unwrap();
    let mut read = sql("SELECT number FROM samples");
    if by_name {
        transaction.lock("samples").await.unwrap();
    } else {
        read = read.for_update();
    }
    let row = read.one(&mut transaction, "reading").await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let next = sql("UPDATE samples SET number = $1").bind(row.get::<i64>("number").unwrap() + 1);
    next.execute(&mut transaction, "counting").await.unwrap();
    transaction.commit("counting").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_locks_takes_turns() {
    for TestDatabase { database, .. } in &samples().await {
        keep(database, AccountId::new(), 0).await;
        for by_name in [false, true] {
            let mut counting = tokio::task::JoinSet::new();
            for _ in 0..5 {
                counting.spawn(count_on(database.clone(), by_name));
            }
            counting.join_all().await;
        }
        let row = sql("SELECT number FROM samples").one(database, "reading").await.unwrap();
        assert_eq!(row.get::<i64>("number").unwrap(), 10);
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn rows_that_others_have_locked_are_left_out() {
    for TestDatabase { database, .. } in samples().await {
        let Database::Postgres(_) = database else { continue };
        for number in 0..2 {
            keep(&database, AccountId::new(), number).await;
        }
        let next = || sql("SELECT number FROM samples ORDER BY number LIMIT 1").skip_locked("samples");
        let mut first = database.begin().await.unwrap();
        let mut second = database.begin().await.unwrap();
        let one: i64 = next().one(&mut first, "reading").await.unwrap().get("number").unwrap();
        let two: i64 = next().one(&mut second, "reading").await.unwrap().get("number").unwrap();
        assert_eq!((one, two), (0, 1));
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn what_is_told_is_heard_once_it_is_committed_and_a_lost_connection_is_told_of() {
    use rad_sql::postgres::{Heard, Listener};

    for TestDatabase { database, .. } in samples().await {
        let Database::Postgres(pool) = &database else { continue };
        let channel = RunId::new().to_string();
        let mut listener = Listener::on(pool, &channel).await.unwrap();
        let tell = |what| sql("SELECT pg_notify($1, $2)").bind(&channel).bind(what);
        let mut transaction = database.begin().await.unwrap();
        tell("late").execute(&mut transaction, "telling").await.unwrap();
        tell("early").execute(&database, "telling").await.unwrap();
        transaction.commit("telling").await.unwrap();
        assert_eq!(listener.next().await.unwrap(), Heard::Told("early".to_owned()));
        assert_eq!(listener.next().await.unwrap(), Heard::Told("late".to_owned()));

        let end = sql("SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
             WHERE query = 'LISTEN \"' || $1 || '\"'");
        assert!(end.bind(&channel).finds(&database, "ending the connection").await.unwrap());
        assert_eq!(listener.next().await.unwrap(), Heard::Missed);
        tell("again").execute(&database, "telling").await.unwrap();
        assert_eq!(listener.next().await.unwrap(), Heard::Told("again".to_owned()));
    }
}

#[tokio::test]
async fn a_schema_is_made_once_by_many_who_start_together_and_a_newer_one_is_refused() {
    for TestDatabase { database, .. } in one_of_each().await.unwrap() {
        let older = SCHEMA.check(&database).await.unwrap_err();
        assert!(cause(&older).contains("older than this release"), "{older:?}");
        let mut starting = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let database = database.clone();
            starting.spawn(async move { SCHEMA.migrate(&database).await });
        }
        for started in starting.join_all().await {
            started.unwrap();
        }
        SCHEMA.check(&database).await.unwrap();
        sql("UPDATE sample_migrations SET version = 9999").execute(&database, "ageing").await.unwrap();
        for newer in [SCHEMA.migrate(&database).await, SCHEMA.check(&database).await] {
            let newer = newer.unwrap_err();
            assert_eq!(newer.kind(), FailureKind::Permanent);
            assert!(cause(&newer).contains("9999") && cause(&newer).contains("newer release"), "{newer:?}");
        }
    }
}

#[tokio::test]
async fn who_comes_to_a_schema_that_is_up_to_date_does_not_wait_for_writers() {
    for TestDatabase { database, .. } in samples().await {
        let mut writing = database.begin().await.unwrap();
        writing.lock("sample_migrations").await.unwrap();
        SCHEMA.migrate(&database).await.unwrap();
    }
}

#[tokio::test]
async fn a_file_is_made_once_by_many_who_open_it_together() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rad.db");
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let path = path.clone();
        opening.spawn(async move {
            let database = rad_sql::sqlite::open(&path).await?.into();
            SCHEMA.migrate(&database).await
        });
    }
    for opened in opening.join_all().await {
        opened.unwrap();
    }
}

#[tokio::test]
async fn times_before_1970_and_ahead_come_back() {
    for TestDatabase { database, .. } in &samples().await {
        for days in [-200_000, -1, 0, 1_000_000] {
            let time = DateTime::UNIX_EPOCH + TimeDelta::days(days) + TimeDelta::microseconds(1);
            let row = sql("INSERT INTO samples (id, at) VALUES ($1, $2) RETURNING at").bind(AccountId::new());
            let row = row.bind(time).one(database, "keeping").await.unwrap();
            assert_eq!(row.get::<DateTime<Utc>>("at").unwrap(), time, "{days}");
        }
    }
}

fn cause(error: &rad_core::error::BackendError) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}
