//! Modules that take more of the machine than they may: each is contained, and told why.

use std::time::{Duration, Instant};

use rad_core::runner::{RunJob, RunLimits, RunOutcome};
use rad_runner::terraform::{Limits, TerraformRunner};
use serde_json::json;

use crate::support::{
    Notes, becomes, directories, host_has, job, nothing_left, play, runner_behind, runner_with, running,
};

const MIB: u64 = 1024 * 1024;

/// How a run of a script ended, with the platform at work beside it.
async fn contained(runner: &TerraformRunner, script: &str) -> (RunOutcome, Notes) {
    let job = RunJob { limits: RunLimits::of(Duration::from_secs(30)), ..running(script) };
    let beside = tokio::spawn(async {
        let mut longest = Duration::ZERO;
        loop {
            let began = Instant::now();
            tokio::time::sleep(Duration::from_millis(20)).await;
            longest = longest.max(began.elapsed());
            assert!(longest < Duration::from_secs(10), "the platform stands still: {longest:?}");
        }
    });
    let played = play(runner, job).await;
    assert!(!beside.is_finished(), "the platform goes on");
    beside.abort();
    played
}

/// By which means this host enforces a limit.
async fn means(runner: &TerraformRunner, what: &str) -> String {
    let enforcement = runner.enforcement().await.unwrap();
    let measure = enforcement.measures.iter().find(|measure| measure.what == what).unwrap();
    assert!(
        measure.means.is_some() || measure.gap.is_some(),
        "a limit that is not enforced is said: {measure:?}"
    );
    measure.means.clone().unwrap_or_default()
}

fn told(notes: &Notes, summary: &str) -> bool {
    notes.diagnostics().iter().any(|one| one.summary.contains(summary))
}

#[tokio::test]
async fn a_fork_bomb_is_ended() {
    let limits = Limits { processes: 128, ..Limits::default() };
    let (_root, runner) = runner_with(|config| config.limits(limits)).await;
    let means = means(&runner, "processes and threads").await;
    // Otherwise nothing would stop it.
    if !host_has("limit of processes", !means.is_empty()) {
        return;
    }
    let (outcome, notes) = contained(&runner, "b() { b | b & }; b; sleep 60").await;
    if host_has("control group of processes", means.starts_with("cgroup")) {
        assert_eq!(outcome, RunOutcome::Failure, "{}", notes.log());
        assert!(told(&notes, "starts more processes than it may"), "{:?}", notes.diagnostics());
    } else {
        assert_ne!(outcome, RunOutcome::Success);
    }
}

#[tokio::test]
async fn a_memory_hog_is_ended() {
    let limits = Limits { memory: 320 * MIB, ..Limits::default() };
    let (_root, runner) = runner_with(|config| config.limits(limits)).await;
    let means = means(&runner, "memory").await;
    // Without a line feed it keeps all of it.
    let (outcome, notes) = contained(&runner, "head -c 2G /dev/zero | tail > /dev/null").await;
    assert_eq!(outcome, RunOutcome::Failure, "{}", notes.log());
    if host_has("control group of memory", means.starts_with("cgroup")) {
        assert!(told(&notes, "needs more memory"), "{:?}", notes.diagnostics());
    }
}

