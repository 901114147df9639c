//! Checks for drift.

use serde_json::json;

use super::notes::Notes;
use super::{Modules, job, played};
use crate::conformance::must;
use crate::runner::{Action, ChangeKind, Drift, DriftedAttribute, RunJob, RunOutcome, Runner, Step};
use crate::source::SourceTree;

/// A check of what is as it was made finds nothing. It ends with the plan, and reports no plan, progress, state or outputs.
///
/// # Panics
/// If the contract is broken.
pub async fn finds_no_drift(runner: &dyn Runner, modules: &dyn Modules) {
    let seen = checked(runner, modules.greeter()).await;
    assert_eq!(seen.drift(), Some(Vec::new()), "{}", seen.log());
    assert!(!seen.log().is_empty(), "the log says so");
}

/// A check finds what was changed and what was taken away behind the platform's back, and says which attributes differ or leaves
/// that out; the values of sensitive ones it leaves out.
///
/// # Panics
/// If the contract is broken.
pub async fn finds_drift(runner: &dyn Runner, modules: &dyn Modules) {
    let seen = checked(runner, modules.drifting()).await;
    let mut found = must("a check reports what it found", seen.drift().ok_or(()));
    found.sort_unstable_by(|one, other| one.address.cmp(&other.address));
    let attributes = found.first().map(|drift| drift.attributes.clone()).unwrap_or_default();
    if !attributes.is_empty() {
        let key = DriftedAttribute { name: "key".into(), was: None, is: None };
        let size = DriftedAttribute { name: "size".into(), was: Some("1".into()), is: Some("2".into()) };
        assert_eq!(attributes, [key, size]);
    }
    let (changed, gone) = (modules.address("changed"), modules.address("gone"));
    let expected = [
        Drift { address: changed, change: ChangeKind::Update, attributes },
        Drift { address: gone, change: ChangeKind::Delete, attributes: Vec::new() },
    ];
    assert_eq!(found, expected, "{}", seen.log());
}

/// What a check of a module tells that was just made.
async fn checked(runner: &dyn Runner, module: SourceTree) -> Notes {
    let create = job(Action::Create, module.clone(), json!({}));
    let deployment = create.deployment;
    let (outcome, seen) = played(runner, create, Notes::default()).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", seen.log());
    let state = must("a create leaves a state", seen.state().ok_or(()));
    let check = RunJob { deployment, state: Some(state), ..job(Action::Check, module, json!({})) };
    let (outcome, seen) = played(runner, check, Notes::default()).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", seen.log());
    assert_eq!(seen.steps(), [Step::Init, Step::Plan], "nothing is applied");
    assert_eq!((seen.state(), seen.plan(), seen.outputs()), (None, Vec::new(), Vec::new()));
    assert_eq!(seen.resources(), [], "nothing is under way");
    seen
}
