//! A runner that plays a script instead of touching the world.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::mask::Mask;
use crate::runner::{
    Action, ChangeKind, ChangeStatus, Diagnostic, Engine, Output, ResourceProgress, RunEvent, RunJob,
    RunObserver, RunOutcome, Runner, RunnerError, Step, StopReason,
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
    /// Addresses of the resources that a create makes and a delete destroys.
    pub resources: Vec<String>,
    /// The outputs after a create.
    pub outputs: Vec<Output>,
    /// Fails the apply with this as the summary of a diagnostic, after the resources before the last are done.
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
        Ok(Engine { name: "Script".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
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
        if self.job.action == Action::Delete && self.job.state.is_none() {
            self.log("Nothing was ever made: there is nothing to destroy.").await?;
            return Ok(RunOutcome::Success);
        }
        for step in [Step::Init, Step::Plan, Step::Apply] {
            self.observer.event(RunEvent::Step(step)).await?;
            if step == Step::Plan {
                self.resources(ChangeStatus::Planned).await?;
            }
        }
        for line in &self.script.log {
            self.log(line).await?;
        }
        self.resources(ChangeStatus::Started).await?;
        if self.script.waits {
            self.save().await?;
            return Err(self.observer.stop().await);
        }
        self.resources(ChangeStatus::Complete).await?;
        self.save().await?;
        if let Some(summary) = self.script.fails.as_ref().filter(|_| self.job.action == Action::Create) {
            let diagnostic = Diagnostic::error(self.text(summary), "");
            self.log(&format!("Error: {}", diagnostic.summary)).await?;
            self.observer.event(RunEvent::Diagnostic(diagnostic)).await?;
            return Ok(RunOutcome::Failure);
        }
        let mut outputs = Vec::new();
        if self.job.action == Action::Create {
            outputs.extend(self.script.outputs.iter().map(|output| self.output(output)));
        }
        self.observer.event(RunEvent::Outputs(outputs)).await?;
        Ok(RunOutcome::Success)
    }

    async fn log(&self, line: &str) -> Result<(), StopReason> {
        self.observer.event(RunEvent::Log(format!("{}\n", self.text(line)))).await
    }

    /// Reports that every resource got so far; the last one fails where the script does.
    async fn resources(&self, status: ChangeStatus) -> Result<(), StopReason> {
        let change = match self.job.action {
            Action::Create => ChangeKind::Create,
            Action::Delete => ChangeKind::Delete,
        };
        let fails = self.script.fails.is_some() && change == ChangeKind::Create;
        for (index, resource) in self.script.resources.iter().enumerate() {
            let last = index + 1 == self.script.resources.len();
            let status = match status {
                ChangeStatus::Complete if fails && last => ChangeStatus::Errored,
                status => status,
            };
            let address = self.text(resource);
            let progress = ResourceProgress { address, change, status, elapsed_seconds: None };
            self.observer.event(RunEvent::Resource(progress)).await?;
        }
        Ok(())
    }

    async fn save(&self) -> Result<(), StopReason> {
        let before: Value =
            self.job.state.as_ref().and_then(|state| serde_json::from_slice(state).ok()).unwrap_or_default();
        let made = self.script.resources.iter().filter(|_| self.job.action == Action::Create);
        let state = json!({
            "version": 4,
            "serial": before["serial"].as_u64().unwrap_or_default() + 1,
            "lineage": self.job.deployment.to_string(),
            "resources": made.collect::<Vec<_>>(),
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
