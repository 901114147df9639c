//! The ledger keeps the contract, agrees with the engine on any history, and lets nobody change what it has.

use chrono::DateTime;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rad_billing::{SqliteLedger, sqlite};
use rad_core::conformance::ledger;
use rad_core::error::FailureKind;
use rad_core::id::AccountId;
use rad_core::ledger::{
    EntryQuery, Ledger, LedgerError, LedgerExt, Post, Posted, RevenueQuery, RevenueTotals,
};
use rad_core::memory::MemoryLedger;
use rad_core::money::Credits;
use rad_core::revenue::{AccountState, Body, Entry, Release, RevenueLine};
use rad_core::source::Digest;
use rad_core::strategies::{Attempt, scripts};

use sqlx::SqlitePool;

use crate::{Database, award, database, hold};

#[tokio::test]
async fn ledger_keeps_the_contract() {
    let database = database().await.unwrap();
    ledger::all(&SqliteLedger::new(database.pool.clone())).await;
}

#[test]
fn any_history_is_posted_as_the_engine_replays_it() {
    let runtime = runtime();
    let database = runtime.block_on(database()).unwrap();
    let other = runtime.block_on(sqlite::open(&database.dir.path().join("rad.db"))).unwrap();
    let (one, two) = (SqliteLedger::new(database.pool.clone()), SqliteLedger::new(other));
    any_history_is_replayed(&runtime, [&one, &two], 96);
}

