//! Workers carry runs from the queue to their end, whatever happens to them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rad_core::deployment::{DeploymentStatus, DeploymentStore, RunStatus, Settlement};
use rad_core::memory::ScriptedRunner;
use rad_core::module::Values;
use rad_core::notify::{Notice, Notifier};
use rad_core::runner::{Runner, Step};
use rad_core::source::SourceTree;
use rad_runner::terraform::{TerraformConfig, TerraformRunner};
use rad_sql::{Database, sql};
use serde_json::json;

use crate::market::{Market, WORKER, is_working};
use crate::support::{becomes, example, is_running, nothing_left};

/// The directory of the test that a process of its own works in.
const CHILD: &str = "RAD_TEST_PORTAL";

fn scripted(script: &str) -> SourceTree {
    let mut source = SourceTree::default();
    source.insert_file("main.tf", "variable \"public_access\" { default = true }").unwrap();
    source.insert_file("script.json", script.to_owned()).unwrap();
    source
}

pub(crate) fn values(values: serde_json::Value) -> Values {
    serde_json::from_value(values).unwrap()
}

/// A module that makes one thing at once and another never; `mark` is in the command line of its program.
pub(crate) fn slow(mark: &str) -> SourceTree {
    let mut source = SourceTree::default();
    let text = format!(
        "variable \"public_access\" {{ default = true }}\nresource \"terraform_data\" \"quick\" {{}}\n\
         resource \"terraform_data\" \"slow\" {{\n depends_on = [terraform_data.quick]\n \
         provisioner \"local-exec\" {{ command = \"sleep {mark}\" }}\n}}"
    );
    source.insert_file("main.tf", text).unwrap();
    source
}

pub(crate) async fn terraform(root: &Path) -> Arc<TerraformRunner> {
    let config = TerraformConfig::builder(root.join("runs")).grace(Duration::from_secs(5)).build().unwrap();
    let runner = TerraformRunner::new(config).unwrap();
    runner.engine().await.expect("these tests need OpenTofu or Terraform and bubblewrap on this machine");
    Arc::new(runner)
}

#[tokio::test]
async fn a_deployment_is_made_and_destroyed_with_the_real_engine() {
    let root = tempfile::tempdir().unwrap();
    let market = Market::open(root.path(), terraform(root.path()).await).await;
    let mut source = example("fleet");
    let free =
        String::from_utf8(source.file("variables.tf").unwrap().to_vec()).unwrap().replace("= 15", "= 0");
    source.insert_file("variables.tf", free).unwrap();
    let user = market.publish("fleet", &source).await;
    let (shutdown, works) = market.work(|config| config);
    let deployment = market.deploy(user, values(json!({ "size": 3, "pause": 0.1 }))).await;
    let run = market.end(deployment.latest_run).await;
    assert_eq!(run.status, RunStatus::Success, "{:?} {}", run.diagnostics, market.log(run.id).await);
    assert_eq!(run.step, Some(Step::Apply));
    assert!(market.log(run.id).await.contains("machine-003 is ready"));
    assert_eq!(market.deployments.resources(run.id).await.unwrap().len(), 3);
    assert!(market.deployments.state(deployment.id).await.unwrap().is_some());
    let outputs = market.deployments.outputs(deployment.id).await.unwrap();
    assert!(outputs.iter().any(|output| output.name == "size" && output.value == json!(3)));

    let actor = market.platform.actor(user).await.unwrap();
    let destroyed = actor.destroy(deployment.id).await.unwrap();
    let run = market.end(destroyed.id).await;
    assert_eq!(run.status, RunStatus::Success, "{}", market.log(run.id).await);
    market.wait(run.id, |run| run.settlement == Settlement::Done).await;
    let now = market.deployments.deployment(deployment.id).await.unwrap();
    assert_eq!(now.status, DeploymentStatus::Deleted);
    assert!(market.deployments.outputs(deployment.id).await.unwrap().is_empty());
    let told = market.notifier.notices(user, 10).await.unwrap();
    assert!(matches!(told[0].notice, Notice::DeploymentDeleted { .. }), "{told:?}");
    shutdown.send(()).unwrap();
    works.await.unwrap();
}

