//! One run of the engine: initialise, plan, apply, and a way out of each.

mod step;

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rad_core::error::BackendError;
use rad_core::runner::{Diagnostic, RunJob, RunObserver, RunOutcome, RunnerError, Step, StopReason};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::Ready;
use super::carrier::Connection;
use super::cgroup::RunGroup;
use super::config::TerraformConfig;
use super::credentials::Granted;
use super::gate::Waiting;
use super::guard::{Breach, Guard};
use super::layout::{ELSEWHERE, declared};
use super::leftover::errored_state;
use super::report::Report;
use super::sandbox::{CacheAccess, Sandbox};
use super::standby::Standby;
use super::state::{State, StateFile};
use super::workspace::{EPHEMERAL, LayoutError, Room, STATE, VALUES, Workspace};

/// How long a run waits for the cache of providers: who fills it may take as long as an initialisation may, and a module can see to
/// it that it does.
const CACHE_WAIT: Duration = Duration::from_secs(10);

/// What all runs of a runner share.
pub(super) struct Shared<'a> {
    pub(super) config: &'a TerraformConfig,
    pub(super) ready: &'a Ready,
    /// Held while the cache of providers is filled: engines do not do that side by side.
    pub(super) cache: &'a Mutex<()>,
}

/// A run that goes on.
pub(super) struct Session<'a> {
    shared: Shared<'a>,
    job: &'a RunJob,
    observer: &'a dyn RunObserver,
    workspace: &'a Workspace,
    report: Report<'a>,
    state: StateFile,
    /// The engines of the next steps that wait already.
    waiting: VecDeque<Waiting>,
    connection: Option<Connection>,
    group: Arc<RunGroup>,
    guard: Guard,
    deadline: Instant,
    /// Why the run has to stop before its end.
    ending: Option<Ending>,
}

/// Why a run has to stop before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It was told to.
    Told,
    /// Its lease is lost: another process may end the run at any moment.
    Lost,
    /// The time is up of what is named here, which had this much.
    Time(&'static str, Duration),
    /// It went over a limit.
    Limit(Breach),
}

