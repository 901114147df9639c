//! The runner on the real engine keeps the contract, and what is special to it.

use std::time::{Duration, Instant};

use rad_core::conformance::runner::{self as contract, TerraformModules};
use rad_core::runner::{
    ChangeKind, ChangeStatus, RunEvent, RunJob, RunLimits, RunOutcome, Runner, RunnerError,
};
use rad_core::source::{SourceTree, TreeEntry};
use rad_runner::terraform::{Network, ProviderMirror, TerraformConfig, TerraformRunner};
use serde_json::json;

use crate::support::{copy, delete, example, job, job_of, nothing_left, play, runner, runner_with};

#[tokio::test]
async fn creates_and_deletes() {
    let (_root, runner) = runner().await;
    contract::creates_and_deletes(&runner, &TerraformModules).await;
    contract::deletes_nothing(&runner, &TerraformModules).await;
}

#[tokio::test]
async fn fails_with_a_reason() {
    let (_root, runner) = runner().await;
    contract::fails_with_a_reason(&runner, &TerraformModules).await;
}

#[tokio::test]
async fn masks_sensitive_values() {
    let (_root, runner) = runner().await;
    contract::masks_sensitive_values(&runner, &TerraformModules).await;
}

#[tokio::test]
async fn asks_before_it_takes_away() {
    let (root, runner) = runner().await;
    contract::asks_before_it_takes_away(&runner, &TerraformModules).await;
    assert!(nothing_left(root.path()).await, "what waits leaves nothing on the disk");
}

#[tokio::test]
async fn a_step_has_a_limit_of_its_own() {
    let (_root, runner) = runner_with(|config| config.grace(Duration::from_secs(1))).await;
    let apply =
        "resource \"terraform_data\" \"slow\" {\n provisioner \"local-exec\" { command = \"sleep 60\" }\n}";
    let (minute, brief) = (Duration::from_secs(60), Duration::from_secs(2));
    let limits = RunLimits { apply: brief, ..RunLimits::of(minute) };
    let (outcome, notes) = play(&runner, RunJob { limits, ..job(apply, json!({})) }).await;
    assert_eq!(outcome, RunOutcome::Timeout, "{}", notes.log());
    let said = notes.diagnostics().pop().unwrap();
    assert_eq!(said.summary, "The time limit of the apply passed", "{said:?}");
}

#[tokio::test]
async fn stops_when_told() {
    let (root, runner) = runner().await;
    let began = Instant::now();
    contract::stops_when_told(&runner, &TerraformModules).await;
    assert!(began.elapsed() < Duration::from_secs(20), "an interrupt is enough");
    assert!(nothing_left(root.path()).await, "only what the next run will take is left");
}

#[tokio::test]
async fn ends_at_the_time_limit() {
    let (_root, runner) = runner().await;
    contract::ends_at_the_time_limit(&runner, &TerraformModules).await;
}

#[tokio::test]
async fn logs_in_order() {
    let (_root, runner) = runner().await;
    contract::logs_in_order(&runner, &TerraformModules).await;
}

#[tokio::test]
async fn survives_a_crash() {
    let (_root, runner) = runner().await;
    contract::survives_a_crash(&runner, &TerraformModules).await;
}

#[tokio::test]
async fn a_missing_engine_is_refused_with_the_way_to_mend_it() {
    let root = tempfile::tempdir().unwrap();
    let config = TerraformConfig::builder(root.path()).engine("/nowhere/tofu").build().unwrap();
    let runner = TerraformRunner::new(config).unwrap();
    let error = runner.engine().await.unwrap_err();
    assert!(matches!(error, RunnerError::NoEngine { .. }));
    assert!(error.to_string().contains("https://opentofu.org/"), "{error}");
}

#[tokio::test]
async fn a_work_root_is_used_by_one_process() {
    let (root, _runner) = runner().await;
    let config = TerraformConfig::builder(root.path().join("runs")).build().unwrap();
    let error = TerraformRunner::new(config).unwrap_err();
    assert_eq!(error.field, "work_root");
}

