//! What goes wrong below the ledger is told for what it is, leaves nothing half-written, and is over when its cause is.

use std::time::Duration;

use rad_billing::{PostgresLedger, postgres};
use rad_core::error::{BackendError, FailureKind};
use rad_core::id::AccountId;
use rad_core::ledger::{Ledger, LedgerError, Post};
use sqlx::postgres::{PgPool, PgPoolOptions};

use super::cluster::Cluster;
use super::{pool, run};
use crate::{award, hold};

/// The failure that a post meets.
async fn failure(ledger: &PostgresLedger, posts: &[Post]) -> BackendError {
    match ledger.post_batch(posts).await {
        Err(LedgerError::Backend(error)) => error,
        other => panic!("the post meets no failure: {other:?}"),
    }
}

/// A batch over two accounts.
fn batch(accounts: [AccountId; 2], number: u64) -> [Post; 3] {
    let [one, two] = accounts;
    [award(one, number, 3), award(two, number, 3), hold(one, number + 1_000_000, 1)]
}

/// That so many batches are there, whole.
async fn has_batches(ledger: &PostgresLedger, accounts: [AccountId; 2], batches: u64) {
    for (account, entries) in accounts.into_iter().zip([2 * batches, batches]) {
        assert_eq!(ledger.state(account).await.unwrap().seq(), entries);
        assert_eq!(ledger.verify(account).await.unwrap(), []);
    }
}

#[tokio::test]
async fn what_a_server_raises_is_told_for_what_it_is_and_leaves_nothing() {
    let pool = pool().await;
    let ledger = PostgresLedger::new(pool.clone());
    let accounts = [AccountId::new(), AccountId::new()];
    for sql in [
        "CREATE TABLE fault (code text)",
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'as the test wants it' USING ERRCODE = (SELECT code FROM fault); END $$",
    ] {
        run(&pool, sql).await;
    }
    let mut batches = 0;
    for (code, kind) in [
        ("40001", FailureKind::Unavailable), // serialization failure, for longer than anybody tries again
        ("53100", FailureKind::Unavailable), // disk full
        ("53200", FailureKind::Unavailable), // out of memory
        ("57014", FailureKind::Unavailable), // statement cancelled
        ("57P01", FailureKind::Unavailable), // the server is shut down
        ("58030", FailureKind::Unavailable), // input or output failed
        ("55P03", FailureKind::Unavailable), // lock not available
        ("XX001", FailureKind::Corrupt),     // damaged data
        ("XX002", FailureKind::Corrupt),     // damaged index
        ("25006", FailureKind::Permanent),   // read-only transaction
        ("42501", FailureKind::Permanent),   // no right to it
    ] {
        run(&pool, &format!("INSERT INTO fault VALUES ('{code}')")).await;
        let table = ["ledger_entries", "ledger_accounts"][batches as usize % 2];
        run(
            &pool,
            &format!("CREATE TRIGGER fault AFTER INSERT OR UPDATE ON {table} EXECUTE FUNCTION fail()"),
        )
        .await;
        let error = failure(&ledger, &batch(accounts, batches)).await;
        assert_eq!(error.kind(), kind, "{code} of {table}: {error:?}");
        has_batches(&ledger, accounts, batches).await;
        run(&pool, &format!("DROP TRIGGER fault ON {table}")).await;
        let posted = ledger.post_batch(&batch(accounts, batches)).await.unwrap();
        assert!(posted.iter().all(|posted| !posted.repeated), "{code}: what was told as failed is there");
        batches += 1;
        has_batches(&ledger, accounts, batches).await;
        run(&pool, "DELETE FROM fault").await;
    }
}

#[tokio::test]
async fn a_serialization_failure_that_passes_is_nobodys_business() {
    let pool = pool().await;
    let ledger = PostgresLedger::new(pool.clone());
    let accounts = [AccountId::new(), AccountId::new()];
    for sql in [
        // What a sequence counts is not taken back with the transaction.
        "CREATE SEQUENCE attempts",
        "CREATE FUNCTION fail_at_first() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('attempts') % 4 <> 0 THEN
                 RAISE EXCEPTION 'not yet' USING ERRCODE = 'serialization_failure';
             END IF;
             RETURN NULL;
         END $$",
        "CREATE TRIGGER fault AFTER INSERT ON ledger_entries EXECUTE FUNCTION fail_at_first()",
    ] {
        run(&pool, sql).await;
    }
    for number in 0..5 {
        let posted = ledger.post_batch(&batch(accounts, number)).await.unwrap();
        assert!(posted.iter().all(|posted| !posted.repeated));
    }
    has_batches(&ledger, accounts, 5).await;
}