impl Ending {
    fn of(reason: StopReason) -> Self {
        if reason == StopReason::LeaseLost { Self::Lost } else { Self::Told }
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StepEnd {
    Done,
    Failed,
}

impl<'a> Session<'a> {
    /// Lays out the directory that was claimed for a run. `Err(outcome)` within if the module cannot be run.
    pub(super) async fn begin(
        shared: Shared<'a>,
        job: &'a RunJob,
        granted: &Granted,
        observer: &'a dyn RunObserver,
        (standby, workspace): (Standby, &'a Workspace),
    ) -> Result<Result<Self, RunOutcome>, RunnerError> {
        let mut report = Report::new(job, observer, shared.config.log_limit);
        granted.secrets().for_each(|secret| report.hide(secret));
        let sandbox = &shared.ready.sandbox;
        let laid_out = lay_out(workspace, job, sandbox).and_then(|()| {
            let inside = sandbox.inside(workspace, Room::Inputs);
            Ok(workspace.write_credentials(granted, &inside)?)
        });
        match laid_out {
            Ok(()) => {}
            Err(LayoutError::Module(diagnostic)) => {
                report.diagnose(diagnostic).await;
                standby.send_away().await;
                return Ok(Err(RunOutcome::Failure));
            }
            Err(LayoutError::Io(error)) => return Err(machinery("laying out a run's directory", error)),
        }
        let state = StateFile::in_directory(&workspace.path(Room::State), STATE)
            .map_err(|error| machinery("opening a run's directory", error))?;
        let Standby { waiting, connection, group, .. } = standby;
        let guard = Guard::start(workspace.root().to_owned(), &group, shared.config.limits);
        let deadline = Instant::now() + job.limits.whole;
        Ok(Ok(Self {
            shared,
            job,
            observer,
            workspace,
            report,
            state,
            waiting,
            connection,
            group,
            guard,
            deadline,
            ending: None,
        }))
    }

    /// Carries the run to its end.
    pub(super) async fn run(mut self) -> Result<RunOutcome, RunnerError> {
        // What was put there is no news.
        self.state.changed().await?;
        for step in [Step::Init, Step::Plan, Step::Apply] {
            self.report.step(step).await;
            if let Some(reason) = self.report.refused() {
                self.ending.get_or_insert(Ending::of(reason));
            }
            let end = match step {
                Step::Init => self.initialise().await?,
                _ => self.step(step).await?,
            };
            self.save_state().await?;
            if self.ending.is_some() && !(step == Step::Apply && end == StepEnd::Done) {
                break;
            }
            if end == StepEnd::Failed {
                self.explain_by_limits().await;
                self.report.explain(&self.shared.ready.engine.name, step).await;
                return self.end(RunOutcome::Failure).await;
            }
            if step == Step::Apply {
                return self.end(RunOutcome::Success).await;
            }
            if step == Step::Plan && !self.job.action.applies() {
                let attributes = self.drifted_attributes().await?;
                self.report.drift(attributes).await;
                return self.end(RunOutcome::Success).await;
            }
            if step == Step::Plan
                && let Some(refused) = self.report.plan(&self.job.consent).await
            {
                return self.end(refused).await;
            }
        }
        let outcome = match self.ending {
            Some(Ending::Time(of, limit)) => {
                self.report.out_of_time(of, limit).await;
                self.explain_by_limits().await;
                RunOutcome::Timeout
            }
            Some(Ending::Limit(breach)) => {
                self.report.diagnose(breach.diagnostic(&self.shared.config.limits)).await;
                RunOutcome::Failure
            }
            Some(Ending::Told | Ending::Lost) | None => {
                self.report.log("The run was stopped.").await;
                RunOutcome::Stopped
            }
        };
        self.end(outcome).await
    }

    /// Says so if a run may have failed because the kernel ended or refused a process of it.
    async fn explain_by_limits(&mut self) {
        let breaches = [
            (self.group.ran_out_of_memory(), Breach::Memory),
            (self.group.ran_out_of_processes(), Breach::Processes),
        ];
        for (_, breach) in breaches.into_iter().filter(|(happened, _)| *happened) {
            self.report.diagnose(breach.diagnostic(&self.shared.config.limits)).await;
        }
    }

    async fn initialise(&mut self) -> Result<StepEnd, RunnerError> {
        let cache = self.shared.cache;
        let filling = match self.shared.config.plugin_cache {
            Some(_) => Some(timeout(CACHE_WAIT, cache.lock()).await),
            None => None,
        };
        if let Some(Err(_)) = filling {
            self.go_without_cache().await?;
        }
        let end = self.step(Step::Init).await?;
        if end == StepEnd::Done && !self.keeps_state_here()? {
            let (summary, detail) = ELSEWHERE;
            self.report.diagnose(Diagnostic::error(summary, detail)).await;
            return Ok(StepEnd::Failed);
        }
        Ok(end)
    }

    /// Has the initialisation take providers for this run alone.
    async fn go_without_cache(&mut self) -> Result<(), RunnerError> {
        self.report.log("Other runs are still fetching their providers: this one fetches its own.").await;
        // It was made for the cache.
        if let Some(waiting) = self.waiting.pop_front() {
            waiting.send_away().await;
        }
        let ready = self.shared.ready;
        let command = ready.sandbox.engine(self.workspace, self.connection.as_ref(), CacheAccess::Without);
        let waiting = ready.admission(&self.group).wait(command).await;
        self.waiting.push_front(waiting.map_err(|error| machinery("starting the engine", error))?);
        Ok(())
    }

    /// Whether the engine was initialised with the platform's backend.
    fn keeps_state_here(&self) -> Result<bool, RunnerError> {
        let reading = |error| machinery("reading what the engine was initialised with", error);
        let file = StateFile::in_directory(&self.workspace.path(Room::Data), STATE).map_err(reading)?;
        let Some((_, content)) = file.content().map_err(reading)? else {
            return Ok(false);
        };
        let settings: Value = serde_json::from_slice(&content).unwrap_or_default();
        let path = self.shared.ready.sandbox.inside(self.workspace, Room::State).join(STATE);
        let backend = &settings["backend"];
        Ok(backend["type"] == "local" && backend["config"]["path"].as_str().map(Path::new) == Some(&path))
    }

    /// Whether the engine had something to write a state of.
    fn should_have_state(&self, outcome: RunOutcome) -> bool {
        match outcome {
            RunOutcome::Success => self.report.planned_changes(),
            _ => self.report.began_changes(),
        }
    }

    fn has_state(&self) -> Result<bool, RunnerError> {
        self.state.is_there().map_err(|error| machinery("looking for the state that was written", error))
    }

    async fn save_state(&mut self) -> Result<(), BackendError> {
        // A check writes none, whatever its module does to the file.
        if let Some(state) = self.state.changed().await?
            && self.job.action.applies()
        {
            self.report.state(state).await;
        }
        Ok(())
    }

    /// Reports what there is at the end: the last state, from where the engine had to leave it if need be, and the
    /// outputs.
    async fn end(&mut self, mut outcome: RunOutcome) -> Result<RunOutcome, RunnerError> {
        for waiting in self.waiting.drain(..) {
            waiting.send_away().await;
        }
        self.save_state().await?;
        if !self.job.action.applies() {
            return Ok(outcome);
        }
        if let Some(state) = errored_state(self.workspace)?
            && State::serial_of(&state) >= self.report.last_state().and_then(|last| State::serial_of(last))
        {
            self.report.log("The state that could not be written to its place was recovered.").await;
            self.report.state(state).await;
        } else if self.should_have_state(outcome) && !self.has_state()? {
            // The engine passes over it in silence where module code put something else in the file's place.
            self.report.diagnose(Diagnostic::error(NO_STATE.0, NO_STATE.1)).await;
            if outcome == RunOutcome::Success {
                outcome = RunOutcome::Failure;
            }
        }
        if outcome == RunOutcome::Success {
            self.report.outputs(self.job.action).await;
        }
        Ok(outcome)
    }
}

/// What a run is told whose engine left no state.
const NO_STATE: (&str, &str) = (
    "Changes were applied and their state was lost",
    "There is no complete state in the file that the platform gave the engine. A program that the module runs put something \
     else in its place, or the engine was ended before it wrote one: remove such a program from the module, and look \
     yourself for what the run made.",
);

/// Fills the run's directory with all the engine needs.
fn lay_out(workspace: &Workspace, job: &RunJob, sandbox: &Sandbox) -> Result<(), LayoutError> {
    workspace.unpack(&job.source, &sandbox.inside(workspace, Room::State).join(STATE))?;
    let (values, ephemeral) = declared(job);
    workspace.write_values(VALUES, &values)?;
    if !ephemeral.is_empty() {
        workspace.write_values(EPHEMERAL, &ephemeral)?;
    }
    if let Some(state) = &job.state {
        workspace.write(Room::State, STATE, state)?;
    }
    Ok(())
}

pub(super) fn machinery(during: &'static str, error: io::Error) -> RunnerError {
    BackendError::permanent(during, error).into()
}