#[tokio::test]
async fn a_fleet_shows_its_progress_and_saves_state_as_it_grows() {
    let (_root, runner) = runner().await;
    let (outcome, notes) = play(&runner, job_of(example("fleet"), json!({ "size": 12, "pause": 0.8 }))).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    let count = |status| notes.resources().iter().filter(|one| one.status == status).count();
    assert_eq!(count(ChangeStatus::Planned), 12);
    assert_eq!(count(ChangeStatus::Complete), 12);
    // Ten machines start at a time: the state is written when the first are ready, and again at the end.
    let events = notes.events();
    let saved = events.iter().position(|event| matches!(event, RunEvent::State(_))).unwrap();
    let ready =
        |event: &RunEvent| matches!(event, RunEvent::Resource(one) if one.status == ChangeStatus::Complete);
    assert!(Some(saved) < events.iter().rposition(ready), "saved while it goes on");
    assert!(notes.states().len() > 1, "and at the end");
    assert!(notes.log().contains("machine-007 is ready"), "{}", notes.log());
    assert_eq!(notes.log().matches("Plan to create").count(), 12, "the plan is told once");
    let size = notes.outputs().into_iter().find(|output| output.name == "size").unwrap();
    assert_eq!(size.value, json!(12));
}

#[tokio::test]
async fn a_faulty_apply_is_retried_over_its_state() {
    let (_root, runner) = runner().await;
    let mut faulty = job_of(example("faulty"), json!({ "reason": "the disk is full" }));
    let (outcome, notes) = play(&runner, copy(&faulty)).await;
    assert_eq!(outcome, RunOutcome::Failure);
    let error = &notes.diagnostics()[0];
    assert_eq!(error.place, Some(("main.tf".to_owned(), 12)));
    assert_eq!(error.address.as_deref(), Some("terraform_data.machine"));
    assert!(error.detail.contains("the disk is full"), "{error:?}");

    faulty.values = serde_json::from_value(json!({ "repaired": true })).unwrap();
    faulty.state = notes.states().pop();
    let (outcome, notes) = play(&runner, copy(&faulty)).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    let machine: Vec<_> =
        notes.resources().into_iter().filter(|one| one.address == "terraform_data.machine").collect();
    assert!(
        machine.iter().all(|one| one.change == ChangeKind::Replace),
        "a tainted one is replaced: {machine:?}"
    );
    assert_eq!(machine.last().unwrap().status, ChangeStatus::Complete);
    let (outcome, notes) = play(&runner, delete(&faulty, notes.states().pop())).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
}

#[tokio::test]
async fn a_refused_value_is_a_diagnostic_of_the_plan() {
    let (_root, runner) = runner().await;
    let (outcome, notes) = play(&runner, job_of(example("fleet"), json!({ "size": 0 }))).await;
    assert_eq!(outcome, RunOutcome::Failure);
    let error = &notes.diagnostics()[0];
    assert!(error.detail.contains("A fleet has between 1 and 200 machines."), "{error:?}");
    assert_eq!(error.place, None, "the file of the values is the platform's");
    assert!(notes.states().is_empty());
}

#[tokio::test]
async fn what_is_not_terraform_is_a_diagnostic_of_the_initialisation() {
    let (_root, runner) = runner_with(|config| config.network(Network::Off)).await;
    let (outcome, notes) = play(&runner, job("resource \"a\" {", json!({}))).await;
    assert_eq!(outcome, RunOutcome::Failure);
    assert!(notes.diagnostics().iter().any(|one| one.place.is_some()), "{:?}", notes.diagnostics());
    let unknown =
        "terraform {\n required_providers {\n nothing = { source = \"example.invalid/a/b\" }\n }\n}";
    let (outcome, notes) = play(&runner, job(unknown, json!({}))).await;
    assert_eq!(outcome, RunOutcome::Failure);
    assert!(
        !notes.diagnostics().is_empty(),
        "a provider that cannot be fetched is explained: {}",
        notes.log()
    );
}

#[tokio::test]
async fn secrets_stay_in_the_state_and_in_sensitive_outputs() {
    let (_root, runner) = runner().await;
    let key = "a key with \"quotes\"\nand a second line";
    let vault = RunJob {
        sensitive: vec!["master_key".to_owned()],
        ..job_of(example("vault"), json!({ "master_key": key, "vault_name": "safe", "unknown": 1 }))
    };
    let (outcome, notes) = play(&runner, copy(&vault)).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    assert!(!notes.log().contains("unknown"), "only declared variables are given: {}", notes.log());
    let digest = notes.outputs().into_iter().find(|output| output.name == "key_digest").unwrap();
    assert!(digest.sensitive && digest.value.as_str().is_some_and(|digest| digest.len() == 64));
    assert!(!notes.log().contains(digest.value.as_str().unwrap()));

    let text = "variable \"k\" { sensitive = true }\nresource \"terraform_data\" \"a\" {\n provisioner \"local-exec\" {\n \
                command = \"echo \\\"$K\\\"; exit 3\"\n environment = { K = nonsensitive(var.k) }\n }\n}";
    let leak = RunJob { sensitive: vec!["k".to_owned()], ..job(text, json!({ "k": key })) };
    let (outcome, notes) = play(&runner, leak).await;
    assert_eq!(outcome, RunOutcome::Failure);
    let told = format!("{} {:?}", notes.log(), notes.diagnostics());
    assert!(!told.contains("a key with") && !told.contains("second line"), "{told}");
}

