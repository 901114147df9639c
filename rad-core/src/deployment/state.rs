//! The state machine of runs, as a table, and what it makes of their deployments.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::runner::Action;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunStatus {
    /// Stored; its credits are not held yet and nobody sees it.
    Pending,
    /// It cannot go on by itself; [`Wait`] says what it waits for. It has no worker.
    Waiting,
    /// Its credits are held; a worker may take it.
    Queued,
    /// A worker has it.
    Working,
    /// All of it was done.
    Success,
    /// The engine refused or failed.
    Failure,
    /// A time limit passed.
    Timeout,
    /// A person stopped it.
    Cancelled,
    /// Its worker was lost; it is not applied again by itself.
    Interrupted,
    /// The platform failed it.
    InternalError,
}

/// What a waiting run waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Wait {
    /// Modules it needs, to be deployed by its owner first; nothing is held.
    Modules,
    /// A person, to confirm what its plan destroys or replaces.
    Confirmation,
}

/// What moves a run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transition {
    /// Modules it needs are missing.
    Park,
    /// Its credits are held or it needs none; what it waited for is there.
    Queue,
    /// A worker took it.
    Lease,
    /// Its plan destroys or replaces what nobody confirmed; the worker lets go of it.
    Ask,
    /// Its worker could not begin it, or has no time for it: it changed nothing, and another attempt is to come.
    GiveBack,
    /// The engine did all of it.
    Succeed,
    /// The engine refused or failed.
    Fail,
    /// A time limit passed.
    TimeOut,
    /// A person stopped it.
    Cancel,
    /// The worker's lease lapsed, or was broken.
    Interrupt,
    /// The platform failed it.
    Break,
}

impl Transition {
    /// Every transition.
    pub const ALL: [Self; 11] = [
        Self::Park,
        Self::Queue,
        Self::Lease,
        Self::Ask,
        Self::GiveBack,
        Self::Succeed,
        Self::Fail,
        Self::TimeOut,
        Self::Cancel,
        Self::Interrupt,
        Self::Break,
    ];

    /// What a worker's transition becomes where a person had asked to cancel the run: one that did not reach an end of its own
    /// is cancelled.
    #[must_use]
    pub const fn after_cancel_was_asked(self) -> Self {
        match self {
            Self::Ask | Self::GiveBack | Self::Interrupt => Self::Cancel,
            other => other,
        }
    }

    /// What ends a run whose place another one takes.
    pub const fn superseding(status: RunStatus) -> Self {
        match status {
            RunStatus::Working => Self::Interrupt,
            _ => Self::Cancel,
        }
    }

    /// What a run waits for once this made it wait.
    pub const fn waits_for(self) -> Option<Wait> {
        match self {
            Self::Park => Some(Wait::Modules),
            Self::Ask => Some(Wait::Confirmation),
            _ => None,
        }
    }
}

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 10] = [
        Self::Pending,
        Self::Waiting,
        Self::Queued,
        Self::Working,
        Self::Success,
        Self::Failure,
        Self::Timeout,
        Self::Cancelled,
        Self::Interrupted,
        Self::InternalError,
    ];

    /// The status after `transition`.
    ///
    /// # Errors
    /// [`IllegalTransition`] where the state machine has no such arrow.
    pub fn after(self, transition: Transition) -> Result<Self, IllegalTransition> {
        self.next(transition).ok_or(IllegalTransition { status: self, transition })
    }

    /// The table. Every pair stands in it: a status or transition that is added must be given its place.
    const fn next(self, transition: Transition) -> Option<Self> {
        use Transition as T;
        match self {
            Self::Pending => match transition {
                T::Park => Some(Self::Waiting),
                T::Queue => Some(Self::Queued),
                T::Cancel => Some(Self::Cancelled),
                T::Break => Some(Self::InternalError),
                T::Lease | T::Ask | T::GiveBack | T::Succeed | T::Fail | T::TimeOut | T::Interrupt => None,
            },
            Self::Waiting => match transition {
                T::Queue => Some(Self::Queued),
                T::Cancel => Some(Self::Cancelled),
                T::Break => Some(Self::InternalError),
                T::Park
                | T::Lease
                | T::Ask
                | T::GiveBack
                | T::Succeed
                | T::Fail
                | T::TimeOut
                | T::Interrupt => None,
            },
            Self::Queued => match transition {
                T::Lease => Some(Self::Working),
                T::Cancel => Some(Self::Cancelled),
                T::Break => Some(Self::InternalError),
                T::Park
                | T::Queue
                | T::Ask
                | T::GiveBack
                | T::Succeed
                | T::Fail
                | T::TimeOut
                | T::Interrupt => None,
            },
            Self::Working => match transition {
                T::Ask => Some(Self::Waiting),
                T::GiveBack => Some(Self::Queued),
                T::Succeed => Some(Self::Success),
                T::Fail => Some(Self::Failure),
                T::TimeOut => Some(Self::Timeout),
                T::Cancel => Some(Self::Cancelled),
                T::Interrupt => Some(Self::Interrupted),
                T::Break => Some(Self::InternalError),
                T::Park | T::Queue | T::Lease => None,
            },
            Self::Success
            | Self::Failure
            | Self::Timeout
            | Self::Cancelled
            | Self::Interrupted
            | Self::InternalError => None,
        }
    }

    /// Whether nothing moves the run on any more.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Waiting | Self::Queued | Self::Working)
    }

    /// The status as people read it, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Working => "working",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::InternalError => "internal error",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An arrow that the state machine of runs does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {status} cannot {transition:?}")]
