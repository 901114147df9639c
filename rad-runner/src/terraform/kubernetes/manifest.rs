//! The objects of a run: their names, their labels, and the Job that the cluster is given.

use k8s_openapi::ByteString;
use k8s_openapi::api::batch::v1::Job;
use kube::Resource;
use rad_core::error::BackendError;
use rad_core::id::{DeploymentId, RunId};
use rad_core::runner::RunJob;
use serde_json::{Map, Value, json};

use super::config::KubernetesConfig;
use super::kept::LARGEST;
use super::package::{CONTENT, Input, PART};
use crate::terraform::arguments::plan_mode;
use crate::terraform::engine::init_speaks_json;
use crate::terraform::layout::ELSEWHERE;

/// The containers of a run's pod.
pub(super) const ENGINE: &str = "engine";
pub(super) const KEEPER: &str = "keeper";

/// The labels of a run's objects.
pub(super) const RUN: &str = "rad-run";
pub(super) const DEPLOYMENT: &str = "rad-deployment";
pub(super) const INSTANCE: &str = "rad-instance";

/// The label of the Secrets of a state, and what it says of the one that names the others.
pub(super) const KEPT: &str = "rad-kept";
pub(super) const HEAD: &str = "head";

/// The annotation of a Job whose plan may be applied.
pub(super) const APPLY: &str = "rad-apply";

/// Where the engine keeps the state in its container.
pub(super) const STATE_INSIDE: &str = "/rad/work/state/terraform.tfstate";

/// Where the engine's container finds the files among the credentials.
pub(super) const CREDENTIALS_INSIDE: &str = "/rad/inputs/credentials";

/// How long the keeper has for the last state once the engine is gone.
const LAST_STATE_SECONDS: u64 = 30;

/// Neither root nor anybody's; files of Secrets are given to its group.
const USER: u32 = 65_532;

/// The name of a run's Job, with which the names of its other objects begin.
pub(super) fn name(run: RunId) -> String {
    format!("rad-run-{run}")
}

/// The name of the Secret of a run's input.
pub(super) fn input_name(run: RunId, index: usize) -> String {
    format!("{}-input-{index}", name(run))
}

/// The labels of a run's objects.
pub(super) fn labels(config: &KubernetesConfig, run: RunId, deployment: DeploymentId) -> Map<String, Value> {
    let labels = [
        ("app.kubernetes.io/managed-by", "rad".to_owned()),
        (RUN, run.to_string()),
        (DEPLOYMENT, deployment.to_string()),
        (INSTANCE, config.instance.clone()),
    ];
    labels.into_iter().map(|(label, value)| (label.to_owned(), Value::from(value))).collect()
}

/// The Job of a run, suspended until its inputs are there. It runs once and is never tried again.
pub(super) fn job(config: &KubernetesConfig, job: &RunJob, inputs: &[Input]) -> Result<Job, BackendError> {
    let labels = labels(config, job.run, job.deployment);
    let limit = job.limits.whole;
    let seconds = limit.as_secs() + u64::from(limit.subsec_nanos() > 0);
    let manifest = json!({
        "apiVersion": Job::api_version(&()),
        "kind": Job::kind(&()),
        "metadata": { "name": name(job.run), "namespace": config.namespace, "labels": labels },
        "spec": {
            "suspend": true,
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            // A pod that the cluster takes away has failed: its run is not begun again.
            "podFailurePolicy": { "rules": [
                { "action": "FailJob", "onPodConditions": [{ "type": "DisruptionTarget" , "status": "True" }] },
            ] },
            "activeDeadlineSeconds": seconds.max(1),
            "ttlSecondsAfterFinished": config.ttl.as_secs(),
            "template": { "metadata": { "labels": labels }, "spec": pod(config, job, inputs) },
        },
    });
    serde_json::from_value(manifest).map_err(|error| BackendError::permanent("writing a Job", error))
}

