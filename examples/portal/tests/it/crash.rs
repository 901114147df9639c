//! The portal is killed while a run is applying, and started again on what it left.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::client::Browser;
use crate::portal::{balances, deploy, publish, wait_for};
use crate::program::Program;

async fn start(data_dir: &Path) -> Program {
    let arguments = ["--listen", "127.0.0.1:0", "--data-dir"].map(AsRef::as_ref);
    Program::start(&[&arguments[..], &[data_dir.as_os_str()]].concat(), &[]).await
}

#[tokio::test]
async fn a_run_whose_portal_was_killed_ends_interrupted_with_its_state_and_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut first = start(&data).await;
    let passwords = first.passwords.clone();
    publish(&mut first.signed_in("partner", &passwords).await, &["fleet"]).await;
    let mut user = first.signed_in("user", &passwords).await;
    crate::portal::buy(&mut user, "20", "pay").await;
    let id = deploy(&mut user, "fleet", &[("v/pause", "1.5")]).await;
    some_resources(&mut user, &id).await;
    assert_eq!(balances(&mut user).await, ["0", "5", "15"]);

    first.kill().await;

    let second = start(&data).await;
    assert!(second.passwords.is_empty());
    let mut user = second.signed_in("user", &passwords).await;
    let page = wait_for(&mut user, &id, "interrupted").await;
    page.assert_has("What exists is known from the saved state.");
    page.assert_has("id=\"retry\"");
    page.assert_has("id=\"delete\"");
    settled(&mut user, ["0", "20", "0"]).await;

    assert_eq!(user.post(&format!("/deployments/{id}/retry"), &[]).await.status, 303);
    let page = wait_for(&mut user, &id, "success").await;
    let made: usize = page.between("<progress id=\"bar\" max=\"", "\"").parse().unwrap();
    assert!(made < 24, "what exists is not made again: {made} of 24");
    settled(&mut user, ["0", "5", "0"]).await;
    assert_eq!(user.post(&format!("/deployments/{id}/delete"), &[]).await.status, 303);
    wait_for(&mut user, &id, "deleted").await;
    assert_eq!(balances(&mut user).await, ["0", "5", "0"], "nothing is charged twice");
    let charges = user.get("/credits?category=deployment").await;
    assert_eq!(charges.body.matches("<td>Charge</td>").count(), 1);
}

#[tokio::test]
async fn a_portal_that_is_asked_to_close_does() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = start(&dir.path().join("data")).await;
    program.signal(rustix::process::Signal::TERM);
    let closed = tokio::time::timeout(Duration::from_secs(10), program.ended()).await;
    assert!(closed.expect("it closes within 10 s").success());
}

/// Waits until some resources are done, but not all.
async fn some_resources(user: &mut Browser, id: &str) {
    let start = Instant::now();
    loop {
        let page = user.get(&format!("/deployments/{id}")).await;
        if page.body.matches("<li class=\"done\">").count() >= 3 {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "nothing was made: {}", page.body);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Holds are settled by the next sweep.
async fn settled(user: &mut Browser, wanted: [&str; 3]) {
    let start = Instant::now();
    while balances(user).await != wanted {
        let now = balances(user).await;
        assert!(start.elapsed() < Duration::from_secs(20), "{now:?}, not {wanted:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
