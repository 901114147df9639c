//! Deployments and notices keep the contracts in either database, across restarts and with nothing secret in the file.

use std::path::Path;

use rad_core::conformance::{deployment as contract, notify};
use rad_core::deployment::DeploymentStore;
use rad_core::seal::Keyring;
use rad_runner::store::{OpenError, SqlDeployments, SqlNotifier, migrate};
use rad_sql::testing::one_of_each;
use tempfile::TempDir;

/// Runs a check on a new store in either database.
async fn on_each(check: impl AsyncFn(SqlDeployments)) {
    for test in one_of_each().await.unwrap() {
        check(SqlDeployments::new(test.database.clone(), Keyring::generate()).await.unwrap()).await;
    }
}

async fn deployments() -> (TempDir, SqlDeployments) {
    let root = tempfile::tempdir().unwrap();
    let store = reopened(root.path()).await.unwrap();
    (root, store)
}

async fn reopened(root: &Path) -> Result<SqlDeployments, OpenError> {
    over(root, Keyring::from_file(&root.join("key")).unwrap()).await
}

async fn over(root: &Path, keys: Keyring) -> Result<SqlDeployments, OpenError> {
    SqlDeployments::new(rad_sql::sqlite::open(&root.join("rad.db")).await.unwrap(), keys).await
}

#[tokio::test]
async fn deployments_keep_the_contract() {
    on_each(async |store| contract::reads_what_was_written(&store).await).await;
    on_each(async |store| contract::tells_what_changes(&store).await).await;
    on_each(async |store| contract::moves_along_the_state_machine(&store).await).await;
    on_each(async |store| contract::runs_one_at_a_time(&store).await).await;
    on_each(async |store| contract::keeps_reports(&store).await).await;
    on_each(async |store| contract::keeps_versions_of_states(&store).await).await;
}

#[tokio::test]
async fn leases_keep_the_contract() {
    on_each(async |store| contract::fences_leases(&store).await).await;
    on_each(async |store| contract::gives_turns_to_owners(&store).await).await;
    on_each(async |store| contract::limits_what_works(&store).await).await;
    on_each(async |store| contract::gives_back_for_another_attempt(&store).await).await;
}

#[tokio::test]
async fn acting_keeps_the_contract() {
    on_each(async |store| contract::cancels_runs(&store).await).await;
    on_each(async |store| contract::becomes_what_it_applies(&store).await).await;
    on_each(async |store| contract::asks_before_it_takes_away(&store).await).await;
    on_each(async |store| contract::knows_what_diverged(&store).await).await;
    on_each(async |store| contract::checks_leave_it_as_it_stands(&store).await).await;
    on_each(async |store| contract::supersedes_for_a_purge(&store).await).await;
}

#[tokio::test]
async fn logs_keep_the_contract() {
    on_each(async |store| contract::keeps_logs_without_gaps(&store).await).await;
}

#[tokio::test]
async fn listings_keep_the_contract() {
    on_each(async |store| contract::lists_by_pages(&store).await).await;
    on_each(async |store| contract::knows_what_is_deployed(&store).await).await;
}

#[tokio::test]
async fn the_notifier_keeps_the_contract() {
    for test in one_of_each().await.unwrap() {
        migrate(&test.database).await.unwrap();
        let notifier = SqlNotifier::new(test.database.clone());
        notify::tells_once(&notifier).await;
        notify::marks_as_seen(&notifier).await;
    }
}

#[tokio::test]
async fn nothing_secret_is_in_the_file_and_all_of_it_is_there_after_a_restart() {
    let (root, store) = deployments().await;
    contract::keeps_reports(&store).await;
    contract::reads_what_was_written(&store).await;
    contract::becomes_what_it_applies(&store).await;
    drop(store);
    let mut stored = Vec::new();
    for entry in std::fs::read_dir(root.path()).unwrap().flatten() {
        stored.extend(std::fs::read(entry.path()).unwrap());
    }
    for secret in ["hunter2", "\"changed", "\"serial\":2", "https://example.com"] {
        let found = stored.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is readable in the database file");
    }
    let store = reopened(root.path()).await.unwrap();
    let run = store.runs_in(rad_core::deployment::RunStatus::Failure, 1).await.unwrap().remove(0);
    assert_eq!(store.state(run.deployment).await.unwrap().as_deref(), Some(&b"{\"serial\":2}"[..]));
    assert_eq!(store.outputs(run.deployment).await.unwrap().len(), 2);
}

#[tokio::test]
async fn another_key_is_refused_at_the_start() {
    let (root, store) = deployments().await;
    drop(store);
    std::fs::remove_file(root.path().join("key")).unwrap();
    assert!(matches!(reopened(root.path()).await, Err(OpenError::WrongKey)));
}

#[tokio::test]
async fn keys_change_without_losing_what_is_sealed() {
    let (root, store) = deployments().await;
    contract::keeps_reports(&store).await;
    let run = store.runs_in(rad_core::deployment::RunStatus::Failure, 1).await.unwrap().remove(0);
    let state = store.state(run.deployment).await.unwrap();
    assert!(state.is_some());
    let old = Keyring::from_file(&root.path().join("key")).unwrap();
    let new = Keyring::generate();
    let over = async |keys| over(root.path(), keys).await;
    assert!(
        matches!(over(new.clone()).await, Err(OpenError::WrongKey)),
        "the new key alone opens nothing yet"
    );
    let both = over(new.clone().and(old.clone())).await.unwrap();
    let sealed_anew = both.reseal().await.unwrap();
    assert!(sealed_anew >= 3, "secrets, outputs and a state: {sealed_anew}");
    assert_eq!(both.reseal().await.unwrap(), 0, "once is enough");
    let now = over(new).await.unwrap();
    assert_eq!(now.state(run.deployment).await.unwrap(), state);
    assert_eq!(now.outputs(run.deployment).await.unwrap().len(), 2);
    assert!(now.secrets(run.deployment).await.is_ok());
    assert!(matches!(over(old).await, Err(OpenError::WrongKey)), "the old key opens nothing any more");
}
