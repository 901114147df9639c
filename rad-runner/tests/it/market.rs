//! A small marketplace whose deployments are on SQLite, and a worker for it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rad_core::access::{Role, Roles};
use rad_core::catalog::{CatalogSort, SourceArchive};
use rad_core::clock::{Clock, SystemClock};
use rad_core::deployment::{Deployment, DeploymentStore, NewRun, Run, RunStatus, Transition};
use rad_core::directory::NewAccount;
use rad_core::id::{AccountId, RunId};
use rad_core::memory::{
    MemoryArchive, MemoryCatalog, MemoryDirectory, MemoryLedger, MemoryOrders, MemoryRepos, MemorySettings,
};
use rad_core::module::Values;
use rad_core::money::Credits;
use rad_core::platform::{Platform, Selection};
use rad_core::repo::RepoConnection;
use rad_core::runner::{Action, Runner};
use rad_core::seal::Keyring;
use rad_core::source::SourceTree;
use rad_runner::store::{SqlDeployments, SqlNotifier};
use rad_runner::worker::{Worker, WorkerConfig, WorkerConfigBuilder};
use rad_sql::Database;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// The name of the worker.
pub(crate) const WORKER: &str = "worker-of-the-tests";

pub(crate) struct Market {
    pub(crate) platform: Platform,
    pub(crate) deployments: Arc<SqlDeployments>,
    pub(crate) archive: Arc<MemoryArchive>,
    pub(crate) notifier: Arc<SqlNotifier>,
    repos: Arc<MemoryRepos>,
}

impl Market {
    /// A marketplace on the database in a directory.
    pub(crate) async fn open(root: &Path, runner: Arc<dyn Runner>) -> Self {
        let database: Database = rad_sql::sqlite::open(&root.join("rad.db")).await.unwrap().into();
        let key = Keyring::from_file(&root.join("key")).unwrap();
        let deployments = Arc::new(SqlDeployments::new(database.clone(), key).await.unwrap());
        let notifier = Arc::new(SqlNotifier::new(database));
        let (archive, repos) = (Arc::new(MemoryArchive::default()), Arc::new(MemoryRepos::default()));
        let platform = Platform::builder()
            .directory(Arc::new(MemoryDirectory::default()))
            .settings(Arc::new(MemorySettings::default()))
            .repos(repos.clone())
            .catalog(Arc::new(MemoryCatalog::default()))
            .archive(archive.clone())
            .deployments(deployments.clone())
            .runner(runner)
            .ledger(Arc::new(MemoryLedger::default()))
            .orders(Arc::new(MemoryOrders::default()))
            .notifier(notifier.clone())
            .build()
            .unwrap();
        Self { platform, deployments, archive, notifier, repos }
    }

    /// Publishes a free module and gives the account of a user who may deploy it.
    pub(crate) async fn publish(&self, name: &str, source: &SourceTree) -> AccountId {
        let mut tree = SourceTree::default();
        for (path, entry) in source.iter() {
            tree.insert(format!("{name}/{path}"), entry.clone()).unwrap();
        }
        self.repos.commit("shop", "main", tree, SystemClock.now()).unwrap();
        let admin = self.platform.operations().found(person("admin", [Role::Admin])).await.unwrap().id;
        let admin = self.platform.actor(admin).await.unwrap();
        let partner = admin.create_account(person("partner", [Role::Partner, Role::User])).await.unwrap().id;
        let partner = self.platform.actor(partner).await.unwrap();
        let connection =
            RepoConnection { repository: "shop".to_owned(), branch: None, sub_dir: String::new() };
        partner.connect(Some(connection)).await.unwrap();
        let partner = self.platform.actor(partner.account().id).await.unwrap();
        let selection = Selection { modules: BTreeSet::from([name.to_owned()]), ..Selection::default() };
        let plan = partner.plan_sync(&selection).await.unwrap();
        partner.apply_sync(&selection, &plan.commit, plan.version).await.unwrap();
        partner.account().id
    }

    /// Deploys the only module there is.
    pub(crate) async fn deploy(&self, account: AccountId, values: Values) -> Deployment {
        let actor = self.platform.actor(account).await.unwrap();
        let page = actor.search_modules(false, "", CatalogSort::Name, None).await.unwrap();
        actor.deploy(page.items[0].listing.id, &values, Uuid::new_v4()).await.unwrap()
    }

    /// Starts a worker; it works until it is told to shut down.
    pub(crate) fn work(
        &self,
        set_up: impl FnOnce(WorkerConfigBuilder) -> WorkerConfigBuilder,
    ) -> (oneshot::Sender<()>, JoinHandle<()>) {
        let config = set_up(WorkerConfig::builder(WORKER)).build().unwrap();
        let worker = Worker::new(self.platform.operations(), config).unwrap();
        let (shutdown, told) = oneshot::channel::<()>();
        let works = tokio::spawn(async move {
            worker
                .run(async {
                    let _ = told.await;
                })
                .await;
        });
        (shutdown, works)
    }

    /// Waits until a run is as wanted.
    pub(crate) async fn wait(&self, run: RunId, wanted: impl Fn(&Run) -> bool) -> Run {
        for _ in 0..600 {
            let now = self.deployments.run(run).await.unwrap();
            if wanted(&now) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{:?}\n{}", self.deployments.run(run).await.unwrap(), self.log(run).await);
    }

    /// Stores and queues what a retry of a create by its owner would, in a marketplace that forgot its accounts.
    pub(crate) async fn retried(&self, deployment: &Deployment) -> RunId {
        let run = NewRun {
            id: RunId::new(),
            deployment: deployment.id,
            action: Action::Create,
            cost: Credits::ZERO,
            target: None,
        };
        let run = self.deployments.add_run(run, SystemClock.now()).await.unwrap();
        self.deployments.advance(run.id, Transition::Queue, SystemClock.now()).await.unwrap();
        run.id
    }

    /// Waits until a run has ended.
    pub(crate) async fn end(&self, run: RunId) -> Run {
        self.wait(run, |run| run.status.is_final()).await
    }

    pub(crate) async fn log(&self, run: RunId) -> String {
        let log = self.deployments.log(run, 0, 1_000_000).await.unwrap();
        String::from_utf8_lossy(&log.bytes).into_owned()
    }

    /// Stores the source of a deployment again, as a durable archive would have kept it.
    pub(crate) async fn archived(&self, source: &SourceTree) {
        self.archive.store(source).await.unwrap();
    }
}

/// Whether a run works and its engine has begun.
pub(crate) fn is_working(run: &Run) -> bool {
    run.status == RunStatus::Working && run.step.is_some()
}

fn person<const N: usize>(name: &str, roles: [Role; N]) -> NewAccount {
    NewAccount {
        email: format!("{name}@example.com"),
        name: name.to_owned(),
        roles: Roles::from(roles),
        referred_by: None,
        password_hash: None,
    }
}
