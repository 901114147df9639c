//! What a reader found stands for reading again: it is stored without loss, and a reader that reads otherwise has another name.

use rad_core::module::{Discovery, FoundModule, Manifest, READER, SourceError, discover, discover_again};
use rad_core::source::{Digest, SourceTree};

/// A module with something of everything, one in JSON with overrides, and one that cannot be read.
const SOURCES: [(&str, &str); 6] = [
    (
        "all/main.tf",
        r#"terraform {
             required_version = ">= 1.5, < 3.0"
             required_providers { random = { source = "hashicorp/random", version = "~> 3.0" } }
           }
           variable "module_description" { default = "Everything." }
           variable "module_dependency" { default = ["base"] }
           variable "credit_cost" { default = 2.50 }
           variable "trusted_users" { default = ["ann@example.com"] }
           variable "nodes" {
             type        = map(object({ size = optional(number, 1.50), zones = set(string), any = optional(any) }))
             default     = { a = { zones = ["x", "x"] } }
             description = <<-EOT
               Nodes.
               {{UIMeta group=2 order=1 options=a,b dependson=(size=="1"&&(zone=="x"||zone=="y")) updatesafe odd= }}
             EOT
             nullable    = false
             sensitive   = true
             validation {
               condition     = alltrue([for name, node in var.nodes : can(regex("^[a-z]+$", name)) && node.size > 0])
               error_message = "Names are letters, not ${join(", ", keys(var.nodes))}."
             }
           }
           variable "huge" { default = 123456789012345678901234567890 }
           variable "none" { default = null }
           output "all" {
             value       = var.nodes
             description = "All of them."
             sensitive   = true
           }
           resource "terraform_data" "one" {}
           resource "terraform_data" "two" {}
           data "terraform_remote_state" "three" {}
           module "four" {
             source  = "example/four/cloud"
             version = "~> 4.0"
           }"#,
    ),
    ("all/README.md", "# All\n\nNot the description."),
    ("all/nested/main.tf", "variable {"),
    (
        "json/main.tf.json",
        r#"{"variable": {"x": {"type": "number", "default": "5"}, "y": {"default": [1, null]}}}"#,
    ),
    ("json/x_override.tf", "variable \"x\" {\n  default = 7\n}\n"),
    ("wrong/main.tf", "variable \"x\" {\n  type = strin\n}\nvariable \"x\" {}\noutput \"y\" {}\n"),
];

fn sources() -> SourceTree {
    let mut tree = SourceTree::default();
    for (path, text) in SOURCES {
        tree.insert_file(path, text).unwrap();
    }
    for (name, source) in super::terraform::sources() {
        tree.insert_file(format!("{name}/main.tf"), source).unwrap();
    }
    tree
}

fn stored(module: &FoundModule) -> String {
    serde_json::to_string(&module.outcome).unwrap()
}

#[test]
fn whoever_reads_otherwise_has_another_name() {
    let stored: Vec<String> = discover(&sources()).iter().map(stored).collect();
    let found = Digest::of(stored.join("\n").as_bytes()).to_string();
    let known = (
        concat!(env!("CARGO_PKG_VERSION"), "/2"),
        "60988fae4de897af1f27577b024b34b5717f986ca529698467f30529812a499c",
    );
    assert_eq!(
        (READER, found.as_str()),
        known,
        "the same sources read otherwise than before: give READER another number, so that what was stored before is read \
         again, and write down the new digest here"
    );
}

#[test]
fn what_was_found_is_stored_without_loss() {
    for tree in [sources(), super::examples()] {
        for module in discover(&tree) {
            let read: Result<Manifest, Vec<SourceError>> = serde_json::from_str(&stored(&module)).unwrap();
            assert_eq!(read, module.outcome);
        }
    }
}

#[test]
fn modules_are_known_again_by_name_and_digest() {
    let (tree, samples) = (sources(), super::examples());
    let all = discover(&tree);
    let again = discover_again(&tree, all.clone());
    assert_eq!(again, Discovery { modules: all.clone(), parsed: 0 });
    assert_eq!(
        discover_again(&samples, all.clone()).parsed,
        discover(&samples).len(),
        "none is of that name"
    );

    let mut changed = tree.clone();
    changed.insert_file("all/nested/notes.txt", "below").unwrap();
    changed.remove("json/x_override.tf");
    changed.insert_file("new/main.tf", "").unwrap();
    let again = discover_again(&changed, all);
    assert_eq!((again.parsed, &again.modules), (3, &discover(&changed)));
}