#[tokio::test]
async fn nested_values_reach_the_module_as_they_are() {
    let (_root, runner) = runner().await;
    let values = json!({
        "service_name": "shop",
        "admin_password": "correct horse battery",
        "domains": ["shop.example.com", "www.example.com"],
        "database": { "engine": "mysql", "backup": { "keep_days": 30 }, "flags": { "strict": "on" } },
        "listeners": [{ "port": 443 }, { "port": 8080, "protocol": "http", "paths": ["/a", "/b"] }],
    });
    let stack =
        RunJob { sensitive: vec!["admin_password".to_owned()], ..job_of(example("web-stack"), values) };
    let (outcome, notes) = play(&runner, copy(&stack)).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    let output = |name: &str| notes.outputs().into_iter().find(|output| output.name == name).unwrap();
    assert_eq!(output("urls").value, json!(["https://shop.example.com/", "https://www.example.com/"]));
    assert_eq!(output("listeners").value["8080"], json!("http://shop.example.com:8080"));
    assert!(output("administrator").sensitive);
    assert!(!notes.log().contains("correct horse"));
    let (outcome, notes) = play(&runner, delete(&stack, notes.states().pop())).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
}

#[tokio::test]
async fn an_ephemeral_value_is_given_to_the_apply_too() {
    let (_root, runner) = runner().await;
    let text = "variable \"token\" {\n ephemeral = true\n sensitive = true\n}\nvariable \"size\" {}\n\
                resource \"terraform_data\" \"a\" { input = var.size }\n\
                output \"size\" { value = terraform_data.a.output }";
    let (outcome, notes) = play(&runner, job(text, json!({ "token": "t0k3n", "size": 3 }))).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
}

#[tokio::test]
async fn the_time_limit_ends_a_run_with_its_state() {
    let (_root, runner) = runner_with(|config| config.grace(Duration::from_secs(1))).await;
    let text = "resource \"terraform_data\" \"quick\" {}\nresource \"terraform_data\" \"slow\" {\n \
                depends_on = [terraform_data.quick]\n provisioner \"local-exec\" { command = \"trap '' INT; sleep 60 & wait; sleep 60\" }\n}";
    let slow = RunJob { limits: RunLimits::of(Duration::from_secs(2)), ..job(text, json!({})) };
    let began = Instant::now();
    let (outcome, notes) = play(&runner, slow).await;
    assert_eq!(outcome, RunOutcome::Timeout, "{}", notes.log());
    assert!(began.elapsed() < Duration::from_secs(8), "killed after the grace period: {:?}", began.elapsed());
    let state = String::from_utf8(notes.states().pop().unwrap().to_vec()).unwrap();
    assert!(state.contains("quick"), "{state}");
    assert!(notes.diagnostics().iter().any(|one| one.summary.contains("time limit")));
}

#[tokio::test]
async fn the_state_stays_with_the_platform_whatever_the_module_declares() {
    let (_root, runner) = runner().await;
    let elsewhere = "terraform {\n backend \"local\" {\n path = \"/tmp/elsewhere\"\n }\n}\n\
                     resource \"terraform_data\" \"a\" {}";
    let (outcome, notes) = play(&runner, job(elsewhere, json!({}))).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    assert!(!notes.states().is_empty());

    let mut source = SourceTree::default();
    source.insert_file("main.tf", "resource \"terraform_data\" \"a\" {}").unwrap();
    source.insert_file("zzzzz_override.tf", elsewhere.rsplit_once('\n').unwrap().0.to_owned()).unwrap();
    let (outcome, notes) = play(&runner, job_of(source, json!({}))).await;
    assert_eq!(outcome, RunOutcome::Failure);
    assert!(
        notes.diagnostics()[0].summary.contains("keeps its state elsewhere"),
        "{:?}",
        notes.diagnostics()
    );
}

