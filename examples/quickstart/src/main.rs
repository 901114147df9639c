//! The whole loop in one program: publish, buy, deploy with real Terraform, see who paid and who earned what, destroy.
#![expect(clippy::print_stdout, reason = "it is a terminal program")]

use std::{collections::BTreeSet, path::Path, sync::Arc};

use anyhow::{Context, Result};
use rad_billing::{SandboxPayments, SqlDirectory, SqlOrders, SqlSettings, SqliteLedger};
use rad_core::access::{Role, Roles};
use rad_core::catalog::CatalogSort;
use rad_core::deployment::Deployment;
use rad_core::directory::NewAccount;
use rad_core::id::AccountId;
use rad_core::ledger::RevenueQuery;
use rad_core::module::Values;
use rad_core::money::Money;
use rad_core::payment::{PaymentProvider, Webhook};
use rad_core::platform::{Actor, Platform, RevenueView, Selection};
use rad_core::repo::RepoConnection;
use rad_core::seal::Keyring;
use rad_github::{LocalSource, SqlArchive, SqlCatalog};
use rad_runner::store::{SqlDeployments, SqlNotifier};
use rad_runner::terraform::{Network, TerraformConfig, TerraformRunner};
use rad_runner::worker::{Worker, WorkerConfig};
use uuid::Uuid;

#[tokio::main]
async fn main() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (platform, payments) = assemble(dir.path()).await?;
    let worker = Worker::new(platform.operations(), WorkerConfig::builder("quickstart").build()?)?;
    tokio::select! {
        () = worker.run(std::future::pending()) => Ok(()),
        result = walk(&platform, &payments) => result,
    }
}

async fn walk(platform: &Platform, payments: &SandboxPayments) -> Result<()> {
    // Four people: the admin founds the platform and makes the others; the agent referred the user.
    let founder = platform.operations().found(person("admin", Role::Admin, None)).await?;
    let admin = platform.actor(founder.id).await?;
    let partner = admin.create_account(person("partner", Role::Partner, None)).await?.id;
    let agent = admin.create_account(person("agent", Role::Agent, None)).await?.id;
    let user = admin.create_account(person("user", Role::User, Some(agent))).await?.id;
    let (partner, agent) = (platform.actor(partner).await?, platform.actor(agent).await?);
    let user = platform.actor(user).await?;

    // 10 credits for a dollar; of true revenue a partner gets 20 %, an agent 5 %.
    let mut now = admin.platform_settings().await?;
    now.settings.credits_per_unit = "10".parse()?;
    now.settings.partner_revenue_share = "20".parse()?;
    now.settings.agent_revenue_share = "5".parse()?;
    admin.change_settings(now.version, &now.settings).await?;

    // The partner connects a repository and publishes what the plan shows.
    let modules = RepoConnection { repository: "modules".into(), branch: None, sub_dir: String::new() };
    partner.connect(Some(modules)).await?;
    let modules = BTreeSet::from(["hello".to_owned(), "web-stack".to_owned()]);
    let wanted = Selection { modules, ..Selection::default() };
    let plan = partner.plan_sync(&wanted).await?;
    for step in &plan.steps {
        println!("publish   {}: {}", step.module, step.reason);
    }
    partner.apply_sync(&wanted, &plan.commit, plan.version).await?;

    // 10 credits are a present, 100 are bought: the provider's signed webhook grants them, once.
    admin.award(user.id(), "10".parse()?, Uuid::new_v4()).await?;
    let (order, checkout) = user.buy("100".parse()?, payments.name(), |_| "/credits".to_owned()).await?;
    let webhook = payments.pay(&checkout.reference, order.created_at).await?;
    let delivery = Webhook { signature: &webhook.signature, body: webhook.body.as_bytes() };
    platform.operations().payment_webhook(payments.name(), delivery).await?;
    println!("buy       {} credits for {}", order.credits, order.price);

    // The user sees the price, deploys, and follows the log.
    let found = user.search_modules(false, "web-stack", CatalogSort::Name, None).await?;
    let module = found.items.first().context("the module is published")?.listing.id;
    let quote = user.deploy_form(module).await?.quote;
    let split = quote.split.map_err(|refusal| anyhow::anyhow!(refusal.message))?;
    println!("price     {} = {} awarded + {} purchased", quote.cost, split.awarded, split.purchased);
    let typed = Values::from_iter([
        ("service_name".to_owned(), "orders-api".into()),
        ("admin_password".to_owned(), "correct-horse-battery".into()),
    ]);
    let deployment = user.deploy(module, &typed, Uuid::new_v4()).await?;
    follow(&user, &deployment).await?;
    for output in user.deployment(deployment.id).await?.outputs {
        println!("output    {} = {}", output.name, output.value);
    }
    let left = user.balances().await?.balance;
    println!("left      {} awarded, {} purchased", left.awarded, left.purchased);

    // Only what was paid with purchased credits is true revenue.
    let query = RevenueQuery { limit: 10, ..RevenueQuery::default() };
    let views = [(&partner, RevenueView::Partner), (&agent, RevenueView::Agent), (&admin, RevenueView::All)];
    for (actor, view) in views {
        let (page, _, currency) = actor.revenue(view, query.clone()).await?;
        let row = page.items.first().context("the charge")?;
        let earned = Money::from_minor(row.revenue, currency).context("an amount in range")?;
        println!("revenue   {view:?}: {earned} of a charge of {} credits", row.credits);
    }

    user.destroy(deployment.id).await?;
    follow(&user, &deployment).await?;
    println!("done      {}", user.deployment(deployment.id).await?.deployment.status);
    Ok(())
}

