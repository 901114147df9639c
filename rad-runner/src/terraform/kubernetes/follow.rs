//! One run, followed from its Job to its end: its log, its state, what its pod says, and whoever tells it to stop.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use rad_core::error::BackendError;
use rad_core::runner::{Diagnostic, RunJob, RunObserver, RunOutcome, Step};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::cluster::{Cluster, News, Whose};
use super::config::KubernetesConfig;
use super::log::{self, Log, Piece};
use super::manifest::ENGINE;
use super::verdict::{End, Verdict, judge};
use super::{kept, patience};
use crate::terraform::report::{Report, words};
use crate::terraform::state::State;

/// How often a run is looked at although nothing is said to have changed.
const LOOK: Duration = Duration::from_secs(10);

/// How long the rest of the log is waited for once the engine has ended.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// What the engine's container prints where a step begins, and what stands after it.
const MARK: (&str, &str) = (r#"{"@message":"","type":"rad_step","step":""#, "\"}");

/// Whether a log has its beginning.
pub(super) fn is_whole(start: &str) -> bool {
    start.starts_with(MARK.0)
}

/// How many bytes of a log tell whether it has its beginning.
pub(super) const START: usize = MARK.0.len();

/// A run that is followed.
pub(super) struct Follower<'a> {
    cluster: &'a Cluster,
    config: &'a KubernetesConfig,
    job: &'a RunJob,
    observer: &'a dyn RunObserver,
    report: Report<'a>,
    step: Step,
    /// Until when the step has to end.
    step_ends: Option<Instant>,
    log: Option<Log>,
    /// Whether the log was or is followed: it is read once.
    heard: bool,
    verdict: Verdict,
    /// Since when the engine is waited for.
    waiting: Option<Instant>,
    /// Why the run has to stop before its end, and until when it has to be gone.
    ending: Option<(Ending, Instant)>,
}

/// What became of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Followed {
    /// How it ended.
    pub(super) outcome: RunOutcome,
    /// Whether its last state was taken; otherwise the one on the cluster is the only one.
    pub(super) state_taken: bool,
}

/// Why a run has to stop before its end.
#[derive(Debug, Clone, PartialEq)]
enum Ending {
    /// It was told to.
    Told,
    /// It does not start.
    Stuck(Diagnostic),
    /// Its time is up: the limit of what, and how long that is.
    Time(&'static str, Duration),
    /// Its plan must not be applied.
    Refused(RunOutcome),
}

impl<'a> Follower<'a> {
    pub(super) fn new(
        cluster: &'a Cluster,
        config: &'a KubernetesConfig,
        job: &'a RunJob,
        observer: &'a dyn RunObserver,
    ) -> Self {
        Self {
            cluster,
            config,
            job,
            observer,
            report: Report::new(job, observer, config.log_limit),
            step: Step::Init,
            step_ends: None,
            log: None,
            heard: false,
            verdict: Verdict::Waiting(None),
            waiting: None,
            ending: None,
        }
    }

    /// Masks these secrets, too.
    pub(super) fn hiding(mut self, secrets: &[String]) -> Self {
        secrets.iter().for_each(|secret| self.report.hide(secret));
        self
    }

    /// Follows the run to its end.
    pub(super) async fn run(mut self) -> Result<Followed, BackendError> {
        let mut news = self.cluster.news(self.job.run);
        let observer = self.observer;
        let mut told = pin!(observer.stop());
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut telling = true;
        let end = loop {
            let alarm = self.alarm();
            tokio::select! {
                piece = next(&mut self.log) => match piece {
                    Some(piece) => self.piece(piece).await?,
                    None => { self.log = None; self.look().await?; }
                },
                Some(what) = news.next() => match what {
                    News::Run => self.look().await?,
                    News::State => self.state().await?,
                },
                _ = looks.tick() => { self.look().await?; self.state().await?; }
                _ = &mut told, if telling => { telling = false; self.stop(Ending::Told).await?; }
                () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => self.alarmed().await?,
            }
            if self.report.refused().is_some() {
                self.stop(Ending::Told).await?;
            }
            if let Verdict::Hopeless(diagnostic) = &self.verdict {
                self.stop(Ending::Stuck(diagnostic.clone())).await?;
            }
            match &self.verdict {
                Verdict::Ended(End::Gone) => break End::Gone,
                // Told to stop, it is over when the Job is gone.
                Verdict::Ended(end) if self.ending.is_none() => break end.clone(),
                _ => {}
            }
        };
        let outcome = self.end(end).await?;
        Ok(Followed { outcome, state_taken: self.report.refused().is_none() })
    }

    /// Looks how the run stands, and follows the log of its engine as soon as there is one.
    async fn look(&mut self) -> Result<(), BackendError> {
        let job = self.cluster.job(self.job.run).await?;
        let pods = self.cluster.pods(self.job.run).await?;
        let pod = newest(&pods);
        self.verdict = judged(job.as_ref(), pod);
        match self.verdict {
            Verdict::Waiting(_) => {
                self.waiting.get_or_insert_with(Instant::now);
            }
            _ => self.waiting = None,
        }
        let speaks = |pod: &&Pod| self.verdict == Verdict::Running || log::has_ended(pod, ENGINE);
        if let Some(pod) = pod.filter(speaks)
            && !self.heard
        {
            self.heard = true;
            self.log = Some(log::follow(self.cluster.pods.clone(), pod.name_any(), ENGINE));
        }
        Ok(())
    }

