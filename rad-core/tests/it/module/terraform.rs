//! The verdicts of [`Manifest::check`] against Terraform's own, over a table of types, conditions and values.
//!
//! The table holds what Terraform 1.11 says. Where there is an engine (the one that `RAD_TERRAFORM` names, or `terraform` or
//! `tofu` on the PATH) it is asked again, so that the table itself is held against the real thing.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rad_core::module::{Manifest, Values};
use rad_core::source::SourceTree;
use serde_json::Value as Json;

const TABLE: &str = include_str!("terraform.txt");

/// One row: `type ;; condition ;; value ;; verdict`, with `X` for the variable in the condition. The value `-` is none: the
/// default counts. Further cells are `default = …` and `nullable = …` of the variable, the expression of a `message`, and the
/// default of an `other` variable, `Y` in the condition.
struct Case {
    name: String,
    ty: &'static str,
    condition: &'static str,
    value: Option<Json>,
    verdict: Verdict,
    further: BTreeMap<&'static str, &'static str>,
}

#[derive(Debug, Clone, PartialEq)]
enum Verdict {
    /// Taken, as this value.
    Accepted(Json),
    /// Not of the type.
    Invalid,
    /// The condition is false.
    Refused,
    /// The condition has no value.
    Failed,
    /// The condition is false, and the message says this.
    Told(String),
    /// Only a plan can tell.
    Deferred,
    /// Taken, and left to Terraform's own default.
    Left,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.as_ref().map_or("-".to_owned(), Json::to_string);
        write!(f, "{} ;; {} ;; {value} ;; {:?}", self.ty, self.condition, self.further)
    }
}

impl Case {
    fn message(&self) -> String {
        format!("No, not {}.", self.name)
    }

    fn source(&self) -> String {
        let Self { name, ty, further, .. } = self;
        let message = match further.get("message") {
            // What it says after the words that the case is known by.
            Some(computed) => {
                format!("format(\"%s %s\", {:?}, {})", self.message(), with_variable(computed, name))
            }
            None => format!("{:?}", self.message()),
        };
        let validation = match self.condition {
            "" => String::new(),
            condition => format!(
                "  validation {{\n    condition     = {}\n    error_message = {message}\n  }}\n",
                with_variable(condition, name),
            ),
        };
        let arguments: String = ["default", "nullable"]
            .into_iter()
            .filter_map(|argument| Some(format!("  {argument} = {}\n", further.get(argument)?)))
            .collect();
        let other = further.get("other");
        let other = other.map(|default| format!("variable \"{name}_other\" {{\n  default = {default}\n}}\n"));
        format!(
            "variable \"{name}\" {{\n  type = {ty}\n{arguments}{validation}}}\n{}",
            other.unwrap_or_default()
        )
    }

    fn tree(&self) -> SourceTree {
        let mut tree = SourceTree::default();
        tree.insert_file("main.tf", self.source()).unwrap();
        tree
    }

    /// What we say.
    fn ours(&self) -> Verdict {
        let manifest = Manifest::read("m", &self.tree()).unwrap_or_else(|e| panic!("{self}: {e:?}"));
        let typed: Values = self.value.iter().map(|value| (self.name.clone(), value.clone())).collect();
        let mut manifest = manifest;
        let untyped = self.value.as_ref().filter(|value| value.is_null() || *value == "");
        if let Some(value) = untyped.filter(|_| !self.further.contains_key("default")) {
            // A form takes both for "not typed": here they come from the layer below.
            manifest.variables[0].default = Some(value.clone());
        }
        match manifest.check(&Values::new(), &Values::new(), &typed) {
            Ok(checked) if !checked.deferred.is_empty() => Verdict::Deferred,
            Ok(checked) => match checked.values.get(&self.name) {
                Some(value) => Verdict::Accepted(value.clone()),
                None => Verdict::Left,
            },
            Err(problems) if problems[0].message == self.message() => Verdict::Refused,
            Err(problems) if self.further.contains_key("message") => {
                let said = problems[0].message.strip_prefix(&self.message());
                said.map_or(Verdict::Invalid, |said| Verdict::Told(said.trim().to_owned()))
            }
            Err(problems) if problems[0].message.starts_with(&self.message()) => Verdict::Failed,
            Err(_) => Verdict::Invalid,
        }
    }
}

/// The condition with the variable in place of `X`, which stands alone.
fn with_variable(condition: &str, name: &str) -> String {
    let mut output = String::new();
    let mut before = ' ';
    let mut rest = condition.chars().peekable();
    while let Some(c) = rest.next() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        match c {
            'X' | 'Y' if !word(before) && !rest.peek().copied().is_some_and(word) => {
                output.push_str(&format!("var.{name}{}", if c == 'Y' { "_other" } else { "" }));
            }
            c => output.push(c),
        }
        before = c;
    }
    output
}

fn table() -> Vec<Case> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.enumerate()
        .map(|(number, line)| {
            let cells: Vec<&str> = line.split(" ;; ").map(str::trim).collect();
            let [ty, condition, value, verdict, ref further @ ..] = cells[..] else {
                panic!("not a row: {line}")
            };
            let further = further.iter().map(|cell| cell.split_once(" = ").unwrap()).collect();
            Case {
                name: format!("c{number}"),
                ty,
                condition,
                value: (value != "-")
                    .then(|| serde_json::from_str(value).unwrap_or_else(|e| panic!("{line}: {e}"))),
                further,
                verdict: match verdict {
                    "invalid" => Verdict::Invalid,
                    "refused" => Verdict::Refused,
                    "failed" => Verdict::Failed,
                    "deferred" => Verdict::Deferred,
                    "left" => Verdict::Left,
                    told if told.starts_with("says ") => Verdict::Told(told["says ".len()..].to_owned()),
                    json => Verdict::Accepted(
                        serde_json::from_str(json).unwrap_or_else(|e| panic!("{line}: {e}")),
                    ),
                },
            }
        })
        .collect()
}

