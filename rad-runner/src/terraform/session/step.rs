//! One step of a run: the engine at work, what it says, and its end, in time or before it.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rad_core::runner::{DriftedAttribute, RunnerError, Step};
use tokio::process::Command;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::{Ending, Session, StepEnd, machinery};
use crate::terraform::arguments;
use crate::terraform::drift::{self, Differing, LARGEST_PLAN};
use crate::terraform::gate::Waiting;
use crate::terraform::process::Process;
use crate::terraform::report::words;
use crate::terraform::sandbox::CacheAccess;
use crate::terraform::workspace::{EPHEMERAL, Room};

/// How often the state file is looked at.
const STATE_WATCH: Duration = Duration::from_millis(100);

/// How long lines may still come once the engine has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long the engine may take to show a plan that it made.
const SHOWN_WITHIN: Duration = Duration::from_secs(60);

/// How long an engine may take to end that went over a limit.
const BREACH_GRACE: Duration = Duration::from_secs(2);

impl Session<'_> {
    /// Runs one step of the engine and takes what it reports.
    pub(super) async fn step(&mut self, step: Step) -> Result<StepEnd, RunnerError> {
        if self.ending.is_some() {
            return Ok(StepEnd::Failed);
        }
        let ready = self.shared.ready;
        let group = Arc::clone(&self.group);
        let admission = ready.admission(&group);
        let starting = |error| machinery("starting the engine", error);
        let waiting = self.at_its_gate(step).await.map_err(starting)?;
        let started = Process::start(waiting, &self.arguments(step), ready.sandbox.isolates()).await;
        let (mut process, mut lines) = started.map_err(starting)?;
        // The next step comes to its gate while this one is at work, unless it was made ahead.
        let next = following(step).filter(|_| self.waiting.is_empty()).map(|next| self.command(next));
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
                    self.waiting.extend(waiting);
                }
                _ = ticks.tick() => self.save_state().await?,
                reason = &mut told, if self.ending.is_none() => self.ending = Some(Ending::of(reason)),
                breach = self.guard.breach(), if self.ending.is_none() => self.ending = Some(Ending::Limit(breach)),
                () = sleep_until(time_is_up), if self.ending.is_none() => self.ending = Some(out_of_time),
                () = sleep_until(kill_at.unwrap_or(self.deadline)), if kill_at.is_some() => {
                    process.kill();
                    kill_at = Some(Instant::now() + LAST_WORDS);
                }
            }
            if let Some(reason) = self.report.refused() {
                self.ending.get_or_insert(Ending::of(reason));
            }
            if let (Some(ending), None) = (self.ending, kill_at) {
                process.interrupt();
                kill_at = Some(Instant::now() + self.grace_of(ending));
            }
        };
        let status = status.map_err(|error| machinery("waiting for the engine", error))?;
        if !came && status.success() && self.ending.is_none() {
            self.waiting.extend(coming.await);
        }
        while let Ok(Some(line)) = timeout(LAST_WORDS, lines.recv()).await {
            self.report.line(&line, step).await;
        }
        Ok(if status.success() { StepEnd::Done } else { StepEnd::Failed })
    }

    /// Which attributes drifted, as the plan says that was just made; nothing, and a line that says why, where that cannot be
    /// had in a while.
    pub(super) async fn drifted_attributes(
        &mut self,
    ) -> Result<HashMap<String, Vec<DriftedAttribute>>, RunnerError> {
        if !self.report.found_changes() {
            return Ok(HashMap::new());
        }
        let starting = |error| machinery("starting the engine", error);
        let waiting = self.at_its_gate(Step::Apply).await.map_err(starting)?;
        let shows = arguments::of_showing(&|room| self.shared.ready.sandbox.inside(self.workspace, room));
        let until = self.deadline.min(Instant::now() + SHOWN_WITHIN);
        let shown = tokio::select! {
            shown = Process::printed(waiting, &shows, LARGEST_PLAN) => match shown.map_err(starting)? {
                Some(plan) => self.differing(plan).await,
                None => Err(format!("the plan is larger than {} MiB", LARGEST_PLAN >> 20)),
            },
            () = sleep_until(until) => Err("the engine did not show its plan in time".to_owned()),
            _ = self.observer.stop() => Err("the run was stopped".to_owned()),
            _ = self.guard.breach() => Err("showing the plan went over a limit".to_owned()),
        };
        let (differing, left_out) = match shown {
            Ok(Differing { attributes, too_large: 0 }) => (attributes, None),
            Ok(Differing { attributes, too_large }) => {
                (attributes, Some(format!("{too_large} resources are too large")))
            }
            Err(why) => (HashMap::new(), Some(why)),
        };
        if let Some(why) = left_out {
            self.report.log(&format!("Which attributes drifted is not told, or not of all: {why}.")).await;
        }
        Ok(differing)
    }

    /// Which attributes drifted by a plan as the engine shows it.
    async fn differing(&self, plan: Vec<u8>) -> Result<Differing, String> {
        let mask = self.report.mask().clone();
        // A large one takes a while to read.
        let read = tokio::task::spawn_blocking(move || drift::attributes(&plan, &mask));
        read.await.ok().flatten().ok_or_else(|| "the engine did not show its plan".to_owned())
    }

    /// The engine of a step at its gate: the one that was made ahead, or another one where that has died since.
    async fn at_its_gate(&mut self, step: Step) -> io::Result<Waiting> {
        if let Some(mut waiting) = self.waiting.pop_front()
            && waiting.waits()
        {
            return Ok(waiting);
        }
        self.shared.ready.admission(&self.group).wait(self.command(step)).await
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
        match ending {
            Ending::Lost => Duration::ZERO,
            Ending::Limit(_) => grace.min(BREACH_GRACE),
            Ending::Told | Ending::Time(..) => grace,
        }
    }

    fn command(&self, step: Step) -> Command {
        self.shared.ready.sandbox.engine(self.workspace, self.connection.as_ref(), CacheAccess::of(step))
    }

    fn arguments(&self, step: Step) -> Vec<String> {
        let (ready, workspace) = (self.shared.ready, self.workspace);
        let inside = |room| ready.sandbox.inside(workspace, room);
        let ephemeral = workspace.path(Room::Inputs).join(EPHEMERAL).exists();
        arguments::of(step, &ready.engine, &inside, self.job.action, ephemeral)
    }
}

fn following(step: Step) -> Option<Step> {
    match step {
        Step::Init => Some(Step::Plan),
        Step::Plan => Some(Step::Apply),
        _ => None,
    }
}
