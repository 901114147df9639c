//! The schema: brought up to date once, kept apart, refused if it is newer; and the record that cannot be changed.

use rad_billing::PostgresLedger;
use rad_billing::postgres;
use rad_core::conformance::ledger;
use rad_core::error::{BackendError, FailureKind};
use rad_core::id::AccountId;
use rad_core::ledger::LedgerError;
use rad_core::ledger::LedgerExt;

use super::{address, pool, run};
use crate::award;

#[tokio::test]
async fn entries_and_lines_cannot_be_changed_through_sql() {
    let pool = pool().await;
    ledger::revenue::books_back_what_is_refunded(&PostgresLedger::new(pool.clone())).await;
    for table in ["ledger_entries", "ledger_lines"] {
        for sql in [
            format!("UPDATE {table} SET at = at + interval '1 second'"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table} CASCADE"),
        ] {
            let refused = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).execute(&pool).await;
            let refused = refused.expect_err(&sql).to_string();
            assert!(refused.contains("never changed or removed"), "{sql}: {refused}");
        }
    }
}

#[tokio::test]
async fn a_schema_is_made_once_by_many_who_start_together() {
    let address = address().await;
    let opening: Vec<_> = (0..6)
        .map(|_| {
            let address = address.clone();
            tokio::spawn(async move { postgres::open(&address).await })
        })
        .collect();
    for pool in opening {
        pool.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_refused() {
    let address = address().await;
    let pool = postgres::open(&address).await.unwrap();
    run(
        &pool,
        "INSERT INTO billing_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of the future', TRUE, '\\x00', 0)",
    )
    .await;
    for refusal in
        [postgres::migrate(&pool).await.unwrap_err(), postgres::open_read_only(&address).await.unwrap_err()]
    {
        assert_eq!(refusal.kind(), FailureKind::Permanent);
        let cause = cause(&refusal);
        assert!(cause.contains("newer release wrote the database") && cause.contains("9999"), "{cause}");
    }
}

#[tokio::test]
async fn who_reads_alone_neither_makes_a_schema_nor_writes() {
    let address = address().await;
    let refusal = postgres::open_read_only(&address).await.unwrap_err();
    assert!(cause(&refusal).contains("older than this release"), "{refusal:?}");

    postgres::open(&address).await.unwrap();
    let pool = postgres::open_read_only(&address).await.unwrap();
    match PostgresLedger::new(pool).post(award(AccountId::new(), 0, 1)).await {
        Err(LedgerError::Backend(error)) => assert_eq!(error.kind(), FailureKind::Permanent, "{error:?}"),
        other => panic!("a connection for reading writes nothing: {other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_may_come_back_and_a_wrong_address_stays_wrong() {
    let nobody = "postgres://rad:secret@127.0.0.1:1/rad".to_owned().into();
    let error = postgres::open(&nobody).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    let wrong = "postgres://rad@127.0.0.1:port/rad".to_owned().into();
    assert_eq!(postgres::open(&wrong).await.unwrap_err().kind(), FailureKind::Permanent);
}

fn cause(error: &BackendError) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}