#[tokio::test]
async fn a_state_that_could_not_be_written_to_its_place_becomes_the_state() {
    let (root, runner) = runner().await;
    // A program of the module keeps the engine from writing it: then it leaves it in `errored.tfstate`.
    let astray = "rm -f /work/state/terraform.tfstate; mkdir /work/state/terraform.tfstate";
    let text = format!(
        "resource \"terraform_data\" \"kept\" {{\n provisioner \"local-exec\" {{\n command = \"{astray}\"\n }}\n}}"
    );
    let job = job(&text, json!({}));
    let (outcome, notes) = play(&runner, copy(&job)).await;
    assert_eq!(outcome, RunOutcome::Failure, "{}", notes.log());
    assert!(notes.log().contains("could not be written to its place was recovered"), "{}", notes.log());
    let state = notes.states().pop().expect("a state is reported");
    assert_eq!(runner.resources(&state).unwrap(), ["terraform_data.kept"]);
    assert!(nothing_left(root.path()).await, "nothing stays on the disk");

    let (outcome, notes) = play(&runner, delete(&job, Some(state))).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    let kept: Vec<_> = notes.resources().into_iter().map(|one| (one.address, one.change)).collect();
    assert!(kept.contains(&("terraform_data.kept".to_owned(), ChangeKind::Delete)), "{kept:?}");
}

#[tokio::test]
async fn a_link_that_leaves_the_module_fails_the_run() {
    let (_root, runner) = runner().await;
    let mut source = SourceTree::default();
    source.insert_file("main.tf", "").unwrap();
    source.insert("data", TreeEntry::Symlink { target: "../../../etc".into() }).unwrap();
    let (outcome, notes) = play(&runner, job_of(source, json!({}))).await;
    assert_eq!(outcome, RunOutcome::Failure);
    assert_eq!(notes.diagnostics()[0].place, Some(("data".to_owned(), 1)));
}

#[tokio::test]
async fn providers_are_kept_in_the_cache_and_found_offline() {
    let cache = tempfile::tempdir().unwrap();
    let (_root, runner) = runner_with(|config| config.plugin_cache(cache.path()).network(Network::Off)).await;
    let text = "resource \"terraform_data\" \"a\" {\n provisioner \"local-exec\" {\n \
                command = \"touch /work/providers/poison 2>&1 || true\"\n }\n}";
    let (outcome, notes) = play(&runner, job(text, json!({}))).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    assert!(
        notes.log().contains("Read-only file system"),
        "module code cannot write to the cache: {}",
        notes.log()
    );
    assert!(!cache.path().join("poison").exists());
}

#[tokio::test]
async fn what_a_killed_process_left_is_salvaged_and_cleared() {
    let (root, runner) = runner().await;
    let slow = "resource \"terraform_data\" \"quick\" {}\nresource \"terraform_data\" \"slow\" {\n \
                depends_on = [terraform_data.quick]\n provisioner \"local-exec\" { command = \"sleep 60\" }\n}";
    let job = job(slow, json!({}));
    let run = job.run;
    let abandoned = tokio::time::timeout(Duration::from_secs(4), play(&runner, job)).await;
    assert!(abandoned.is_err(), "the future of the run is dropped, as if its process were killed");
    let state = runner.salvage(run).await.unwrap().expect("a state is left behind");
    assert!(String::from_utf8_lossy(&state).contains("quick"));
    runner.clear().await.unwrap();
    assert_eq!(runner.salvage(run).await.unwrap(), None);
    assert!(!root.path().join("runs").join(run.to_string()).exists());
}

/// A directory of providers with one that does nothing.
fn mirror() -> tempfile::TempDir {
    let mirror = tempfile::tempdir().unwrap();
    let platform = format!("linux_{}", if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" });
    let provider = mirror.path().join("example.com/acme/idle/1.0.0").join(platform);
    std::fs::create_dir_all(&provider).unwrap();
    std::fs::write(provider.join("terraform-provider-idle_v1.0.0"), "#!/bin/sh\n").unwrap();
    mirror
}

#[tokio::test]
async fn providers_come_from_the_mirror_and_from_nowhere_else() {
    let mirror = mirror();
    let path: ProviderMirror = mirror.path().to_str().unwrap().parse().unwrap();
    let (_root, runner) = runner_with(|config| config.provider_mirror(path)).await;
    let needing = |provider| {
        let source = format!("{{ source = \"example.com/acme/{provider}\", version = \"1.0.0\" }}");
        job(&format!("terraform {{\n required_providers {{\n  {provider} = {source}\n }}\n}}"), json!({}))
    };
    // Fetched, and found to do nothing only when it is asked what it can do.
    let (_, notes) = play(&runner, needing("idle")).await;
    let log = notes.log();
    assert!(log.contains("example.com/acme/idle v1.0.0") && log.contains("schema"), "{log}");
    let (outcome, notes) = play(&runner, needing("other")).await;
    assert_eq!(outcome, RunOutcome::Failure, "{}", notes.log());
    let said = notes.diagnostics().into_iter().map(|one| one.detail).collect::<String>();
    assert!(said.contains("example.com/acme/other") && !said.contains("dial"), "{said}");
}