/// Puts a platform together: one backend for each trait, all of them durable.
async fn assemble(dir: &Path) -> Result<(Platform, Arc<SandboxPayments>)> {
    let pool = rad_billing::sqlite::open(&dir.join("rad.db")).await?;
    rad_github::migrate(&pool.clone().into()).await?;
    let key = Keyring::from_file(&dir.join("state.key"))?;
    let secret = Uuid::new_v4().to_string().into();
    let payments = Arc::new(SandboxPayments::new(pool.clone(), secret, "http://localhost", &[])?);
    // The samples need nothing of the network.
    let config = TerraformConfig::builder(dir.join("runs")).network(Network::Off).build()?;
    let runner = TerraformRunner::new(config)?;
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let platform = Platform::builder()
        .directory(Arc::new(SqlDirectory::new(pool.clone())))
        .settings(Arc::new(SqlSettings::new(pool.clone())))
        .repos(Arc::new(LocalSource::new([samples])?))
        .catalog(Arc::new(SqlCatalog::new(pool.clone())))
        .archive(Arc::new(SqlArchive::new(pool.clone())))
        .deployments(Arc::new(SqlDeployments::new(pool.clone(), key).await?))
        .runner(Arc::new(runner))
        .ledger(Arc::new(SqliteLedger::new(pool.clone())))
        .orders(Arc::new(SqlOrders::new(pool.clone())))
        .provider(payments.clone())
        .notifier(Arc::new(SqlNotifier::new(pool)))
        .build()?;
    Ok((platform, payments))
}

/// Prints the log of a deployment's latest run until that has ended and is paid.
async fn follow(user: &Actor, deployment: &Deployment) -> Result<()> {
    let run = user.deployment(deployment.id).await?.runs.first().context("a run")?.id;
    let mut following = user.follow(run, 0).await?;
    loop {
        let news = following.next().await?;
        print!("{}", String::from_utf8_lossy(&news.log));
        if news.is_over {
            return Ok(());
        }
    }
}

fn person(name: &str, role: Role, referred_by: Option<AccountId>) -> NewAccount {
    let (email, name) = (format!("{name}@example.com"), name.to_owned());
    NewAccount { email, name, roles: Roles::from([role]), referred_by, password_hash: None }
}
