//! The sandbox that is made ahead of the next run: taken once, replaced where it is lost, gone with its runner.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rad_core::runner::{RunJob, RunOutcome, Runner};
use rad_runner::terraform::{Internet, Network, TerraformConfig, TerraformRunner};
use serde_json::json;

use crate::support::{
    Notes, at_their_gates, becomes, directories, host_has, is_named, is_running, job, made_ahead, play,
    processes, runner, runner_behind, runner_with, running,
};

/// Plays a job whose apply sleeps for so long; gives the processes that were its engines' meanwhile.
async fn engines_of(runner: &dyn Runner, job: RunJob, sleep: &str) -> (Notes, Vec<u32>) {
    let seen = async {
        assert!(becomes(|| is_running(sleep)).await, "the apply sleeps");
        let engines = processes().into_iter().filter(|process| process.line.contains("\0apply\0-json\0"));
        engines.map(|process| process.id).collect()
    };
    let ((outcome, notes), engines) = tokio::join!(play(runner, job), seen);
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    (notes, engines)
}

#[tokio::test]
async fn each_run_takes_the_sandbox_that_was_made_ahead() {
    let (root, runner) = runner().await;
    assert!(directories(root.path()).is_empty(), "a runner that runs nothing makes nothing");
    let (outcome, notes) = play(&runner, job("", json!({}))).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    let ahead = made_ahead(root.path()).await;
    let sleep = format!("1.{}", std::process::id());
    let script = format!("ls -A /work/home /tmp | wc -w; sleep {sleep}");
    let (notes, engines) = engines_of(&runner, running(&script), &sleep).await;
    assert!(ahead.iter().any(|waited| engines.contains(waited)), "{ahead:?} waited, {engines:?} worked");
    assert!(notes.log().contains("): 2"), "nothing but the names of the two: {}", notes.log());
    let next = made_ahead(root.path()).await;
    assert!(next.iter().all(|waits| !ahead.contains(waits)), "none is taken twice");
}

#[tokio::test]
async fn runs_that_find_none_made_ahead_have_their_own() {
    let (_root, runner) = runner().await;
    runner.clear().await.unwrap();
    let three = [0, 1, 2].map(|_| play(&runner, running("touch /work/home/mine; ls /work/home")));
    let [first, second, third] = three;
    for (outcome, notes) in <[_; 3]>::from(tokio::join!(first, second, third)) {
        assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    }
}

#[tokio::test]
async fn what_was_killed_meanwhile_is_made_anew() {
    let (root, runner) = runner().await;
    runner.clear().await.unwrap();
    made_ahead(root.path()).await.into_iter().for_each(kill);
    assert!(becomes(|| at_their_gates(root.path()).is_empty()).await);
    let (outcome, notes) = play(&runner, running("echo all the same")).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    assert!(notes.log().contains("all the same"), "{}", notes.log());
}

#[tokio::test]
async fn a_sandbox_that_is_killed_during_its_run_is_made_anew() {
    let sleep = format!("3.{}", std::process::id());
    let (root, runner) = runner_behind(&format!("if [ \"$1\" = init ]; then sleep {sleep}; fi")).await;
    runner.clear().await.unwrap();
    made_ahead(root.path()).await;
    let killed = async {
        assert!(becomes(|| is_running(&sleep)).await, "the first step is at work");
        let of_the_next_steps = at_their_gates(root.path());
        of_the_next_steps.iter().copied().for_each(kill);
        assert!(becomes(|| at_their_gates(root.path()).is_empty()).await);
        of_the_next_steps.len()
    };
    let ((outcome, notes), killed) = tokio::join!(play(&runner, running("echo all the same")), killed);
    assert_eq!((outcome, killed), (RunOutcome::Success, 2), "{}", notes.log());
    assert!(notes.log().contains("all the same"), "{}", notes.log());
}

