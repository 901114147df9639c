//! A platform that publishes from the repository of the bench; what it read of it is in a SQLite file, everything else in memory.

use std::path::Path;
use std::sync::Arc;

use rad_core::access::Roles;
use rad_core::directory::NewAccount;
use rad_core::memory::{
    MemoryArchive, MemoryCatalog, MemoryCredentials, MemoryDeployments, MemoryDirectory, MemoryLedger,
    MemoryNotifier, MemoryOrders, MemorySettings, ScriptedRunner,
};
use rad_core::platform::{Actor, Platform};
use rad_core::repo::RepoConnection;
use rad_github::{GitHub, SqlReadings};
use rad_sql::Database;
use secrecy::SecretString;

/// The admin, who has the repository connected.
pub(crate) async fn admin(
    github: GitHub,
    file: &Path,
    repository: &str,
    token: &SecretString,
) -> anyhow::Result<Actor> {
    let database = Database::from(rad_sql::sqlite::open(file).await?);
    rad_github::migrate(&database).await?;
    let platform = Platform::builder()
        .directory(Arc::new(MemoryDirectory::default()))
        .settings(Arc::new(MemorySettings::default()))
        .repos(Arc::new(github))
        .credentials(Arc::new(MemoryCredentials::default()))
        .readings(Arc::new(SqlReadings::new(database)))
        .catalog(Arc::new(MemoryCatalog::default()))
        .archive(Arc::new(MemoryArchive::default()))
        .deployments(Arc::new(MemoryDeployments::new()))
        .runner(Arc::new(ScriptedRunner::new()))
        .ledger(Arc::new(MemoryLedger::default()))
        .orders(Arc::new(MemoryOrders::default()))
        .notifier(Arc::new(MemoryNotifier::new()))
        .build()?;
    let admin = NewAccount {
        email: "admin@example.com".to_owned(),
        name: "Admin".to_owned(),
        roles: Roles::default(),
        referred_by: None,
        password_hash: None,
    };
    let actor = platform.actor(platform.operations().found(admin).await?.id).await?;
    actor.save_token(token).await?;
    let (repository, sub_dir) = (repository.to_owned(), String::new());
    actor.connect(Some(RepoConnection { repository, branch: None, sub_dir })).await?;
    Ok(actor)
}
