//! The runner on Kubernetes, against a made-up API server whose pods are real processes on this machine.

mod cluster;
mod kubelet;
mod server;
mod trouble;

use std::time::Duration;

use kube::{Client, Config};
use rad_core::conformance::runner::{self as contract, TerraformModules};
use rad_runner::kubernetes::{KubernetesConfig, KubernetesConfigBuilder, KubernetesRunner};
use tempfile::TempDir;

use cluster::Cluster;

/// A cluster and its address.
struct Made {
    cluster: Cluster,
    address: String,
    _root: TempDir,
}

impl Made {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let cluster = Cluster::new(root.path().to_owned());
        let address = server::serve(cluster.clone()).await;
        Self { cluster, address, _root: root }
    }

    fn runner(&self) -> KubernetesRunner {
        self.runner_with(|config| config)
    }

    fn runner_with(
        &self,
        set_up: impl FnOnce(KubernetesConfigBuilder) -> KubernetesConfigBuilder,
    ) -> KubernetesRunner {
        let builder = set_up(KubernetesConfig::builder("worker-1", "runs", "engine:1"))
            .engine("Terraform", "1.11.4")
            .api_server(&self.address)
            .grace(Duration::from_secs(5));
        let client = Client::try_from(Config::new(self.address.parse().unwrap())).unwrap();
        KubernetesRunner::new(client, builder.build().unwrap()).unwrap()
    }
}

#[tokio::test]
async fn creates_and_deletes() {
    let made = Made::new().await;
    contract::creates_and_deletes(&made.runner(), &TerraformModules).await;
    contract::deletes_nothing(&made.runner(), &TerraformModules).await;
    let owned = made.cluster.list("secrets", "");
    assert!(
        owned.iter().all(|secret| secret["metadata"]["ownerReferences"].is_array()),
        "all vanish with the Jobs"
    );
}

#[tokio::test]
async fn fails_with_a_reason() {
    contract::fails_with_a_reason(&Made::new().await.runner(), &TerraformModules).await;
}

#[tokio::test]
async fn masks_sensitive_values() {
    contract::masks_sensitive_values(&Made::new().await.runner(), &TerraformModules).await;
}

#[tokio::test]
async fn stops_when_told() {
    let made = Made::new().await;
    contract::stops_when_told(&made.runner(), &TerraformModules).await;
    for kind in cluster::KINDS {
        assert_eq!(made.cluster.list(kind, "").len(), 0, "no {kind} are left");
    }
}

#[tokio::test]
async fn asks_before_it_takes_away() {
    contract::asks_before_it_takes_away(&Made::new().await.runner(), &TerraformModules).await;
}

#[tokio::test]
async fn finds_no_drift() {
    contract::finds_no_drift(&Made::new().await.runner(), &TerraformModules).await;
}

#[tokio::test]
async fn ends_at_the_time_limit() {
    contract::ends_at_the_time_limit(&Made::new().await.runner(), &TerraformModules).await;
}

#[tokio::test]
async fn logs_in_order() {
    contract::logs_in_order(&Made::new().await.runner(), &TerraformModules).await;
}

#[tokio::test]
async fn survives_a_crash() {
    let made = Made::new().await;
    contract::survives_a_crash(&made.runner(), &TerraformModules).await;
    for kind in cluster::KINDS {
        assert_eq!(made.cluster.list(kind, "").len(), 0, "no {kind} are left");
    }
}

#[tokio::test]
async fn carries_on() {
    let made = Made::new().await;
    contract::carries_on(&made.runner(), &made.runner(), &TerraformModules).await;
    assert_eq!(made.cluster.requests("POST"), 2, "one Job for the create, one for the delete");
}
