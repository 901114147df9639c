//! The stores keep the contracts in either database, across opening the file again.

use rad_billing::{SqlDirectory, SqlOrders, SqlSettings, sqlite};
use rad_core::conformance::{directory, payment, settings};
use rad_core::error::FailureKind;
use rad_core::id::AccountId;
use rad_core::settings::{Settings, SettingsStore};
use rad_sql::sql;

use crate::{database, one_of_each};

#[tokio::test]
async fn directory_keeps_the_contract() {
    for test in one_of_each().await {
        let backend = SqlDirectory::new(test.database.clone());
        directory::reads_what_was_written(&backend).await;
        directory::keeps_emails_unique(&backend).await;
        directory::keeps_what_accounts_are_owed(&backend).await;
        directory::refuses_bad_input(&backend).await;
        directory::lists_in_pages(&backend).await;
        directory::connects_repositories(&backend).await;
        directory::keeps_sessions(&backend).await;
    }
}

#[tokio::test]
async fn settings_keep_the_contract() {
    for test in one_of_each().await {
        let backend = SqlSettings::new(test.database.clone());
        settings::begins_with_the_defaults(&backend).await;
        settings::keeps_every_version(&backend).await;
        settings::refuses_stale_and_invalid_changes(&backend).await;
        settings::lets_one_of_racing_changes_win(&backend).await;
    }
}

#[tokio::test]
async fn orders_keep_the_contract() {
    for test in one_of_each().await {
        let backend = SqlOrders::new(test.database.clone());
        payment::knows_the_first_purchase(&backend).await;
        payment::stores_orders(&backend).await;
        payment::closes_orders_once(&backend).await;
        payment::lists_orders(&backend).await;
    }
}

#[tokio::test]
async fn what_was_written_outlives_the_process_that_wrote_it() {
    let database = database().await.unwrap();
    let by = AccountId::new();
    let saved = SqlSettings::new(database.pool.clone())
        .save(0, &Settings { private_mode: true, ..Settings::default() }, by, chrono::DateTime::UNIX_EPOCH)
        .await
        .unwrap();
    database.pool.close().await;
    let pool = sqlite::open(&database.dir.path().join("rad.db")).await.unwrap();
    assert_eq!(SqlSettings::new(pool).current().await.unwrap(), saved);
}

#[tokio::test]
async fn versions_of_the_settings_cannot_be_changed_behind_the_store() {
    for test in one_of_each().await {
        let store = SqlSettings::new(test.database.clone());
        store.save(0, &Settings::default(), AccountId::new(), chrono::DateTime::UNIX_EPOCH).await.unwrap();
        for text in ["UPDATE settings_versions SET version = 2", "DELETE FROM settings_versions"] {
            assert!(sql(text).try_execute(&test.database).await.is_err(), "{text}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_said_to_be_corrupt() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rad.db");
    std::fs::write(&path, "not a database, but long enough to look at: ".repeat(100)).unwrap();
    assert_eq!(sqlite::open(&path).await.unwrap_err().kind(), FailureKind::Corrupt);
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_refused() {
    let database = database().await.unwrap();
    sqlx::query(
        "INSERT INTO billing_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of the future', TRUE, x'00', 0)",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    let refusal = sqlite::migrate(&database.pool).await.unwrap_err();
    assert_eq!(refusal.kind(), FailureKind::Permanent);
    let cause = std::error::Error::source(&refusal).unwrap().to_string();
    assert!(cause.contains("newer release wrote the database") && cause.contains("9999"), "{cause}");
}

#[tokio::test]
async fn a_file_can_be_opened_by_many_at_once_from_the_first_moment() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rad.db");
    let opening: Vec<_> = (0..6)
        .map(|_| {
            let path = path.clone();
            tokio::spawn(async move { sqlite::open(&path).await })
        })
        .collect();
    for pool in opening {
        pool.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_file_that_is_up_to_date_is_opened_while_others_write() {
    let database = database().await.unwrap();
    let writing = database.pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let pool = sqlite::open(&database.dir.path().join("rad.db")).await.unwrap();
    sqlite::migrate(&pool).await.unwrap();
    writing.rollback().await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_is_read_where_nobody_can_write() {
    use std::os::unix::fs::PermissionsExt as _;

    let database = database().await.unwrap();
    let by = AccountId::new();
    SqlSettings::new(database.pool.clone())
        .save(0, &Settings::default(), by, chrono::DateTime::UNIX_EPOCH)
        .await
        .unwrap();
    database.pool.close().await;
    let allow = |mode| {
        std::fs::set_permissions(database.dir.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(0o555);
    let read = sqlite::open_read_only(&database.dir.path().join("rad.db")).await;
    allow(0o755);
    assert_eq!(SqlSettings::new(read.unwrap()).current().await.unwrap().version, 1);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_a_new_file() {
    use std::os::unix::fs::PermissionsExt as _;

    let database = database().await.unwrap();
    SqlSettings::new(database.pool.clone())
        .save(0, &Settings::default(), AccountId::new(), chrono::DateTime::UNIX_EPOCH)
        .await
        .unwrap();
    for file in std::fs::read_dir(database.dir.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.file_name());
    }
}
