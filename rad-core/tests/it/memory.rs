//! The backends in memory keep the contracts.

use rad_core::conformance::{directory, payment, settings};
use rad_core::memory::{MemoryDirectory, MemoryOrders, MemorySettings};

#[tokio::test]
async fn directory_keeps_the_contract() {
    let backend = MemoryDirectory::default();
    directory::reads_what_was_written(&backend).await;
    directory::keeps_emails_unique(&backend).await;
    directory::refuses_bad_input(&backend).await;
    directory::lists_in_pages(&backend).await;
    directory::connects_repositories(&backend).await;
    directory::keeps_sessions(&backend).await;
}

#[tokio::test]
async fn settings_keep_the_contract() {
    let backend = MemorySettings::default();
    settings::begins_with_the_defaults(&backend).await;
    settings::keeps_every_version(&backend).await;
    settings::refuses_stale_and_invalid_changes(&backend).await;
    settings::lets_one_of_racing_changes_win(&backend).await;
}

#[tokio::test]
async fn orders_keep_the_contract() {
    let backend = MemoryOrders::default();
    payment::knows_the_first_purchase(&backend).await;
    payment::stores_orders(&backend).await;
    payment::closes_orders_once(&backend).await;
    payment::lists_orders(&backend).await;
}