/// A busy machine gives it less, and nothing gives it more.
#[tokio::test]
async fn a_module_that_computes_without_end_gets_its_share_of_a_processor() {
    let limits = Limits { processor: 50, ..Limits::default() };
    let (_root, runner) = runner_with(|config| config.limits(limits)).await;
    if !host_has(
        "control group of the processor",
        means(&runner, "processor time").await.starts_with("cgroup"),
    ) {
        return;
    }
    let script = "perl -e 'my $end = time + 4; 1 while time < $end; my ($user, $system) = times; \
                  printf \"used %d hundredths\\n\", 100 * ($user + $system)'";
    let (outcome, notes) = contained(&runner, script).await;
    let log = notes.log();
    assert_eq!(outcome, RunOutcome::Success, "{log}");
    let used: u32 = log.split("used ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(used < 280, "{used} hundredths of a second of processor time in three to four seconds: {log}");
}

#[tokio::test]
async fn a_module_that_fills_the_disk_is_ended() {
    let limits = Limits { disk: 48 * MIB, ..Limits::default() };
    let (root, runner) = runner_with(|config| config.limits(limits)).await;
    let script = "i=0; while :; do head -c 4M /dev/zero > /work/home/$i; i=$((i+1)); sleep 0.05; done";
    let (outcome, notes) = contained(&runner, script).await;
    assert_eq!(outcome, RunOutcome::Failure, "{}", notes.log());
    assert!(told(&notes, "fills the disk"), "{:?}", notes.diagnostics());
    assert!(notes.diagnostics().iter().any(|one| one.detail.contains("48 MiB")));
    assert!(nothing_left(root.path()).await, "the disk is free again");
}

#[tokio::test]
async fn deleted_files_fill_the_disk_as_well() {
    let limits = Limits { disk: 48 * MIB, ..Limits::default() };
    let (_root, runner) = runner_with(|config| config.limits(limits)).await;
    if !host_has("control group of memory", means(&runner, "memory").await.starts_with("cgroup")) {
        return;
    }
    let script = "exec 3>/work/home/hidden; rm /work/home/hidden; while :; do head -c 4M /dev/zero >&3; sleep 0.05; done";
    let (outcome, notes) = contained(&runner, script).await;
    assert_eq!(outcome, RunOutcome::Failure, "{}", notes.log());
    assert!(told(&notes, "fills the disk"), "{:?}", notes.diagnostics());
}

#[tokio::test]
async fn deleted_files_that_are_only_mapped_fill_the_disk_as_well() {
    let limits = Limits { disk: 48 * MIB, ..Limits::default() };
    let (_root, runner) = runner_with(|config| config.limits(limits)).await;
    if !host_has("control group of memory", means(&runner, "memory").await.starts_with("cgroup")) {
        return;
    }
    // A program's own file is mapped, and nobody has it open. Each alone is within the limit.
    let script = "for n in 1 2 3; do cp /bin/sleep /work/home/$n; head -c 30M /dev/zero >> /work/home/$n; \
                  /work/home/$n 60 & sleep 0.1; rm /work/home/$n; done; wait";
    let (outcome, notes) = contained(&runner, script).await;
    assert_eq!(outcome, RunOutcome::Failure, "{}", notes.log());
    assert!(told(&notes, "fills the disk"), "{:?}", notes.diagnostics());
}

#[tokio::test]
async fn a_module_that_makes_files_without_end_is_ended() {
    let limits = Limits { files: 1_000, ..Limits::default() };
    let (_root, runner) = runner_with(|config| config.limits(limits)).await;
    let script = "i=0; while :; do mkdir /work/home/$i || exit; i=$((i+1)); done";
    let (outcome, notes) = contained(&runner, script).await;
    assert_eq!(outcome, RunOutcome::Failure, "{}", notes.log());
    assert!(told(&notes, "makes too many files"), "{:?}", notes.diagnostics());
}

#[tokio::test]
async fn a_full_tmp_and_a_file_too_large_are_the_modules_own_errors() {
    let limits = Limits { tmp: 8 * MIB, file_size: 16 * MIB, ..Limits::default() };
    let (_root, runner) = runner_with(|config| config.limits(limits)).await;
    let script = "head -c 12M /dev/zero > /tmp/full; head -c 32M /dev/zero > /work/home/large; \
                  ls -l /work/home; ulimit -n; ulimit -c; exit 1";
    let (outcome, notes) = contained(&runner, script).await;
    let log = notes.log();
    assert_eq!(outcome, RunOutcome::Failure, "{log}");
    assert!(log.contains("No space left on device"), "{log}");
    let large = means(&runner, "size of a file").await;
    assert!(large.is_empty() || log.contains("16777216"), "{log}");
    assert!(large.is_empty() || log.contains("(local-exec): 4096"), "{log}");
}

#[tokio::test]
async fn an_initialisation_that_hangs_holds_up_no_other_run() {
    let hangs = "[ \"$1\" != init ] || ! grep -q hanging main.tf || { touch \"$HOME/hangs\"; sleep 600; }";
    let (root, runner) = runner_behind(hangs).await;
    let hanging = play(&runner, job("output \"hanging\" { value = true }", json!({})));
    let beside = async {
        let hangs = || directories(root.path()).iter().any(|run| run.join("home/hangs").exists());
        assert!(becomes(hangs).await, "it never began");
        play(&runner, job("output \"quick\" { value = true }", json!({}))).await
    };
    tokio::select! {
        (outcome, notes) = beside => {
            assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
            assert!(notes.log().contains("fetches its own"), "{}", notes.log());
        }
        (outcome, _) = hanging => panic!("it held up the other one until it was over: {outcome:?}"),
    }
}
