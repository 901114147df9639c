//! Everything a run tells its observer passes through here: as it may be shown, and within limits.

mod listed;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use rad_core::mask::Mask;
use rad_core::runner::{
    Action, Diagnostic, Drift, PlannedChange, RunEvent, RunJob, RunObserver, Severity, Step, StopReason,
};

use self::listed::Listed;
use super::event::{self, Meaning, Message};
use super::progress::Progress;
use super::state::State;
use super::text::{shortened, shown};

/// The most diagnostics that a run reports.
const DIAGNOSTICS: usize = 200;

/// The most bytes of the summary of a diagnostic, and of its detail.
const DIAGNOSTIC: (usize, usize) = (2_048, 64 * 1024);

/// How many lines explain a failure that has no diagnostic.
const LAST_LINES: usize = 20;

/// The most bytes of such a line.
const LAST_LINE: usize = 2_048;

/// What a run tells its observer.
pub(super) struct Report<'a> {
    observer: &'a dyn RunObserver,
    mask: Mask,
    progress: Progress,
    /// What the plan changes.
    planned: Listed<PlannedChange>,
    /// Whether it changes anything.
    changes: bool,
    /// Whether the apply began to change anything.
    began: bool,
    /// What a check found.
    drift: Listed<Drift>,
    /// The observer takes no more reports.
    refused: Option<StopReason>,
    /// How many bytes of log are left; `None` once it is cut, and says so.
    room: Option<u64>,
    diagnostics: usize,
    errors: usize,
    last_lines: VecDeque<String>,
    last_state: Option<Bytes>,
}

impl<'a> Report<'a> {
    pub(super) fn new(job: &RunJob, observer: &'a dyn RunObserver, log_limit: u64) -> Self {
        let mut report = Self {
            observer,
            mask: Mask::new(job.sensitive.iter().filter_map(|name| job.values.get(name))),
            progress: Progress::default(),
            planned: Listed::default(),
            changes: false,
            began: false,
            drift: Listed::default(),
            refused: None,
            room: Some(log_limit),
            diagnostics: 0,
            errors: 0,
            last_lines: VecDeque::new(),
            last_state: None,
        };
        if let Some(state) = &job.state {
            report.hide_outputs(state);
            report.last_state = Some(state.clone());
        }
        report
    }

    /// Masks a secret wherever it is reported from now on.
    pub(super) fn hide(&mut self, secret: &str) {
        self.mask.add(&secret.into());
    }

    /// What is masked so far.
    pub(super) fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Why the observer takes no more reports, once it does not.
    pub(super) fn refused(&self) -> Option<StopReason> {
        self.refused
    }

    /// The last state there was.
    pub(super) fn last_state(&self) -> Option<&Bytes> {
        self.last_state.as_ref()
    }

    pub(super) async fn step(&mut self, step: Step) {
        self.emit(RunEvent::Step(step)).await;
    }

    /// Takes a line of the engine's output.
    pub(super) async fn line(&mut self, line: &str, step: Step) {
        if self.room.is_none() && event::is_program_output(line) {
            return;
        }
        let Message { text, meaning } = event::read(line);
        match &meaning {
            Meaning::Planned(address, change) if step == Step::Plan => {
                let mask = &self.mask;
                self.planned
                    .push(address, || PlannedChange { address: shown(mask, address), change: *change });
            }
            Meaning::Drifted(address, change) => {
                let drift = || Drift { address: address.clone(), change: *change, attributes: Vec::new() };
                self.drift.push(address, drift);
            }
            _ => {}
        }
        let progress = self.progress.note(&meaning);
        let shown = match &meaning {
            Meaning::Version => step == Step::Init,
            Meaning::Planned(..) => progress.is_some(),
            Meaning::Outputs => false,
            _ => !text.trim().is_empty(),
        };
        if shown {
            self.log(&text).await;
        }
        if let Some(mut progress) = progress {
            self.began |= step == Step::Apply && progress.changed_something();
            progress.address = self.shown(&progress.address);
            self.emit(RunEvent::Resource(progress)).await;
        }
        if let Meaning::Diagnostic(diagnostic) = meaning {
            self.keep(diagnostic).await;
        }
    }

    /// Writes lines of the platform's own or the engine's into the log.
    pub(super) async fn log(&mut self, text: &str) {
        let Some(room) = self.room else { return };
        let mut text = self.shown(text);
        text.push('\n');
        for line in text.lines() {
            self.last_lines.push_back(shortened(line.to_owned(), LAST_LINE));
        }
        let excess = self.last_lines.len().saturating_sub(LAST_LINES);
        self.last_lines.drain(..excess);
        let length = text.len() as u64;
        self.room = room.checked_sub(length);
        if self.room.is_none() {
            text = "[The run writes more than is kept: the rest is left out.]\n".to_owned();
        }
        self.emit(RunEvent::Log(text)).await;
    }

    /// Reports a diagnostic of the platform's own, also in the log.
    pub(super) async fn diagnose(&mut self, diagnostic: Diagnostic) {
        self.log(&event::written(&diagnostic)).await;
        self.keep(diagnostic).await;
    }

    /// Says that the time of a run or of a step is up.
    pub(super) async fn out_of_time(&mut self, of: &str, limit: Duration) {
        let detail = format!("It was given {} seconds.", limit.as_secs());
        self.diagnose(Diagnostic::error(format!("The time limit of the {of} passed"), detail)).await;
    }

