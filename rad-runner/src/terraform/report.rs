//! Everything a run tells its observer passes through here: masked, cleaned of control characters, within limits.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rad_core::mask::Mask;
use rad_core::runner::{
    Action, ChangeKind, Consent, Diagnostic, Drift, DriftedAttribute, PlannedChange, RunEvent, RunJob,
    RunObserver, RunOutcome, Severity, Step, StopReason,
};

use super::event::{self, Meaning, Message};
use super::progress::Progress;
use super::state::State;

/// The most diagnostics that a run reports.
const DIAGNOSTICS: usize = 200;

/// The most changes of a plan, or resources that drifted, that are told.
const CHANGES: usize = 10_000;

/// How many lines explain a failure that has no diagnostic.
const LAST_LINES: usize = 20;

/// What a run tells its observer.
pub(super) struct Report<'a> {
    observer: &'a dyn RunObserver,
    mask: Mask,
    progress: Progress,
    /// What the plan changes, one more than is told at the most.
    planned: Vec<PlannedChange>,
    /// Whether it changes anything.
    changes: bool,
    /// What a check found.
    drift: Vec<Drift>,
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
            planned: Vec::new(),
            changes: false,
            drift: Vec::new(),
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
        if let Meaning::Planned(address, change) = &meaning
            && step == Step::Plan
            && self.planned.len() <= CHANGES
        {
            let change = PlannedChange { address: self.shown(address), change: *change };
            self.planned.push(change);
        }
        if let Meaning::Drifted(address, change) = &meaning
            && self.drift.len() < CHANGES
        {
            let drift = Drift { address: address.clone(), change: *change, attributes: Vec::new() };
            self.drift.push(drift);
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
            progress.address = self.shown(&progress.address);
            self.emit(RunEvent::Resource(progress)).await;
        }
        if let Meaning::Diagnostic(diagnostic) = meaning {
            self.keep(diagnostic).await;
        }
    }

    /// Tells the plan, and how the run ends if it must not be applied.
    pub(super) async fn plan(&mut self, consent: &Consent) -> Option<RunOutcome> {
        let mut changes = std::mem::take(&mut self.planned);
        self.changes = !changes.is_empty();
        let all = changes.len() <= CHANGES;
        changes.truncate(CHANGES);
        self.emit(RunEvent::Planned(changes.clone())).await;
        if *consent == Consent::Everything {
            return None;
        }
        if !all {
            let summary = format!("The plan changes more than {CHANGES} resources");
            let detail = "Nobody can confirm so many: nothing was applied. Split the module, or change less at a time.";
            self.diagnose(Diagnostic::error(summary, detail)).await;
            return Some(RunOutcome::Failure);
        }
        if consent.covers(&changes) {
            return None;
        }
        self.log("The plan destroys or replaces resources: nothing was applied. It waits to be confirmed.")
            .await;
        Some(RunOutcome::Unconfirmed)
    }

    /// Whether the plan changes anything.
    pub(super) fn planned_changes(&self) -> bool {
        self.changes
    }

    /// Whether something changed of which it can be told what.
    pub(super) fn found_changes(&self) -> bool {
        self.drift.iter().any(|drift| drift.change == ChangeKind::Update)
    }

    /// Tells what a check found; `attributes` are those that differ, by the address of their resource.
    pub(super) async fn drift(&mut self, mut attributes: HashMap<String, Vec<DriftedAttribute>>) {
        let mut drift = std::mem::take(&mut self.drift);
        for Drift { address, attributes: differing, .. } in &mut drift {
            *differing = attributes.remove(address).unwrap_or_default();
            *address = self.shown(address);
            for DriftedAttribute { name, was, is } in differing {
                *name = self.shown(name);
                for value in [was, is].into_iter().flatten() {
                    *value = self.shown(value);
                }
            }
        }
        self.log(match drift.len() {
            0 => "What exists is what the state says.",
            _ => "What exists is not what the state says. Nothing was changed.",
        })
        .await;
        self.emit(RunEvent::Drift(drift)).await;
    }

    /// Writes lines of the platform's own or the engine's into the log.
    pub(super) async fn log(&mut self, text: &str) {
        let Some(room) = self.room else { return };
        let mut text = self.shown(text);
        text.push('\n');
        for line in text.lines() {
            self.last_lines.push_back(line.to_owned());
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
                summary: self.shown(&diagnostic.summary),
                detail: self.shown(&diagnostic.detail),
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

    /// A text as it may be shown.
    fn shown(&self, text: &str) -> String {
        let masked = self.mask.apply(text);
        let clean = cleaned(&masked);
        // Taking characters out may have put a value together.
        if clean.len() == masked.len() { clean } else { self.mask.apply(&clean) }
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

/// The text without terminal sequences and control characters, line feeds and tabs kept.
fn cleaned(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' && characters.peek() == Some(&'[') {
            // A control sequence (ECMA-48 §5.4) runs to its final byte.
            characters.next();
            while characters.next_if(|c| !('@'..='~').contains(c)).is_some() {}
            characters.next();
        } else if !character.is_control() || matches!(character, '\n' | '\t') {
            clean.push(character);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use rad_core::id::{DeploymentId, RunId};
    use rad_core::runner::{Action, RunLimits};

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<String>);

    #[async_trait]
    impl RunObserver for Heard {
        async fn event(&self, event: RunEvent) -> Result<(), StopReason> {
            if let RunEvent::Log(text) = event {
                self.0.lock().unwrap().push_str(&text);
            }
            Ok(())
        }

        async fn stop(&self) -> StopReason {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn a_log_that_fills_its_room_to_the_byte_says_what_follows_is_left_out() {
        let job = RunJob {
            run: RunId::new(),
            deployment: DeploymentId::new(),
            action: Action::Create,
            source: Default::default(),
            values: Default::default(),
            sensitive: Vec::new(),
            state: None,
            consent: Consent::Everything,
            limits: RunLimits::of(Duration::from_secs(1)),
        };
        let heard = Heard::default();
        let mut report = Report::new(&job, &heard, 8);
        for line in ["one", "two"] {
            report.line(line, Step::Apply).await;
        }
        assert_eq!(*heard.0.lock().unwrap(), "one\ntwo\n");
        for line in ["more", "and more"] {
            report.line(line, Step::Apply).await;
        }
        let mark = "[The run writes more than is kept: the rest is left out.]\n";
        assert_eq!(*heard.0.lock().unwrap(), format!("one\ntwo\n{mark}"));
    }

    #[test]
    fn terminal_sequences_and_control_characters_are_taken_out() {
        assert_eq!(cleaned("a\u{1b}[1;31mred\u{1b}[0m\tb\r\u{7}\nc\u{9b}"), "ared\tb\nc");
        assert_eq!(cleaned("cut \u{1b}[3"), "cut ");
    }
}