    async fn piece(&mut self, piece: Piece) -> Result<(), BackendError> {
        let line = match piece {
            Piece::Line(line) => line,
            Piece::Gap => {
                self.report.log("[Lines are missing here: the cluster did not keep them.]").await;
                return Ok(());
            }
        };
        match line.strip_prefix(MARK.0).and_then(|rest| rest.strip_suffix(MARK.1)) {
            Some("init") => self.begin(Step::Init).await,
            Some("plan") => self.begin(Step::Plan).await,
            Some("planned") => self.planned().await?,
            Some(_) => {}
            None => self.report.line(&line, self.step).await,
        }
        Ok(())
    }

    async fn begin(&mut self, step: Step) {
        self.step = step;
        self.step_ends = Some(Instant::now() + self.job.limits.of_step(step));
        self.report.step(step).await;
    }

    /// Tells the plan, and lets the engine apply it if it may be applied.
    async fn planned(&mut self) -> Result<(), BackendError> {
        if let Some(refused) = self.report.plan(&self.job.consent).await {
            return self.stop(Ending::Refused(refused)).await;
        }
        self.begin(Step::Apply).await;
        if self.report.refused().is_none() && self.ending.is_none() {
            self.cluster.let_apply(self.job.run).await?;
        }
        Ok(())
    }

    /// Reports the newest state, unless it is known.
    async fn state(&mut self) -> Result<(), BackendError> {
        if let Some(state) = kept::newest(&self.cluster.states(Whose::Run(self.job.run)).await?)
            && self.is_news(&state)
        {
            self.report.state(state).await;
        }
        Ok(())
    }

    fn is_news(&self, state: &Bytes) -> bool {
        let is_no_newer = |last: &Bytes| State::serial_of(last) <= State::serial_of(state);
        let applies = self.job.action.applies();
        applies && self.report.last_state().is_none_or(|last| last != state && is_no_newer(last))
    }

    /// Ends the run before its end; the first reason counts.
    async fn stop(&mut self, why: Ending) -> Result<(), BackendError> {
        if self.ending.is_none() {
            self.ending = Some((why, Instant::now() + patience(self.config)));
            self.cluster.delete(self.job.run).await?;
            self.look().await?;
        }
        Ok(())
    }

    /// When something has to have happened.
    fn alarm(&self) -> Option<Instant> {
        match (&self.ending, self.waiting) {
            (Some((_, latest)), _) => Some(*latest),
            (None, Some(since)) => Some(since + self.config.start_limit),
            (None, None) => self.step_ends,
        }
    }

    async fn alarmed(&mut self) -> Result<(), BackendError> {
        if self.ending.is_some() {
            return Err(BackendError::unavailable("waiting for the end of a pod", "it is still there"));
        }
        let Verdict::Waiting(why) = &self.verdict else {
            let limit = self.job.limits.of_step(self.step);
            return self.stop(Ending::Time(words(self.step), limit)).await;
        };
        let seconds = self.config.start_limit.as_secs();
        let why = why.clone().unwrap_or_else(|| "The cluster made no pod for it.".to_owned());
        let summary = format!("The run did not start within {seconds} seconds");
        self.stop(Ending::Stuck(Diagnostic::error(summary, why))).await
    }

    /// Reports the rest of the log, the last state and the outputs.
    async fn end(&mut self, end: End) -> Result<RunOutcome, BackendError> {
        let latest = Instant::now() + LAST_WORDS;
        while let Ok(Some(piece)) = timeout(latest - Instant::now(), next_or_end(&mut self.log)).await {
            self.piece(piece).await?;
        }
        self.state().await?;
        let outcome = match (self.ending.take(), end) {
            (Some((Ending::Told, _)), _) => {
                self.report.log("The run was stopped.").await;
                RunOutcome::Stopped
            }
            (Some((Ending::Stuck(diagnostic), _)), _) | (None, End::Taken(diagnostic)) => {
                self.report.diagnose(diagnostic).await;
                RunOutcome::Failure
            }
            (Some((Ending::Refused(outcome), _)), _) => outcome,
            (Some((Ending::Time(of, limit), _)), _) => {
                self.report.out_of_time(of, limit).await;
                RunOutcome::Timeout
            }
            (None, End::Deadline) => {
                self.report.out_of_time("run", self.job.limits.whole).await;
                RunOutcome::Timeout
            }
            (None, End::Gone) => {
                let detail = "It was deleted, and not by the platform.";
                self.report.diagnose(Diagnostic::error("The Job of the run is gone", detail)).await;
                RunOutcome::Failure
            }
            (None, End::Failure) => {
                self.report.explain(&self.config.engine.name, self.step).await;
                RunOutcome::Failure
            }
            (None, End::Success) if !self.job.action.applies() => {
                // The plan itself would put sensitive values into the cluster's log.
                self.report.drift(HashMap::new()).await;
                RunOutcome::Success
            }
            (None, End::Success) => {
                self.report.outputs(self.job.action).await;
                RunOutcome::Success
            }
        };
        Ok(outcome)
    }
}

/// A Job that is gone while its pod is not is still there.
fn judged(job: Option<&Job>, pod: Option<&Pod>) -> Verdict {
    match (job, pod) {
        (None, Some(pod)) if pod.metadata.deletion_timestamp.is_some() => Verdict::Running,
        (job, pod) => judge(job, pod),
    }
}

/// The pod that was made last; there is one, unless somebody made more by hand.
fn newest(pods: &[Pod]) -> Option<&Pod> {
    pods.iter().max_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0))
}

/// The next piece of a log; never ready while there is none.
async fn next(log: &mut Option<Log>) -> Option<Piece> {
    match log {
        Some(log) => log.pieces.recv().await,
        None => std::future::pending().await,
    }
}

/// The next piece of a log, or its end.
async fn next_or_end(log: &mut Option<Log>) -> Option<Piece> {
    log.as_mut()?.pieces.recv().await
}
