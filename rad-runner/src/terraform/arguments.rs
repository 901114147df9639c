//! What the engine is told in each step.

use std::path::PathBuf;

use rad_core::runner::{Action, Engine, Step};

use super::engine::init_speaks_json;
use super::workspace::{EPHEMERAL, Room, VALUES};

/// The name of the plan in [`Room::State`].
const PLAN: &str = "plan.out";

/// The arguments of a step; `inside` says where a run finds its directories, `ephemeral` whether it has ephemeral values.
pub(super) fn of(
    step: Step,
    engine: &Engine,
    inside: &dyn Fn(Room) -> PathBuf,
    action: Action,
    ephemeral: bool,
) -> Vec<String> {
    let file = |flag: &str, room, name: &str| format!("{flag}{}", inside(room).join(name).display());
    let mut arguments: Vec<String> = match step {
        Step::Init => vec!["init".into()],
        Step::Plan => vec!["plan".into(), "-json".into(), "-lock=false".into()],
        _ => vec!["apply".into(), "-json".into(), "-lock=false".into()],
    };
    arguments.extend(["-input=false".into(), "-no-color".into()]);
    match step {
        Step::Init if init_speaks_json(engine) => arguments.push("-json".into()),
        Step::Init => {}
        Step::Plan => {
            arguments.push(file("-var-file=", Room::Inputs, VALUES));
            arguments.push(file("-out=", Room::State, PLAN));
            arguments.extend(plan_mode(action).map(str::to_owned));
        }
        _ => {
            if ephemeral {
                arguments.push(file("-var-file=", Room::Inputs, EPHEMERAL));
            }
            arguments.push(file("", Room::State, PLAN));
        }
    }
    arguments
}

/// Which kind of plan an action wants of the engine, where it is not the usual one.
pub(super) fn plan_mode(action: Action) -> Option<&'static str> {
    match action {
        Action::Check => Some("-refresh-only"),
        action => action.destroys().then_some("-destroy"),
    }
}

/// The arguments with which the engine shows the plan that it made.
pub(super) fn of_showing(inside: &dyn Fn(Room) -> PathBuf) -> Vec<String> {
    let plan = inside(Room::State).join(PLAN).display().to_string();
    vec!["show".into(), "-json".into(), "-no-color".into(), plan]
}