/// The sources of all cases, by name.
pub(super) fn sources() -> impl Iterator<Item = (String, String)> {
    table().into_iter().map(|case| (case.name.clone(), case.source()))
}

#[test]
fn our_verdicts_are_those_of_the_table() {
    let cases = table();
    let wrong: Vec<String> = cases
        .iter()
        .map(|case| (case, case.ours()))
        .filter(|(case, ours)| *ours != case.verdict)
        .map(|(case, ours)| format!("{case}: {ours:?} instead of {:?}", case.verdict))
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn the_table_holds_what_terraform_says() {
    let Some(engine) = engine() else {
        let missing = "NOT COMPARED: neither tofu nor terraform is on the PATH, and RAD_TERRAFORM names none";
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        println!("{missing}");
        return;
    };
    let scratch = std::env::temp_dir().join(format!("rad-terraform-{}", std::process::id()));
    let cases = table();
    let theirs = ask(&engine, &scratch, &cases);
    fs::remove_dir_all(&scratch).ok();
    let wrong: Vec<String> = cases
        .iter()
        .filter(|case| case.verdict != Verdict::Deferred)
        .filter(|case| match (&case.verdict, theirs.get(&case.name)) {
            // What is left to the engine it has to take, whatever it is.
            (Verdict::Left, theirs) => !matches!(theirs, Some(Verdict::Accepted(_))),
            (ours, theirs) => Some(ours) != theirs,
        })
        .map(|case| format!("{case}: {:?} instead of {:?}", theirs.get(&case.name), case.verdict))
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    println!("compared {} cases with {}", cases.len(), engine.display());
}

/// The engine, if there is one: Terraform first, since the table is written for it.
fn engine() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("RAD_TERRAFORM").filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    ["terraform", "tofu"]
        .into_iter()
        .flat_map(|name| directories.iter().map(move |directory| directory.join(name)))
        .find(|program| program.is_file())
}

/// Asks for all verdicts in few runs: a run tells what is wrong, a last one the values of what is not.
fn ask(engine: &Path, scratch: &Path, cases: &[Case]) -> BTreeMap<String, Verdict> {
    let mut verdicts = BTreeMap::new();
    for round in 0.. {
        assert!(round < 10, "the runs do not settle");
        let open: Vec<&Case> = cases.iter().filter(|case| !verdicts.contains_key(&case.name)).collect();
        write(scratch, &open);
        let output = run(engine, scratch, &["plan", "-json", "-input=false"]);
        let found: BTreeMap<String, Verdict> =
            output.lines().filter_map(|line| diagnosis(line, &open)).collect();
        if found.is_empty() {
            break;
        }
        verdicts.extend(found);
    }
    run(engine, scratch, &["apply", "-auto-approve", "-input=false", "-json"]);
    let outputs: BTreeMap<String, BTreeMap<String, Json>> =
        serde_json::from_str(&run(engine, scratch, &["output", "-json"])).unwrap();
    for (name, output) in outputs {
        let value = output["value"].as_str().unwrap();
        verdicts.insert(name, Verdict::Accepted(serde_json::from_str(value).unwrap()));
    }
    verdicts
}

fn write(scratch: &Path, cases: &[&Case]) {
    fs::remove_dir_all(scratch).ok();
    fs::create_dir_all(scratch).unwrap();
    let mut values = serde_json::Map::new();
    for case in cases {
        let name = &case.name;
        let output = format!("output \"{name}\" {{\n  value = jsonencode(var.{name})\n}}\n");
        fs::write(scratch.join(format!("{name}.tf")), case.source() + &output).unwrap();
        values.extend(case.value.clone().map(|value| (name.clone(), value)));
    }
    fs::write(scratch.join("terraform.tfvars.json"), Json::Object(values).to_string()).unwrap();
}

fn run(engine: &Path, directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new(engine)
        .args(arguments)
        .current_dir(directory)
        .env("CHECKPOINT_DISABLE", "1")
        .env_remove("TF_CLI_CONFIG_FILE")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The verdict an error of a run stands for.
fn diagnosis(line: &str, cases: &[&Case]) -> Option<(String, Verdict)> {
    let event: Json = serde_json::from_str(line).ok()?;
    let diagnostic = event.get("diagnostic").filter(|d| d["severity"] == "error")?;
    let summary = diagnostic["summary"].as_str()?;
    let text = format!("{summary} {}", diagnostic["detail"].as_str().unwrap_or(""));
    let file = diagnostic["range"]["filename"].as_str().unwrap_or("");
    if let Some(case) = cases.iter().find(|case| text.contains(&case.message())) {
        let verdict = match case.further.contains_key("message") {
            true => {
                let said = text.split_once(&case.message())?.1;
                // The engine adds where the rule stands.
                Verdict::Told(said.split("\n\n").next()?.trim().to_owned())
            }
            false => Verdict::Refused,
        };
        return Some((case.name.clone(), verdict));
    }
    let case = cases
        .iter()
        .find(|case| file == format!("{}.tf", case.name) || text.contains(&format!("var.{} ", case.name)))?;
    let invalid = summary.contains("Invalid value for input variable");
    Some((case.name.clone(), if invalid { Verdict::Invalid } else { Verdict::Failed }))
}
