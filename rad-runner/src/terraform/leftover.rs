//! The states that lie in a run's directory, whoever looks for them.

use bytes::Bytes;
use rad_core::runner::RunnerError;

use super::layout::ERRORED_STATE;
use super::session::machinery;
use super::state::{State, StateFile};
use super::workspace::{Room, STATE, Workspace};

/// The newest complete state in a run's directory.
pub(super) fn newest_state(workspace: &Workspace) -> Result<Option<Bytes>, RunnerError> {
    if !workspace.path(Room::State).is_dir() {
        return Ok(None);
    }
    let written = StateFile::in_directory(&workspace.path(Room::State), STATE)
        .and_then(|mut file| file.read())
        .map_err(|error| machinery("reading a state that was left behind", error))?;
    let states = [written, errored_state(workspace)?].into_iter().flatten();
    Ok(states.max_by_key(|state| State::serial_of(state)))
}

/// The state that the engine left in the module's directory because it could not write it to its place.
pub(super) fn errored_state(workspace: &Workspace) -> Result<Option<Bytes>, RunnerError> {
    StateFile::in_directory(&workspace.path(Room::Module), ERRORED_STATE)
        .and_then(|mut file| file.read())
        .map_err(|error| machinery("reading a state that could not be written to its place", error))
}