#[tokio::test]
async fn what_has_lost_its_network_is_made_anew() {
    if !host_has(
        "pasta",
        std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|path| path.join("pasta").is_file()),
    ) {
        return;
    }
    let (root, runner) = runner_with(|config| config.network(Network::Internet(Internet::default()))).await;
    runner.clear().await.unwrap();
    let ahead = made_ahead(root.path()).await;
    let carriers = || {
        let named = root.path().display().to_string();
        processes().into_iter().filter(move |one| one.line.contains("pasta\0") && one.line.contains(&named))
    };
    let carrier = carriers().next().expect("a carrier").id;
    kill(carrier);
    // A process that ends closes its end of the network first, which takes a while.
    let stat = || std::fs::read_to_string(format!("/proc/{carrier}/stat")).unwrap_or_default();
    assert!(becomes(|| stat().is_empty() || stat().contains(") Z ")).await, "{}", stat());
    assert_eq!(at_their_gates(root.path()), ahead, "the sandboxes themselves still wait");
    let sleep = format!("1.{}", std::process::id());
    let (_, engines) = engines_of(&runner, running(&format!("sleep {sleep}")), &sleep).await;
    assert!(ahead.iter().all(|waited| !engines.contains(waited)), "{ahead:?} waited, {engines:?} worked");
}

fn kill(process: u32) {
    let killed = Command::new("kill").arg("-9").arg(process.to_string()).status().unwrap();
    assert!(killed.success());
}

#[tokio::test]
async fn it_goes_with_its_runner() {
    let (root, runner) = runner().await;
    runner.clear().await.unwrap();
    assert!(becomes(|| is_named(root.path())).await, "something waits");
    drop(runner);
    assert!(becomes(|| !is_named(root.path())).await, "its processes end");
    assert!(becomes(|| directories(root.path()).is_empty()).await, "{:?}", directories(root.path()));
}

#[tokio::test]
async fn it_dies_with_a_killed_platform_and_the_next_one_clears_it() {
    let root = tempfile::tempdir().unwrap();
    let mut platform = platform(root.path()).await;
    platform.kill().unwrap();
    platform.wait().unwrap();
    assert!(becomes(|| !is_named(root.path())).await, "its processes end");
    let config = TerraformConfig::builder(root.path().join("runs")).network(Network::Off);
    let next = TerraformRunner::new(config.build().unwrap()).unwrap();
    let left = directories(root.path());
    next.clear().await.unwrap();
    assert!(!left.is_empty() && left.iter().all(|left| !left.exists()), "{left:?}");
}

#[tokio::test]
async fn it_dies_while_the_platform_stands_still() {
    let root = tempfile::tempdir().unwrap();
    let mut platform = platform(root.path()).await;
    let stopped = Command::new("kill").arg("-STOP").arg(platform.id().to_string()).status().unwrap();
    let ended = becomes(|| !is_named(root.path())).await;
    platform.kill().unwrap();
    platform.wait().unwrap();
    assert!(stopped.success() && ended, "its processes end");
}

/// A platform as a process of its own that has something made ahead.
async fn platform(root: &Path) -> Child {
    std::fs::create_dir_all(root.join("runs")).unwrap();
    let mut platform = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "standby::a_platform_that_waits"])
        .env("RAD_TEST_ROOT", root)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // What has not passed its outer gate when the platform is stopped has no watchdog yet, and waits there.
    if !becomes(|| at_their_gates(root).len() == 3).await {
        platform.kill().unwrap();
        panic!("nothing is made ahead");
    }
    platform
}

/// What [`platform`] starts.
#[tokio::test]
async fn a_platform_that_waits() {
    let Some(root) = std::env::var_os("RAD_TEST_ROOT") else {
        return;
    };
    let config = TerraformConfig::builder(Path::new(&root).join("runs")).patience(Duration::from_secs(3));
    let runner = TerraformRunner::new(config.build().unwrap()).unwrap();
    runner.clear().await.unwrap();
    std::future::pending::<()>().await;
}
