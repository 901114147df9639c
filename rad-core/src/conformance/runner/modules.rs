//! The modules a runner is tried with.

use serde_json::json;

use crate::conformance::must;
use crate::source::SourceTree;

/// The modules a runner is tried with: what differs from engine to engine.
///
/// Those given here are Terraform sources that need no provider from elsewhere; each also holds a `script.json` that has
/// a [`ScriptedRunner`](crate::memory::ScriptedRunner) do the same. An engine of another kind brings modules that behave
/// as each method says.
pub trait Modules: Send + Sync {
    /// The address that the engine gives to the resource `name` of these modules.
    fn address(&self, name: &str) -> String {
        format!("terraform_data.{name}")
    }

    /// Takes the variable `who`, makes the resource `greeting`, and has the output `greeting`: `Hello, ${who}!`.
    fn greeter(&self) -> SourceTree {
        tree(GREETER)
    }

    /// Makes the resource `base`, then fails at `rest` with the value of the variable `reason` in the log.
    fn failing(&self) -> SourceTree {
        tree(FAILING)
    }

    /// Prints the sensitive variable `password` after the words `the password is`, and gives it as a sensitive output.
    fn leaking(&self) -> SourceTree {
        tree(LEAKING)
    }

    /// Makes the resource `quick`, then hangs at `slow`.
    fn hanging(&self) -> SourceTree {
        tree(HANGING)
    }

    /// Makes the resources `keyed` and `plain`; `keyed` is made anew when the variable `key` changes, whose value is the output
    /// `key`.
    fn keyed(&self) -> SourceTree {
        tree(KEYED)
    }

    /// The same without `plain`.
    fn keyed_alone(&self) -> SourceTree {
        tree(KEYED_ALONE)
    }

    /// Makes the resources `kept`, `changed` and `gone`; something else then changes the `size` of `changed` from 1 to 2 and its `key`,
    /// which is sensitive, and takes `gone` away. With Terraform no provider does that which needs nothing from elsewhere:
    /// the engine it is tried with has to play it.
    fn drifting(&self) -> SourceTree {
        tree(DRIFTING)
    }

    /// Prints 200 lines, `entry 1;` to `entry 200;`.
    fn chatty(&self) -> SourceTree {
        let log: Vec<String> = (1..=200).map(|entry| format!("entry {entry};")).collect();
        with_script(CHATTY, json!({ "resources": ["terraform_data.chatty"], "log": log }).to_string())
    }

    /// Makes the resource `quick`, then prints `entry 1;` to `entry 8;` over some seconds, and ends well with the output
    /// `done`: true.
    fn lingering(&self) -> SourceTree {
        tree(LINGERING)
    }
}

/// The modules for runners on Terraform or OpenTofu, and for [`ScriptedRunner`](crate::memory::ScriptedRunner).
#[derive(Debug, Clone, Copy, Default)]
pub struct TerraformModules;

impl Modules for TerraformModules {}

fn tree([terraform, script]: [&'static str; 2]) -> SourceTree {
    with_script(terraform, script.to_owned())
}

fn with_script(terraform: &'static str, script: String) -> SourceTree {
    let mut source = SourceTree::default();
    must("a plain path", source.insert_file("main.tf", terraform));
    must("a plain path", source.insert_file("script.json", script));
    source
}

const GREETER: [&str; 2] = [
    r#"
    variable "who" { default = "World" }
    resource "terraform_data" "greeting" { input = "Hello, ${var.who}!" }
    output "greeting" { value = terraform_data.greeting.output }
    "#,
    r#"{
        "log": ["terraform_data.greeting: done"],
        "resources": ["terraform_data.greeting"],
        "outputs": [{ "name": "greeting", "sensitive": false, "value": "Hello, ${who}!" }]
    }"#,
];

const FAILING: [&str; 2] = [
    r#"
    variable "reason" {}
    resource "terraform_data" "base" { input = "made before the failure" }
    resource "terraform_data" "rest" {
      depends_on = [terraform_data.base]
      provisioner "local-exec" {
        command     = "echo \"refused: $REASON\"; exit 1"
        environment = { REASON = var.reason }
      }
    }
    "#,
    r#"{ "resources": ["terraform_data.base", "terraform_data.rest"], "fails": "refused: ${reason}" }"#,
];

const LEAKING: [&str; 2] = [
    r#"
    variable "password" { sensitive = true }
    resource "terraform_data" "leak" {
      provisioner "local-exec" {
        command     = "echo \"the password is $PASSWORD\"; echo '${nonsensitive(jsonencode(var.password))}'"
        environment = { PASSWORD = nonsensitive(var.password) }
      }
    }
    output "password" {
      value     = var.password
      sensitive = true
    }
    "#,
    r#"{
        "log": ["the password is ${password}"],
        "outputs": [{ "name": "password", "sensitive": true, "value": "${password}" }]
    }"#,
];

const HANGING: [&str; 2] = [
    r#"
    resource "terraform_data" "quick" { input = "made before the stop" }
    resource "terraform_data" "slow" {
      depends_on = [terraform_data.quick]
      provisioner "local-exec" { command = "sleep 50" }
    }
    "#,
    r#"{ "resources": ["terraform_data.quick", "terraform_data.slow"], "waits": true }"#,
];

const KEYED: [&str; 2] = [
    r#"
    variable "key" {}
    resource "terraform_data" "keyed" { triggers_replace = var.key }
    resource "terraform_data" "plain" {}
    output "key" { value = var.key }
    "#,
    r#"{
        "resources": ["terraform_data.keyed", "terraform_data.plain"],
        "replaces": ["terraform_data.keyed"],
        "outputs": [{ "name": "key", "sensitive": false, "value": "${key}" }]
    }"#,
];

const KEYED_ALONE: [&str; 2] = [
    r#"
    variable "key" {}
    resource "terraform_data" "keyed" { triggers_replace = var.key }
    output "key" { value = var.key }
    "#,
    r#"{ "resources": ["terraform_data.keyed"] }"#,
];

const DRIFTING: [&str; 2] = [
    r#"
    resource "terraform_data" "kept" {}
    resource "terraform_data" "changed" {}
    resource "terraform_data" "gone" {}
    "#,
    r#"{
        "resources": ["terraform_data.kept", "terraform_data.changed", "terraform_data.gone"],
        "drift": [
            { "address": "terraform_data.changed", "change": "update", "attributes": [
                { "name": "key", "was": null, "is": null },
                { "name": "size", "was": "1", "is": "2" }
            ] },
            { "address": "terraform_data.gone", "change": "delete" }
        ]
    }"#,
];

const CHATTY: &str = r#"
    resource "terraform_data" "chatty" {
      provisioner "local-exec" {
        command = "i=0; while [ $i -lt 200 ]; do i=$((i + 1)); echo \"entry $i;\"; done"
      }
    }
"#;

const LINGERING: [&str; 2] = [
    r#"
    resource "terraform_data" "quick" { input = "made before the rest" }
    resource "terraform_data" "lingering" {
      depends_on = [terraform_data.quick]
      provisioner "local-exec" {
        command = "i=0; while [ $i -lt 8 ]; do i=$((i + 1)); echo \"entry $i;\"; sleep 0.5; done"
      }
    }
    output "done" {
      value      = true
      depends_on = [terraform_data.lingering]
    }
    "#,
    r#"{
        "log": ["entry 1;", "entry 2;", "entry 3;", "entry 4;", "entry 5;", "entry 6;", "entry 7;", "entry 8;"],
        "resources": ["terraform_data.quick", "terraform_data.lingering"],
        "outputs": [{ "name": "done", "sensitive": false, "value": true }]
    }"#,
];
