//! The sandbox that is made ahead of the next run: taken once, replaced where it is lost, gone with its runner.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rad_core::runner::{RunOutcome, Runner};
use rad_runner::terraform::{Network, TerraformConfig, TerraformRunner};
use serde_json::json;

use crate::support::{becomes, command_lines, directories, job, play, runner, running};

/// Whether a process names a directory on its command line.
fn is_named(path: &Path) -> bool {
    let path = path.display().to_string();
    command_lines().any(|line| String::from_utf8_lossy(&line).contains(&path))
}

#[tokio::test]
async fn each_run_takes_the_sandbox_that_was_made_ahead() {
    let (root, runner) = runner().await;
    assert!(directories(root.path()).is_empty(), "a runner that runs nothing makes nothing");
    let (outcome, notes) = play(&runner, job("", json!({}))).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    assert!(becomes(|| directories(root.path()).len() == 1).await, "{:?}", directories(root.path()));
    let ahead = directories(root.path());
    let (outcome, notes) = play(&runner, running("ls -A /work/home /tmp | wc -w")).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    assert!(notes.log().contains("): 2"), "nothing but the names of the two: {}", notes.log());
    assert!(becomes(|| directories(root.path()).len() == 1).await, "{:?}", directories(root.path()));
    assert_ne!(directories(root.path()), ahead, "none is taken twice");
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
    assert!(becomes(|| directories(root.path()).first().is_some_and(|ahead| is_named(ahead))).await);
    let ahead = directories(root.path())[0].display().to_string();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(&ahead) {
            let _ = Command::new("kill").arg("-9").arg(entry.file_name()).status();
        }
    }
    let (outcome, notes) = play(&runner, running("echo all the same")).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    assert!(notes.log().contains("all the same"), "{}", notes.log());
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
    // What has not passed its outer gate when the platform is stopped has no watchdog yet, and waits there.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let stopped = Command::new("kill").arg("-STOP").arg(platform.id().to_string()).status().unwrap();
    let named = root.path().display().to_string();
    let goes_on = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        line.contains(&named) && !line.starts_with("/bin/sh\0-c\0echo; read -r go")
    };
    let ended = becomes(|| !command_lines().any(|line| goes_on(&line))).await;
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
    if !becomes(|| directories(root).iter().any(|ahead| is_named(ahead))).await {
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
