//! Starts portals in directories of their own, and takes the steps that many tests begin with.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use portal::config::{Config, Options, RunOptions};
use portal::{FirstAccount, Portal};
use rad_core::source::SourceTree;
use rad_github::local::{WholeCommit, commit_tree};
use secrecy::ExposeSecret;
use tempfile::TempDir;

use crate::client::{Answer, Browser};

/// Local repositories that tests make for the partner.
const LOCAL: [&str; 2] = ["empty-dir", "mixed"];

/// How long a deployment of a small module may take in a test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A portal on a free port.
pub(crate) struct Demo {
    pub(crate) portal: Portal,
    /// Kept for as long as the portal runs.
    pub(crate) dir: TempDir,
    pub(crate) config: Config,
    accounts: Vec<FirstAccount>,
}

impl Demo {
    /// A portal with the demo accounts.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A portal with a changed configuration.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            listen: Some(([127, 0, 0, 1], 0).into()),
            data_dir: Some(dir.path().join("data")),
            runs: RunOptions {
                terraform: std::env::var_os("RAD_TERRAFORM").map(Into::into),
                ..RunOptions::default()
            },
            ..Options::default()
        };
        let mut config = options.check().unwrap();
        change(&mut config);
        let portal = portal::start(config.clone()).await.unwrap();
        let accounts = portal.first_accounts().to_vec();
        give(&config.repos_dir, &format!("partner@example.com: {}", LOCAL.join(" ")));
        Self { portal, dir, config, accounts }
    }

    /// The same portal, closed and started again with a changed configuration.
    pub(crate) async fn restarted(self, change: impl FnOnce(&mut Config)) -> Self {
        let Self { portal, dir, mut config, accounts } = self;
        portal.close().await.unwrap();
        change(&mut config);
        Self { portal: portal::start(config.clone()).await.unwrap(), dir, config, accounts }
    }

    /// A portal on which the partner has published the demo modules.
    pub(crate) async fn published() -> Self {
        let demo = Self::start().await;
        publish(&mut demo.signed_in("partner").await, &MODULES).await;
        demo
    }

    pub(crate) fn account(&self, name: &str) -> &FirstAccount {
        let email = format!("{name}@example.com");
        self.accounts.iter().find(|account| account.email == email).unwrap()
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.portal.url())
    }

    pub(crate) async fn signed_in(&self, name: &str) -> Browser {
        let account = self.account(name);
        let mut browser = self.browser();
        let answer = browser.sign_in(&account.email, account.password.expose_secret()).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        browser
    }

    /// The directory of the portal.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Awards credits to an account.
    pub(crate) async fn award(&self, name: &str, credits: &str) {
        let mut admin = self.signed_in("admin").await;
        let id = account_id(&mut admin, name).await;
        let page = admin.get(&format!("/admin/accounts/{id}")).await;
        let submission = page.between("name=\"submission\" value=\"", "\"").to_owned();
        let fields = [("credits", credits), ("submission", submission.as_str())];
        let answer = admin.post(&format!("/admin/accounts/{id}/award"), &fields).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
    }
}

/// Gives local repositories to a partner, as whoever runs the portal does.
pub(crate) fn give(repos: &Path, line: &str) {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(repos.join("partners.txt"));
    writeln!(file.unwrap(), "{line}").unwrap();
}

/// The id of an account, as an admin finds it.
pub(crate) async fn account_id(admin: &mut Browser, name: &str) -> String {
    let list = admin.get(&format!("/admin/accounts?q={name}@")).await;
    list.between("<a href=\"/admin/accounts/", "\"").to_owned()
}

/// The demo modules.
pub(crate) const MODULES: [&str; 6] = ["dashboard", "faulty", "fleet", "hello", "vault", "web-stack"];

/// Connects the demo repository and publishes modules of it, through plan and apply.
pub(crate) async fn publish(partner: &mut Browser, modules: &[&str]) {
    publish_from(partner, "demo-modules", modules).await;
}

/// Connects a repository and publishes modules below its `modules/`, through plan and apply.
pub(crate) async fn publish_from(partner: &mut Browser, repository: &str, modules: &[&str]) {
    let connection = [("repository", repository), ("branch", ""), ("sub_dir", "modules")];
    let connected = partner.post("/profile/repository", &connection).await;
    assert_eq!(connected.location(), "/publish?notice=connected", "{}", connected.body);
    let mut fields: Vec<_> = modules.iter().map(|module| ("module", *module)).collect();
    let plan = partner.post("/publish/plan", &fields).await;
    assert_eq!(plan.status, 200, "{}", plan.body);
    let commit = plan.between("name=\"commit\" value=\"", "\"").to_owned();
    let version = plan.between("name=\"version\" value=\"", "\"").to_owned();
    fields.extend([("commit", commit.as_str()), ("version", version.as_str())]);
    let applied = partner.post("/publish/apply", &fields).await;
    assert_eq!(applied.location(), "/publish?notice=published", "{}", applied.body);
}