/// The Secret of an input, owned by its Job: it vanishes with it.
pub(super) fn input(
    config: &KubernetesConfig,
    job: &RunJob,
    owner: &Job,
    index: usize,
    input: &Input,
) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": input_name(job.run, index),
            "namespace": config.namespace,
            "labels": labels(config, job.run, job.deployment),
            "ownerReferences": [owner_reference(owner)],
        },
        "data": { CONTENT: ByteString(input.content.to_vec()) },
    })
}

/// What makes an object vanish with a Job.
pub(super) fn owner_reference(job: &Job) -> Value {
    json!({
        "apiVersion": Job::api_version(&()),
        "kind": Job::kind(&()),
        "name": job.metadata.name,
        "uid": job.metadata.uid,
    })
}

fn pod(config: &KubernetesConfig, job: &RunJob, inputs: &[Input]) -> Value {
    let source = |(index, input): (usize, &Input)| {
        let items = [json!({ "key": CONTENT, "path": input.file })];
        json!({ "secret": { "name": input_name(job.run, index), "items": items } })
    };
    let sources: Vec<Value> = inputs.iter().enumerate().map(source).collect();
    json!({
        "restartPolicy": "Never",
        "serviceAccountName": config.service_account,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "nodeSelector": config.node_selector,
        "terminationGracePeriodSeconds": config.grace.as_secs() + LAST_STATE_SECONDS,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        // One that always restarts starts before the engine and is stopped after it.
        "initContainers": [keeper(config, job)],
        "containers": [engine(config, job)],
        "volumes": [
            { "name": "inputs", "projected": { "defaultMode": 0o600, "sources": sources } },
            { "name": "work", "emptyDir": { "sizeLimit": config.disk } },
            { "name": "tmp", "emptyDir": { "sizeLimit": config.disk } },
            { "name": "gate", "emptyDir": { "medium": "Memory", "sizeLimit": "1Mi" } },
            { "name": "own", "emptyDir": { "sizeLimit": "512Mi" } },
            { "name": "token", "projected": { "defaultMode": 0o600, "sources": [
                { "serviceAccountToken": { "path": "token", "expirationSeconds": 3600 } },
                { "configMap": {
                    "name": "kube-root-ca.crt",
                    "items": [{ "key": "ca.crt", "path": "ca.crt" }],
                } },
            ] } },
        ],
    })
}

fn engine(config: &KubernetesConfig, job: &RunJob) -> Value {
    let init = if init_speaks_json(&config.engine) { "-json" } else { "" };
    let plan = plan_mode(job.action).unwrap_or_default();
    json!({
        "name": ENGINE,
        "image": config.image,
        "command": ["sh", "-c", include_str!("engine.sh")],
        "env": variables([
            ("RAD_PROGRAM", config.program.clone()),
            ("RAD_GRACE", config.grace.as_secs().to_string()),
            ("RAD_INIT", init.to_owned()),
            ("RAD_PLAN", plan.to_owned()),
            ("RAD_ELSEWHERE", elsewhere()),
        ]),
        "resources": { "requests": config.requests, "limits": config.limits },
        "securityContext": confined(),
        "volumeMounts": [
            { "name": "inputs", "mountPath": "/rad/inputs", "readOnly": true },
            { "name": "work", "mountPath": "/rad/work" },
            { "name": "tmp", "mountPath": "/tmp" },
            { "name": "gate", "mountPath": "/rad/gate", "readOnly": true },
        ],
    })
}

fn keeper(config: &KubernetesConfig, job: &RunJob) -> Value {
    let labels = Value::Object(labels(config, job.run, job.deployment)).to_string();
    json!({
        "name": KEEPER,
        "image": config.keeper_image,
        "restartPolicy": "Always",
        "command": ["sh", "-c", include_str!("keeper.sh")],
        "env": variables([
            ("RAD_API", config.api_server.clone()),
            ("RAD_NAMESPACE", config.namespace.clone()),
            ("RAD_JOB", name(job.run)),
            ("RAD_LABELS", labels[1..labels.len() - 1].to_owned()),
            ("RAD_PART", PART.to_string()),
            ("RAD_LARGEST", LARGEST.to_string()),
        ]),
        "resources": {
            "requests": { "cpu": "10m", "memory": "16Mi" },
            "limits": { "cpu": "500m", "memory": "64Mi" },
        },
        "securityContext": confined(),
        "volumeMounts": [
            { "name": "work", "mountPath": "/rad/work", "readOnly": true },
            { "name": "gate", "mountPath": "/rad/gate" },
            { "name": "own", "mountPath": "/rad/own" },
            { "name": "token", "mountPath": "/rad/token", "readOnly": true },
        ],
    })
}

