//! One run of the engine: initialise, plan, apply, and a way out of each.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rad_core::error::BackendError;
use rad_core::runner::{Diagnostic, Engine, RunJob, RunObserver, RunOutcome, RunnerError, Step};
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::cgroup::{Cgroups, RunGroup};
use super::config::TerraformConfig;
use super::credentials::Granted;
use super::engine::init_speaks_json;
use super::gate::{Admission, Waiting};
use super::guard::{Breach, Guard};
use super::launcher::Launcher;
use super::layout::{ERRORED_STATE, declared};
use super::process::Process;
use super::report::{Report, words};
use super::sandbox::{CacheAccess, Sandbox};
use super::state::{State, StateFile};
use super::workspace::{EPHEMERAL, LayoutError, Room, STATE, VALUES, Workspace};

/// How often the state file is looked at.
const STATE_WATCH: Duration = Duration::from_millis(100);

/// How long lines may still come once the engine has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long an engine may take to end that went over a limit.
const BREACH_GRACE: Duration = Duration::from_secs(2);

/// The name of the plan in [`Room::State`].
const PLAN: &str = "plan.out";

/// What all runs of a runner share.
pub(super) struct Shared<'a> {
    pub(super) config: &'a TerraformConfig,
    pub(super) engine: &'a Engine,
    pub(super) sandbox: &'a Sandbox,
    pub(super) cgroups: &'a Cgroups,
    pub(super) launcher: &'a Launcher,
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
    group: Arc<RunGroup>,
    guard: Guard,
    /// The engine of the next step, where it waits already.
    next: Option<Waiting>,
    deadline: Instant,
    /// Why the run has to stop before its end.
    ending: Option<Ending>,
}

