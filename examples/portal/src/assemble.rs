//! Choosing the backends: the one place where the portal says what the platform stands on.

use std::path::{Path, absolute};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rad_billing::{SandboxPayments, SqlDirectory, SqlOrders, SqlSettings};
use rad_core::checkpoint::SigningKey;
use rad_core::directory::{Directory, SessionStore};
use rad_core::platform::Platform;
use rad_core::runner::Runner;
use rad_core::seal::Keyring;
use rad_github::{
    GitHub, Jules, LocalSource, SqlArchive, SqlCatalog, SqlCredentials, SqlDeliveries, SqlGroups,
    SqlReadings, SqlRefinements, SqlWatches,
};
use rad_runner::store::{SqlDeployments, SqlNotifier};
use rad_runner::terraform::{TerraformConfig, TerraformRunner};
use rad_runner::worker::{Worker, WorkerConfig, stable_name};
use rad_sql::Database;

use crate::checkpoints::{Books, Checkpointer};
use crate::config::{Config, DatabaseAddress, Role, Runs};
use crate::given::Given;
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
    /// What carries out runs, if this process does.
    pub(crate) worker: Option<Worker>,
    /// The engine on this machine, unless a cluster does the runs.
    pub(crate) engine: Option<Arc<TerraformRunner>>,
    /// Where credits are kept.
    pub(crate) books: Books,
}

/// Opens every backend: one database, keys, and directories in the data directory.
///
/// # Errors
/// What cannot be opened, and why.
pub(crate) async fn assemble(config: &Config, url: &str) -> anyhow::Result<Assembly> {
    let data_dir = absolute(&config.data_dir)?;
    make_private_directory(&data_dir)?;
    make_private_directory(&config.repos_dir)?;
    make_private_directory(&config.keys_dir)?;
    let database = open(&config.database).await?;
    let keys = &config.keys_dir;

    let directory = Arc::new(SqlDirectory::new(database.clone()));
    let secret = secret_file::read_or_make(&keys.join("sandbox.key"))?;
    let sandbox = Arc::new(SandboxPayments::new(database.clone(), secret, url, &[])?);
    let key = keyring(config, &keys.join("state.key"))?;
    let books = Books::of(&database).context("this kind of database holds no ledger")?;
    let repos = Arc::new(Sources::new(
        LocalSource::new([&config.repos_dir])?,
        Given::new(&config.repos_dir, directory.clone()),
        github(config)?,
    ));
    let tokens = keyring(config, &keys.join("credentials.key"))?;
    let credentials = Arc::new(SqlCredentials::new(database.clone(), tokens));
    let deployments = Arc::new(SqlDeployments::new(database.clone(), key).await?);
    // Once this is done, older keys can be put away.
    let resealed = credentials.reseal().await? + deployments.reseal().await?;
    if resealed > 0 {
        tracing::info!(resealed, "secrets that older keys sealed are sealed with the first key now");
    }
    let (runner, engine) = runners(&config.runs, &data_dir).await?;
    let mut platform = Platform::builder()
        .directory(directory.clone())
        .settings(Arc::new(SqlSettings::new(database.clone())))
        .repos(repos.clone())
        .credentials(credentials)
        .deliveries(Arc::new(SqlDeliveries::new(database.clone())))
        .groups(Arc::new(SqlGroups::new(database.clone())))
        .watches(Arc::new(SqlWatches::new(database.clone())))
        .readings(Arc::new(SqlReadings::new(database.clone())))
        .catalog(Arc::new(SqlCatalog::new(database.clone())))
        .archive(Arc::new(SqlArchive::new(database.clone())))
        .deployments(deployments)
        .runner(runner)
        .ledger(books.ledger())
        .orders(Arc::new(SqlOrders::new(database.clone())))
        .notifier(Arc::new(SqlNotifier::new(database.clone())))
        .provider(sandbox.clone());
    let refinements = Arc::new(SqlRefinements::new(database));
    platform = platform.refining(Arc::new(code_agent(config)?), refinements, repos);
    let platform = platform.build()?;
    let worker = match config.role {
        Role::Serve => None,
        Role::All | Role::Worker => Some(worker(&config.runs, &data_dir, &platform)?),
    };
    let sessions = directory.clone();
    Ok(Assembly { platform, directory, sessions, sandbox, worker, engine, books })
}

/// Opens the database, with the tables of all crates.
async fn open(address: &DatabaseAddress) -> anyhow::Result<Database> {
    let database: Database = match address {
        DatabaseAddress::Sqlite(path) => rad_sql::sqlite::open(path)
            .await
            .with_context(|| format!("the database {} cannot be opened", path.display()))?
            .into(),
        DatabaseAddress::Postgres(url) => {
            let name = rad_sql::postgres::name(url).context("database-url is no address")?;
            let opened = rad_sql::postgres::open(url).await;
            opened.with_context(|| format!("the database {name} cannot be opened"))?.into()
        }
    };
    rad_billing::migrate(&database).await?;
    rad_github::migrate(&database).await?;
    rad_runner::store::migrate(&database).await?;
    Ok(database)
}