fn confined() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": { "drop": ["ALL"] },
    })
}

fn variables<const N: usize>(variables: [(&str, String); N]) -> Vec<Value> {
    variables.into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// What the engine's container prints where module files have overridden the backend.
fn elsewhere() -> String {
    let (summary, detail) = ELSEWHERE;
    let diagnostic = json!({ "severity": "error", "summary": summary, "detail": detail });
    json!({ "@message": "", "type": "diagnostic", "diagnostic": diagnostic }).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rad_core::conformance::runner::{Modules as _, TerraformModules};
    use rad_core::runner::RunLimits;

    use super::super::package;
    use super::*;

    #[test]
    fn the_job_is_as_the_operator_set_it_up() {
        let config = KubernetesConfig::builder("worker-1", "rad-runs", "engine:1.10.6")
            .keeper_image("keeper:8")
            .service_account("state-keeper")
            .memory("300Mi", "700Mi")
            .cpu("150m", "2")
            .disk("3Gi")
            .node_selector("pool", "runs")
            .ttl(Duration::from_secs(77))
            .build()
            .unwrap();
        let limits = RunLimits::of(Duration::from_millis(90_500));
        let run = RunJob { limits, ..package::tests::job(TerraformModules.greeter(), json!({})) };
        let made = serde_json::to_value(job(&config, &run, &[]).unwrap()).unwrap();
        let spec = "/spec/template/spec";
        for (place, value) in [
            ("/metadata/name".to_owned(), json!(name(run.run))),
            ("/spec/activeDeadlineSeconds".to_owned(), json!(91)),
            ("/spec/ttlSecondsAfterFinished".to_owned(), json!(77)),
            ("/spec/backoffLimit".to_owned(), json!(0)),
            (format!("{spec}/serviceAccountName"), json!("state-keeper")),
            (format!("{spec}/automountServiceAccountToken"), json!(false)),
            (format!("{spec}/nodeSelector"), json!({ "pool": "runs" })),
            (format!("{spec}/securityContext/runAsNonRoot"), json!(true)),
            (format!("{spec}/securityContext/seccompProfile/type"), json!("RuntimeDefault")),
            (format!("{spec}/containers/0/image"), json!("engine:1.10.6")),
            (format!("{spec}/containers/0/resources/requests"), json!({ "cpu": "150m", "memory": "300Mi" })),
            (format!("{spec}/containers/0/resources/limits"), json!({ "cpu": "2", "memory": "700Mi" })),
            (format!("{spec}/containers/0/securityContext"), confined()),
            (format!("{spec}/initContainers/0/image"), json!("keeper:8")),
            (format!("{spec}/initContainers/0/restartPolicy"), json!("Always")),
            (format!("{spec}/initContainers/0/securityContext"), confined()),
            (format!("{spec}/volumes/1"), json!({ "name": "work", "emptyDir": { "sizeLimit": "3Gi" } })),
            (format!("{spec}/volumes/2"), json!({ "name": "tmp", "emptyDir": { "sizeLimit": "3Gi" } })),
        ] {
            assert_eq!(made.pointer(&place), Some(&value), "{place}: {made}");
        }
        let mounted = |container: &str| {
            let mounts = made.pointer(&format!("{spec}/{container}/0/volumeMounts")).unwrap();
            mounts.as_array().unwrap().iter().any(|mount| mount["name"] == "token")
        };
        assert!(mounted("initContainers") && !mounted("containers"), "module code has no token: {made}");
    }
}
