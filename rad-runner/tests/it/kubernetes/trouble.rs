//! What goes wrong on a cluster: connections, the API server, pods that do not start or are taken away, lost workers,
//! modules that mean harm.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rad_core::conformance::runner::{self as contract, Modules, TerraformModules};
use rad_core::deployment::RunStatus;
use rad_core::error::BackendError;
use rad_core::module::Values;
use rad_core::runner::{RunEvent, RunJob, RunObserver, RunOutcome, Runner, StopReason};
use rad_core::source::SourceTree;
use rad_runner::kubernetes::{KubernetesConfig, KubernetesConfigBuilder};
use rad_runner::terraform::{Credentials, Granted};
use serde_json::json;

use super::{Made, cluster, kubelet};
use crate::market::Market;
use crate::support::{Notes, copy, delete, job, job_of, play};

#[tokio::test]
async fn a_log_is_whole_although_its_connection_breaks_again_and_again() {
    let made = Made::new().await;
    made.cluster.faults(|faults| {
        faults.cut_logs_after = Some(7);
        faults.cut_watches = true;
    });
    contract::logs_in_order(&made.runner(), &TerraformModules).await;
    assert!(made.cluster.requests("/log?") > 2, "it was taken up again");
}

#[tokio::test]
async fn an_api_server_that_stumbles_is_asked_again() {
    let made = Made::new().await;
    made.cluster.faults(|faults| {
        faults.answers.extend([
            ("POST", 503),
            ("GET", 500),
            ("PATCH", 429),
            ("PATCH", 500),
            ("/log?", 502),
            ("watch=true", 410),
            ("watch=true", 500),
            // Once more, for the keeper.
            ("fieldManager=rad-keeper", 503),
        ]);
    });
    let cluster = made.cluster.clone();
    let compacting = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            cluster.compact();
        }
    });
    contract::creates_and_deletes(&made.runner(), &TerraformModules).await;
    compacting.abort();
    assert_eq!(made.cluster.faults(|faults| faults.answers.len()), 0, "all of it happened");
}

#[tokio::test]
async fn what_never_starts_fails_with_the_reason() {
    for (no_pods, image, pool, reason) in [
        (false, "engine:1", "gpu", "0/1 nodes are available"),
        (false, kubelet::NO_IMAGE, "", kubelet::NO_IMAGE),
        (true, "engine:1", "", "made no pod"),
    ] {
        let made = Made::new().await;
        made.cluster.faults(|faults| faults.no_pods = no_pods);
        let config = KubernetesConfig::builder("worker-1", "runs", image).start_limit(Duration::from_secs(1));
        let config = if pool.is_empty() { config } else { config.node_selector("pool", pool) };
        let (outcome, notes) =
            play(&made.runner_with(|_| config), job_of(TerraformModules.greeter(), json!({}))).await;
        assert_eq!(outcome, RunOutcome::Failure);
        let told = &notes.diagnostics()[0];
        assert!(told.detail.contains(reason) && told.summary.contains("1 seconds"), "{told:?}");
        assert_eq!(made.cluster.list("jobs", "").len(), 0, "nothing is left waiting");
    }
}

#[tokio::test]
async fn what_the_cluster_takes_away_fails_and_keeps_its_state() {
    for kind in ["pods", "jobs"] {
        let made = Made::new().await;
        let cluster = made.cluster.clone();
        let taken = tokio::spawn(async move {
            cluster.until(|cluster| !cluster.list("secrets", "rad-kept=head").is_empty()).await;
            let name = cluster.list(kind, "").remove(0)["metadata"]["name"].as_str().unwrap().to_owned();
            cluster.change(kind, &name, |object| {
                object["metadata"]["deletionTimestamp"] = cluster::now().into()
            });
        });
        let (outcome, notes) = play(&made.runner(), job_of(TerraformModules.hanging(), json!({}))).await;
        taken.await.unwrap();
        assert_eq!(outcome, RunOutcome::Failure, "{}", notes.log());
        assert!(!notes.diagnostics().is_empty());
        let state = notes.states().pop().expect("what was made is known");
        assert!(String::from_utf8_lossy(&state).contains("quick"));
    }
}

