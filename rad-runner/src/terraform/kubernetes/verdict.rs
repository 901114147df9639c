//! What the Job and the pod of a run say about how it stands.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use rad_core::runner::Diagnostic;

use super::manifest::{ENGINE, KEEPER};

/// How a run stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// The engine has not started; with what keeps it, where that is known.
    Waiting(Option<String>),
    /// It will never start.
    Hopeless(Diagnostic),
    /// The engine works, or its last state is being kept.
    Running,
    /// The engine and its keeper have ended.
    Ended(End),
}

/// How a pod ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum End {
    /// The engine ended by itself with success.
    Success,
    /// The engine ended by itself with a failure.
    Failure,
    /// The cluster ended it; why, as it tells.
    Taken(Diagnostic),
    /// The time limit passed.
    Deadline,
    /// There is no such Job any more.
    Gone,
}

/// Judges a run by its Job and its pod.
pub(super) fn judge(job: Option<&Job>, pod: Option<&Pod>) -> Verdict {
    let failed = job.and_then(failure);
    if let Some(pod) = pod {
        if let Some(ended) = engine(pod).and_then(terminated) {
            let keeper = status_of(pod, KEEPER).is_some_and(|status| terminated(status).is_none());
            if keeper && phase(pod) != Some("Succeeded") && phase(pod) != Some("Failed") {
                return Verdict::Running;
            }
            return Verdict::Ended(end(ended, failed, pod));
        }
        if !matches!(phase(pod), Some("Failed" | "Succeeded")) {
            return match engine(pod).and_then(|status| status.state.as_ref()) {
                Some(state) if state.running.is_some() => Verdict::Running,
                _ if pod.metadata.deletion_timestamp.is_some() => Verdict::Running,
                _ => waiting(pod),
            };
        }
    }
    match (job, failed) {
        (None, _) => Verdict::Ended(End::Gone),
        (_, Some(("DeadlineExceeded", _))) => Verdict::Ended(End::Deadline),
        (_, Some((_, message))) => Verdict::Ended(End::Taken(taken(pod, message))),
        // A pod that failed without having run: the Job will say so.
        _ => Verdict::Waiting(None),
    }
}

/// Why a Job failed, if it did.
fn failure(job: &Job) -> Option<(&str, &str)> {
    let conditions = job.status.as_ref()?.conditions.as_deref()?;
    // The target comes first, and the Job has failed once its pods have ended.
    let failed = conditions.iter().find(|one| one.type_ == "Failed" && one.status == "True")?;
    Some((failed.reason.as_deref().unwrap_or_default(), failed.message.as_deref().unwrap_or_default()))
}

fn end(ended: &ContainerStateTerminated, failed: Option<(&str, &str)>, pod: &Pod) -> End {
    if failed.is_some_and(|(reason, _)| reason == "DeadlineExceeded") {
        return End::Deadline;
    }
    match (ended.exit_code, ended.reason.as_deref()) {
        (0, _) => End::Success,
        (_, Some("OOMKilled")) => {
            let detail = "The engine and what it started used more memory than a run may have.";
            End::Taken(Diagnostic::error("The run ran out of memory", detail))
        }
        (70, _) => {
            let detail = "The image needs a POSIX shell, tar and gzip, and room for the module.";
            End::Taken(Diagnostic::error("The module could not be unpacked in its pod", detail))
        }
        (127, _) => {
            let detail =
                "The image has no such program: the operator chose another image than its setup says.";
            End::Taken(Diagnostic::error("The engine is not in its image", detail))
        }
        (1, _) => End::Failure,
        (code, _) => {
            let message = format!("Its container ended with status {code}.");
            End::Taken(taken(Some(pod), &message))
        }
    }
}

/// Why a pod was ended before the engine came to its own end.
fn taken(pod: Option<&Pod>, otherwise: &str) -> Diagnostic {
    let status = pod.and_then(|pod| pod.status.as_ref());
    let told = status.and_then(|status| status.message.as_deref().or(status.reason.as_deref()));
    let summary = "The cluster ended the run before the engine came to its end";
    Diagnostic::error(summary, told.unwrap_or(otherwise))
}

