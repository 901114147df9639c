//! The contract of [`Runner`]. What a module does is the same for every engine; how it is written is up to [`Modules`].

mod checking;
mod consent;
mod modules;
mod notes;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use serde_json::{Value, json};

use super::must;
use crate::id::{DeploymentId, RunId};
use crate::module::Values;
use crate::runner::{
    Action, ChangeKind, ChangeStatus, Consent, Output, RunEvent, RunJob, RunLimits, RunOutcome, Runner,
    Severity, Step,
};
use crate::source::SourceTree;
pub use checking::{finds_drift, finds_no_drift};
pub use consent::asks_before_it_takes_away;
pub use modules::{Modules, TerraformModules};
use notes::{Event, Notes};

/// A create reports its steps, its log, its resources, its state and its outputs; a delete of that state takes all away.
///
/// # Panics
/// If the contract is broken.
pub async fn creates_and_deletes(runner: &dyn Runner, modules: &dyn Modules) {
    must("the engine is known", runner.engine().await);
    let job = job(Action::Create, modules.greeter(), json!({ "who": "Ada" }));
    let (deployment, source, values) = (job.deployment, job.source.clone(), job.values.clone());
    let (outcome, seen) = played(runner, job, Notes::default()).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", seen.log());
    assert_eq!(seen.steps(), [Step::Init, Step::Plan, Step::Apply]);
    assert!(seen.log().contains(&modules.address("greeting")), "the log tells what is done: {}", seen.log());
    assert!(seen.log().ends_with('\n'), "each line ends with a line feed");
    assert_eq!(
        seen.last_change(&modules.address("greeting")),
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
        consent: Consent::Everything,
        limits: RunLimits::of(LIMIT),
    };
    let (outcome, seen) = played(runner, delete, Notes::default()).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", seen.log());
    assert_eq!(
        seen.last_change(&modules.address("greeting")),
        Some((ChangeKind::Delete, ChangeStatus::Complete))
    );
    assert_ne!(seen.state(), Some(state), "a delete leaves another state");
    assert!(seen.outputs().is_empty(), "what is destroyed has no outputs");
}

/// A delete of what was never made succeeds, says so, and changes nothing.
///
/// # Panics
/// If the contract is broken.
pub async fn deletes_nothing(runner: &dyn Runner, modules: &dyn Modules) {
    let (outcome, seen) =
        played(runner, job(Action::Delete, modules.greeter(), json!({})), Notes::default()).await;
    assert_eq!(outcome, RunOutcome::Success);
    assert!(!seen.log().is_empty(), "the log says that there was nothing to destroy");
    assert_eq!((seen.state(), seen.steps()), (None, Vec::new()));
}

/// A module that fails is an outcome with a diagnostic, and what was made before is in the state.
///
/// # Panics
/// If the contract is broken.
pub async fn fails_with_a_reason(runner: &dyn Runner, modules: &dyn Modules) {
    let job = job(Action::Create, modules.failing(), json!({ "reason": "the quota is used up" }));
    let (outcome, seen) = played(runner, job, Notes::default()).await;
    assert_eq!(outcome, RunOutcome::Failure);
    let diagnostics = seen.diagnostics();
    let error = must("a failure has a diagnostic", diagnostics.first().ok_or(()));
    assert_eq!(error.severity, Severity::Error);
    assert!(!error.summary.is_empty());
    assert!(seen.log().contains("the quota is used up"), "the log shows the reason: {}", seen.log());
    assert_eq!(
        seen.last_change(&modules.address("base")),
        Some((ChangeKind::Create, ChangeStatus::Complete))
    );
    assert_eq!(seen.last_change(&modules.address("rest")), Some((ChangeKind::Create, ChangeStatus::Errored)));
    let state = must("what was made before is in the state", seen.state().ok_or(()));
    assert!(String::from_utf8_lossy(&state).contains("base"));
}