#[tokio::test]
async fn a_state_larger_than_a_secret_comes_back_whole() {
    let made = Made::new().await;
    let runner = made.runner();
    let mut source = SourceTree::default();
    let mut seed = 7_u64;
    let noise = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        seed.to_be_bytes()[0]
    });
    source.insert_file("noise.bin", noise.take(1_500_000).collect::<Vec<u8>>()).unwrap();
    let text = "resource \"terraform_data\" \"large\" { input = filebase64(\"noise.bin\") }";
    source.insert_file("main.tf", text).unwrap();
    let large = job_of(source, json!({}));
    let (outcome, notes) = play(&runner, copy(&large)).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    let state = notes.states().pop().unwrap();
    assert!(state.len() > 2_000_000);
    let (outcome, notes) = play(&runner, delete(&large, Some(state))).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    assert!(notes.states().pop().unwrap().len() < 1000);
}

#[tokio::test]
async fn a_run_takes_up_the_state_that_nobody_had_read() {
    let made = Made::new().await;
    let lost = job_of(TerraformModules.lingering(), json!({}));
    let (run, retry) = (lost.run, copy(&lost));
    let gone = made.runner();
    let working = tokio::spawn(async move {
        let _ = gone.run(lost, &Notes::default()).await;
    });
    let selector = format!("rad-run={run},rad-kept=head");
    made.cluster.until(|cluster| !cluster.list("secrets", &selector).is_empty()).await;
    // Its worker is lost for good, and another one retries.
    working.abort();
    let (outcome, notes) = play(&made.runner_with(other), copy(&retry)).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    assert!(
        String::from_utf8_lossy(&notes.states()[0]).contains("quick"),
        "what was there is reported first"
    );
    assert!(!notes.log().contains("terraform_data.quick: Plan to create"), "{}", notes.log());
    assert_eq!(made.cluster.list("jobs", &format!("rad-run={run}")).len(), 0, "its engine was ended first");
    assert_eq!(made.cluster.list("secrets", &selector).len(), 0);
}

#[tokio::test]
async fn a_state_that_was_refused_waits_for_the_next_run() {
    let made = Made::new().await;
    let mut job = job_of(TerraformModules.hanging(), json!({}));
    let retry = copy(&job);
    job.deployment = retry.deployment;
    let outcome = made.runner().run(job, &LosesItsLease::default()).await.unwrap();
    assert_eq!(outcome, RunOutcome::Stopped);
    assert_eq!(made.cluster.list("jobs", "").len(), 0, "the engine is gone");
    let delete = delete(&retry, None);
    let (outcome, notes) = play(&made.runner(), delete).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    assert!(String::from_utf8_lossy(&notes.states()[0]).contains("quick"), "it was not lost");
    assert!(notes.log().contains("terraform_data.quick: Destruction complete"), "{}", notes.log());
}

/// Refuses everything from the first state on.
#[derive(Default)]
struct LosesItsLease {
    lost: AtomicBool,
}

#[async_trait]
impl RunObserver for LosesItsLease {
    async fn event(&self, event: RunEvent) -> Result<(), StopReason> {
        if matches!(event, RunEvent::State(_)) {
            self.lost.store(true, Ordering::SeqCst);
        }
        match self.lost.load(Ordering::SeqCst) {
            true => Err(StopReason::LeaseLost),
            false => Ok(()),
        }
    }

