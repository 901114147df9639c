//! Cancelling, updating and purging what a worker has, with the real engine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rad_core::deployment::{DeploymentStatus, DeploymentStore, RunStatus, Settlement, Wait};
use rad_core::id::{AccountId, RunId};
use rad_core::memory::ScriptedRunner;
use rad_core::module::Values;
use rad_core::platform::{Actor, PlatformError};
use rad_core::runner::ChangeKind;
use rad_core::source::SourceTree;
use serde_json::json;
use tempfile::TempDir;

use crate::market::{Market, is_working};
use crate::support::{is_running, nothing_left};
use crate::worker::{slow, terraform, values};

/// A module whose keeper is made anew when its key changes, and changed where it stands when its note does.
const KEEPER: &str = r#"
    variable "public_access" { default = true }
    variable "enable_purge" { default = true }
    variable "key" { default = "one" }
    variable "note" {
      default     = ""
      description = "{{UIMeta updatesafe}}"
    }
    variable "password" {
      default   = "none"
      sensitive = true
    }
    resource "terraform_data" "keeper" {
      triggers_replace = var.key
      input            = var.note
    }
    output "note" { value = terraform_data.keeper.output }
    output "password" {
      value     = var.password
      sensitive = true
    }
"#;

fn module(text: &str) -> SourceTree {
    let mut source = SourceTree::default();
    source.insert_file("main.tf", text.to_owned()).unwrap();
    source
}

/// A marketplace on the real engine with one module, and its partner.
async fn opened(source: &SourceTree) -> (TempDir, Market, Actor) {
    let root = tempfile::tempdir().unwrap();
    let market = Market::open(root.path(), terraform(root.path()).await).await;
    let account = market.publish("module", source).await;
    let actor = actor(&market, account).await;
    (root, market, actor)
}

async fn actor(market: &Market, account: AccountId) -> Actor {
    market.platform.actor(account).await.unwrap()
}

#[tokio::test]
async fn a_person_cancels_a_live_run_and_what_exists_is_known() {
    let mark = format!("44{}", std::process::id());
    let (root, market, user) = opened(&slow(&mark)).await;
    let hour = Duration::from_secs(3600);
    let (shutdown, works) = market.work(|config| config.lease(hour, hour / 4));
    let deployment = market.deploy(user.id(), Values::new()).await;
    let changes = async |run: RunId| {
        let resources = market.deployments.resources(run).await.unwrap();
        resources.iter().filter(|resource| resource.changed_something()).count()
    };
    while changes(deployment.latest_run).await < 2 {
        market.wait(deployment.latest_run, is_working).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = user.cancel(deployment.id).await.unwrap();
    assert_eq!((asked.status, asked.cancel_asked), (RunStatus::Working, true));
    let began = Instant::now();
    let ended = market.end(asked.id).await;
    assert!(began.elapsed() < Duration::from_secs(10), "no heartbeat is waited for: {:?}", began.elapsed());
    assert_eq!(ended.status, RunStatus::Cancelled, "{}", market.log(ended.id).await);
    assert!(!is_running(&mark), "the module's program is gone");
    assert!(nothing_left(root.path()).await);
    let now = market.deployments.deployment(deployment.id).await.unwrap();
    assert!(now.diverged, "something was made before the stop");
    let state = market.deployments.state(deployment.id).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&state).contains("quick"));
    market.wait(ended.id, |run| run.settlement == Settlement::Done).await;
    let again = user.cancel(deployment.id).await.unwrap_err();
    assert!(again.to_string().contains("cancelled"), "{again}");

    let destroyed = user.destroy(deployment.id).await.unwrap();
    assert_eq!(market.end(destroyed.id).await.status, RunStatus::Success);
    assert!(!market.deployments.deployment(deployment.id).await.unwrap().diverged);
    shutdown.send(()).unwrap();
    works.await.unwrap();
}