#[test]
fn any_history_is_posted_to_memory_as_the_engine_replays_it() {
    let ledger = MemoryLedger::default();
    any_history_is_replayed(&runtime(), [&ledger, &ledger], 96);
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Posts histories of every kind, in turn through two ledgers on one database, and compares each with a pure replay.
pub(crate) fn any_history_is_replayed(
    runtime: &tokio::runtime::Runtime,
    ledgers: [&dyn Ledger; 2],
    cases: u32,
) {
    let cases = Config { cases, failure_persistence: None, ..Config::default() };
    let strategy = (scripts(1..40), 1..6_usize);
    let result = TestRunner::new(cases).run(&strategy, |(script, batch)| {
        let account = AccountId::new();
        runtime.block_on(replays(ledgers, account, &script.play(account), batch))
    });
    result.unwrap();
}

/// Posts everything a script tried, the accepted entries in batches, and compares with a pure replay.
async fn replays(
    ledgers: [&dyn Ledger; 2],
    account: AccountId,
    attempts: &[Attempt],
    batch: usize,
) -> Result<(), TestCaseError> {
    let mut engine = AccountState::new(account);
    let mut head = Digest::ZERO;
    let mut all = Vec::new();
    let mut turns = ledgers.into_iter().cycle();
    let mut next = || turns.next().expect("turns never end");
    for run in attempts.chunk_by(|one, next| one.refused.is_none() && next.refused.is_none()) {
        if let [Attempt { entry, refused: Some(violation) }] = run {
            let refusal = next().post(post(entry)).await.expect_err("the engine refuses it");
            prop_assert_eq!(refusal.violation(), Some(violation));
            continue;
        }
        for entries in run.chunks(batch) {
            let posts: Vec<Post> = entries.iter().map(|attempt| post(&attempt.entry)).collect();
            let posted = next().post_batch(&posts).await.expect("the engine takes them");
            prop_assert_eq!(posted.len(), posts.len());
            for (attempt, posted) in entries.iter().zip(posted) {
                let effect = engine.apply(&attempt.entry).expect("the engine takes it");
                head = attempt.entry.hash(&head);
                prop_assert_eq!(&posted.entry, &attempt.entry);
                prop_assert_eq!(&posted.effect, &effect);
                prop_assert_eq!(posted.hash, head);
                let stored = next().by_key(account, attempt.entry.key).await.expect("a key is found");
                prop_assert_eq!(stored.as_ref(), Some(&posted));
                all.push(posted);
            }
        }
    }
    engine.compact();
    for ledger in ledgers {
        prop_assert_eq!(ledger.state(account).await.expect("a state is read"), engine.clone());
        prop_assert_eq!(ledger.verify(account).await.expect("an account is verified"), []);
    }
    lists(next(), account, &all).await
}

/// That the listings have what was posted: every entry both ways, and every revenue line.
async fn lists(ledger: &dyn Ledger, account: AccountId, all: &[Posted]) -> Result<(), TestCaseError> {
    for oldest_first in [true, false] {
        let mut query = EntryQuery { oldest_first, limit: 7, ..EntryQuery::new(account) };
        let mut listed = Vec::new();
        loop {
            let page = ledger.entries(&query).await.expect("entries are listed");
            listed.extend(page.items);
            query.page = page.next;
            if query.page.is_none() {
                break;
            }
        }
        if !oldest_first {
            listed.reverse();
        }
        prop_assert_eq!(&listed, all);
    }
    let query = RevenueQuery { account: Some(account), limit: RevenueQuery::MOST, ..RevenueQuery::default() };
    let listed = ledger.revenue(&query).await.expect("revenue is listed").items;
    let lines: Vec<&RevenueLine> = all.iter().flat_map(|posted| &posted.effect.lines).collect();
    prop_assert_eq!(listed.len(), lines.len());
    prop_assert!(lines.iter().all(|line| listed.contains(line)), "{lines:?}: {listed:?}");
    let totals = RevenueTotals::sum(lines).expect("lines are added up");
    prop_assert_eq!(ledger.revenue_totals(&query).await.expect("revenue is added up"), totals);
    Ok(())
}

fn post(entry: &Entry) -> Post {
    let Entry { account, at, key, actor, body, .. } = entry.clone();
    Post { account, key, at, actor, body }
}

#[tokio::test]
async fn entries_and_lines_cannot_be_changed_through_sql() {
    let Database { pool, .. } = &database().await.unwrap();
    ledger::revenue::books_back_what_is_refunded(&SqliteLedger::new(pool.clone())).await;
    for table in ["ledger_entries", "ledger_lines"] {
        for sql in [
            format!("UPDATE {table} SET at = at + 1"),
            format!("DELETE FROM {table}"),
            format!("INSERT OR REPLACE INTO {table} SELECT * FROM {table}"),
        ] {
            is_refused_by_a_trigger(pool, &sql).await;
        }
    }
    for number in ["seq", "seq + 100"] {
        let sql = format!(
            "INSERT INTO ledger_entries (account, seq, at, key, kind, body, effect, hash)
             SELECT account, {number}, at, randomblob(16), kind, body, effect, hash FROM ledger_entries LIMIT 1"
        );
        is_refused_by_a_trigger(pool, &sql).await;
    }
}

async fn is_refused_by_a_trigger(pool: &SqlitePool, sql: &str) {
    let refused = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(pool).await;
    let error = refused.expect_err(sql).into_database_error().expect(sql);
    // CONSTRAINT_TRIGGER
    assert_eq!(error.code().as_deref(), Some("1811"), "{sql}: {error}");
}

#[tokio::test]
async fn groups_of_any_size_are_written_whole() {
    let database = database().await.unwrap();
    let ledger = SqliteLedger::new(database.pool.clone());
    for size in [1, 2, 7, 8, 9, 31, 32, 33, 63, 64, 65, 150] {
        let accounts: Vec<AccountId> = (0..size).map(|_| AccountId::new()).collect();
        let awards: Vec<Post> = accounts.iter().map(|account| award(*account, 0, 5)).collect();
        ledger.post_batch(&awards).await.unwrap();
        let holds: Vec<Post> = accounts.iter().map(|account| hold(*account, 1, 2)).collect();
        let held = ledger.post_batch(&holds).await.unwrap();
        let release = |held: &Posted| {
            let Entry { account, seq, .. } = held.entry;
            crate::post(account, 2, Body::Release(Release { hold: seq }))
        };
        let releases: Vec<Post> = held.iter().map(release).collect();
        ledger.post_batch(&releases).await.unwrap();
        for account in accounts {
            let balance = ledger.balance(account, DateTime::UNIX_EPOCH).await.unwrap();
            assert_eq!((balance.spendable().to_string(), balance.held()), ("5".to_owned(), Credits::ZERO));
            assert_eq!(ledger.verify(account).await.unwrap(), [], "in a group of {size}");
        }
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_neither_loses_nor_doubles_a_post() {
    let database = database().await.unwrap();
    callers_go_away(&SqliteLedger::new(database.pool.clone())).await;
}

/// Posts, goes away sooner or later, and posts the same again.
pub(crate) async fn callers_go_away(ledger: &dyn Ledger) {
    let account = AccountId::new();
    for n in 0..40 {
        let posting = ledger.post(award(account, n, 1));
        let patience = std::time::Duration::from_micros(n * 150);
        // Whether it was in time or not: the same post again settles it.
        drop(tokio::time::timeout(patience, posting).await);
        ledger.post(award(account, n, 1)).await.unwrap();
    }
    assert_eq!(ledger.state(account).await.unwrap().seq(), 40);
    assert_eq!(ledger.verify(account).await.unwrap(), []);
}

#[tokio::test]
async fn a_busy_or_read_only_file_is_told_apart_and_posting_goes_on_after() {
    let database = database().await.unwrap();
    let options = database.pool.connect_options();
    let hasty = options.as_ref().clone().busy_timeout(std::time::Duration::from_millis(20));
    let hasty = SqliteLedger::new(sqlx::SqlitePool::connect_with(hasty).await.unwrap());
    let account = AccountId::new();

    let blocker = database.pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    match hasty.post(award(account, 0, 1)).await {
        Err(LedgerError::Backend(error)) => assert!(error.is_retryable(), "{error:?}"),
        other => panic!("a busy file cannot be posted to: {other:?}"),
    }
    blocker.rollback().await.unwrap();
    hasty.post(award(account, 0, 1)).await.unwrap();

    let read_only = options.as_ref().clone().read_only(true);
    let read_only = SqliteLedger::new(sqlx::SqlitePool::connect_with(read_only).await.unwrap());
    match read_only.post(award(account, 1, 1)).await {
        Err(LedgerError::Backend(error)) => assert_eq!(error.kind(), FailureKind::Permanent, "{error:?}"),
        other => panic!("a read-only file cannot be posted to: {other:?}"),
    }
    assert_eq!(read_only.verify(account).await.unwrap(), []);
}

#[tokio::test]
async fn a_ledger_opened_again_goes_on_where_it_was() {
    let database = database().await.unwrap();
    let account = AccountId::new();
    let ledger = SqliteLedger::new(database.pool.clone());
    let first: Posted = ledger.post(award(account, 0, 10)).await.unwrap();
    ledger.post(hold(account, 1, 4)).await.unwrap();
    database.pool.close().await;
    let pool = sqlite::open(&database.dir.path().join("rad.db")).await.unwrap();
    let ledger = SqliteLedger::new(pool);
    let again = ledger.post(award(account, 0, 10)).await.unwrap();
    assert_eq!(again, Posted { repeated: true, ..first.clone() });
    assert!(matches!(ledger.post(award(account, 0, 11)).await, Err(LedgerError::KeyReused { .. })));
    let query = EntryQuery { limit: 10, ..EntryQuery::new(account) };
    assert_eq!(ledger.entries(&query).await.unwrap().items.len(), 2);
    let balance = ledger.balance(account, first.entry.at).await.unwrap();
    assert_eq!((balance.spendable().to_string(), balance.held().to_string()), ("6".into(), "4".into()));
}
