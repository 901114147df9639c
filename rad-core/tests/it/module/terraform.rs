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

/// One row: `type ;; condition ;; value ;; verdict`, with `X` for the variable in the condition.
struct Case {
    name: String,
    ty: &'static str,
    condition: &'static str,
    value: Json,
    verdict: Verdict,
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
    /// Only a plan can tell.
    Deferred,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ;; {} ;; {}", self.ty, self.condition, self.value)
    }
}

impl Case {
    fn message(&self) -> String {
        format!("No, not {}.", self.name)
    }

    fn source(&self) -> String {
        let Self { name, ty, .. } = self;
        let validation = match self.condition {
            "" => String::new(),
            condition => format!(
                "  validation {{\n    condition     = {}\n    error_message = \"{}\"\n  }}\n",
                with_variable(condition, name),
                self.message()
            ),
        };
        format!("variable \"{name}\" {{\n  type = {ty}\n{validation}}}\n")
    }

    fn tree(&self) -> SourceTree {
        let mut tree = SourceTree::default();
        tree.insert_file("main.tf", self.source()).unwrap();
        tree
    }

    /// What we say.
    fn ours(&self) -> Verdict {
        let manifest = Manifest::read("m", &self.tree()).unwrap_or_else(|e| panic!("{self}: {e:?}"));
        let typed = Values::from([(self.name.clone(), self.value.clone())]);
        let mut manifest = manifest;
        if self.value.is_null() || self.value == "" {
            // A form takes both for "not typed": here they come from the layer below.
            manifest.variables[0].default = Some(self.value.clone());
        }
        match manifest.check(&Values::new(), &Values::new(), &typed) {
            Ok(checked) if !checked.deferred.is_empty() => Verdict::Deferred,
            Ok(checked) => Verdict::Accepted(checked.values[&self.name].clone()),
            Err(problems) if problems[0].message == self.message() => Verdict::Refused,
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
            'X' if !word(before) && !rest.peek().copied().is_some_and(word) => {
                output.push_str(&format!("var.{name}"));
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
            let [ty, condition, value, verdict] = cells[..] else { panic!("not a row: {line}") };
            Case {
                name: format!("c{number}"),
                ty,
                condition,
                value: serde_json::from_str(value).unwrap_or_else(|e| panic!("{line}: {e}")),
                verdict: match verdict {
                    "invalid" => Verdict::Invalid,
                    "refused" => Verdict::Refused,
                    "failed" => Verdict::Failed,
                    "deferred" => Verdict::Deferred,
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
        .filter(|case| theirs.get(&case.name) != Some(&case.verdict))
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
        values.insert(name.clone(), case.value.clone());
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
        return Some((case.name.clone(), Verdict::Refused));
    }
    let case = cases
        .iter()
        .find(|case| file == format!("{}.tf", case.name) || text.contains(&format!("var.{} ", case.name)))?;
    let invalid = summary.contains("Invalid value for input variable");
    Some((case.name.clone(), if invalid { Verdict::Invalid } else { Verdict::Failed }))
}
