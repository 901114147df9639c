//! One step of a run: the engine at work, what it says, and its end, in time or before it.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rad_core::runner::{DriftedAttribute, RunnerError, Step};
use tokio::process::Command;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::{Ending, Session, StepEnd, machinery};
use crate::terraform::arguments;
use crate::terraform::drift;
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
        let waiting = match self.waiting.pop_front() {
            Some(waiting) => waiting,
            None => admission.wait(self.command(step)).await.map_err(starting)?,
        };
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
        if !came && status.success() && self.ending.is_none() {
            self.waiting.extend(coming.await);
        }
        while let Ok(Some(line)) = timeout(LAST_WORDS, lines.recv()).await {
            self.report.line(&line, step).await;
        }
        Ok(if status.success() { StepEnd::Done } else { StepEnd::Failed })
    }

    /// Which attributes drifted, as the plan says that was just made; nothing where that cannot be had in a while.
    pub(super) async fn drifted_attributes(
        &mut self,
    ) -> Result<HashMap<String, Vec<DriftedAttribute>>, RunnerError> {
        if !self.report.found_changes() {
            return Ok(HashMap::new());
        }
        let ready = self.shared.ready;
        let starting = |error| machinery("starting the engine", error);
        let waiting = match self.waiting.pop_front() {
            Some(waiting) => waiting,
            None => ready.admission(&self.group).wait(self.command(Step::Apply)).await.map_err(starting)?,
        };
        let shows = arguments::of_showing(&|room| ready.sandbox.inside(self.workspace, room));
        let started = Process::start(waiting, &shows, ready.sandbox.isolates()).await;
        let (_process, mut lines) = started.map_err(starting)?;
        let shown = async {
            while let Some(line) = lines.recv().await {
                if line.starts_with('{') {
                    return drift::attributes(&line);
                }
            }
            HashMap::new()
        };
        Ok(tokio::select! {
            shown = shown => shown,
            () = sleep_until(self.deadline.min(Instant::now() + SHOWN_WITHIN)) => HashMap::new(),
            _ = self.observer.stop() => HashMap::new(),
            _ = self.guard.breach() => HashMap::new(),
        })
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