#[tokio::test]
async fn an_update_asks_before_it_replaces_and_changes_nothing_until_then() {
    let (root, market, user) = opened(&module(KEEPER)).await;
    let (shutdown, works) = market.work(|config| config);
    let first = values(json!({ "key": "one", "note": "first", "password": "s3cret-one" }));
    let deployment = market.deploy(user.id(), first).await;
    let id = deployment.id;
    assert_eq!(market.end(deployment.latest_run).await.status, RunStatus::Success);
    let note = async || {
        let outputs = market.deployments.outputs(id).await.unwrap();
        outputs.into_iter().map(|output| output.value).collect::<Vec<_>>()
    };

    let safe = values(json!({ "key": "one", "note": "second" }));
    let run = user.update(id, &deployment.commit, &safe).await.unwrap();
    let ended = market.end(run.id).await;
    assert_eq!(ended.status, RunStatus::Success, "{}", market.log(run.id).await);
    assert_eq!(note().await, [json!("second"), json!("s3cret-one")], "a secret that is not typed stays");
    let plan = market.deployments.plan(run.id).await.unwrap();
    assert_eq!(plan.changes.unwrap()[0].change, ChangeKind::Update);

    let rekeyed = values(json!({ "key": "two", "note": "third", "password": "s3cret-two" }));
    let run = user.update(id, &deployment.commit, &rekeyed).await.unwrap().id;
    let asks = market.wait(run, |run| run.status == RunStatus::Waiting).await;
    assert_eq!(asks.waits_for, Some(Wait::Confirmation), "{}", market.log(run).await);
    assert!(nothing_left(root.path()).await, "nothing is kept on the worker's disk");
    let now = user.deployment(id).await.unwrap();
    assert_eq!(
        (now.deployment.values["note"].as_str(), note().await[0].as_str()),
        (Some("second"), Some("second"))
    );
    let taken = now.plan.takes_away();
    assert_eq!((taken[0].address.as_str(), taken[0].change), ("terraform_data.keeper", ChangeKind::Replace));
    assert!(
        matches!(user.update(id, &deployment.commit, &safe).await, Err(PlatformError::Deployment(_))),
        "it is busy"
    );

    user.confirm(run, &now.plan.digest()).await.unwrap();
    assert_eq!(market.end(run).await.status, RunStatus::Success, "{}", market.log(run).await);
    assert_eq!(note().await, [json!("third"), json!("s3cret-two")]);
    let now = market.deployments.deployment(id).await.unwrap();
    assert_eq!((now.values["key"].as_str(), now.diverged), (Some("two"), false));
    shutdown.send(()).unwrap();
    works.await.unwrap();
}

#[tokio::test]
async fn a_purge_stops_what_goes_on_and_closes_with_what_is_left() {
    let mark = format!("55{}", std::process::id());
    let mut text = String::from_utf8(slow(&mark).file("main.tf").unwrap().to_vec()).unwrap();
    text.push_str(
        "\nvariable \"enable_purge\" { default = true }\nresource \"terraform_data\" \"stays\" {\n",
    );
    text.push_str("provisioner \"local-exec\" {\n when = destroy\n command = \"exit 1\"\n }\n}\n");
    let (_root, market, user) = opened(&module(&text)).await;
    let (shutdown, works) = market.work(|config| config);
    let deployment = market.deploy(user.id(), Values::new()).await;
    while !is_running(&mark) {
        market.wait(deployment.latest_run, is_working).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = user.purge(deployment.id).await.unwrap();
    assert!(asked.purge_asked.is_some());
    let stopped = market.end(deployment.latest_run).await;
    assert_eq!(stopped.status, RunStatus::Cancelled, "it ends by itself, with its state");
    let closed = async || market.deployments.deployment(deployment.id).await.unwrap();
    while closed().await.status != DeploymentStatus::Deleted || closed().await.left.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        closed().await.left,
        ["terraform_data.stays"],
        "quick was destroyed, slow was tainted and destroyed"
    );
    assert!(user.purge(deployment.id).await.is_err(), "it is closed");
    shutdown.send(()).unwrap();
    works.await.unwrap();
}

#[tokio::test]
async fn a_retry_after_a_lost_worker_plans_by_what_it_finds() {
    let root = tempfile::tempdir().unwrap();
    let market = Market::open(root.path(), Arc::new(ScriptedRunner::new())).await;
    let account = market.publish("keeper", &module(KEEPER)).await;
    let user = actor(&market, account).await;
    let deployment = market.deploy(account, values(json!({ "note": "mine" }))).await;
    // A worker that is lost after its engine made the resource and its state was saved.
    let long_ago = chrono::Utc::now() - chrono::TimeDelta::hours(1);
    let lease =
        market.deployments.lease("lost", Default::default(), long_ago, long_ago).await.unwrap().unwrap();
    drop(market);
    let market = Market::open(root.path(), terraform(root.path()).await).await;
    let source = module(KEEPER);
    market.archived(&source).await;
    let made =
        crate::support::job_of(source.clone(), json!({ "key": "one", "note": "mine", "password": "none" }));
    let (_, notes) = crate::support::play(&*terraform(&root.path().join("elsewhere")).await, made).await;
    let state = notes.states().pop().unwrap();
    market.deployments.save_state(&lease, &state, long_ago).await.unwrap();
    let interrupted = market.deployments.interrupt_lapsed(chrono::Utc::now()).await.unwrap();
    assert_eq!(interrupted[0].status, RunStatus::Interrupted);
    drop(user);

    let run = market.retried(&deployment).await;
    let (shutdown, works) = market.work(|config| config);
    assert_eq!(market.end(run).await.status, RunStatus::Success, "{}", market.log(run).await);
    let plan = market.deployments.plan(run).await.unwrap();
    assert_eq!(
        plan.changes,
        Some(Vec::new()),
        "what the lost worker made is found, and nothing is made twice"
    );
    assert!(market.log(run).await.contains("Refreshing state"), "{}", market.log(run).await);
    shutdown.send(()).unwrap();
    works.await.unwrap();
}
