//! A runner that plays a script instead of touching the world.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::deployment::state_serial;
use crate::mask::Mask;
use crate::runner::{
    Action, ChangeKind, ChangeStatus, Diagnostic, Drift, Engine, Output, PlannedChange, ResourceProgress,
    RunEvent, RunJob, RunObserver, RunOutcome, Runner, RunnerError, Step, StopReason,
};

/// Plays the [`Script`] that lies as `script.json` in a module's directory, or one line of success where there is none.
///
/// It needs no engine, no runtime and no time, so that everything around a runner can be tried out and tested: the log
/// it writes, resources getting further, diagnostics, outputs, a state, a run that waits to be stopped.
///
/// ```
/// use rad_core::memory::{Script, ScriptedRunner};
///
/// let script: Script = serde_json::from_str(r#"{ "log": ["hello ${who}"], "fails": "no quota" }"#)?;
/// let runner = ScriptedRunner::playing(script);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ScriptedRunner {
    script: Option<Script>,
}

/// What a [`ScriptedRunner`] plays. `${name}` in a text stands for the value of that variable.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Lines of the log.
    pub log: Vec<String>,
    /// Addresses of the resources that there are after a create or an update, and that a delete destroys.
    pub resources: Vec<String>,
    /// Addresses among them that an update makes anew; it changes the others where they stand, and destroys what the script no
    /// longer has.
    pub replaces: Vec<String>,
    /// Addresses that no delete destroys: it fails, and leaves them.
    pub keeps: Vec<String>,
    /// What a check finds.
    pub drift: Vec<Drift>,
    /// The outputs after a create or an update.
    pub outputs: Vec<Output>,
    /// Fails the create or update with this as the summary of a diagnostic, after the resources before the last are done.
    pub fails: Option<String>,
    /// Whether the apply goes on until the run is stopped.
    pub waits: bool,
}

impl ScriptedRunner {
    /// A runner that plays what it finds in each module's directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// A runner that plays this script for every module.
    pub fn playing(script: Script) -> Self {
        Self { script: Some(script) }
    }

    fn script(&self, job: &RunJob) -> Result<Script, String> {
        match (&self.script, job.source.file("script.json")) {
            (Some(script), _) => Ok(script.clone()),
            (None, Some(bytes)) => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
            (None, None) => Ok(Script { log: vec!["Nothing to do.".to_owned()], ..Script::default() }),
        }
    }
}

#[async_trait]
impl Runner for ScriptedRunner {
    async fn engine(&self) -> Result<Engine, RunnerError> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Engine { name: "Script".to_owned(), version, is_terraform: false })
    }

    fn resources(&self, state: &[u8]) -> Option<Vec<String>> {
        Some(in_state(state))
    }

    async fn run(&self, job: RunJob, observer: &dyn RunObserver) -> Result<RunOutcome, RunnerError> {
        let play = match self.script(&job) {
            Ok(script) => Play::new(script, &job, observer).run().await,
            Err(error) => {
                let diagnostic = Diagnostic::error("script.json cannot be read", error);
                observer.event(RunEvent::Diagnostic(diagnostic)).await.map(|()| RunOutcome::Failure)
            }
        };
        Ok(play.unwrap_or(RunOutcome::Stopped))
    }
}

/// One run of a script.
struct Play<'a> {
    script: Script,
    job: &'a RunJob,
    observer: &'a dyn RunObserver,
    mask: Mask,
}

impl<'a> Play<'a> {
    fn new(script: Script, job: &'a RunJob, observer: &'a dyn RunObserver) -> Self {
        let mask = Mask::new(job.sensitive.iter().filter_map(|name| job.values.get(name)));
        Self { script, job, observer, mask }
    }

    async fn run(self) -> Result<RunOutcome, StopReason> {
        let there = self.job.state.as_deref().map(in_state).unwrap_or_default();
        if self.job.action.destroys() && self.job.state.is_none() {
            self.log("Nothing was ever made: there is nothing to destroy.").await?;
            return Ok(RunOutcome::Success);
        }
        self.observer.event(RunEvent::Step(Step::Init)).await?;
        self.observer.event(RunEvent::Step(Step::Plan)).await?;
        if self.job.action == Action::Check {
            return self.check().await;
        }
        let plan = self.plan(&there);
        self.observer.event(RunEvent::Planned(plan.clone())).await?;
        self.progress(&plan, ChangeStatus::Planned).await?;
        if !self.job.consent.covers(&plan) {
            return Ok(RunOutcome::Unconfirmed);
        }
        self.observer.event(RunEvent::Step(Step::Apply)).await?;
        for line in &self.script.log {
            self.log(line).await?;
        }
        self.progress(&plan, ChangeStatus::Started).await?;
        if self.script.waits && !self.job.action.destroys() {
            self.save(&there).await?;
            return Err(self.observer.stop().await);
        }
        self.progress(&plan, ChangeStatus::Complete).await?;
        self.save(&there).await?;
        if let Some(summary) = self.failure() {
            let diagnostic = Diagnostic::error(self.text(summary), "");
            self.log(&format!("Error: {}", diagnostic.summary)).await?;
            self.observer.event(RunEvent::Diagnostic(diagnostic)).await?;
            return Ok(RunOutcome::Failure);
        }
        let mut outputs = Vec::new();
        if !self.job.action.destroys() {
            outputs.extend(self.script.outputs.iter().map(|output| self.output(output)));
        }
        self.observer.event(RunEvent::Outputs(outputs)).await?;
        Ok(RunOutcome::Success)
    }

