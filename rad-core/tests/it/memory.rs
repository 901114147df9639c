//! The backends in memory keep the contracts.

use rad_core::conformance::{
    delivery, deployment, directory, group, ledger, notify, payment, reading, runner, settings, watch,
};
use rad_core::memory::{
    MemoryDeliveries, MemoryDeployments, MemoryDirectory, MemoryGroups, MemoryLedger, MemoryNotifier,
    MemoryOrders, MemoryReadings, MemorySettings, MemoryWatches, ScriptedRunner,
};

#[tokio::test]
async fn directory_keeps_the_contract() {
    let backend = MemoryDirectory::default();
    directory::reads_what_was_written(&backend).await;
    directory::keeps_emails_unique(&backend).await;
    directory::keeps_what_accounts_are_owed(&backend).await;
    directory::refuses_bad_input(&backend).await;
    directory::lists_in_pages(&backend).await;
    directory::connects_repositories(&backend).await;
    directory::keeps_sessions(&backend).await;
}

#[tokio::test]
async fn deliveries_keep_the_contract() {
    let backend = MemoryDeliveries::default();
    delivery::takes_deliveries_once(&backend).await;
    delivery::one_of_many_takes_a_delivery(&backend).await;
}

#[tokio::test]
async fn groups_keep_the_contract() {
    group::keeps_groups(&MemoryGroups::default()).await;
}

#[tokio::test]
async fn watches_keep_the_contract() {
    watch::all(&MemoryWatches::default()).await;
}

#[tokio::test]
async fn readings_keep_the_contract() {
    let backend = MemoryReadings::default();
    reading::keeps_the_last_reading(&backend).await;
    reading::keeps_one_of_racing_readings(&backend).await;
}

#[tokio::test]
async fn settings_keep_the_contract() {
    let backend = MemorySettings::default();
    settings::begins_with_the_defaults(&backend).await;
    settings::keeps_every_version(&backend).await;
    settings::refuses_stale_and_invalid_changes(&backend).await;
    settings::lets_one_of_racing_changes_win(&backend).await;
}

#[tokio::test]
async fn orders_keep_the_contract() {
    let backend = MemoryOrders::default();
    payment::knows_the_first_purchase(&backend).await;
    payment::stores_orders(&backend).await;
    payment::closes_orders_once(&backend).await;
    payment::lists_orders(&backend).await;
}

#[tokio::test]
async fn deployments_keep_the_contract() {
    deployment::reads_what_was_written(&MemoryDeployments::new()).await;
    deployment::moves_along_the_state_machine(&MemoryDeployments::new()).await;
    deployment::tells_what_changes(&MemoryDeployments::new()).await;
    deployment::runs_one_at_a_time(&MemoryDeployments::new()).await;
    deployment::fences_leases(&MemoryDeployments::new()).await;
    deployment::keeps_reports(&MemoryDeployments::new()).await;
    deployment::keeps_logs_without_gaps(&MemoryDeployments::new()).await;
    deployment::lists_by_pages(&MemoryDeployments::new()).await;
    deployment::knows_what_is_deployed(&MemoryDeployments::new()).await;
    deployment::cancels_runs(&MemoryDeployments::new()).await;
    deployment::becomes_what_it_applies(&MemoryDeployments::new()).await;
    deployment::asks_before_it_takes_away(&MemoryDeployments::new()).await;
    deployment::knows_what_diverged(&MemoryDeployments::new()).await;
    deployment::checks_leave_it_as_it_stands(&MemoryDeployments::new()).await;
    deployment::supersedes_for_a_purge(&MemoryDeployments::new()).await;
    deployment::gives_turns_to_owners(&MemoryDeployments::new()).await;
    deployment::limits_what_works(&MemoryDeployments::new()).await;
    deployment::gives_back_for_another_attempt(&MemoryDeployments::new()).await;
    deployment::keeps_versions_of_states(&MemoryDeployments::new()).await;
}

#[tokio::test]
async fn the_notifier_keeps_the_contract() {
    notify::tells_once(&MemoryNotifier::new()).await;
    notify::marks_as_seen(&MemoryNotifier::new()).await;
}

#[tokio::test]
async fn the_scripted_runner_keeps_the_contract() {
    let backend = ScriptedRunner::new();
    let modules = runner::TerraformModules;
    runner::creates_and_deletes(&backend, &modules).await;
    runner::deletes_nothing(&backend, &modules).await;
    runner::fails_with_a_reason(&backend, &modules).await;
    runner::masks_sensitive_values(&backend, &modules).await;
    runner::stops_when_told(&backend, &modules).await;
    runner::logs_in_order(&backend, &modules).await;
    runner::survives_a_crash(&backend, &modules).await;
    runner::asks_before_it_takes_away(&backend, &modules).await;
    runner::finds_no_drift(&backend, &modules).await;
    runner::finds_drift(&backend, &modules).await;
}

#[tokio::test]
async fn ledger_keeps_the_contract() {
    ledger::all(&MemoryLedger::default()).await;
}
