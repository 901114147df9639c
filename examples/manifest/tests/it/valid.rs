//! What is shown of modules that can be published.

use crate::{HELLO, at, commit, directory, repository, run};

#[test]
fn a_module_is_shown_with_everything_a_deployer_would_see() {
    let main = r#"
terraform {
  required_version = ">= 1.5"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 5.0"
    }
  }
}
variable "credit_cost" { default = 12 }
variable "public_access" { default = true }
variable "nodes" {
  type    = list(object({ name = string, size = optional(number, 3) }))
  default = []
}
variable "password" {
  type      = string
  default   = "hunter2"
  sensitive = true
}
"#;
    let repository = repository(&[("hello/main.tf", main), ("hello/who.tf", HELLO)], &[]);
    run(&[at(&repository)])
        .ends_with(0)
        .says("public, costs 12 credits")
        .says("terraform >= 1.5")
        .says("who            string, required")
        .says("updatesafe, group=1, order=2, options=you,me")
        .says("                   Whom to greet.\n")
        .never_says("UIMeta")
        .says("list(object({ name = string, size = optional(number, 3) })), default []")
        .says("password       string, default hidden")
        .never_says("hunter2")
        .says("greeting  What is said.")
        .says("google  hashicorp/google ~> 5.0")
        .says("1 module, 0 invalid, 5 variables");
}

#[test]
fn revisions_are_read_without_a_checkout() {
    let repository = repository(&[("old/main.tf", HELLO)], &[]);
    commit(repository.path(), &[("new/main.tf", HELLO)], &[]);
    run(&[at(&repository)]).ends_with(0).says("new\n").never_says("old\n");
    let before = format!("{}@main~1", at(&repository));
    run(&[&before]).ends_with(0).says("old\n").never_says("new\n");
}

#[test]
fn a_sub_directory_is_named_in_front_of_files() {
    let hint = HELLO.replace("updatesafe", "colour=red");
    let directory = directory(&[("modules/hello/main.tf", hint.as_bytes())]);
    run(&[at(&directory), "--sub-dir", "./modules/"]).ends_with(0).says("warning: modules/hello/main.tf:");
}

#[test]
fn json_syntax_and_a_byte_order_mark_are_fine() {
    let json = br#"{"variable": {"region": {"type": "string", "default": "eu"}}}"#;
    let marked = [b"\xef\xbb\xbf", HELLO.as_bytes()].concat();
    let directory = directory(&[("json/main.tf.json", json), ("marked/main.tf", &marked)]);
    run(&[at(&directory)])
        .ends_with(0)
        .says("region  string, default \"eu\"")
        .says("who  string, required")
        .says("2 modules, 0 invalid");
}

#[test]
fn a_module_without_variables_is_a_module() {
    let directory = directory(&[("plain/main.tf", b"resource \"terraform_data\" \"x\" {}")]);
    run(&[at(&directory)]).ends_with(0).says("plain\n").says("no variables");
}

#[test]
fn json_holds_whole_manifests() {
    let repository = repository(&[("hello/main.tf", HELLO), ("broken/main.tf", "variable {")], &[]);
    let document = run(&[at(&repository), "--json"]).ends_with(1).json();
    assert_eq!(document["source"]["commit"].as_str().unwrap().len(), 40);
    let [broken, hello] = document["modules"].as_array().unwrap().as_slice() else {
        panic!("two modules in {document}");
    };
    assert_eq!(broken["status"], "invalid");
    assert_eq!(broken["errors"][0]["file"], "broken/main.tf");
    assert_eq!(broken["errors"][0]["line"], 1);
    assert_eq!(hello["status"], "valid");
    let variable = &hello["manifest"]["variables"][0];
    assert_eq!(variable["type"], "string");
    assert_eq!(variable["hints"]["options"][1], "me");
    assert!(variable.get("default").is_none(), "required: {variable}");
}

#[test]
fn json_schema_holds_the_forms_of_deployer_and_publisher() {
    let secret = "variable \"token\" {\n  default = \"hunter2\"\n  sensitive = true\n}\n";
    let repository = repository(
        &[("hello/main.tf", HELLO), ("hello/token.tf", secret), ("broken/main.tf", "variable {")],
        &[],
    );
    let run = run(&[at(&repository), "--json-schema"]).ends_with(1).never_says("hunter2");
    let document = run.json();
    let [broken, hello] = document["modules"].as_array().unwrap().as_slice() else {
        panic!("two modules in {document}");
    };
    assert_eq!(broken["errors"][0]["file"], "broken/main.tf");
    assert!(broken.get("deploy").is_none());
    assert_eq!(hello["deploy"]["required"], serde_json::json!(["who"]));
    assert_eq!(hello["deploy"]["properties"]["who"]["enum"], serde_json::json!(["you", "me"]));
    assert_eq!(hello["publish"]["properties"], serde_json::json!({}));
}

#[test]
fn control_characters_of_a_module_do_not_reach_the_terminal() {
    let evil = HELLO.replace("What is said.", "\\u001b[2Jgone");
    let directory = directory(&[("evil/main.tf", evil.as_bytes())]);
    run(&[at(&directory)]).ends_with(0).never_says("\u{1b}").says("\\u{1b}[2Jgone");
}

#[test]
fn help_explains_every_argument() {
    let help = run(&["--help"]).ends_with(0);
    help.says("GIT_REPO[@REV]").says("--sub-dir").says("--json").says("--json-schema").says("Exit codes:");
}
