//! The contract of [`Runner`]. The modules it runs are Terraform sources that need no provider from elsewhere; each also
//! holds a `script.json` that has a [`ScriptedRunner`](crate::memory::ScriptedRunner) do the same.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};

use super::must;
use crate::id::{DeploymentId, RunId};
use crate::module::Values;
use crate::runner::{
    Action, ChangeKind, ChangeStatus, Output, RunEvent, RunJob, RunObserver, RunOutcome, Runner, Severity,
    Step, StopReason,
};
use crate::source::SourceTree;

/// A create reports its steps, its log, its resources, its state and its outputs; a delete of that state takes all away.
///
/// # Panics
/// If the contract is broken.
pub async fn creates_and_deletes(runner: &dyn Runner) {
    must("the engine is known", runner.engine().await);
    let job = job(Action::Create, GREETER, json!({ "who": "Ada" }));
    let (deployment, source, values) = (job.deployment, job.source.clone(), job.values.clone());
    let (outcome, seen) = played(runner, job, Notes::default()).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", seen.log());
    assert_eq!(seen.steps(), [Step::Init, Step::Plan, Step::Apply]);
    assert!(seen.log().contains("terraform_data.greeting"), "the log tells what is done: {}", seen.log());
    assert!(seen.log().ends_with('\n'), "each line ends with a line feed");
    assert_eq!(
        seen.last_change("terraform_data.greeting"),
        Some((ChangeKind::Create, ChangeStatus::Complete))
    );
    let expected = Output { name: "greeting".into(), sensitive: false, value: json!("Hello, Ada!") };
    assert!(seen.outputs().contains(&expected), "{:?}", seen.outputs());
    let state = must("a create leaves a state", seen.state().ok_or(()));

    let delete = RunJob {
        run: RunId::new(),
        deployment,
        action: Action::Delete,
        source,
        values,
        sensitive: Vec::new(),
        state: Some(state.clone()),
        time_limit: LIMIT,
    };
    let (outcome, seen) = played(runner, delete, Notes::default()).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", seen.log());
    assert_eq!(
        seen.last_change("terraform_data.greeting"),
        Some((ChangeKind::Delete, ChangeStatus::Complete))
    );
    assert_ne!(seen.state(), Some(state), "a delete leaves another state");
    assert!(seen.outputs().is_empty(), "what is destroyed has no outputs");
}

/// A delete of what was never made succeeds, says so, and changes nothing.
///
/// # Panics
/// If the contract is broken.
pub async fn deletes_nothing(runner: &dyn Runner) {
    let (outcome, seen) = played(runner, job(Action::Delete, GREETER, json!({})), Notes::default()).await;
    assert_eq!(outcome, RunOutcome::Success);
    assert!(!seen.log().is_empty(), "the log says that there was nothing to destroy");
    assert_eq!((seen.state(), seen.steps()), (None, Vec::new()));
}

/// A module that fails is an outcome with a diagnostic, and what was made before is in the state.
///
/// # Panics
/// If the contract is broken.
pub async fn fails_with_a_reason(runner: &dyn Runner) {
    let job = job(Action::Create, FAILING, json!({ "reason": "the quota is used up" }));
    let (outcome, seen) = played(runner, job, Notes::default()).await;
    assert_eq!(outcome, RunOutcome::Failure);
    let diagnostics = seen.diagnostics();
    let error = must("a failure has a diagnostic", diagnostics.first().ok_or(()));
    assert_eq!(error.severity, Severity::Error);
    assert!(!error.summary.is_empty());
    assert!(seen.log().contains("the quota is used up"), "the log shows the reason: {}", seen.log());
    assert_eq!(seen.last_change("terraform_data.base"), Some((ChangeKind::Create, ChangeStatus::Complete)));
    assert_eq!(seen.last_change("terraform_data.rest"), Some((ChangeKind::Create, ChangeStatus::Errored)));
    let state = must("what was made before is in the state", seen.state().ok_or(()));
    assert!(String::from_utf8_lossy(&state).contains("base"));
}

/// Sensitive values are in no event but the state and sensitive outputs.
///
/// # Panics
/// If the contract is broken.
pub async fn masks_sensitive_values(runner: &dyn Runner) {
    let secret = "tr0ub4dor&\"three\"";
    let mut job = job(Action::Create, LEAKING, json!({ "password": secret }));
    job.sensitive = vec!["password".to_owned()];
    let (outcome, seen) = played(runner, job, Notes::default()).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", seen.log());
    assert!(seen.log().contains("the password is"), "the module leaks into its log: {}", seen.log());
    for event in seen.events() {
        let told = match event {
            RunEvent::State(_) | RunEvent::Outputs(_) => continue,
            other => format!("{other:?}"),
        };
        assert!(!told.contains("tr0ub4dor"), "{told}");
    }
    let output = must("outputs are reported", seen.outputs().into_iter().next().ok_or(()));
    assert!(output.sensitive, "a sensitive output is marked");
    assert_eq!(output.value, json!(secret), "and has its value, for its owner");
    assert!(!format!("{output:?}").contains("tr0ub4dor"), "but not in its debug output");
}

/// Told to stop, a run ends as stopped and leaves its state; so does one whose reports are refused.
///
/// # Panics
/// If the contract is broken.
pub async fn stops_when_told(runner: &dyn Runner) {
    let started: fn(&RunEvent) -> bool = |event| {
        matches!(event, RunEvent::Resource(progress)
            if progress.address == "terraform_data.slow" && progress.status == ChangeStatus::Started)
    };
    let notes = Notes { stop_after: Some(started), ..Notes::default() };
    let (outcome, seen) = played(runner, job(Action::Create, WAITING, json!({})), notes).await;
    assert_eq!(outcome, RunOutcome::Stopped, "{}", seen.log());
    assert!(seen.state().is_some(), "a stopped run leaves its state: {}", seen.log());

    let refusing = Notes { refuse: true, ..Notes::default() };
    let (outcome, _) = played(runner, job(Action::Create, WAITING, json!({})), refusing).await;
    assert_eq!(outcome, RunOutcome::Stopped, "a run whose reports are refused stops");
}