pub struct IllegalTransition {
    /// Where the run stood.
    pub status: RunStatus,
    /// What was to move it on.
    pub transition: Transition,
}

/// How a deployment stands: what its latest run did to it that was no check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeploymentStatus {
    /// The latest run stands so.
    Run(RunStatus),
    /// It is being destroyed.
    Deleting,
    /// It was destroyed or purged; the record stays until its retention ends.
    Deleted,
}

impl DeploymentStatus {
    /// How a deployment stands whose latest run has this action and status. A purge closes the record however it ends; a check
    /// says nothing of how its deployment stands.
    pub const fn of(action: Action, status: RunStatus) -> Option<Self> {
        Some(match action {
            Action::Create | Action::Update => Self::Run(status),
            Action::Delete => match status {
                RunStatus::Success => Self::Deleted,
                status if status.is_final() => Self::Run(status),
                _ => Self::Deleting,
            },
            Action::Purge if status.is_final() => Self::Deleted,
            Action::Purge => Self::Deleting,
            Action::Check => return None,
        })
    }

    /// The status as people read it, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run(status) => status.as_str(),
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }
}

impl fmt::Display for DeploymentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::sample::select;
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    const ACTIONS: [Action; 5] =
        [Action::Create, Action::Update, Action::Delete, Action::Purge, Action::Check];

    fn ways(status: RunStatus) -> Vec<RunStatus> {
        Transition::ALL.iter().filter_map(|transition| status.after(*transition).ok()).collect()
    }

    #[test]
    fn final_states_have_no_way_out_and_all_others_reach_one_in_a_step() {
        for status in RunStatus::ALL {
            assert_eq!(ways(status).is_empty(), status.is_final(), "{status}");
            for way_out in [RunStatus::InternalError, RunStatus::Cancelled] {
                assert_eq!(ways(status).contains(&way_out), !status.is_final(), "{status}");
            }
        }
    }

    #[test]
    fn every_state_is_reached_from_pending() {
        let mut reached = vec![RunStatus::Pending];
        for index in 0..RunStatus::ALL.len() {
            for next in reached.get(index).map(|status| ways(*status)).unwrap_or_default() {
                if !reached.contains(&next) {
                    reached.push(next);
                }
            }
        }
        for status in RunStatus::ALL {
            assert!(reached.contains(&status), "{status}");
        }
    }

    #[test]
    fn what_a_worker_ends_is_ended_from_working_only() {
        use Transition::{Ask, Fail, GiveBack, Interrupt, Succeed, TimeOut};
        for status in RunStatus::ALL {
            for transition in [Ask, GiveBack, Succeed, Fail, TimeOut, Interrupt] {
                assert_eq!(status.after(transition).is_ok(), status == RunStatus::Working, "{status}");
            }
        }
    }

    proptest! {
        /// Whatever is asked in whatever order: what is refused changes nothing, a run that ended stays ended, one that works was
        /// queued before, and its deployment stands as the law says.
        #[test]
        fn no_sequence_of_transitions_reaches_an_illegal_state(
            asked in vec(select(&Transition::ALL[..]), 0..60),
            action in select(&ACTIONS[..]),
        ) {
            let mut path = vec![RunStatus::Pending];
            for transition in asked {
                let now = path[path.len() - 1];
                match now.after(transition) {
                    Ok(next) => {
                        prop_assert!(!now.is_final(), "{now} is left by {transition:?}");
                        prop_assert_eq!(next == RunStatus::Waiting, transition.waits_for().is_some());
                        path.push(next);
                    }
                    Err(refused) => prop_assert_eq!(refused, IllegalTransition { status: now, transition }),
                }
            }
            for pair in path.windows(2) {
                if pair[1] == RunStatus::Working {
                    prop_assert_eq!(pair[0], RunStatus::Queued);
                }
                if pair[1] == RunStatus::Success {
                    prop_assert_eq!(pair[0], RunStatus::Working);
                }
            }
            let last = path[path.len() - 1];
            let destroys = matches!(action, Action::Delete | Action::Purge);
            let closed = destroys && last == RunStatus::Success || action == Action::Purge && last.is_final();
            let expected = match (closed, destroys && !last.is_final()) {
                (true, _) => DeploymentStatus::Deleted,
                (false, true) => DeploymentStatus::Deleting,
                (false, false) => DeploymentStatus::Run(last),
            };
            let expected = (action != Action::Check).then_some(expected);
            prop_assert_eq!(DeploymentStatus::of(action, last), expected);
        }

        /// However many checks stand among the runs of a deployment and however they end, it stands as without them.
        #[test]
        fn checks_leave_a_deployment_as_it_stands(
            runs in vec((select(&ACTIONS[..]), select(&RunStatus::ALL[..])), 0..20),
        ) {
            let stands = |runs: &mut dyn Iterator<Item = (Action, RunStatus)>| {
                runs.filter_map(|(action, status)| DeploymentStatus::of(action, status)).last()
            };
            let without = runs.iter().copied().filter(|(action, _)| *action != Action::Check);
            prop_assert_eq!(stands(&mut runs.iter().copied()), stands(&mut without.into_iter()));
        }
    }
}
