//! Updates, plans, and what may be taken away.

use bytes::Bytes;
use serde_json::json;

use super::notes::Notes;
use super::{Modules, job, played};
use crate::conformance::must;
use crate::runner::{
    Action, ChangeKind, ChangeStatus, Consent, Output, PlannedChange, RunJob, RunOutcome, Runner, Step,
};

/// An update changes what the values ask for. A plan that takes something away is reported, and applied only as far as the consent
/// of its job goes; what is refused changes nothing.
///
/// # Panics
/// If the contract is broken.
pub async fn asks_before_it_takes_away(runner: &dyn Runner, modules: &dyn Modules) {
    let (keyed, plain) = (modules.address("keyed"), modules.address("plain"));
    let play = async |action, source, state, consent| {
        let job = job(action, source, json!({ "key": if action == Action::Create { "one" } else { "two" } }));
        played(runner, RunJob { state, consent, ..job }, Notes::default()).await
    };
    let create = play(Action::Create, modules.keyed(), None, Consent::Everything).await;
    let made = succeeded(&create);
    assert_eq!(create.1.plan(), [change(&keyed, ChangeKind::Create), change(&plain, ChangeKind::Create)]);
    let known = runner.resources(&made).unwrap_or_default();
    assert!(known.is_empty() || known == [keyed.clone(), plain.clone()], "{known:?}");

    let replaced = change(&keyed, ChangeKind::Replace);
    let gone = change(&plain, ChangeKind::Delete);
    for confirmed in [vec![], vec![gone.clone()]] {
        let (outcome, seen) =
            play(Action::Update, modules.keyed(), Some(made.clone()), Consent::Only(confirmed)).await;
        assert_eq!(outcome, RunOutcome::Unconfirmed, "{}", seen.log());
        assert!(seen.plan().contains(&replaced), "the plan is told: {:?}", seen.plan());
        assert!(!seen.steps().contains(&Step::Apply), "nothing is applied");
        assert!(seen.state().is_none_or(|state| runner.resources(&state) == runner.resources(&made)));
    }
    let update = play(Action::Update, modules.keyed(), Some(made), Consent::Only(vec![replaced])).await;
    let changed = succeeded(&update);
    assert_eq!(update.1.last_change(&keyed), Some((ChangeKind::Replace, ChangeStatus::Complete)));
    let expected = Output { name: "key".into(), sensitive: false, value: json!("two") };
    assert!(
        update.1.outputs().contains(&expected),
        "an update gives the outputs anew: {:?}",
        update.1.outputs()
    );

    let alone = |action, state: Bytes, consent| play(action, modules.keyed_alone(), Some(state), consent);
    let shrunk = alone(Action::Update, changed, Consent::Only(vec![gone])).await;
    assert_eq!(shrunk.1.last_change(&plain), Some((ChangeKind::Delete, ChangeStatus::Complete)));
    let purge = alone(Action::Purge, succeeded(&shrunk), Consent::Everything).await;
    assert_eq!(purge.1.last_change(&keyed), Some((ChangeKind::Delete, ChangeStatus::Complete)));
    let left = runner.resources(&succeeded(&purge)).unwrap_or_default();
    assert!(left.is_empty(), "a purge destroys: {left:?}");
}

/// The state that a run left which succeeded.
#[track_caller]
fn succeeded((outcome, seen): &(RunOutcome, Notes)) -> Bytes {
    assert_eq!(*outcome, RunOutcome::Success, "{}", seen.log());
    must("a run leaves a state", seen.state().ok_or(()))
}

fn change(address: &str, change: ChangeKind) -> PlannedChange {
    PlannedChange { address: address.to_owned(), change }
}
