//! Checks for drift. What of them is the real engine's is run with it; no provider that drifts comes with it, so that the drift
//! itself is played: lines and a plan as Terraform 1.11.4 wrote them of the provider hashicorp/aws, with other names.

use rad_core::conformance::runner::{self as contract, TerraformModules};
use rad_core::runner::{Action, ChangeKind, RunJob, RunOutcome};
use serde_json::json;

use crate::support::{Notes, copy, job, nothing_left, play, runner, runner_behind};

/// Plays what the engine says of a module that drifted, once its own refresh-only plan is made.
const DRIFTING: &str = r#"
case "$1 $*" in
"plan "*" -refresh-only"*)
    "$real" "$@" | grep -v '"type":"change_summary"' || exit 1
    cat <<'END'
{"@level":"info","@message":"terraform_data.changed: Drift detected (update)","@module":"terraform.ui","@timestamp":"2026-11-21T23:33:04.881736Z","change":{"resource":{"addr":"terraform_data.changed","module":"","resource":"terraform_data.changed","implied_provider":"terraform","resource_type":"terraform_data","resource_name":"changed","resource_key":null},"action":"update"},"type":"resource_drift"}
{"@level":"info","@message":"terraform_data.gone: Drift detected (delete)","@module":"terraform.ui","@timestamp":"2026-11-21T23:33:04.881642Z","change":{"resource":{"addr":"terraform_data.gone","module":"","resource":"terraform_data.gone","implied_provider":"terraform","resource_type":"terraform_data","resource_name":"gone","resource_key":null},"action":"delete"},"type":"resource_drift"}
{"@level":"info","@message":"terraform_data.kept: Drift detected (move)","@module":"terraform.ui","@timestamp":"2026-11-21T23:33:04.881650Z","change":{"resource":{"addr":"terraform_data.kept","module":"","resource":"terraform_data.kept","implied_provider":"terraform","resource_type":"terraform_data","resource_name":"kept","resource_key":null},"action":"move"},"type":"resource_drift"}
{"@level":"info","@message":"Plan: 0 to add, 0 to change, 0 to destroy.","@module":"terraform.ui","@timestamp":"2026-11-21T23:33:04.881754Z","changes":{"add":0,"change":0,"import":0,"remove":0,"operation":"plan"},"type":"change_summary"}
END
    exit 0
    ;;
"show "*)
    [ -n "$("$real" "$@")" ] || exit 1
    cat <<'END'
{"format_version":"1.2","terraform_version":"1.11.4","resource_drift":[{"address":"terraform_data.gone","change":{"actions":["delete"],"before":{"size":1},"after":null,"before_sensitive":{},"after_sensitive":false}},{"address":"terraform_data.changed","change":{"actions":["update"],"before":{"key":"tr0ub4dor","size":1,"tags":null},"after":{"key":"c0rrect-h0rse","size":2,"tags":{}},"before_sensitive":{"key":true},"after_sensitive":{"key":true}}}]}
END
    exit 0
    ;;
esac
"#;

#[tokio::test]
async fn finds_no_drift() {
    let (root, runner) = runner().await;
    contract::finds_no_drift(&runner, &TerraformModules).await;
    assert!(nothing_left(root.path()).await, "a check leaves nothing on the disk");
}

#[tokio::test]
async fn finds_drift() {
    let (_root, runner) = runner_behind(DRIFTING).await;
    contract::finds_drift(&runner, &TerraformModules).await;
}

#[tokio::test]
async fn what_drifted_is_told_by_attribute_and_without_secrets() {
    let secret = "a-s1ze-nob0dy-kn0ws";
    let script = DRIFTING.replace("\"size\":2", &format!("\"size\":\"{secret}\""));
    let (_root, runner) = runner_behind(&script).await;
    let mut job =
        job("resource \"terraform_data\" \"changed\" {}\nvariable \"size\" {}", json!({ "size": secret }));
    job.sensitive = vec!["size".to_owned()];
    let (outcome, made) = play(&runner, copy(&job)).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", made.log());
    let check = RunJob { action: Action::Check, state: made.states().pop(), ..copy(&job) };
    let (outcome, seen) = play(&runner, check).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", seen.log());
    let drift = seen.drift();
    assert_eq!(
        drift.iter().map(|one| one.change).collect::<Vec<_>>(),
        [ChangeKind::Update, ChangeKind::Delete]
    );
    let told = format!("{:?}", seen.events());
    assert!(
        !told.contains("tr0ub4dor") && !told.contains("c0rrect-h0rse") && !told.contains(secret),
        "{told}"
    );
    let size = drift[0].attributes.iter().find(|attribute| attribute.name == "size").unwrap();
    assert_eq!(
        size.is.as_deref(),
        Some("\"(sensitive value)\""),
        "a value of a sensitive variable is masked: {size:?}"
    );
    assert!(seen.log().contains("Drift detected (update)"), "{}", seen.log());
    assert_eq!(seen.states().len(), 0);
}

/// A check of a module that drifted, whose plan is so much longer.
async fn checked_with(more: u32) -> Notes {
    let padding = format!("head -c {more} /dev/zero | tr '\\0' x");
    let plan = format!(
        "printf '{{\"planned_values\":\"'; {padding}; printf '\",'\n    cat <<'END' | tail -c +2\n{{\"format_version\""
    );
    let script = DRIFTING.replace("cat <<'END'\n{\"format_version\"", &plan);
    assert_ne!(script, DRIFTING);
    let (_root, runner) = runner_behind(&script).await;
    let made = job("resource \"terraform_data\" \"changed\" {}", json!({}));
    let (outcome, seen) = play(&runner, copy(&made)).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", seen.log());
    let check = RunJob { action: Action::Check, state: seen.states().pop(), ..copy(&made) };
    let (outcome, seen) = play(&runner, check).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", seen.log());
    assert_eq!(seen.drift().len(), 2);
    seen
}

#[tokio::test]
async fn the_attributes_of_a_large_plan_are_told_and_of_too_large_a_one_it_is_said_that_they_are_not() {
    let large = checked_with(3_000_000).await;
    assert_eq!(large.drift()[0].attributes.len(), 2, "{}", large.log());
    assert!(!large.log().contains("is not told"), "{}", large.log());
    let too_large = checked_with(70_000_000).await;
    assert_eq!(too_large.drift()[0].attributes, []);
    assert!(
        too_large.log().contains("is not told, or not of all: the plan is larger than 64 MiB"),
        "{}",
        too_large.log()
    );
}

#[tokio::test]
async fn a_check_that_fails_says_why_and_writes_no_state() {
    let (_root, runner) = runner().await;
    let module = "variable \"fit\" { default = true }\nresource \"terraform_data\" \"one\" {\n lifecycle {\n \
                  precondition {\n condition = var.fit\n error_message = \"It is not fit.\"\n }\n }\n}\n\
                  data \"terraform_remote_state\" \"none\" {\n count = var.fit ? 0 : 1\n backend = \"local\"\n config = \
                  { path = \"/nowhere\" }\n}";
    let made = job(module, json!({}));
    let (outcome, notes) = play(&runner, copy(&made)).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    let state = notes.states().pop();
    let values = serde_json::from_value(json!({ "fit": false })).unwrap();
    let check = RunJob { action: Action::Check, state, values, ..copy(&made) };
    let (outcome, notes) = play(&runner, check).await;
    assert_eq!(outcome, RunOutcome::Failure, "{}", notes.log());
    assert!(!notes.diagnostics().is_empty(), "{}", notes.log());
    assert_eq!((notes.states().len(), notes.drift().len()), (0, 0));
}
