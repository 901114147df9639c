//! Reading the machine-readable output of an engine: one JSON object a line
//! (<https://developer.hashicorp.com/terraform/internals/machine-readable-ui>), with anything else taken as text.

use rad_core::runner::{ChangeKind, Diagnostic, Severity};
use serde::Deserialize;

/// An address, or the path of a file, that is longer is not kept: lines of any length can be forged by module code.
const LONGEST_NAME: usize = 2_048;

/// What stands for the address of a resource that is too long to be kept.
pub(super) const NAMELESS: &str = "[an address that is too long]";

/// A line of an engine's output.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    /// The line for people; may hold line feeds.
    pub(super) text: String,
    /// What it means to the platform.
    pub(super) meaning: Meaning,
}

/// What a line of an engine's output means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meaning {
    /// Something to read.
    Text,
    /// The engine says which version it is.
    Version,
    /// This resource is not what the state says.
    Drifted(String, ChangeKind),
    /// The plan holds a change of this resource.
    Planned(String, ChangeKind),
    /// The change of this resource began.
    Started(String, ChangeKind),
    /// It goes on, for so many seconds now.
    Progress(String, ChangeKind, u64),
    /// It is done.
    Complete(String, ChangeKind, Option<u64>),
    /// It failed.
    Errored(String, ChangeKind, Option<u64>),
    /// A diagnostic.
    Diagnostic(Diagnostic),
    /// Nothing for people: the outputs, which are taken from the state.
    Outputs,
}

/// Whether a line only passes on what a program of the module printed: told without reading it, for there may be
/// millions.
pub(super) fn is_program_output(line: &str) -> bool {
    // Inside a JSON string the quotes would be escaped. What is no JSON did not come from the engine, or is text only.
    !line.starts_with('{') || line.contains(r#""type":"provision_progress""#)
}

/// Reads a line.
pub(super) fn read(line: &str) -> Message {
    match serde_json::from_str::<Raw>(line) {
        Ok(raw) => raw.message(),
        Err(_) => Message { text: line.to_owned(), meaning: Meaning::Text },
    }
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "@message")]
    message: String,
    #[serde(rename = "type", default)]
    kind: String,
    change: Option<RawChange>,
    hook: Option<RawChange>,
    diagnostic: Option<RawDiagnostic>,
}

#[derive(Deserialize)]
struct RawChange {
    resource: RawResource,
    #[serde(default)]
    action: String,
    elapsed_seconds: Option<f64>,
}

#[derive(Deserialize)]
struct RawResource {
    addr: String,
}

#[derive(Deserialize)]
struct RawDiagnostic {
    severity: String,
    summary: String,
    #[serde(default)]
    detail: String,
    address: Option<String>,
    range: Option<RawRange>,
}

#[derive(Deserialize)]
struct RawRange {
    filename: String,
    start: RawPosition,
}

#[derive(Deserialize)]
struct RawPosition {
    line: u64,
}

impl Raw {
    fn message(self) -> Message {
        if let Some(diagnostic) = self.diagnostic {
            let diagnostic = diagnostic.read();
            return Message { text: written(&diagnostic), meaning: Meaning::Diagnostic(diagnostic) };
        }
        let meaning = match self.kind.as_str() {
            "version" => Meaning::Version,
            "outputs" => Meaning::Outputs,
            kind => {
                self.change.or(self.hook).and_then(|change| change.meaning(kind)).unwrap_or(Meaning::Text)
            }
        };
        Message { text: self.message, meaning }
    }
}

impl RawChange {
    fn meaning(self, kind: &str) -> Option<Meaning> {
        let change = match self.action.as_str() {
            "create" => ChangeKind::Create,
            "update" => ChangeKind::Update,
            "replace" => ChangeKind::Replace,
            "delete" | "remove" => ChangeKind::Delete,
            "read" => ChangeKind::Read,
            _ => return None,
        };
        let address = if is_kept(&self.resource.addr) { self.resource.addr } else { NAMELESS.to_owned() };
        let elapsed = self.elapsed_seconds.filter(|seconds| (0.0..1e9).contains(seconds));
        // Whole seconds are what people read.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
        let elapsed = elapsed.map(|seconds| seconds as u64);
        match kind {
            "resource_drift" => Some(Meaning::Drifted(address, change)),
            "planned_change" => Some(Meaning::Planned(address, change)),
            "apply_start" => Some(Meaning::Started(address, change)),
            "apply_progress" => Some(Meaning::Progress(address, change, elapsed.unwrap_or_default())),
            "apply_complete" => Some(Meaning::Complete(address, change, elapsed)),
            "apply_errored" => Some(Meaning::Errored(address, change, elapsed)),
            _ => None,
        }
    }
}

