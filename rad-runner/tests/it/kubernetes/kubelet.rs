//! What the cluster does with a Job: a pod whose containers are real processes. Each runs as the Job says, in bubblewrap:
//! the same command and environment, the same mounts with the same modes, a root that is read-only. Its image is this
//! machine's `/usr`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use k8s_openapi::ByteString;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};

use super::cluster::{Cluster, now};

/// An image that no registry has.
pub(crate) const NO_IMAGE: &str = "registry.invalid/nothing:1";

/// Why a pod is ended before its engine ends by itself.
#[derive(Clone, Copy, PartialEq)]
enum Cause {
    Deleted,
    Deadline,
    Taken,
}

/// Begins a Job that was just let begin.
pub(crate) fn begin(cluster: &Cluster, job: &Value) {
    if !cluster.faults(|faults| faults.no_pods) {
        tokio::spawn(carry_out(cluster.clone(), job.clone()));
    }
}

async fn carry_out(cluster: Cluster, job: Value) {
    let name = job["metadata"]["name"].as_str().unwrap().to_owned();
    let pod = format!("{name}-x7k2p");
    let spec = &job["spec"]["template"]["spec"];
    let mut labels = job["spec"]["template"]["metadata"]["labels"].clone();
    labels["job"] = name.clone().into();
    let waiting = |reason: &str| json!({ "waiting": { "reason": reason, "message": "made up" } });
    let image = spec["containers"][0]["image"].as_str().unwrap();
    let stuck = image == NO_IMAGE || !spec["nodeSelector"].as_object().is_none_or(serde_json::Map::is_empty);
    let reason = if image == NO_IMAGE { "ImagePullBackOff" } else { "PodInitializing" };
    let unscheduled = json!([{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available",
    }]);
    cluster.put(
        "pods",
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": pod, "labels": labels },
            "spec": spec,
            "status": {
                "phase": "Pending",
                "conditions": if stuck && image != NO_IMAGE { unscheduled } else { json!([]) },
                "containerStatuses": [status("engine", image, waiting(reason))],
                "initContainerStatuses": [status("keeper", "keeper", waiting("PodInitializing"))],
            },
        }),
    );
    let deadline =
        Instant::now() + Duration::from_secs(job["spec"]["activeDeadlineSeconds"].as_u64().unwrap());
    let (cause, code) = match stuck {
        true => (Some(ended(&cluster, &name, &pod, deadline).await), 0),
        false => run(&cluster, &name, &pod, spec, deadline).await,
    };
    if cause == Some(Cause::Deleted) || cause == Some(Cause::Deadline) {
        cluster.remove("pods", &pod);
    }
    let failed = |reason: &str| json!([{ "type": "Failed", "status": "True", "reason": reason, "message": "made up" }]);
    let conditions = match cause {
        Some(Cause::Deadline) => failed("DeadlineExceeded"),
        Some(Cause::Taken) => failed("PodFailurePolicy"),
        _ if code == 0 => json!([{ "type": "Complete", "status": "True" }]),
        _ => failed("BackoffLimitExceeded"),
    };
    cluster.change("jobs", &name, |job| job["status"] = json!({ "conditions": conditions }));
    if cluster.get("jobs", &name).is_some_and(|job| !job["metadata"]["deletionTimestamp"].is_null()) {
        cluster.remove("pods", &pod);
        cluster.remove("jobs", &name);
    }
    // A Job that has ended is deleted without anybody's help.
    let mut changed = cluster.changed();
    while let Some(job) = cluster.get("jobs", &name) {
        changed.mark_unchanged();
        if !job["metadata"]["deletionTimestamp"].is_null() {
            cluster.remove("pods", &pod);
            cluster.remove("jobs", &name);
        } else if changed.changed().await.is_err() {
            return;
        }
    }
}

/// Runs the containers; why they were ended, if they were, and with which status the engine ended.
async fn run(
    cluster: &Cluster,
    job: &str,
    pod: &str,
    spec: &Value,
    deadline: Instant,
) -> (Option<Cause>, i32) {
    let volumes = mounted(cluster, &cluster.root.join(pod), spec);
    let mut keeper = start(&spec["initContainers"][0], &volumes);
    let mut engine = start(&spec["containers"][0], &volumes);
    let running = || json!({ "running": { "startedAt": now() } });
    cluster.change("pods", pod, |pod| {
        pod["status"]["phase"] = "Running".into();
        pod["status"]["containerStatuses"][0]["state"] = running();
        pod["status"]["initContainerStatuses"][0]["state"] = running();
    });
    let mut lines = BufReader::new(engine.stdout.take().unwrap()).lines();
    let logged = async {
        while let Ok(Some(line)) = lines.next_line().await {
            cluster.log(pod, line);
        }
    };
    let grace = Duration::from_secs(spec["terminationGracePeriodSeconds"].as_u64().unwrap());
    let ends = async {
        let cause = tokio::select! {
            _ = engine.wait() => None,
            cause = ended(cluster, job, pod, deadline) => Some(cause),
        };
        if cause.is_some() {
            signal(&engine, "TERM");
            if tokio::time::timeout(grace, engine.wait()).await.is_err() {
                signal(&engine, "KILL");
            }
        }
        (cause, engine.wait().await.unwrap().code().unwrap_or(137))
    };
    let ((cause, code), ()) = tokio::join!(ends, logged);
    let terminated = |code: i32| json!({ "terminated": { "exitCode": code, "reason": "Completed" } });
    cluster.change("pods", pod, |pod| pod["status"]["containerStatuses"][0]["state"] = terminated(code));
    signal(&keeper, "TERM");
    if tokio::time::timeout(grace, keeper.wait()).await.is_err() {
        signal(&keeper, "KILL");
    }
    let kept = keeper.wait().await.unwrap().code().unwrap_or(137);
    cluster.change("pods", pod, |pod| {
        pod["status"]["initContainerStatuses"][0]["state"] = terminated(kept);
        pod["status"]["phase"] = if code == 0 { "Succeeded" } else { "Failed" }.into();
    });
    (cause, code)
}