    /// Tells the drift of the script, with its values filled in.
    async fn check(&self) -> Result<RunOutcome, StopReason> {
        let filled = |drift: &Drift| {
            let mut drift = drift.clone();
            drift.address = self.text(&drift.address);
            for attribute in &mut drift.attributes {
                for value in [&mut attribute.was, &mut attribute.is].into_iter().flatten() {
                    *value = self.text(value);
                }
            }
            drift
        };
        self.log("Looking whether what exists is what the state says.").await?;
        self.observer.event(RunEvent::Drift(self.script.drift.iter().map(filled).collect())).await?;
        Ok(RunOutcome::Success)
    }

    /// What happens to each resource, those of the script first.
    fn plan(&self, there: &[String]) -> Vec<PlannedChange> {
        let wanted = &self.script.resources;
        let change = |address: &String| {
            let change = match there.contains(address) {
                _ if self.job.action.destroys() => ChangeKind::Delete,
                false => ChangeKind::Create,
                true if self.script.replaces.contains(address) => ChangeKind::Replace,
                true => ChangeKind::Update,
            };
            PlannedChange { address: self.text(address), change }
        };
        let gone = there.iter().filter(|address| !wanted.contains(address));
        let gone =
            gone.map(|address| PlannedChange { address: self.text(address), change: ChangeKind::Delete });
        wanted.iter().map(change).chain(gone).collect()
    }

    /// Why the apply fails, if it does.
    fn failure(&self) -> Option<&str> {
        match self.job.action.destroys() {
            true if !self.script.keeps.is_empty() => Some("some resources could not be destroyed"),
            true => None,
            false => self.script.fails.as_deref(),
        }
    }

    async fn log(&self, line: &str) -> Result<(), StopReason> {
        self.observer.event(RunEvent::Log(format!("{}\n", self.text(line)))).await
    }

    /// Reports that every resource got so far; where the script fails, the last one does, or those it keeps.
    async fn progress(&self, plan: &[PlannedChange], status: ChangeStatus) -> Result<(), StopReason> {
        let destroys = self.job.action.destroys();
        for (index, planned) in plan.iter().enumerate() {
            let fails = match destroys {
                true => self.script.keeps.contains(&planned.address),
                false => self.script.fails.is_some() && index + 1 == plan.len(),
            };
            let status = match status {
                ChangeStatus::Complete if fails => ChangeStatus::Errored,
                status => status,
            };
            let PlannedChange { address, change } = planned.clone();
            let progress = ResourceProgress { address, change, status, elapsed_seconds: None };
            self.observer.event(RunEvent::Resource(progress)).await?;
        }
        Ok(())
    }

    async fn save(&self, there: &[String]) -> Result<(), StopReason> {
        let before = self.job.state.as_deref().and_then(state_serial);
        let left: Vec<&String> = match self.job.action.destroys() {
            true => there.iter().filter(|address| self.script.keeps.contains(address)).collect(),
            false => self.script.resources.iter().collect(),
        };
        let state = json!({
            "version": 4,
            "serial": before.unwrap_or_default() + 1,
            "lineage": self.job.deployment.to_string(),
            "resources": left,
        });
        self.observer.event(RunEvent::State(Bytes::from(state.to_string()))).await
    }

    fn output(&self, output: &Output) -> Output {
        let value = match &output.value {
            Value::String(text) => Value::from(self.filled(text)),
            other => other.clone(),
        };
        Output { value, ..output.clone() }
    }

    fn text(&self, text: &str) -> String {
        self.mask.apply(&self.filled(text))
    }

    fn filled(&self, text: &str) -> String {
        self.job.values.iter().fold(text.to_owned(), |text, (name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.replace(&format!("${{{name}}}"), &value)
        })
    }
}

/// The addresses of the resources that a script's state knows of.
fn in_state(state: &[u8]) -> Vec<String> {
    let state: Value = serde_json::from_slice(state).unwrap_or_default();
    let resources = state["resources"].as_array().into_iter().flatten();
    resources.filter_map(|address| Some(address.as_str()?.to_owned())).collect()
}