/// Sensitive values are in no event but the state and sensitive outputs.
///
/// # Panics
/// If the contract is broken.
pub async fn masks_sensitive_values(runner: &dyn Runner, modules: &dyn Modules) {
    let secret = "tr0ub4dor&\"three\"";
    let mut job = job(Action::Create, modules.leaking(), json!({ "password": secret }));
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
pub async fn stops_when_told(runner: &dyn Runner, modules: &dyn Modules) {
    let notes = Notes::stopping_after(started(modules.address("slow")));
    let (outcome, seen) = played(runner, job(Action::Create, modules.hanging(), json!({})), notes).await;
    assert_eq!(outcome, RunOutcome::Stopped, "{}", seen.log());
    assert!(seen.state().is_some(), "a stopped run leaves its state: {}", seen.log());

    let refusing = Notes::refusing();
    let (outcome, _) = played(runner, job(Action::Create, modules.hanging(), json!({})), refusing).await;
    assert_eq!(outcome, RunOutcome::Stopped, "a run whose reports are refused stops");
}

/// A run that is given less time than it takes ends as timed out. Not for a runner without a clock, such as
/// [`ScriptedRunner`](crate::memory::ScriptedRunner).
///
/// # Panics
/// If the contract is broken.
pub async fn ends_at_the_time_limit(runner: &dyn Runner, modules: &dyn Modules) {
    let limits = RunLimits::of(Duration::from_secs(3));
    let job = RunJob { limits, ..job(Action::Create, modules.hanging(), json!({})) };
    let (outcome, seen) = played(runner, job, Notes::default()).await;
    assert_eq!(outcome, RunOutcome::Timeout, "{}", seen.log());
    assert!(!seen.diagnostics().is_empty(), "a diagnostic says so: {}", seen.log());
}

/// The log has every line once, in the order in which the module prints them.
///
/// # Panics
/// If the contract is broken.
pub async fn logs_in_order(runner: &dyn Runner, modules: &dyn Modules) {
    let (outcome, seen) =
        played(runner, job(Action::Create, modules.chatty(), json!({})), Notes::default()).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", seen.log());
    assert_eq!(entries(&seen), (1..=200).collect::<Vec<u32>>());
}

/// What a process leaves that is killed in the middle of a run: its newest complete state was reported or is salvaged,
/// and once it is cleared, nothing is left.
///
/// # Panics
/// If the contract is broken.
pub async fn survives_a_crash(runner: &dyn Runner, modules: &dyn Modules) {
    let job = job(Action::Create, modules.hanging(), json!({}));
    let run = job.run;
    let notes = Notes::dropping_after(started(modules.address("slow")));
    dropped(runner, job, &notes).await;
    let salvaged = must("what is left can be salvaged", runner.salvage(run).await);
    let newest = must("no state is lost", salvaged.or(notes.state()).ok_or(()));
    assert!(String::from_utf8_lossy(&newest).contains("quick"), "what was made is in the state");
    must("what is left can be cleared", runner.clear().await);
    assert_eq!(must("nothing is left", runner.salvage(run).await), None);
}

/// A run whose process is gone is followed to its end by the next one, which reports all of it again: every line that was
/// told before, then those that were not. Only for engines that outlive the process that started them; `next` is the
/// runner of the next process.
///
/// # Panics
/// If the contract is broken.
pub async fn carries_on(runner: &dyn Runner, next: &dyn Runner, modules: &dyn Modules) {
    let job = || job(Action::Create, modules.lingering(), json!({}));
    let first = job();
    let again = RunJob { run: first.run, deployment: first.deployment, ..job() };
    let (run, deployment) = (first.run, first.deployment);
    let third: Event = Box::new(|event| matches!(event, RunEvent::Log(text) if text.contains("entry 3;")));
    let notes = Notes::dropping_after(third);
    dropped(runner, first, &notes).await;
    assert!(must("it is known", next.continues(run).await), "the engine goes on");
    assert!(!must("it is known", next.continues(RunId::new()).await), "another run does not");
    must("what goes on is not cleared", next.clear().await);
    let (outcome, seen) = played(next, again, Notes::default()).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", seen.log());
    assert!(seen.log().starts_with(&notes.log()), "{}\n---\n{}", notes.log(), seen.log());
    assert_eq!(entries(&seen), (1..=8).collect::<Vec<u32>>(), "each line is there once: one engine did it");
    assert_eq!(seen.steps(), [Step::Init, Step::Plan, Step::Apply]);
    let expected = Output { name: "done".into(), sensitive: false, value: json!(true) };
    assert_eq!(seen.outputs(), [expected]);

    let delete = RunJob { deployment, state: seen.state(), ..job() };
    let (outcome, seen) = played(next, RunJob { action: Action::Delete, ..delete }, Notes::default()).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", seen.log());
}

const LIMIT: Duration = Duration::from_secs(60);

fn job(action: Action, source: SourceTree, values: Value) -> RunJob {
    let values: Values = must("values are an object", serde_json::from_value(values));
    RunJob {
        run: RunId::new(),
        deployment: DeploymentId::new(),
        action,
        source,
        values,
        sensitive: Vec::new(),
        state: None,
        consent: Consent::Everything,
        limits: RunLimits::of(LIMIT),
    }
}

async fn played(runner: &dyn Runner, job: RunJob, notes: Notes) -> (RunOutcome, Notes) {
    let outcome = must("a run of a module is no error", runner.run(job, &notes).await);
    (outcome, notes)
}

/// Plays a job up to an event, and drops it there as a process does that is killed.
async fn dropped(runner: &dyn Runner, job: RunJob, notes: &Notes) {
    let mut run = runner.run(job, notes);
    let mut told = pin!(notes.dropped());
    let ended = poll_fn(|context| match run.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => told.as_mut().poll(context).map(|()| None),
    });
    let ended = ended.await;
    assert!(ended.is_none(), "the run ended before it was dropped, {ended:?}: {}", notes.log());
}

/// The event with which the change of a resource begins.
fn started(address: String) -> Event {
    Box::new(move |event| {
        matches!(event, RunEvent::Resource(progress)
            if progress.address == address && progress.status == ChangeStatus::Started)
    })
}

/// The numbers of the entries in a log, in its order.
fn entries(seen: &Notes) -> Vec<u32> {
    let log = seen.log();
    let lines = log.lines().filter_map(|line| line.split_once("entry ")?.1.split_once(';')?.0.parse().ok());
    lines.collect()
}