/// What keeps an engine from starting.
fn waiting(pod: &Pod) -> Verdict {
    let containers = [engine(pod), status_of(pod, KEEPER)].into_iter().flatten();
    let mut reasons = containers.filter_map(|status| {
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref()?;
        let image = &status.image;
        match reason {
            "PodInitializing" | "ContainerCreating" => None,
            _ => Some((reason, waiting.message.clone().unwrap_or_default(), image)),
        }
    });
    if let Some((reason, message, image)) = reasons.next() {
        if reason == "InvalidImageName" {
            let summary = format!("The image {image} cannot be named so");
            return Verdict::Hopeless(Diagnostic::error(summary, message));
        }
        return Verdict::Waiting(Some(format!("{reason}: {image} {message}").trim_end().to_owned()));
    }
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let unscheduled = conditions.iter().find(|one| one.type_ == "PodScheduled" && one.status == "False");
    Verdict::Waiting(unscheduled.map(|condition| {
        let message = condition.message.as_deref().unwrap_or_default();
        format!("{}: {message}", condition.reason.as_deref().unwrap_or("Unschedulable"))
    }))
}

fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

fn engine(pod: &Pod) -> Option<&ContainerStatus> {
    status_of(pod, ENGINE)
}

fn status_of<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.iter().chain(&status.init_container_statuses);
    containers.flatten().find(|status| status.name == container)
}

fn terminated(status: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    status.state.as_ref()?.terminated.as_ref()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        serde_json::from_value(json!({ "metadata": {}, "status": status })).unwrap()
    }

    fn job(conditions: Value) -> Job {
        serde_json::from_value(json!({ "metadata": {}, "status": { "conditions": conditions } })).unwrap()
    }

    fn container(name: &str, state: Value) -> Value {
        json!({
            "name": name, "image": "i:1", "imageID": "", "ready": false, "restartCount": 0, "state": state,
        })
    }

    fn both(phase: &str, engine: Value, keeper: Value) -> Pod {
        pod(json!({
            "phase": phase,
            "containerStatuses": [container(ENGINE, engine)],
            "initContainerStatuses": [container(KEEPER, keeper)],
        }))
    }

    #[test]
    fn a_run_ends_when_its_last_state_is_kept() {
        let open = job(json!([]));
        let running = json!({ "running": {} });
        let ended = |code: i32| json!({ "terminated": { "exitCode": code } });
        let judged = |pod: &Pod| judge(Some(&open), Some(pod));
        assert_eq!(judged(&both("Running", running.clone(), running.clone())), Verdict::Running);
        assert_eq!(judged(&both("Running", ended(0), running.clone())), Verdict::Running);
        assert_eq!(judged(&both("Running", ended(0), ended(0))), Verdict::Ended(End::Success));
        assert_eq!(judged(&both("Failed", ended(1), running)), Verdict::Ended(End::Failure));
        let Verdict::Ended(End::Taken(told)) = judged(&both("Failed", ended(137), ended(0))) else {
            panic!()
        };
        assert!(told.detail.contains("137"), "{told:?}");
        let oom = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
        let Verdict::Ended(End::Taken(told)) = judged(&both("Failed", oom, ended(0))) else { panic!() };
        assert!(told.summary.contains("memory"), "{told:?}");
    }

    #[test]
    fn what_keeps_a_run_from_starting_is_told() {
        let open = job(json!([]));
        let judged = |pod: &Pod| judge(Some(&open), Some(pod));
        assert_eq!(judge(Some(&open), None), Verdict::Waiting(None));
        let pulling = json!({ "waiting": { "reason": "ImagePullBackOff", "message": "not found" } });
        let creating = json!({ "waiting": { "reason": "PodInitializing" } });
        let waits = judged(&both("Pending", creating.clone(), pulling));
        assert_eq!(waits, Verdict::Waiting(Some("ImagePullBackOff: i:1 not found".to_owned())));
        let unnamed = json!({ "waiting": { "reason": "InvalidImageName" } });
        assert!(matches!(judged(&both("Pending", unnamed, creating)), Verdict::Hopeless(_)));
        let unschedulable = pod(json!({ "phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes",
        }] }));
        assert_eq!(judged(&unschedulable), Verdict::Waiting(Some("Unschedulable: 0/3 nodes".to_owned())));
    }

    #[test]
    fn deadlines_and_lost_pods_are_told_apart() {
        let failed = |reason: &str| {
            job(json!([{ "type": "Failed", "status": "True", "reason": reason, "message": "why" }]))
        };
        assert_eq!(judge(Some(&failed("DeadlineExceeded")), None), Verdict::Ended(End::Deadline));
        let lost = judge(Some(&failed("PodFailurePolicy")), Some(&pod(json!({ "phase": "Failed" }))));
        let Verdict::Ended(End::Taken(told)) = lost else { panic!("{lost:?}") };
        assert_eq!(told.detail, "why");
        assert_eq!(judge(None, None), Verdict::Ended(End::Gone));
    }
}
