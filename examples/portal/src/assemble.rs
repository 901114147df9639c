//! Choosing the backends: the one place where the portal says what the platform stands on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rad_billing::{SandboxPayments, SqlDirectory, SqlOrders, SqlSettings, SqliteLedger};
use rad_core::checkpoint::SigningKey;
use rad_core::deployment::LeaseLimits;
use rad_core::directory::{Directory, SessionStore};
use rad_core::platform::Platform;
use rad_core::seal::Keyring;
use rad_github::{
    GitHub, Jules, LocalSource, SqlArchive, SqlCatalog, SqlCredentials, SqlDeliveries, SqlGroups,
    SqlRefinements, SqlWatches,
};
use rad_runner::store::{SqliteDeployments, SqliteNotifier};
use rad_runner::terraform::{TerraformConfig, TerraformRunner};
use rad_runner::worker::{Worker, WorkerConfig, stable_name};

use crate::checkpoints::Checkpointer;
use crate::config::Config;
use crate::secret_file;
use crate::sources::Sources;

/// How long runs may go on, and engines may take to stop, once the portal closes.
const CLOSING: Duration = Duration::from_secs(5);

/// A platform, and what the portal needs beside it.
#[derive(Debug)]
pub(crate) struct Assembly {
    /// The use cases.
    pub(crate) platform: Platform,
    /// Accounts, for signing in.
    pub(crate) directory: Arc<dyn Directory>,
    /// Sessions, for signing in.
    pub(crate) sessions: Arc<dyn SessionStore>,
    /// The stand-in for payment providers.
    pub(crate) sandbox: Arc<SandboxPayments>,
    /// What carries out runs.
    pub(crate) worker: Worker,
    /// What signs the ledger.
    pub(crate) checkpointer: Checkpointer,
}

/// Opens every backend: one database, keys and directories in the data directory.
///
/// # Errors
/// What cannot be opened, and why.
pub(crate) async fn assemble(config: &Config, url: &str) -> anyhow::Result<Assembly> {
    let data_dir = std::path::absolute(&config.data_dir)?;
    make_private_directory(&data_dir)?;
    make_private_directory(&config.repos_dir)?;
    let pool = rad_billing::sqlite::open(&config.database)
        .await
        .with_context(|| format!("the database {} cannot be opened", config.database.display()))?;
    rad_github::migrate(&pool.clone().into()).await?;
    rad_runner::store::migrate(&pool).await?;

    let directory = Arc::new(SqlDirectory::new(pool.clone()));
    let secret = secret_file::read_or_make(&data_dir.join("sandbox.key"))?;
    let sandbox = Arc::new(SandboxPayments::new(pool.clone(), secret, url, &[])?);
    let key = keyring(config, &data_dir.join("state.key"))?;
    let ledger = Arc::new(SqliteLedger::new(pool.clone()));
    let repos = Arc::new(Sources::new(LocalSource::new([&config.repos_dir])?, github(config)?));
    let tokens = keyring(config, &data_dir.join("credentials.key"))?;
    let credentials = Arc::new(SqlCredentials::new(pool.clone(), tokens));
    let deployments = Arc::new(SqliteDeployments::new(pool.clone(), key).await?);
    // Once this is done, older keys can be put away.
    let resealed = credentials.reseal().await? + deployments.reseal().await?;
    if resealed > 0 {
        tracing::info!(resealed, "secrets that older keys sealed are sealed with the first key now");
    }
    let mut platform = Platform::builder()
        .directory(directory.clone())
        .settings(Arc::new(SqlSettings::new(pool.clone())))
        .repos(repos.clone())
        .credentials(credentials)
        .deliveries(Arc::new(SqlDeliveries::new(pool.clone())))
        .groups(Arc::new(SqlGroups::new(pool.clone())))
        .watches(Arc::new(SqlWatches::new(pool.clone())))
        .catalog(Arc::new(SqlCatalog::new(pool.clone())))
        .archive(Arc::new(SqlArchive::new(pool.clone())))
        .deployments(deployments)
        .runner(Arc::new(runner(config, &data_dir)?))
        .ledger(ledger.clone())
        .orders(Arc::new(SqlOrders::new(pool.clone())))
        .notifier(Arc::new(SqliteNotifier::new(pool.clone())))
        .provider(sandbox.clone());
    let refinements = Arc::new(SqlRefinements::new(pool));
    platform = platform.refining(Arc::new(code_agent(config)?), refinements, repos);
    let platform = platform.build()?;
    let worker = WorkerConfig::builder(stable_name(&data_dir.join("worker"))?)
        .concurrency(config.workers)
        .most_runs(LeaseLimits { per_owner: config.runs_per_owner, total: None })
        .shutdown_grace(CLOSING)
        .build()?;
    let worker = Worker::new(platform.operations(), worker)?;
    let checkpointer = Checkpointer::new(ledger, checkpoint_key(config, &data_dir)?, config.checkpoint_every);
    let sessions = directory.clone();
    Ok(Assembly { platform, directory, sessions, sandbox, worker, checkpointer })
}

/// The keys that seal what is secret in the database: those of the configuration, or those in a file, made at the first start.
fn keyring(config: &Config, file: &Path) -> anyhow::Result<Keyring> {
    match &config.keys {
        Some(keys) => Ok(keys.clone()),
        None => Keyring::from_file(file).with_context(|| format!("{} cannot be used", file.display())),
    }
}

/// GitHub, unless it is left out.
fn github(config: &Config) -> anyhow::Result<Option<GitHub>> {
    if !config.github {
        return Ok(None);
    }
    let mut builder = GitHub::builder();
    if let Some(api) = &config.github_api {
        builder = builder.api(api);
    }
    Ok(Some(builder.build().context("GitHub cannot be used: set github-api right, or no-github")?))
}

/// The key that signs checkpoints; made at the first start.
fn checkpoint_key(config: &Config, data_dir: &Path) -> anyhow::Result<SigningKey> {
    let path = config.checkpoint_key.clone().unwrap_or_else(|| data_dir.join("checkpoint.key"));
    let secret = secret_file::read_or_make(&path)?;
    SigningKey::from_hex(&secret).with_context(|| format!("{} cannot be used", path.display()))
}

/// The code agent: with a key for everybody if there is one, and otherwise for publishers who bring their own.
fn code_agent(config: &Config) -> anyhow::Result<Jules> {
    let mut builder = Jules::builder();
    if let Some(path) = &config.jules_key {
        builder = builder.key(secret_file::read(path)?);
    }
    if let Some(api) = &config.jules_api {
        builder = builder.api(api);
    }
    builder.build().context("jules-api cannot be used")
}

/// The engine in its sandbox, working below the data directory.
fn runner(config: &Config, data_dir: &Path) -> anyhow::Result<TerraformRunner> {
    let mut builder = TerraformConfig::builder(data_dir.join("runs"))
        .plugin_cache(data_dir.join("plugins"))
        .allow_unsandboxed(config.allow_unsandboxed)
        .grace(CLOSING);
    if let Some(engine) = &config.terraform {
        builder = builder.engine(engine);
    }
    Ok(TerraformRunner::new(builder.build()?)?)
}

/// Makes a directory that only the portal's own user can look into.
fn make_private_directory(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("the directory {} cannot be made", path.display()))
}
