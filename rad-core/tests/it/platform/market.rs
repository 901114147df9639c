//! A small marketplace to act in.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rad_core::access::{Role, Roles};
use rad_core::agent::CodeAgent;
use rad_core::catalog::CatalogSort;
use rad_core::clock::Clock;
use rad_core::deployment::{Lease, LeaseLimits};
use rad_core::directory::NewAccount;
use rad_core::id::{AccountId, ModuleId};
use rad_core::ledger::{Ledger, LedgerExt, Post};
use rad_core::memory::{
    ManualClock, MemoryAgent, MemoryArchive, MemoryCatalog, MemoryDeployments, MemoryDirectory, MemoryLedger,
    MemoryNotifier, MemoryOrders, MemoryRefinements, MemoryRepos, ScriptedRunner,
};
use rad_core::module::Values;
use rad_core::money::{Credits, Rate};
use rad_core::notify::{Notice, Notifier};
use rad_core::platform::{Actor, Platform, Selection, SyncPlan};
use rad_core::repo::RepoConnection;
use rad_core::revenue::{Body, Bucket, EntryKey, Grant, LotSource};
use rad_core::runner::{RunJob, RunLimits, RunOutcome, Runner};
use rad_core::settings::Settings;
use rad_core::source::SourceTree;
use uuid::Uuid;

use super::buying::CashDesk;
use super::hooks::SlowCredentials;
use super::recovery::UnsteadySettings;
use super::scanning::{SlowRepos, UnsteadyReadings};

pub(super) struct Market {
    pub(super) platform: Platform,
    pub(super) directory: Arc<MemoryDirectory>,
    pub(super) repos: Arc<MemoryRepos>,
    /// The same, as the platform reads them.
    pub(super) source: Arc<SlowRepos>,
    pub(super) readings: Arc<UnsteadyReadings>,
    pub(super) credentials: Arc<SlowCredentials>,
    pub(super) agent_service: Arc<MemoryAgent>,
    pub(super) ledger: Arc<MemoryLedger>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) desk: Arc<CashDesk>,
    pub(super) settings: Arc<UnsteadySettings>,
    pub(super) deployments: Arc<MemoryDeployments>,
    pub(super) notifier: Arc<MemoryNotifier>,
    pub(super) admin: AccountId,
    pub(super) finance: AccountId,
    pub(super) partner: AccountId,
    pub(super) agent: AccountId,
    pub(super) user: AccountId,
}