impl RawDiagnostic {
    fn read(self) -> Diagnostic {
        Diagnostic {
            severity: if self.severity == "error" { Severity::Error } else { Severity::Warning },
            summary: self.summary,
            detail: self.detail,
            // An absolute path is a file of the platform's, such as that of the values.
            place: self
                .range
                .filter(|range| !range.filename.starts_with('/') && is_kept(&range.filename))
                .map(|range| (range.filename, range.start.line)),
            address: self.address.filter(|address| !address.is_empty() && is_kept(address)),
        }
    }
}

fn is_kept(name: &str) -> bool {
    name.len() <= LONGEST_NAME
}

/// A diagnostic as it stands in the log.
pub(super) fn written(diagnostic: &Diagnostic) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "Error",
        Severity::Warning => "Warning",
    };
    let mut text = format!("{severity}: {}", diagnostic.summary);
    if let Some((file, line)) = &diagnostic.place {
        text.push_str(&format!("\n  {file}, line {line}"));
    }
    if let Some(address) = &diagnostic.address {
        text.push_str(&format!("\n  with {address}"));
    }
    for line in diagnostic.detail.trim().lines() {
        text.push_str("\n  ");
        text.push_str(line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_with_their_resource_and_time() {
        let line = r#"{"@message":"x.y: Creation complete after 2s","type":"apply_complete",
            "hook":{"resource":{"addr":"x.y[0]"},"action":"create","elapsed_seconds":2}}"#;
        let message = read(line);
        assert_eq!(message.text, "x.y: Creation complete after 2s");
        assert_eq!(message.meaning, Meaning::Complete("x.y[0]".into(), ChangeKind::Create, Some(2)));
        let planned = r#"{"@message":"p","type":"planned_change","change":{"resource":{"addr":"a"},"action":"replace"}}"#;
        assert_eq!(read(planned).meaning, Meaning::Planned("a".into(), ChangeKind::Replace));
        let nothing =
            r#"{"@message":"p","type":"planned_change","change":{"resource":{"addr":"a"},"action":"noop"}}"#;
        assert_eq!(read(nothing).meaning, Meaning::Text);
    }

    #[test]
    fn diagnostics_keep_their_place() {
        let line = r#"{"@message":"Error: no","type":"diagnostic","diagnostic":{"severity":"error","summary":"no",
            "detail":"not\nat all","address":"a.b","range":{"filename":"main.tf","start":{"line":12,"column":3}}}}"#;
        let message = read(line);
        assert_eq!(message.text, "Error: no\n  main.tf, line 12\n  with a.b\n  not\n  at all");
        let Meaning::Diagnostic(diagnostic) = message.meaning else { panic!("{message:?}") };
        assert_eq!(diagnostic.place, Some(("main.tf".into(), 12)));
    }

    #[test]
    fn names_that_are_too_long_are_not_kept() {
        for (length, kept) in [(LONGEST_NAME, true), (LONGEST_NAME + 1, false)] {
            let name = "x".repeat(length);
            let planned = format!(
                r#"{{"@message":"p","type":"planned_change","change":{{"resource":{{"addr":"{name}"}},"action":"create"}}}}"#
            );
            let address = if kept { name.clone() } else { NAMELESS.to_owned() };
            assert_eq!(read(&planned).meaning, Meaning::Planned(address, ChangeKind::Create));
            let diagnostic = format!(
                r#"{{"@message":"d","diagnostic":{{"severity":"error","summary":"no","address":"{name}",
                    "range":{{"filename":"{name}","start":{{"line":1}}}}}}}}"#
            );
            let Meaning::Diagnostic(read) = read(&diagnostic).meaning else { panic!("{diagnostic}") };
            assert_eq!((read.address.is_some(), read.place.is_some()), (kept, kept));
        }
    }

    #[test]
    fn anything_else_is_text() {
        for line in ["", "plain", "{}", "[1]", r#"{"type":"version"}"#, "\u{0}{"] {
            assert_eq!(read(line), Message { text: line.into(), meaning: Meaning::Text });
        }
    }
}