    /// Explains the failure of a step by the last lines, unless an error was reported.
    pub(super) async fn explain(&mut self, engine: &str, step: Step) {
        if self.errors > 0 {
            return;
        }
        let what = format!("{engine} failed at the {} and did not say why", words(step));
        let last = self.last_lines.make_contiguous().join("\n");
        self.keep(Diagnostic::error(what, last)).await;
    }

    /// Reports a state; its sensitive outputs are masked from then on.
    pub(super) async fn state(&mut self, state: Bytes) {
        self.hide_outputs(&state);
        self.last_state = Some(state.clone());
        // Asked even where reports were refused before: no state may be lost for want of trying.
        if let Err(reason) = self.observer.event(RunEvent::State(state)).await {
            self.refused.get_or_insert(reason);
        }
    }

    /// Reports the outputs of a success: those of the last state, or none if everything was destroyed.
    pub(super) async fn outputs(&mut self, action: Action) {
        let state = self.last_state.as_ref().filter(|_| !action.destroys());
        let outputs = state.and_then(|state| State::parse(state)).map(State::outputs);
        self.emit(RunEvent::Outputs(outputs.unwrap_or_default())).await;
    }

    async fn keep(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.severity == Severity::Error);
        self.diagnostics += 1;
        if self.diagnostics <= DIAGNOSTICS {
            let diagnostic = Diagnostic {
                severity: diagnostic.severity,
                summary: shortened(self.shown(&diagnostic.summary), DIAGNOSTIC.0),
                detail: shortened(self.shown(&diagnostic.detail), DIAGNOSTIC.1),
                place: diagnostic.place.map(|(file, line)| (self.shown(&file), line)),
                address: diagnostic.address.map(|address| self.shown(&address)),
            };
            self.emit(RunEvent::Diagnostic(diagnostic)).await;
        }
    }

    async fn emit(&mut self, event: RunEvent) {
        if self.refused.is_none()
            && let Err(reason) = self.observer.event(event).await
        {
            self.refused = Some(reason);
        }
    }

    fn hide_outputs(&mut self, state: &[u8]) {
        let outputs = State::parse(state).map(State::outputs).unwrap_or_default();
        for output in outputs.iter().filter(|output| output.sensitive) {
            self.mask.add(&output.value);
        }
    }

    fn shown(&self, text: &str) -> String {
        shown(&self.mask, text)
    }
}

/// A step as people read it.
pub(super) fn words(step: Step) -> &'static str {
    match step {
        Step::Init => "initialisation",
        Step::Plan => "plan",
        _ => "apply",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use rad_core::id::{DeploymentId, RunId};
    use rad_core::runner::{Consent, RunLimits};

    use super::*;

    /// Notes what it is told.
    #[derive(Default)]
    pub(super) struct Heard(Mutex<Vec<RunEvent>>);

    #[async_trait]
    impl RunObserver for Heard {
        async fn event(&self, event: RunEvent) -> Result<(), StopReason> {
            self.0.lock().unwrap().push(event);
            Ok(())
        }

        async fn stop(&self) -> StopReason {
            std::future::pending().await
        }
    }

    impl Heard {
        pub(super) fn events(&self) -> Vec<RunEvent> {
            self.0.lock().unwrap().clone()
        }

        pub(super) fn log(&self) -> String {
            let log = |event| if let RunEvent::Log(text) = event { Some(text) } else { None };
            self.events().into_iter().filter_map(log).collect()
        }
    }

    /// A job with nothing in it.
    pub(super) fn check() -> RunJob {
        RunJob {
            run: RunId::new(),
            deployment: DeploymentId::new(),
            action: Action::Check,
            source: Default::default(),
            values: Default::default(),
            sensitive: Vec::new(),
            state: None,
            consent: Consent::Everything,
            limits: RunLimits::of(Duration::from_secs(1)),
        }
    }

    #[tokio::test]
    async fn a_log_that_fills_its_room_to_the_byte_says_what_follows_is_left_out() {
        let (job, heard) = (check(), Heard::default());
        let mut report = Report::new(&job, &heard, 8);
        for line in ["one", "two"] {
            report.line(line, Step::Apply).await;
        }
        assert_eq!(heard.log(), "one\ntwo\n");
        for line in ["more", "and more"] {
            report.line(line, Step::Apply).await;
        }
        let mark = "[The run writes more than is kept: the rest is left out.]\n";
        assert_eq!(heard.log(), format!("one\ntwo\n{mark}"));
    }

    #[tokio::test]
    async fn a_diagnostic_is_cut_after_it_was_masked() {
        let (job, heard) = (check(), Heard::default());
        let mut report = Report::new(&job, &heard, 1 << 20);
        let secret = "s3cret-that-n0body-kn0ws";
        report.hide(secret);
        for (index, most) in [DIAGNOSTIC.0, DIAGNOSTIC.1].into_iter().enumerate() {
            let long = format!("{}{secret}{}", "x".repeat(most - 5), "z".repeat(most));
            let mut texts = [String::new(), String::new()];
            texts[index] = long;
            let [summary, detail] = texts;
            report.diagnose(Diagnostic::error(summary, detail)).await;
        }
        let told = heard.events().into_iter().filter_map(|event| {
            if let RunEvent::Diagnostic(one) = event { Some((one.summary, one.detail)) } else { None }
        });
        let told: Vec<_> = told.collect();
        for (text, most) in [(&told[0].0, DIAGNOSTIC.0), (&told[1].1, DIAGNOSTIC.1)] {
            assert!(text.len() <= most + 3 && text.ends_with("x(sens…"), "{} bytes", text.len());
        }
    }
}