pub(super) const MODULES: &[(&str, &str)] = &[
    (
        "small",
        r#"variable "credit_cost" { default = 60 }
                 variable "public_access" { default = true }
                 variable "name" {
                   type = string
                   validation {
                     condition     = length(var.name) > 2
                     error_message = "A name has three letters at least."
                   }
                 }
                 variable "secret" {
                   type      = string
                   default   = "none"
                   sensitive = true
                 }"#,
    ),
    (
        "paid",
        r#"variable "credit_cost" { default = 40 }
                variable "require_credit_purchases" { default = true }
                variable "public_access" { default = true }"#,
    ),
    ("private", r#"variable "credit_cost" { default = 1 }"#),
    (
        "needy",
        r#"variable "credit_cost" { default = 5 }
                 variable "public_access" { default = true }
                 variable "module_dependency" { default = ["small"] }"#,
    ),
    ("broken", "variable \"x\" {"),
];

impl Market {
    pub(super) async fn open() -> Self {
        Self::with_runner(Arc::new(ScriptedRunner::new())).await
    }

    pub(super) async fn with_runner(runner: Arc<dyn Runner>) -> Self {
        let ledger = Arc::new(MemoryLedger::default());
        Self::with(runner, ledger.clone(), ledger, None).await
    }

    /// A market whose platform reaches the ledger `kept` through `ledger`.
    pub(super) async fn over(kept: Arc<MemoryLedger>, ledger: Arc<dyn Ledger>) -> Self {
        Self::with(Arc::new(ScriptedRunner::new()), kept, ledger, None).await
    }

    /// A market with this code agent.
    pub(super) async fn with_agent(agent: Arc<dyn CodeAgent>) -> Self {
        let ledger = Arc::new(MemoryLedger::default());
        Self::with(Arc::new(ScriptedRunner::new()), ledger.clone(), ledger, Some(agent)).await
    }

    async fn with(
        runner: Arc<dyn Runner>,
        kept: Arc<MemoryLedger>,
        ledger: Arc<dyn Ledger>,
        code_agent: Option<Arc<dyn CodeAgent>>,
    ) -> Self {
        let start: DateTime<Utc> = "2026-10-01T08:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let (repos, desk) = (Arc::new(MemoryRepos::default()), Arc::new(CashDesk::default()));
        let (deployments, notifier) = (Arc::new(MemoryDeployments::new()), Arc::new(MemoryNotifier::new()));
        let settings = Arc::new(UnsteadySettings::over(deployments.clone()));
        let (agent_service, directory) =
            (Arc::new(MemoryAgent::default()), Arc::new(MemoryDirectory::default()));
        let readings = Arc::new(UnsteadyReadings::default());
        let (source, credentials) =
            (Arc::new(SlowRepos::over(repos.clone())), Arc::new(SlowCredentials::default()));
        let code_agent = code_agent.unwrap_or_else(|| agent_service.clone());
        let platform = Platform::builder()
            .credentials(credentials.clone())
            .refining(code_agent, Arc::new(MemoryRefinements::default()), repos.clone())
            .directory(directory.clone())
            .settings(settings.clone())
            .repos(source.clone())
            .readings(readings.clone())
            .catalog(Arc::new(MemoryCatalog::default()))
            .archive(Arc::new(MemoryArchive::default()))
            .deployments(deployments.clone())
            .runner(runner)
            .ledger(ledger)
            .orders(Arc::new(MemoryOrders::default()))
            .provider(desk.clone())
            .notifier(notifier.clone())
            .clock(clock.clone())
            .build()
            .unwrap();
        let admin = platform.operations().found(person("admin", [])).await.unwrap().id;
        let boss = platform.actor(admin).await.unwrap();
        let finance = boss.create_account(person("finance", [Role::Finance])).await.unwrap().id;
        let partner = boss.create_account(person("partner", [Role::Partner, Role::User])).await.unwrap().id;
        let agent = boss.create_account(person("agent", [Role::Agent])).await.unwrap().id;
        let referred = NewAccount { referred_by: Some(agent), ..person("user", [Role::User]) };
        let user = boss.create_account(referred).await.unwrap().id;
        let market = Self {
            platform,
            directory,
            repos,
            source,
            readings,
            credentials,
            agent_service,
            ledger: kept,
            clock,
            desk,
            settings,
            deployments,
            notifier,
            admin,
            finance,
            partner,
            agent,
            user,
        };
        market.set_shares("20", "5").await;
        market.push(MODULES);
        market
    }

    pub(super) async fn actor(&self, account: AccountId) -> Actor {
        self.platform.actor(account).await.unwrap()
    }

    pub(super) async fn set_shares(&self, partner: &str, agent: &str) {
        let rate = |percent: &str| percent.parse::<Rate>().unwrap();
        self.change_settings(|settings| {
            settings.partner_revenue_share = rate(partner);
            settings.agent_revenue_share = rate(agent);
            settings.credits_per_unit = "10".parse().unwrap();
        })
        .await;
    }

    /// Gives the partner a rate of their own.
    pub(super) async fn set_own_rate(&self, percent: &str) {
        let share = percent.parse().unwrap();
        self.change_settings(|settings| {
            settings.partner_rates.insert(self.partner, share);
        })
        .await;
    }

    pub(super) async fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        let admin = self.actor(self.admin).await;
        let mut now = admin.platform_settings().await.unwrap();
        change(&mut now.settings);
        admin.change_settings(now.version, &now.settings).await.unwrap();
    }

    /// What an account was told, newest first.
    pub(super) async fn notices(&self, account: AccountId) -> Vec<Notice> {
        let kept = self.notifier.notices(account, 100).await.unwrap();
        kept.into_iter().map(|kept| kept.notice).collect()
    }

    /// Grants 100 purchased credits, paid with 10.00.
    pub(super) async fn sell(&self, account: AccountId) {
        let grant = Grant {
            source: LotSource::Purchase,
            bucket: Bucket::Purchased,
            credits: credits("100"),
            cost: "10".parse().unwrap(),
            paid: None,
            expires: None,
            reference: None,
        };
        let key = EntryKey::derive("test", &[]);
        let post = Post { account, key, at: self.clock.now(), actor: None, body: Body::Grant(grant) };
        self.ledger.post(post).await.unwrap();
    }

    /// Puts modules at the head of the repository `shop`.
    pub(super) fn push(&self, modules: &[(&str, &str)]) {
        let mut tree = SourceTree::default();
        for (name, source) in modules {
            tree.insert_file(format!("{name}/main.tf"), (*source).to_owned()).unwrap();
        }
        self.repos.commit("shop", "main", tree, self.clock.now()).unwrap();
    }

    pub(super) async fn connect(&self, partner: AccountId) {
        let connection =
            RepoConnection { repository: "shop".to_owned(), branch: None, sub_dir: String::new() };
        self.actor(partner).await.connect(Some(connection)).await.unwrap();
    }

    /// Publishes exactly these modules of the partner.
    pub(super) async fn publish(&self, names: &[&str]) -> SyncPlan {
        self.connect(self.partner).await;
        let partner = self.actor(self.partner).await;
        let modules: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        publish(&partner, &Selection { modules, ..Selection::default() }).await
    }

    /// The id of a published module, as the partner sees it.
    pub(super) async fn module(&self, name: &str) -> ModuleId {
        let partner = self.actor(self.partner).await;
        let page = partner.search_modules(false, name, CatalogSort::Name, None).await.unwrap();
        page.items.iter().find(|card| card.listing.name == name).unwrap().listing.id
    }

    pub(super) async fn award(&self, account: AccountId, credits: &str) {
        let finance = self.actor(self.finance).await;
        finance.award(account, credits.parse().unwrap(), Uuid::new_v4()).await.unwrap();
    }

    /// Awarded and purchased credits that can be used, and those held.
    pub(super) async fn credits(&self, account: AccountId) -> (String, String, String) {
        let balance = self.actor(account).await.balances().await.unwrap().balance;
        (balance.awarded.to_string(), balance.purchased.to_string(), balance.held().to_string())
    }

    /// Leases the run whose turn it is.
    pub(super) async fn lease(&self, worker: &str) -> Lease {
        let operations = self.platform.operations();
        let lease = operations.lease(worker, LeaseLimits::default(), Duration::from_secs(15)).await;
        lease.unwrap().expect("a run is queued")
    }

    /// What a worker is given to do.
    pub(super) async fn job(&self, lease: &Lease) -> RunJob {
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
        self.platform.operations().job(lease, RunLimits::of(hour), minute).await.unwrap()
    }

    /// Ends the run whose turn it is.
    pub(super) async fn finish_next(&self, outcome: RunOutcome) {
        let operations = self.platform.operations();
        let lease = self.lease("worker").await;
        operations.finish(&lease, outcome).await.unwrap();
    }
}

/// Publishes exactly what is selected.
pub(super) async fn publish(publisher: &Actor, selection: &Selection) -> SyncPlan {
    let plan = publisher.plan_sync(selection).await.unwrap();
    publisher.apply_sync(selection, &plan.commit, plan.version).await.unwrap()
}

pub(super) fn person<const N: usize>(name: &str, roles: [Role; N]) -> NewAccount {
    NewAccount {
        email: format!("{name}@example.com"),
        name: name.to_owned(),
        roles: Roles::from(roles),
        referred_by: None,
        password_hash: None,
    }
}

pub(super) fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
}

pub(super) fn credits(text: &str) -> Credits {
    text.parse().unwrap()
}