/// Makes a repository of modules of one file each below `data`, the portal's directory, gives it to the
/// partner, and publishes them.
pub(crate) async fn publish_own(partner: &mut Browser, data: &Path, modules: &[(&str, &str)]) {
    let mut tree = SourceTree::default();
    for (module, text) in modules {
        tree.insert_file(format!("modules/{module}/main.tf"), (*text).to_owned()).unwrap();
    }
    let commit = WholeCommit { branch: "main", tree: &tree, message: "Add them\n", at: chrono::Utc::now() };
    commit_tree(&data.join("repos/own"), commit).unwrap();
    let names: Vec<_> = modules.iter().map(|(module, _)| *module).collect();
    give(&data.join("repos"), "partner@example.com: own");
    publish_from(partner, "own", &names).await;
}

/// The address of a module's form.
pub(crate) async fn form_of(browser: &mut Browser, module: &str) -> String {
    let page = browser.get(&format!("/deploy?tab=partner&q={module}")).await;
    let card = page.between(&format!("data-name=\"{module}\""), "</article>").to_owned();
    let id = card.split_once("href=\"/deploy/").unwrap().1.split_once('"').unwrap().0;
    format!("/deploy/{id}")
}

/// Submits a module's form once; also gives the fields, to be sent again.
pub(crate) async fn submit(
    browser: &mut Browser,
    module: &str,
    values: &[(&str, &str)],
) -> (Answer, String, Vec<(String, String)>) {
    let form = form_of(browser, module).await;
    let page = browser.get(&form).await;
    let mut fields = sent_back(&page);
    fields.push(("do".to_owned(), "deploy".to_owned()));
    fields.extend(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let answer = browser.post(&form, &borrowed(&fields)).await;
    (answer, form, fields)
}

/// What a module's form has to be sent back as it was shown.
pub(crate) fn sent_back(form: &Answer) -> Vec<(String, String)> {
    let shown = |name: &str| form.between(&format!("name=\"{name}\" value=\""), "\"").to_owned();
    ["submission", "commit", "cost"].map(|name| (name.to_owned(), shown(name))).into()
}

pub(crate) fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Deploys a module and gives the deployment's id.
pub(crate) async fn deploy(browser: &mut Browser, module: &str, values: &[(&str, &str)]) -> String {
    let (answer, ..) = submit(browser, module, values).await;
    assert_eq!(answer.location(), "/deployments?notice=deploying", "{} {}", answer.status, answer.body);
    newest(browser).await
}

/// The id of the newest deployment.
pub(crate) async fn newest(browser: &mut Browser) -> String {
    browser.get("/deployments").await.between("<tr id=\"d-", "\"").to_owned()
}

/// Waits until a deployment has a status, and gives its page.
pub(crate) async fn wait_for(browser: &mut Browser, id: &str, wanted: &str) -> Answer {
    let start = Instant::now();
    loop {
        let page = browser.get(&format!("/deployments/{id}")).await;
        let status = page.between("id=\"status\">", "<");
        // A run is settled right after it ended.
        if status == wanted && !page.body.contains("being settled") {
            return page;
        }
        let over =
            status != wanted && !matches!(status, "queued" | "working" | "deleting" | "pending" | "waiting");
        assert!(!over, "{id} is {status}, not {wanted}: {}", page.body);
        assert!(start.elapsed() < PATIENCE, "{id} is still {status}, not {wanted}: {}", page.body);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

/// Awarded, purchased and held credits, as the Credits page shows them.
pub(crate) async fn balances(browser: &mut Browser) -> [String; 3] {
    let page = browser.get("/credits").await;
    ["awarded", "purchased", "held"].map(|id| page.between(&format!("id=\"{id}\">"), "<").to_owned())
}

/// Buys credits and decides on the sandbox's page; gives the page of the order.
pub(crate) async fn buy(browser: &mut Browser, credits: &str, decision: &str) -> Answer {
    let ordered = browser.post("/credits/buy", &[("credits", credits), ("provider", "sandbox")]).await;
    assert!(ordered.location().starts_with("/sandbox/pay/"), "{} {}", ordered.status, ordered.body);
    let page = browser.get(ordered.location()).await;
    page.assert_has("SANDBOX");
    let decided = browser.post(ordered.location(), &[("decision", decision)]).await;
    browser.get(decided.location()).await
}