/// Waits until a pod has to end before its time.
async fn ended(cluster: &Cluster, job: &str, pod: &str, deadline: Instant) -> Cause {
    let mut changed = cluster.changed();
    loop {
        changed.mark_unchanged();
        let deleted = |kind, name| {
            cluster.get(kind, name).is_none_or(|object| !object["metadata"]["deletionTimestamp"].is_null())
        };
        if deleted("jobs", job) {
            return Cause::Deleted;
        }
        if deleted("pods", pod) {
            return Cause::Taken;
        }
        tokio::select! {
            _ = changed.changed() => {}
            () = sleep_until(deadline) => return Cause::Deadline,
        }
    }
}

fn status(name: &str, image: &str, state: Value) -> Value {
    json!({ "name": name, "image": image, "imageID": "", "ready": false, "restartCount": 0, "state": state })
}

/// Makes the volumes of a pod; where each is.
fn mounted(cluster: &Cluster, root: &Path, spec: &Value) -> Vec<(String, PathBuf)> {
    let volumes = spec["volumes"].as_array().unwrap().iter().map(|volume| {
        let name = volume["name"].as_str().unwrap();
        let directory = root.join(name);
        fs::create_dir_all(&directory).unwrap();
        let mode = u32::try_from(volume["projected"]["defaultMode"].as_u64().unwrap_or(0o644)).unwrap();
        for source in volume["projected"]["sources"].as_array().into_iter().flatten() {
            for (file, content) in files(cluster, source) {
                fs::create_dir_all(directory.join(&file).parent().unwrap()).unwrap();
                fs::write(directory.join(&file), content).unwrap();
                fs::set_permissions(directory.join(&file), fs::Permissions::from_mode(mode)).unwrap();
            }
        }
        (name.to_owned(), directory)
    });
    volumes.collect()
}

fn files(cluster: &Cluster, source: &Value) -> Vec<(String, Vec<u8>)> {
    if let Some(name) = source["secret"]["name"].as_str() {
        let secret = cluster.get("secrets", name).expect("a pod waits for its Secrets");
        let file = |item: &Value| {
            let content = secret["data"][item["key"].as_str().unwrap()].clone();
            (
                item["path"].as_str().unwrap().to_owned(),
                serde_json::from_value::<ByteString>(content).unwrap().0,
            )
        };
        return source["secret"]["items"].as_array().unwrap().iter().map(file).collect();
    }
    let file = match source["configMap"].is_object() {
        true => "ca.crt",
        false => "token",
    };
    vec![(file.to_owned(), b"made up".to_vec())]
}

/// Starts a container as its pod's specification says.
fn start(container: &Value, volumes: &[(String, PathBuf)]) -> Child {
    let security = &container["securityContext"];
    assert_eq!(security["readOnlyRootFilesystem"], true);
    assert_eq!(security["allowPrivilegeEscalation"], false);
    assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
    let mut command = Command::new("bwrap");
    command.args(["--unshare-user", "--uid", "65532", "--gid", "65532", "--unshare-pid", "--unshare-ipc"]);
    command.args(["--as-pid-1", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]);
    command.args(["--proc", "/proc", "--dev", "/dev", "--ro-bind", "/usr", "/usr"]);
    for top in ["bin", "sbin", "lib", "lib64"] {
        match fs::read_link(Path::new("/").join(top)) {
            Ok(target) => command.arg("--symlink").arg(target).arg(format!("/{top}")),
            Err(_) => command.args(["--ro-bind-try", &format!("/{top}"), &format!("/{top}")]),
        };
    }
    for mount in container["volumeMounts"].as_array().unwrap() {
        let (_, directory) = volumes.iter().find(|(name, _)| mount["name"] == **name).unwrap();
        let flag = if mount["readOnly"] == true { "--ro-bind" } else { "--bind" };
        command.arg(flag).arg(directory).arg(mount["mountPath"].as_str().unwrap());
    }
    command.args(["--remount-ro", "/", "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin"]);
    for variable in container["env"].as_array().unwrap() {
        command
            .arg("--setenv")
            .args([&variable["name"], &variable["value"]].map(|text| text.as_str().unwrap()));
    }
    command
        .arg("--")
        .args(container["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command.spawn().unwrap()
}

/// Sends a signal to the first process of a container.
fn signal(container: &Child, signal: &str) {
    let Some(sandbox) = container.id() else { return };
    let children = fs::read_to_string(format!("/proc/{sandbox}/task/{sandbox}/children")).unwrap_or_default();
    if let Some(first) = children.split_whitespace().next() {
        std::process::Command::new("kill").args([&format!("-{signal}"), first]).status().unwrap();
    }
}