#[tokio::test]
async fn runs_go_on_side_by_side_up_to_the_limit() {
    let root = tempfile::tempdir().unwrap();
    let market = Market::open(root.path(), Arc::new(ScriptedRunner::new())).await;
    let user = market.publish("waits", &scripted(r#"{ "log": ["here"], "waits": true }"#)).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(market.deploy(user, Values::new()).await.latest_run);
    }
    let (shutdown, works) =
        market.work(|config| config.concurrency(2).shutdown_grace(Duration::from_millis(200)));
    market.wait(runs[1], is_working).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(market.deployments.run(runs[2]).await.unwrap().status, RunStatus::Queued);

    shutdown.send(()).unwrap();
    works.await.unwrap();
    for run in &runs[..2] {
        let run = market.deployments.run(*run).await.unwrap();
        assert_eq!(run.status, RunStatus::Interrupted, "a run that goes on at the shutdown is interrupted");
        assert!(market.log(run.id).await.contains("here"));
        assert!(market.deployments.state(run.deployment).await.unwrap().is_some(), "with its state");
    }
    assert_eq!(market.deployments.run(runs[2]).await.unwrap().status, RunStatus::Queued, "taken by nobody");
}

#[tokio::test]
async fn a_run_whose_lease_was_lost_stops_and_writes_nothing_more() {
    let root = tempfile::tempdir().unwrap();
    let market = Market::open(root.path(), Arc::new(ScriptedRunner::new())).await;
    let user = market.publish("waits", &scripted(r#"{ "waits": true }"#)).await;
    let run = market.deploy(user, Values::new()).await.latest_run;
    let second = Duration::from_secs(1);
    let (shutdown, works) = market.work(|config| config.lease(3 * second, second / 5));
    market.wait(run, is_working).await;
    // As another worker's sweep would, long after this one's clock stood still.
    let later = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    assert_eq!(market.deployments.interrupt_lapsed(later).await.unwrap().len(), 1);
    shutdown.send(()).unwrap();
    let began = Instant::now();
    works.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "the run hears of it at the next heartbeat");
    assert_eq!(market.deployments.run(run).await.unwrap().status, RunStatus::Interrupted);
}

/// Another process ends the run once the lease lapses, and its owner may try it again: two engines must not be at work.
#[tokio::test]
async fn an_engine_is_dead_before_a_lease_lapses_that_the_store_does_not_lengthen() {
    let root = tempfile::tempdir().unwrap();
    let market = Market::open(root.path(), terraform(root.path()).await).await;
    let mark = format!("33{}", std::process::id());
    let user = market.publish("slow", &slow(&mark)).await;
    let run = market.deploy(user, Values::new()).await.latest_run;
    let (shutdown, works) =
        market.work(|config| config.lease(Duration::from_secs(10), Duration::from_secs(1)));
    assert!(becomes(|| is_running(&mark)).await, "{}", market.log(run).await);
    // Whoever writes waits from now on.
    let lock = rad_sql::sqlite::open(&root.path().join("rad.db")).await.unwrap();
    let mut lock = lock.acquire().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *lock).await.unwrap();
    assert!(becomes(|| !is_running(&mark)).await, "the engine goes on without a lease");
    let dead = chrono::Utc::now().timestamp_micros();
    let lapses: i64 = sqlx::query_scalar("SELECT lease_until FROM runs").fetch_one(&mut *lock).await.unwrap();
    assert!(dead < lapses, "the lease lapsed {} µs before", dead - lapses);
    sqlx::query("ROLLBACK").execute(&mut *lock).await.unwrap();
    market.wait(run, |run| run.status == RunStatus::Interrupted).await;
    shutdown.send(()).unwrap();
    works.await.unwrap();
}

#[tokio::test]
async fn a_worker_that_slept_keeps_its_runs() {
    let root = tempfile::tempdir().unwrap();
    let market = Market::open(root.path(), Arc::new(ScriptedRunner::new())).await;
    let user = market.publish("waits", &scripted(r#"{ "waits": true }"#)).await;
    let run = market.deploy(user, Values::new()).await.latest_run;
    let (shutdown, works) = market.work(|config| config.shutdown_grace(Duration::from_millis(1)));
    market.wait(run, is_working).await;
    let lease = market.deployments.leases(WORKER).await.unwrap().remove(0);
    // As if the machine had slept for an hour and the sweep came before the heartbeat.
    let long_ago = chrono::Utc::now() - chrono::TimeDelta::hours(1);
    market.deployments.renew(&lease, long_ago).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(market.deployments.run(run).await.unwrap().status, RunStatus::Working);
    shutdown.send(()).unwrap();
    works.await.unwrap();
}

#[tokio::test]
async fn what_a_worker_cannot_begin_goes_back_with_the_reason() {
    let root = tempfile::tempdir().unwrap();
    let config = TerraformConfig::builder(root.path().join("runs")).engine("/nowhere/tofu").build().unwrap();
    let engineless = Arc::new(TerraformRunner::new(config).unwrap());
    let published = Market::open(root.path(), Arc::new(ScriptedRunner::new())).await;
    let user = published.publish("plain", &scripted("{}")).await;
    let run = published.deploy(user, Values::new()).await.latest_run;
    let market = Market::open(root.path(), engineless).await;
    market.archived(&scripted("{}")).await;
    let (shutdown, works) = market.work(|config| config);
    let given_back = async {
        loop {
            let now = market.deployments.run(run).await.unwrap();
            if now.attempts > 0 {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let now = tokio::time::timeout(Duration::from_secs(60), given_back).await.unwrap();
    assert_eq!((now.status, now.attempts), (RunStatus::Queued, 1), "another worker may have an engine");
    let log = market.deployments.log(run, 0, 4096).await.unwrap();
    let log = String::from_utf8_lossy(&log.bytes);
    assert!(log.contains("Attempt 1 of 5") && log.contains("could not carry out"), "{log}");
    shutdown.send(()).unwrap();
    works.await.unwrap();
}

#[tokio::test]
async fn a_killed_portal_loses_no_state_and_its_run_ends_at_the_restart() {
    let root = tempfile::tempdir().unwrap();
    let mark = format!("33{}", std::process::id());
    let source = slow(&mark);
    let market = Market::open(root.path(), Arc::new(ScriptedRunner::new())).await;
    let user = market.publish("slow", &source).await;
    let deployment = market.deploy(user, Values::new()).await;
    let run = deployment.latest_run;

    let mut portal = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "worker::a_portal_of_its_own", "--nocapture"])
        .env(CHILD, root.path())
        .env("RAD_TEST_MARK", &mark)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    for _ in 0..400 {
        if is_running(&mark) && market.deployments.state(deployment.id).await.unwrap().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(is_running(&mark), "the module's program runs");
    portal.kill().await.unwrap();
    for _ in 0..40 {
        if !is_running(&mark) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!is_running(&mark), "what the portal started dies with it");
    assert_eq!(market.deployments.run(run).await.unwrap().status, RunStatus::Working);
    forget_state(root.path(), &deployment.id.to_string()).await;

    let restarted = Market::open(root.path(), terraform(root.path()).await).await;
    restarted.archived(&source).await;
    let (shutdown, works) = restarted.work(|config| config);
    let began = Instant::now();
    let ended = restarted.end(run).await;
    assert!(began.elapsed() < Duration::from_secs(5), "it does not wait until the lease lapses");
    assert_eq!(ended.status, RunStatus::Interrupted);
    let state = restarted.deployments.state(deployment.id).await.unwrap().expect("the state is salvaged");
    assert!(String::from_utf8_lossy(&state).contains("quick"));
    assert!(restarted.log(run).await.contains("The platform was stopped"), "{}", restarted.log(run).await);
    assert_eq!(restarted.deployments.leases(WORKER).await.unwrap(), []);
    assert!(nothing_left(root.path()).await);
    shutdown.send(()).unwrap();
    works.await.unwrap();
}

/// The portal that [`a_killed_portal_loses_no_state_and_its_run_ends_at_the_restart`] kills.
#[tokio::test(flavor = "multi_thread")]
async fn a_portal_of_its_own() {
    let Some(root) = std::env::var_os(CHILD).map(PathBuf::from) else {
        return;
    };
    let market = Market::open(&root, terraform(&root).await).await;
    market.archived(&slow(&std::env::var("RAD_TEST_MARK").unwrap())).await;
    let (_shutdown, works) = market.work(|config| config);
    works.await.unwrap();
}

/// Forgets the state that was saved while the run went on, so that only what lies in the run's directory is left.
async fn forget_state(root: &Path, deployment: &str) {
    let database: Database = rad_sql::sqlite::open(&root.join("rad.db")).await.unwrap().into();
    let forget = sql("DELETE FROM deployment_states WHERE deployment = $1").bind(deployment);
    let forgotten = forget.execute(&database, "forgetting a state").await.unwrap();
    assert_eq!(forgotten, 1, "the state was saved while it went on");
}