/// The same database by a pool of its own.
async fn own_pool(pool: &PgPool, connections: u32, settings: [(&str, &str); 1]) -> PgPool {
    let options = pool.connect_options().as_ref().clone().options(settings);
    let own = PgPoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(1));
    own.connect_with(options).await.unwrap()
}

#[tokio::test]
async fn an_exhausted_pool_keeps_readers_waiting_and_no_post() {
    let small = own_pool(&pool().await, 1, [("lock_timeout", "10s")]).await;
    let ledger = PostgresLedger::new(small.clone());
    let accounts = [AccountId::new(), AccountId::new()];
    ledger.post_batch(&batch(accounts, 0)).await.unwrap();
    let taken = small.acquire().await.unwrap();
    let error = ledger.state(accounts[0]).await.unwrap_err();
    assert!(matches!(&error, LedgerError::Backend(error) if error.is_retryable()), "{error:?}");
    // Posting has connections of its own.
    ledger.post_batch(&batch(accounts, 1)).await.unwrap();
    drop(taken);
    has_batches(&ledger, accounts, 2).await;
}

#[tokio::test]
async fn a_lock_that_others_keep_is_not_waited_for_without_end() {
    let pool = pool().await;
    let ledger = PostgresLedger::new(own_pool(&pool, 4, [("lock_timeout", "20ms")]).await);
    let accounts = [AccountId::new(), AccountId::new()];
    ledger.post_batch(&batch(accounts, 0)).await.unwrap();
    let mut other = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE ledger_entries IN SHARE MODE").execute(&mut *other).await.unwrap();
    let error = failure(&ledger, &batch(accounts, 1)).await;
    assert!(error.is_retryable(), "{error:?}");
    has_batches(&ledger, accounts, 1).await;
    other.rollback().await.unwrap();
    ledger.post_batch(&batch(accounts, 1)).await.unwrap();
    has_batches(&ledger, accounts, 2).await;
}

#[tokio::test]
async fn a_full_disk_is_told_and_posting_goes_on_after() {
    let cluster = Cluster::with_small_disk(2 << 20);
    let admin = PgPoolOptions::new().max_connections(1).connect(&cluster.address()).await.unwrap();
    let tables = cluster.small_disk().join("tables");
    for sql in [
        // The server makes the directory, whose owner it must be.
        format!("COPY (SELECT) TO PROGRAM 'mkdir {}'", tables.display()),
        format!("CREATE TABLESPACE small LOCATION '{}'", tables.display()),
        "ALTER ROLE rad SET default_tablespace = small".to_owned(),
    ] {
        run(&admin, &sql).await;
    }
    let ledger = PostgresLedger::new(postgres::open(&cluster.address().into()).await.unwrap());
    let accounts = [AccountId::new(), AccountId::new()];
    ledger.post_batch(&batch(accounts, 0)).await.unwrap();
    run(&admin, "CREATE TABLE ballast TABLESPACE small AS SELECT '' AS text").await;
    let fill = "INSERT INTO ballast SELECT repeat('x', 1800) FROM generate_series(1, 10)";
    while sqlx::query(fill).execute(&admin).await.is_ok() {}
    let mut batches = 1;
    let error = loop {
        match ledger.post_batch(&batch(accounts, batches)).await {
            Ok(_) => batches += 1,
            Err(LedgerError::Backend(error)) => break error,
            Err(other) => panic!("{other:?}"),
        }
        assert!(batches < 10_000, "the disk is never full");
    };
    assert!(error.is_retryable(), "{error:?}");
    has_batches(&ledger, accounts, batches).await;
    run(&admin, "DROP TABLE ballast").await;
    ledger.post_batch(&batch(accounts, batches)).await.unwrap();
    has_batches(&ledger, accounts, batches + 1).await;
}
