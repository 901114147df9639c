//! Several processes over one database bring the share rules into its ledger: one does, whoever comes at once.

use std::sync::Arc;

use rad_billing::{SqlDirectory, SqlOrders, SqlSettings, SqliteLedger, sqlite};
use rad_core::id::AccountId;
use rad_core::ledger::{EntryQuery, Ledger};
use rad_core::memory::{
    MemoryArchive, MemoryCatalog, MemoryDeployments, MemoryNotifier, MemoryRepos, ScriptedRunner,
};
use rad_core::platform::Platform;
use rad_core::revenue::{PLATFORM_ACCOUNT, ShareHistory};
use rad_core::settings::{Settings, SettingsStore};
use sqlx::SqlitePool;

use crate::database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn platforms_that_start_at_once_post_the_same_rules_once() {
    let database = database().await.unwrap();
    let settings = SqlSettings::new(database.pool.clone());
    let ledger = SqliteLedger::new(database.pool.clone());
    for round in 1..=3_u32 {
        if round > 1 {
            let share = format!("{round}0").parse().unwrap();
            let changed = Settings { partner_revenue_share: share, ..Settings::default() };
            settings.save(round - 2, &changed, AccountId::new(), chrono::Utc::now()).await.unwrap();
        }
        let mut starts = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let pool = sqlite::open(&database.dir.path().join("rad.db")).await.unwrap();
            starts.spawn(async move { platform(pool).operations().post_share_rules().await });
        }
        while let Some(start) = starts.join_next().await {
            start.unwrap().unwrap();
        }
        let history = history(&ledger).await;
        assert_eq!(history.rules().len(), round as usize, "one for each change, and the first");
        assert_eq!(ledger.verify(PLATFORM_ACCOUNT).await.unwrap(), []);
    }
}

async fn history(ledger: &SqliteLedger) -> ShareHistory {
    let query = EntryQuery { oldest_first: true, ..EntryQuery::new(PLATFORM_ACCOUNT) };
    let posted = ledger.entries(&query).await.unwrap().items;
    ShareHistory::of(posted.iter().map(|posted| &posted.entry)).unwrap()
}

fn platform(pool: SqlitePool) -> Platform {
    Platform::builder()
        .directory(Arc::new(SqlDirectory::new(pool.clone())))
        .settings(Arc::new(SqlSettings::new(pool.clone())))
        .repos(Arc::new(MemoryRepos::default()))
        .catalog(Arc::new(MemoryCatalog::default()))
        .archive(Arc::new(MemoryArchive::default()))
        .deployments(Arc::new(MemoryDeployments::new()))
        .runner(Arc::new(ScriptedRunner::new()))
        .ledger(Arc::new(SqliteLedger::new(pool.clone())))
        .orders(Arc::new(SqlOrders::new(pool)))
        .notifier(Arc::new(MemoryNotifier::new()))
        .build()
        .unwrap()
}