    async fn stop(&self) -> StopReason {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_restarted_worker_carries_its_job_on() {
    let made = Made::new().await;
    let root = tempfile::tempdir().unwrap();
    let market = Market::open(root.path(), Arc::new(made.runner())).await;
    let mut source = TerraformModules.lingering();
    source.insert_file("public.tf", "variable \"public_access\" { default = true }").unwrap();
    let user = market.publish("lingering", &source).await;
    let run = market.deploy(user, Values::new()).await.latest_run;
    let (_shutdown, works) = market.work(|config| config);
    for _ in 0..400 {
        if market.log(run).await.contains("entry 3;") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    works.abort();
    let _ = works.await;

    let restarted = Market::open(root.path(), Arc::new(made.runner())).await;
    restarted.archived(&source).await;
    let (shutdown, works) = restarted.work(|config| config);
    let ended = restarted.end(run).await;
    let log = restarted.log(run).await;
    assert_eq!(ended.status, RunStatus::Success, "{:?} {log}", ended.diagnostics);
    let entries: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once("(local-exec): entry "))
        .map(|(_, entry)| entry)
        .collect();
    assert_eq!(entries, ["1;", "2;", "3;", "4;", "5;", "6;", "7;", "8;"], "{log}");
    assert_eq!(log.matches("Plan: 2 to add").count(), 1, "{log}");
    assert_eq!(made.cluster.requests("POST"), 1, "one Job did it");
    shutdown.send(()).unwrap();
    works.await.unwrap();
}

#[tokio::test]
async fn a_worker_clears_up_after_its_own_kind_only() {
    let made = Made::new().await;
    let selectors: Vec<String> = {
        let runners = [made.runner(), made.runner_with(other)];
        let mut selectors = Vec::new();
        for runner in runners {
            let job = job_of(TerraformModules.hanging(), json!({}));
            let selector = format!("rad-run={}", job.run);
            let working = tokio::spawn(async move {
                let _ = runner.run(job, &Notes::default()).await;
            });
            let states = format!("{selector},rad-kept=head");
            made.cluster.until(|cluster| !cluster.list("secrets", &states).is_empty()).await;
            working.abort();
            selectors.push(selector);
        }
        selectors
    };
    made.runner().clear().await.unwrap();
    made.cluster.until(|cluster| cluster.list("jobs", &selectors[0]).is_empty()).await;
    assert_eq!(made.cluster.list("jobs", &selectors[1]).len(), 1, "the other worker's goes on");
    let states = format!("{},rad-kept=head", selectors[0]);
    assert_eq!(made.cluster.list("secrets", &states).len(), 1, "a state that nobody read is kept");
}

#[tokio::test]
async fn a_run_whose_log_has_lost_its_beginning_is_salvaged_instead() {
    let made = Made::new().await;
    let job = job_of(TerraformModules.lingering(), json!({}));
    let run = job.run;
    let first = made.runner();
    let working = tokio::spawn(async move {
        let _ = first.run(job, &Notes::default()).await;
    });
    made.cluster.until(|cluster| !cluster.list("secrets", "rad-kept=head").is_empty()).await;
    working.abort();
    made.cluster.faults(|faults| faults.rotated = 2);
    let next = made.runner();
    assert!(!next.continues(run).await.unwrap());
    let state = next.salvage(run).await.unwrap().expect("a state");
    assert!(String::from_utf8_lossy(&state).contains("quick"));
    assert_eq!(made.cluster.list("pods", "").len(), 0, "the engine is gone by then");
}

#[tokio::test]
async fn module_code_sees_no_token_and_the_values_are_private() {
    let made = Made::new().await;
    let text = "variable \"secret\" { sensitive = true }\nresource \"terraform_data\" \"look\" {\n \
                provisioner \"local-exec\" { command = \"ls -1 /rad; stat -L -c %a /rad/inputs/values.tfvars.json; \
                cat /rad/token/token /rad/own/header; touch /rad/gate/x /rad/inputs/x /x; env; true\" }\n}";
    let mut job = job(text, json!({ "secret": "s3cr3t-value" }));
    job.sensitive = vec!["secret".to_owned()];
    let (outcome, notes) = play(&made.runner(), job).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    let log = notes.log();
    assert!(log.contains("600") && !log.contains("made up") && !log.contains("s3cr3t"), "{log}");
    assert_eq!(log.matches("Read-only file system").count(), 3, "{log}");
    assert!(!log.contains("KUBERNETES"), "{log}");
    let pod = &made.cluster.list("pods", "")[0]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(pod["restartPolicy"], "Never");
}

#[derive(Debug)]
struct Tenant;

#[async_trait]
impl Credentials for Tenant {
    async fn grant(&self, _: &RunJob) -> Result<Granted, BackendError> {
        // Names of the container's own script among them: they change nothing of it.
        let granted =
            Granted::default().variable("stopped", "by a tenant").variable("RAD_PROGRAM", "/no/engine");
        Ok(granted.variable("CLOUD_TOKEN", "t0p-s3cret").file("CLOUD_FILE", "key.json", "k3y-file"))
    }
}

#[tokio::test]
async fn credentials_reach_the_engine_and_are_masked_also_by_who_carries_on() {
    let made = Made::new().await;
    let text = "resource \"terraform_data\" \"look\" {\n provisioner \"local-exec\" {\n command = \"echo ${#CLOUD_TOKEN} \
                long; echo $CLOUD_TOKEN; cat $CLOUD_FILE; sleep 3; echo late $CLOUD_TOKEN\"\n }\n}"
        .replace("${#", "$${#");
    let job = job(&text, json!({}));
    let again = RunJob { run: job.run, ..copy(&job) };
    let first = made.runner().with_credentials(Arc::new(Tenant));
    let cut = tokio::time::timeout(Duration::from_secs(3), first.run(job, &Notes::default())).await;
    assert!(cut.is_err(), "it goes on");
    let next = made.runner();
    assert!(next.continues(again.run).await.unwrap());
    let (outcome, notes) = play(&next, again).await;
    let log = notes.log();
    assert_eq!(outcome, RunOutcome::Success, "{log}");
    assert!(log.contains("10 long") && log.contains("late (sensitive value)"), "{log}");
    assert!(!log.contains("s3cret") && !log.contains("k3y"), "{log}");
    let jobs = format!("{:?}", made.cluster.list("jobs", ""));
    assert!(!jobs.contains("s3cret") && !jobs.contains("k3y"), "secrets stand in Secrets only");
}

#[tokio::test]
async fn two_workers_never_make_two_engines_for_one_run() {
    let made = Made::new().await;
    let job = job_of(TerraformModules.lingering(), json!({}));
    let same = RunJob { run: job.run, ..copy(&job) };
    let (one, other) = (made.runner(), made.runner_with(other));
    let (one, other) = tokio::join!(play(&one, job), play(&other, same));
    for (outcome, notes) in [one, other] {
        assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
        assert_eq!(notes.log().matches("(local-exec): entry 8;").count(), 1, "{}", notes.log());
    }
    assert_eq!(made.cluster.list("pods", "").len(), 1);
    assert_eq!(made.cluster.list("jobs", "").len(), 1);
}

#[tokio::test]
async fn a_module_cannot_keep_its_state_elsewhere() {
    let made = Made::new().await;
    let mut source = TerraformModules.greeter();
    let text = "terraform {\n backend \"local\" { path = \"/tmp/mine\" }\n}";
    source.insert_file("zzzzz_override.tf", text).unwrap();
    let (outcome, notes) = play(&made.runner(), job_of(source, json!({}))).await;
    assert_eq!(outcome, RunOutcome::Failure);
    assert_eq!(notes.diagnostics()[0].summary, "The module keeps its state elsewhere");
}

#[tokio::test]
async fn a_state_that_could_not_be_written_to_its_place_is_recovered() {
    let made = Made::new().await;
    let text = "resource \"terraform_data\" \"first\" {\n provisioner \"local-exec\" {\n \
                command = \"rm -rf /rad/work/state && touch /rad/work/state\"\n }\n}\n\
                resource \"terraform_data\" \"second\" { depends_on = [terraform_data.first] }";
    let (outcome, notes) = play(&made.runner(), job(text, json!({}))).await;
    assert_eq!(outcome, RunOutcome::Failure, "{}", notes.log());
    let state = notes.states().pop().unwrap_or_else(|| panic!("{}", notes.log()));
    assert!(String::from_utf8_lossy(&state).contains("\"first\""), "{}", notes.log());
}

/// Another worker.
fn other(_: KubernetesConfigBuilder) -> KubernetesConfigBuilder {
    KubernetesConfig::builder("worker-2", "runs", "engine:1")
}
