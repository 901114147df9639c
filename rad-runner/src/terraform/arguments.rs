//! What the engine is told in each step.

use std::path::PathBuf;

use rad_core::runner::{Engine, Step};

use super::engine::init_speaks_json;
use super::workspace::{EPHEMERAL, Room, VALUES};

/// The name of the plan in [`Room::State`].
const PLAN: &str = "plan.out";

/// The arguments of a step; `inside` says where a run finds its directories, `ephemeral` whether it has ephemeral values.
pub(super) fn of(
    step: Step,
    engine: &Engine,
    inside: &dyn Fn(Room) -> PathBuf,
    destroys: bool,
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
            if destroys {
                arguments.push("-destroy".into());
            }
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