/// Why a run has to stop before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It was told to.
    Told,
    /// The time is up of what is named here, which had this much.
    Time(&'static str, Duration),
    /// It went over a limit.
    Limit(Breach),
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StepEnd {
    Done,
    Failed,
}

impl<'a> Session<'a> {
    /// Lays out a run's directory. `Err(outcome)` within if the module cannot be run.
    pub(super) async fn begin(
        shared: Shared<'a>,
        job: &'a RunJob,
        granted: &Granted,
        observer: &'a dyn RunObserver,
        workspace: &'a Workspace,
    ) -> Result<Result<Self, RunOutcome>, RunnerError> {
        let mut report = Report::new(job, observer, shared.config.log_limit);
        granted.secrets().for_each(|secret| report.hide(secret));
        let laid_out = lay_out(workspace, job, shared.sandbox).and_then(|()| {
            let inside = shared.sandbox.inside(workspace, Room::Inputs);
            Ok(workspace.write_credentials(granted, &inside)?)
        });
        match laid_out {
            Ok(()) => {}
            Err(LayoutError::Module(diagnostic)) => {
                report.diagnose(diagnostic).await;
                return Ok(Err(RunOutcome::Failure));
            }
            Err(LayoutError::Io(error)) => return Err(machinery("laying out a run's directory", error)),
        }
        let state = StateFile::in_directory(&workspace.path(Room::State), STATE)
            .map_err(|error| machinery("opening a run's directory", error))?;
        let limits = shared.config.limits;
        let group = shared.cgroups.group(job.run, &limits);
        let group = Arc::new(group.map_err(|error| machinery("making a run's control group", error))?);
        let guard = Guard::start(workspace.root().to_owned(), &group, limits);
        let deadline = Instant::now() + job.limits.whole;
        Ok(Ok(Self {
            shared,
            job,
            observer,
            workspace,
            report,
            state,
            group,
            guard,
            next: None,
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
            if self.report.refused().is_some() {
                self.ending.get_or_insert(Ending::Told);
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
                self.report.explain(&self.shared.engine.name, step).await;
                return self.end(RunOutcome::Failure).await;
            }
            if step == Step::Apply {
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
            Some(Ending::Told) | None => {
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
        let _filling = match self.shared.config.plugin_cache {
            Some(_) => Some(cache.lock().await),
            None => None,
        };
        let end = self.step(Step::Init).await?;
        if end == StepEnd::Done && !self.keeps_state_here()? {
            let summary = "The module keeps its state elsewhere";
            let detail = "Its files override the backend under which the platform keeps the state. Remove the backend \
                          or cloud block from the module's override files.";
            self.report.diagnose(Diagnostic::error(summary, detail)).await;
            return Ok(StepEnd::Failed);
        }
        Ok(end)
    }

    /// Whether the engine was initialised with the platform's backend.
    fn keeps_state_here(&self) -> Result<bool, RunnerError> {
        let reading = |error| machinery("reading what the engine was initialised with", error);
        let file = StateFile::in_directory(&self.workspace.path(Room::Data), STATE).map_err(reading)?;
        let Some((_, content)) = file.content().map_err(reading)? else {
            return Ok(false);
        };
        let settings: Value = serde_json::from_slice(&content).unwrap_or_default();
        let path = self.shared.sandbox.inside(self.workspace, Room::State).join(STATE);
        let backend = &settings["backend"];
        Ok(backend["type"] == "local" && backend["config"]["path"].as_str().map(Path::new) == Some(&path))
    }

    /// Runs one step of the engine and takes what it reports.
    async fn step(&mut self, step: Step) -> Result<StepEnd, RunnerError> {
        if self.ending.is_some() {
            return Ok(StepEnd::Failed);
        }
        let sandbox = self.shared.sandbox;
        let group = Arc::clone(&self.group);
        let admission = Admission {
            launcher: self.shared.launcher,
            limits: &sandbox.process_limits,
            group: Some(&group),
            carrier: sandbox.carrier.as_ref(),
            scratch: self.workspace.root(),
        };
        let starting = |error| machinery("starting the engine", error);
        let waiting = match self.next.take() {
            Some(waiting) => waiting,
            None => admission.wait(self.command(step)).await.map_err(starting)?,
        };
        let (mut process, mut lines) = Process::start(waiting, sandbox.isolates()).await.map_err(starting)?;
        // The next step comes to its gate while this one is at work.
        let next = following(step).map(|next| self.command(next));
        let mut coming = pin!(async {
            match next {
                Some(next) => admission.wait(next).await.ok(),
                None => None,
            }
        });
        let mut came = false;
        let observer = self.observer;
        let mut told = pin!(observer.stop());
        let mut ticks = interval(STATE_WATCH);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (time_is_up, out_of_time) = self.time_of(step);
        let mut kill_at = None;
        let mut open = true;
        let status = loop {
            tokio::select! {
                line = lines.recv(), if open => match line {
                    Some(line) => self.report.line(&line, step).await,
                    None => open = false,
                },
                status = process.ended() => break status,
                waiting = &mut coming, if !came => {
                    came = true;
                    self.next = waiting;
                }
                _ = ticks.tick() => self.save_state().await?,
                _ = &mut told, if self.ending.is_none() => self.ending = Some(Ending::Told),
                breach = self.guard.breach(), if self.ending.is_none() => self.ending = Some(Ending::Limit(breach)),
                () = sleep_until(time_is_up), if self.ending.is_none() => self.ending = Some(out_of_time),
                () = sleep_until(kill_at.unwrap_or(self.deadline)), if kill_at.is_some() => {
                    process.kill();
                    kill_at = Some(Instant::now() + LAST_WORDS);
                }
            }
            if self.report.refused().is_some() {
                self.ending.get_or_insert(Ending::Told);
            }
            if let (Some(ending), None) = (self.ending, kill_at) {
                process.interrupt();
                kill_at = Some(Instant::now() + self.grace_of(ending));
            }
        };
        let status = status.map_err(|error| machinery("waiting for the engine", error))?;
        while let Ok(Some(line)) = timeout(LAST_WORDS, lines.recv()).await {
            self.report.line(&line, step).await;
        }
        Ok(if status.success() { StepEnd::Done } else { StepEnd::Failed })
    }

    /// When the time of a step that begins now is up, and how the run ends then.
    fn time_of(&self, step: Step) -> (Instant, Ending) {
        let limit = self.job.limits.of_step(step);
        let step_ends = Instant::now() + limit;
        match step_ends < self.deadline {
            true => (step_ends, Ending::Time(words(step), limit)),
            false => (self.deadline, Ending::Time("run", self.job.limits.whole)),
        }
    }

    /// How long the engine may take to stop.
    fn grace_of(&self, ending: Ending) -> Duration {
        let grace = self.shared.config.grace;
        if matches!(ending, Ending::Limit(_)) { grace.min(BREACH_GRACE) } else { grace }
    }

    fn command(&self, step: Step) -> Command {
        let access = if step == Step::Init { CacheAccess::Write } else { CacheAccess::Read };
        self.shared.sandbox.engine(self.workspace, access, self.arguments(step))
    }

    fn arguments(&self, step: Step) -> Vec<OsString> {
        let inside = |room| self.shared.sandbox.inside(self.workspace, room);
        let file = |flag: &str, room, name: &str| {
            let mut argument = OsString::from(flag);
            argument.push(inside(room).join(name));
            argument
        };
        let mut arguments: Vec<OsString> = match step {
            Step::Init => vec!["init".into()],
            Step::Plan => vec!["plan".into(), "-json".into(), "-lock=false".into()],
            _ => vec!["apply".into(), "-json".into(), "-lock=false".into()],
        };
        arguments.extend(["-input=false".into(), "-no-color".into()]);
        match step {
            Step::Init if init_speaks_json(self.shared.engine) => arguments.push("-json".into()),
            Step::Init => {}
            Step::Plan => {
                arguments.push(file("-var-file=", Room::Inputs, VALUES));
                arguments.push(file("-out=", Room::State, PLAN));
                if self.job.action.destroys() {
                    arguments.push("-destroy".into());
                }
            }
            _ => {
                if self.workspace.path(Room::Inputs).join(EPHEMERAL).exists() {
                    arguments.push(file("-var-file=", Room::Inputs, EPHEMERAL));
                }
                arguments.push(file("", Room::State, PLAN));
            }
        }
        arguments
    }

    async fn save_state(&mut self) -> Result<(), BackendError> {
        if let Some(state) = self.state.changed().await? {
            self.report.state(state).await;
        }
        Ok(())
    }

    /// Reports what there is at the end: the last state, from where the engine had to leave it if need be, and the
    /// outputs.
    async fn end(&mut self, outcome: RunOutcome) -> Result<RunOutcome, RunnerError> {
        if let Some(waiting) = self.next.take() {
            waiting.send_away().await;
        }
        self.save_state().await?;
        if let Some(state) = errored_state(self.workspace)? {
            let serial = |state: &[u8]| State::parse(state).map(|state| state.serial());
            if serial(&state) >= self.report.last_state().and_then(|last| serial(last)) {
                self.report.log("The state that could not be written to its place was recovered.").await;
                self.report.state(state).await;
            }
        }
        if outcome == RunOutcome::Success {
            let state = self.report.last_state().and_then(|state| State::parse(state));
            let outputs = match self.job.action.destroys() {
                false => state.map(State::outputs).unwrap_or_default(),
                true => Vec::new(),
            };
            self.report.outputs(outputs).await;
        }
        Ok(outcome)
    }
}

/// The state that the engine left in the module's directory because it could not write it to its place.
pub(super) fn errored_state(workspace: &Workspace) -> Result<Option<bytes::Bytes>, RunnerError> {
    StateFile::in_directory(&workspace.path(Room::Module), ERRORED_STATE)
        .and_then(|mut file| file.read())
        .map_err(|error| machinery("reading a state that could not be written to its place", error))
}

/// Makes the run's directory with all the engine needs.
fn lay_out(workspace: &Workspace, job: &RunJob, sandbox: &Sandbox) -> Result<(), LayoutError> {
    workspace.create()?;
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

fn following(step: Step) -> Option<Step> {
    match step {
        Step::Init => Some(Step::Plan),
        Step::Plan => Some(Step::Apply),
        _ => None,
    }
}

pub(super) fn machinery(during: &'static str, error: io::Error) -> RunnerError {
    BackendError::permanent(during, error).into()
}