/// What carries out runs, under a name that it has for as long as its data directory lasts.
fn worker(runs: &Runs, data_dir: &Path, platform: &Platform) -> anyhow::Result<Worker> {
    let setup = WorkerConfig::builder(worker_name(data_dir)?)
        .concurrency(runs.workers)
        .limits(runs.times)
        .purge_limit(runs.purge)
        .most_runs(runs.most)
        .lease(runs.lease, runs.lease / 5)
        .shutdown_grace(CLOSING)
        .build()?;
    Ok(Worker::new(platform.operations(), setup)?)
}

fn worker_name(data_dir: &Path) -> anyhow::Result<String> {
    stable_name(&data_dir.join("worker"))
        .with_context(|| format!("no worker can work in {}", data_dir.display()))
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

/// What signs the ledger, with a key that is made at the first start. Only who serves people signs: a process that carries out
/// runs needs no key for it.
///
/// # Errors
/// If the key cannot be read, made or used.
pub(crate) fn checkpointer(config: &Config, books: Books) -> anyhow::Result<Checkpointer> {
    let path = config.checkpoint_key.clone().unwrap_or_else(|| config.keys_dir.join("checkpoint.key"));
    let secret = secret_file::read_or_make(&path)?;
    let key = SigningKey::from_hex(&secret).with_context(|| format!("{} cannot be used", path.display()))?;
    Ok(Checkpointer::new(books, key, config.checkpoint_every))
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

/// What carries out runs, and the same once more where it is the engine on this machine.
type Runners = (Arc<dyn Runner>, Option<Arc<TerraformRunner>>);

/// The engine in its sandbox, working below the data directory, or a cluster.
async fn runners(runs: &Runs, data_dir: &Path) -> anyhow::Result<Runners> {
    if let Some(setup) = &runs.kubernetes {
        return Ok((cluster(setup, &worker_name(data_dir)?).await?, None));
    }
    let terraform = Arc::new(TerraformRunner::new(engine(runs, data_dir)?)?);
    Ok((terraform.clone(), Some(terraform)))
}

fn engine(runs: &Runs, data_dir: &Path) -> anyhow::Result<TerraformConfig> {
    let mut builder = TerraformConfig::builder(data_dir.join("runs"))
        .plugin_cache(data_dir.join("plugins"))
        .network(runs.network.clone())
        .limits(runs.limits)
        .log_limit(runs.log)
        .allow_unsandboxed(runs.allow_unsandboxed)
        .patience(runs.lease * 2 / 3)
        .grace(CLOSING);
    if let Some(engine) = &runs.terraform {
        builder = builder.engine(absolute(engine)?);
    }
    if let Some(mirror) = &runs.provider_mirror {
        builder = builder.provider_mirror(mirror.clone());
    }
    if let Some(file) = &runs.terraform_config {
        builder = builder.cli_config(absolute(file)?);
    }
    if let Some(group) = &runs.cgroup {
        builder = builder.cgroup(absolute(group)?);
    }
    Ok(builder.build()?)
}

/// A cluster, set up by a file in which the worker's name is added.
#[cfg(feature = "kubernetes")]
async fn cluster(setup: &Path, worker: &str) -> anyhow::Result<Arc<dyn Runner>> {
    use rad_runner::kubernetes::{Client, KubernetesRunner};

    let client =
        Client::try_default().await.context("no Kubernetes cluster: neither a pod's nor a kubeconfig's")?;
    Ok(Arc::new(KubernetesRunner::new(client, cluster_setup(setup, worker)?)?))
}

#[cfg(feature = "kubernetes")]
fn cluster_setup(setup: &Path, worker: &str) -> anyhow::Result<rad_runner::kubernetes::KubernetesConfig> {
    let unusable = || format!("kubernetes: the file {} cannot be used", setup.display());
    let text = std::fs::read_to_string(setup).with_context(unusable)?;
    let mut table: toml::Table = text.parse().with_context(unusable)?;
    table.entry("instance").or_insert_with(|| worker.into());
    table.try_into().with_context(unusable)
}

#[cfg(not(feature = "kubernetes"))]
#[allow(clippy::unused_async, reason = "with the feature it waits for the cluster")]
async fn cluster(setup: &Path, _worker: &str) -> anyhow::Result<Arc<dyn Runner>> {
    anyhow::bail!(
        "kubernetes cannot be {}: this portal was built without the cluster's client; build it with --features kubernetes",
        setup.display()
    )
}

/// Makes a directory that only the portal's own user can look into.
fn make_private_directory(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("the directory {} cannot be made", path.display()))
}

#[cfg(all(test, feature = "kubernetes"))]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_set_up_by_a_file_and_the_name_of_the_worker() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cluster.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            cluster_setup(&path, "worker-1").map_err(|error| format!("{error:#}"))
        };
        let setup = read("namespace = \"runs\"\nimage = \"i:1\"\nlimits = { cpu = \"2\" }\n").unwrap();
        assert_eq!((setup.instance.as_str(), setup.limits["cpu"].as_str()), ("worker-1", "2"));
        assert_eq!(
            read("namespace = \"runs\"\nimage = \"i:1\"\ninstance = \"mine\"\n").unwrap().instance,
            "mine"
        );
        let refusal = read("namespace = \"runs\"\nimages = \"i:1\"\n").unwrap_err();
        assert!(refusal.contains("cluster.toml") && refusal.contains("images"), "{refusal}");
    }
}