const LIMIT: Duration = Duration::from_secs(60);

const GREETER: [&str; 2] = [
    r#"
    variable "who" { default = "World" }
    resource "terraform_data" "greeting" { input = "Hello, ${var.who}!" }
    output "greeting" { value = terraform_data.greeting.output }
    "#,
    r#"{
        "log": ["terraform_data.greeting: done"],
        "resources": ["terraform_data.greeting"],
        "outputs": [{ "name": "greeting", "sensitive": false, "value": "Hello, ${who}!" }]
    }"#,
];

const FAILING: [&str; 2] = [
    r#"
    variable "reason" {}
    resource "terraform_data" "base" { input = "made before the failure" }
    resource "terraform_data" "rest" {
      depends_on = [terraform_data.base]
      provisioner "local-exec" {
        command     = "echo \"refused: $REASON\"; exit 1"
        environment = { REASON = var.reason }
      }
    }
    "#,
    r#"{ "resources": ["terraform_data.base", "terraform_data.rest"], "fails": "refused: ${reason}" }"#,
];

const LEAKING: [&str; 2] = [
    r#"
    variable "password" { sensitive = true }
    resource "terraform_data" "leak" {
      provisioner "local-exec" {
        command     = "echo \"the password is $PASSWORD\"; echo '${nonsensitive(jsonencode(var.password))}'"
        environment = { PASSWORD = nonsensitive(var.password) }
      }
    }
    output "password" {
      value     = var.password
      sensitive = true
    }
    "#,
    r#"{
        "log": ["the password is ${password}"],
        "outputs": [{ "name": "password", "sensitive": true, "value": "${password}" }]
    }"#,
];

const WAITING: [&str; 2] = [
    r#"
    resource "terraform_data" "quick" { input = "made before the stop" }
    resource "terraform_data" "slow" {
      depends_on = [terraform_data.quick]
      provisioner "local-exec" { command = "sleep 50" }
    }
    "#,
    r#"{ "resources": ["terraform_data.quick", "terraform_data.slow"], "waits": true }"#,
];

fn job(action: Action, [terraform, script]: [&'static str; 2], values: Value) -> RunJob {
    let mut source = SourceTree::default();
    must("a plain path", source.insert_file("main.tf", terraform));
    must("a plain path", source.insert_file("script.json", script));
    let values: Values = must("values are an object", serde_json::from_value(values));
    RunJob {
        run: RunId::new(),
        deployment: DeploymentId::new(),
        action,
        source,
        values,
        sensitive: Vec::new(),
        state: None,
        time_limit: LIMIT,
    }
}

async fn played(runner: &dyn Runner, job: RunJob, notes: Notes) -> (RunOutcome, Notes) {
    let outcome = must("a run of a module is no error", runner.run(job, &notes).await);
    (outcome, notes)
}

/// Notes every event, and tells the run to stop after some event.
#[derive(Default)]
struct Notes {
    events: Mutex<Vec<RunEvent>>,
    stop_after: Option<fn(&RunEvent) -> bool>,
    refuse: bool,
    stop: Signal,
}

#[async_trait]
impl RunObserver for Notes {
    async fn event(&self, event: RunEvent) -> Result<(), StopReason> {
        if self.refuse {
            return Err(StopReason::LeaseLost);
        }
        if self.stop_after.is_some_and(|after| after(&event)) {
            self.stop.give();
        }
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        Ok(())
    }

    async fn stop(&self) -> StopReason {
        self.stop.wait().await;
        StopReason::Cancelled
    }
}

impl Notes {
    fn events(&self) -> Vec<RunEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn pick<T>(&self, pick: impl Fn(RunEvent) -> Option<T>) -> Vec<T> {
        self.events().into_iter().filter_map(pick).collect()
    }

    fn log(&self) -> String {
        self.pick(|event| if let RunEvent::Log(text) = event { Some(text) } else { None }).concat()
    }

    fn steps(&self) -> Vec<Step> {
        self.pick(|event| if let RunEvent::Step(step) = event { Some(step) } else { None })
    }

    fn state(&self) -> Option<Bytes> {
        self.pick(|event| if let RunEvent::State(state) = event { Some(state) } else { None }).pop()
    }

    fn outputs(&self) -> Vec<Output> {
        let all =
            self.pick(|event| if let RunEvent::Outputs(outputs) = event { Some(outputs) } else { None });
        all.into_iter().next_back().unwrap_or_default()
    }

    fn diagnostics(&self) -> Vec<crate::runner::Diagnostic> {
        self.pick(|event| if let RunEvent::Diagnostic(one) = event { Some(one) } else { None })
    }

    fn last_change(&self, address: &str) -> Option<(ChangeKind, ChangeStatus)> {
        self.pick(|event| match event {
            RunEvent::Resource(progress) if progress.address == address => {
                Some((progress.change, progress.status))
            }
            _ => None,
        })
        .pop()
    }
}

/// A signal that is given once and stays given.
#[derive(Default)]
struct Signal {
    state: Mutex<(bool, Vec<std::task::Waker>)>,
}

impl Signal {
    fn give(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        state.1.drain(..).for_each(std::task::Waker::wake);
    }

    async fn wait(&self) {
        let given = std::future::poll_fn(|context| {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.0 {
                return Poll::Ready(());
            }
            state.1.push(context.waker().clone());
            Poll::Pending
        });
        pin!(given).await;
    }
}
