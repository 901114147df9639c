//! What is found in a tree, and what is said of directories that cannot be read.

use rad_core::module::{FoundModule, Manifest, Type, discover};
use rad_core::source::{SourceTree, TreeEntry};
use serde_json::json;

fn tree(files: &[(&str, &str)]) -> SourceTree {
    let mut tree = SourceTree::default();
    for (path, text) in files {
        tree.insert_file(*path, text.to_string().into_bytes()).unwrap();
    }
    tree
}

fn one(files: &[(&str, &str)]) -> FoundModule {
    let mut found = discover(&tree(files));
    assert_eq!(found.len(), 1, "{files:?}");
    found.remove(0)
}

fn manifest(files: &[(&str, &str)]) -> Manifest {
    one(files).outcome.unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// The errors of a module, one a line.
fn errors(files: &[(&str, &str)]) -> String {
    let errors = one(files).outcome.expect_err("an invalid module");
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_directory_with_terraform_files_is_a_module() {
    let found = discover(&tree(&[
        ("README.md", "x"),
        ("main.tf", "this is not in a directory"),
        ("docs/guide.md", "x"),
        ("b/main.tf", ""),
        ("a/only.tf.json", "{}"),
        ("broken/main.tf", "variable {"),
        ("nested/inner/main.tf", ""),
    ]));
    let names: Vec<(&str, bool)> = found.iter().map(|m| (m.name.as_str(), m.outcome.is_ok())).collect();
    assert_eq!(names, [("a", true), ("b", true), ("broken", false)]);
}

#[test]
fn what_only_opentofu_would_do_is_refused() {
    let native =
        "terraform {\n  encryption {\n    key_provider \"external\" \"x\" { command = [\"sh\"] }\n  }\n}\n";
    let json = r#"{ "terraform": [{ "encryption": { "key_provider": {} } }] }"#;
    for (file, text, place, words) in [
        ("main.tf", native, "2:3", "remove this block"),
        ("main.tf.json", json, "1:19", "remove this block"),
        ("main_override.tf", native, "2:3", "remove this block"),
        ("main.tofu", "", "1:1", "give it that ending"),
        ("main.tofu.json", "{}", "1:1", "give it that ending"),
    ] {
        let files = [("m/variables.tf", ""), (&format!("m/{file}"), text)];
        let message = errors(&files);
        assert!(message.starts_with(&format!("m/{file}:{place}: ")) && message.contains(words), "{message}");
        let directory = tree(&files).directory("m");
        let found = Manifest::forbidden(&directory).unwrap();
        assert!(found.file.ends_with(file) && found.message.contains(words), "{found}");
    }
    let broken = tree(&[("a.tf", "variable {"), ("b.tf", native)]);
    assert!(Manifest::forbidden(&broken).is_some(), "also where the rest cannot be read");
    assert_eq!(Manifest::forbidden(&tree(&[("a.tf", "variable {"), ("sub/b.tofu", native)])), None);
}

#[test]
fn equal_modules_have_equal_digests_wherever_they_are() {
    let found = discover(&tree(&[("a/main.tf", "locals {}"), ("b/main.tf", "locals {}"), ("c/main.tf", "")]));
    assert_eq!(found[0].digest, found[1].digest);
    assert_ne!(found[0].digest, found[2].digest);
}

#[test]
fn syntax_errors_name_file_line_and_column() {
    let message = errors(&[("m/main.tf", "variable \"a\" {\n  type = string\n  default = =\n}\n")]);
    assert!(message.starts_with("m/main.tf:3:13: "), "{message}");
    let message = errors(&[("m/main.tf.json", "{\n  \"variable\": {,}\n}")]);
    assert!(message.starts_with("m/main.tf.json:2:16: not JSON"), "{message}");
}

#[test]
fn a_duplicate_names_both_places() {
    let message = errors(&[("m/a.tf", "variable \"x\" {}\n"), ("m/b.tf", "\n\nvariable \"x\" {}\n")]);
    assert_eq!(message, "m/b.tf:3:1: the variable \"x\" is declared twice: first at m/a.tf:1:1");
    for (kind, block) in [
        ("output", "output \"x\" {\n value = 1\n}\n"),
        ("module", "module \"x\" {\n source = \"./x\"\n}\n"),
        ("resource", "resource \"terraform_data\" \"x\" {}\n"),
    ] {
        let message = errors(&[("m/a.tf", block), ("m/b.tf", block)]);
        assert!(
            message.contains(&format!("the {kind}")) && message.contains("first at m/a.tf:1:1"),
            "{message}"
        );
    }
}

#[test]
fn a_byte_order_mark_is_no_error_but_other_encodings_are() {
    let with_mark = manifest(&[("m/main.tf", "\u{feff}variable \"a\" {}\n")]);
    assert_eq!(with_mark.variables.len(), 1);
    let mut tree = SourceTree::default();
    tree.insert_file("m/main.tf", b"# caf\xc3\xa9\n# caf\xe9\n".to_vec()).unwrap();
    let errors = discover(&tree).remove(0).outcome.unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "m/main.tf:2:6: the file is not UTF-8 text: byte 13 cannot be read; save it as UTF-8"
    );
}

#[test]
fn links_may_not_leave_the_directory() {
    let with_link = |path: &str, target: &str| {
        let mut tree = tree(&[("m/main.tf", "variable \"a\" {}"), ("other/x.tf", "variable \"b\" {}")]);
        tree.insert(path, TreeEntry::Symlink { target: target.to_owned() }).unwrap();
        discover(&tree).remove(0).outcome
    };
    for target in ["../other/x.tf", "/etc/passwd", "nothing.tf", "link.tf"] {
        let errors = with_link("m/link.tf", target).unwrap_err();
        assert_eq!((errors[0].file.as_str(), errors[0].line), ("m/link.tf", 1), "{target}");
    }
    assert!(with_link("m/notes.md", "../../secret").is_err(), "whatever kind of file it is");
    assert!(with_link("m/notes.md", "main.tf").is_ok());
    let twice = with_link("m/link.tf", "main.tf").unwrap_err();
    assert!(twice[0].message.contains("declared twice"), "a link within the directory is read: {twice:?}");
}

#[test]
fn json_syntax_says_the_same_as_native_syntax() {
    let native = manifest(&[(
        "m/main.tf",
        r#"
        terraform {
          required_version = ">= 1.4"
          required_providers {
            google = { source = "hashicorp/google", version = "~> 5.0" }
          }
        }
        variable "zone" {
          type        = list(string)
          default     = ["a"]
          description = "Zone. {{UIMeta group=1 order=2 }}"
          sensitive   = true
          validation {
            condition     = length(var.zone) > 0
            error_message = "Name a zone."
          }
          validation {
            condition     = var.zone[0] != "b"
            error_message = "Not ${var.zone[0]}."
          }
        }
        variable "apple" {
        }
        output "z" {
          value = var.zone
          description = "The zone."
        }
        module "net" {
          source = "example/net/aws"
        }
        resource "terraform_data" "a" {}
        data "google_project" "p" {}
        "#,
    )]);
    let json = manifest(&[(
        "m/main.tf.json",
        r#"{
        "//": "a comment",
        "terraform": [{"required_version": ">= 1.4"}, {
          "required_providers": {"google": {"source": "hashicorp/google", "version": "~> 5.0"}}
        }],
        "variable": {
          "zone": {
            "type": "list(string)", "default": ["a"], "sensitive": true,
            "description": "Zone. {{UIMeta group=1 order=2 }}",
            "validation": [
              {"condition": "${length(var.zone) > 0}", "error_message": "Name a zone."},
              {"condition": "${var.zone[0] != \"b\"}", "error_message": "Not ${var.zone[0]}."}
            ]
          },
          "apple": {}
        },
        "output": {"z": {"value": "${var.zone}", "description": "The zone."}},
        "module": {"net": {"source": "example/net/aws"}},
        "resource": {"terraform_data": {"a": {}}},
        "data": {"google_project": {"p": {}}}
        }"#,
    )]);
    let plain = |mut manifest: Manifest| {
        for variable in &mut manifest.variables {
            variable.file = String::new();
            variable.line = 0;
        }
        manifest
    };
    assert_eq!(json.variables[0].line, 7, "the line of the property");
    assert_eq!(plain(json), plain(native));
}

#[test]
fn overriding_files_override() {
    let manifest = manifest(&[
        ("m/a_override.tf", "variable \"x\" {\n default = 2\n sensitive = true\n}\n"),
        ("m/main.tf", "variable \"x\" {\n type = number\n default = 1\n description = \"The x.\"\n}\n"),
        ("m/override.tf.json", r#"{"variable": {"x": {"default": 3}}}"#),
    ]);
    let [variable] = &manifest.variables[..] else { panic!("{:?}", manifest.variables) };
    assert_eq!((variable.default.clone(), variable.sensitive), (Some(json!(3)), true));
    assert_eq!((variable.description.as_str(), variable.file.as_str()), ("The x.", "m/main.tf"));
    let message = errors(&[("m/main.tf", ""), ("m/override.tf", "variable \"y\" {}")]);
    assert_eq!(message, "m/override.tf:1:1: there is no variable \"y\" to override");
}

#[test]
fn terraforms_static_rules_hold() {
    for (source, expected) in [
        (
            "variable \"x\" {\n  type = strin\n}",
            "m/main.tf:2:10: the type of variable \"x\": \"strin\" is not a type",
        ),
        ("variable \"x\" {\n  type = \"string\"\n}", "without quotes"),
        ("variable \"x\" {\n  type = object\n}", "object needs its attributes"),
        (
            "variable \"x\" {\n  type = object({ a = optional(number, \"q\") })\n}",
            "the default does not suit",
        ),
        (
            "variable \"x\" {\n  type = number\n  default = \"many\"\n}",
            "m/main.tf:1:1: the default of variable \"x\"",
        ),
        ("variable \"x\" {\n  default = local.y\n}", "a constant is needed here"),
        ("variable \"x\" {\n  default = file(\"y\")\n}", "a function call"),
        ("variable \"x\" {\n  nullable = false\n  default = null\n}", "not nullable"),
        ("variable \"x\" {\n  colour = \"red\"\n}", "no argument \"colour\""),
        ("variable \"x\" {\n  sensitive = \"maybe\"\n}", "sensitive must be true or false"),
        ("variable \"x\" {\n  description = var.y\n}", "description must be a plain text"),
        ("variable \"source\" {}", "cannot be named"),
        ("variable \"1x\" {}", "is not a name"),
        ("variable \"x\" \"y\" {}", "has 1 labels, not 2"),
        ("variable {}", "has 1 labels, not 0"),
        ("variable \"x\" {\n  validation {\n    condition = var.x > 1\n  }\n}", "has no error_message"),
        ("variable \"x\" {\n  validation {\n    error_message = \"No.\"\n  }\n}", "has no condition"),
        (
            "variable \"x\" {\n  validation {\n    condition = var.xy > 1\n    error_message = \"No.\"\n  }\n}",
            "must refer to var.x",
        ),
        ("output \"x\" {}", "has no value"),
        ("module \"x\" {}", "has no source"),
        ("varable \"x\" {}", "knows no block \"varable\""),
        ("x = 1", "stands outside of any block"),
        ("variable \"credit_cost\" {\n  default = -1\n}", "must not be negative"),
        ("variable \"credit_cost\" {\n  default = \"free\"\n}", "credit_cost must be a number"),
        ("variable \"public_access\" {\n  default = \"yes\"\n}", "public_access must be true or false"),
    ] {
        let message = errors(&[("m/main.tf", source)]);
        assert!(message.contains(expected), "{source}\nsays {message}\ninstead of {expected}");
    }
}

#[test]
fn all_errors_of_all_files_are_reported_in_order() {
    let message = errors(&[
        ("m/a.tf", "variable \"x\" {\n  type = nope\n  default = local.y\n}\noutput \"o\" {}\n"),
        ("m/b.tf", "broken"),
        ("m/c.tf.json", "[1]"),
    ]);
    let places: Vec<&str> = message.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(
        places,
        ["m/a.tf:2:10", "m/a.tf:3:13", "m/a.tf:5:1", "m/b.tf:1:1", "m/c.tf.json:1:1"],
        "{message}"
    );
}

#[test]
fn what_a_module_needs_calls_and_creates_is_counted() {
    let manifest = manifest(&[
        ("m/README.md", "# M\n\nMakes things.\n"),
        (
            "m/main.tf",
            r#"
            terraform {
              required_version = ">= 1.3"
              required_providers {
                random = "~> 3.0"
                google = {
                  source  = "hashicorp/google"
                  version = ">= 4.0"
                  configuration_aliases = [google.other]
                }
              }
            }
            resource "google_project" "a" {}
            resource "google_project" "b" {}
            data "google_project" "c" {}
            module "net" {
              source  = "terraform-google-modules/network/google"
              version = "~> 9.0"
            }
            locals { x = 1 }
            provider "google" {}
            moved {
              from = a
              to   = b
            }
            check "health" {
              assert {
                condition     = true
                error_message = "No."
              }
            }
            "#,
        ),
    ]);
    assert_eq!(manifest.description, "Makes things.");
    assert_eq!(manifest.required_version.as_deref(), Some(">= 1.3"));
    let providers: Vec<_> = manifest
        .required_providers
        .iter()
        .map(|p| (p.name.as_str(), p.source.as_deref(), p.constraint.as_deref()))
        .collect();
    assert_eq!(
        providers,
        [("random", None, Some("~> 3.0")), ("google", Some("hashicorp/google"), Some(">= 4.0"))]
    );
    assert_eq!((manifest.resources["google_project"], manifest.data_sources["google_project"]), (2, 1));
    assert_eq!(manifest.module_calls[0].source, "terraform-google-modules/network/google");
    assert_eq!(manifest.module_calls[0].version.as_deref(), Some("~> 9.0"));
}

#[test]
fn heredocs_escapes_and_bare_defaults_are_read() {
    let manifest = manifest(&[(
        "m/main.tf",
        "variable \"a\" {\n  description = <<-EOT\n    One \"two\"\n    three.\n  EOT\n  default = \"a$${b}\\n\"\n}\n\
         variable \"b\" {\n  type    = map(list(number))\n  default = { x = [-1, 2.5], \"y z\" = [] }\n}\n\
         variable \"c\" {\n  type = list(object({ a = optional(string, \"d\") }))\n  default = [{}]\n}\n\
         variable \"d\" {\n  default = null\n}\n",
    )]);
    let default = |name: &str| manifest.variable(name).unwrap().default.clone();
    assert_eq!(manifest.variables[0].description, "One \"two\"\nthree.");
    assert_eq!(default("a"), Some(json!("a${b}\n")));
    assert_eq!(default("b"), Some(json!({"x": [-1, 2.5], "y z": []})));
    assert_eq!(default("c"), Some(json!([{"a": "d"}])));
    assert_eq!(default("d"), Some(json!(null)));
    assert!(!manifest.variable("d").unwrap().required());
    assert_eq!(manifest.variable("d").unwrap().ty, Type::Any);
}

#[test]
fn expressions_may_go_on_in_the_next_line_inside_of_braces() {
    let source = "locals {\n  a = {\n    for k, v in var.b : k =>\n    v == 1\n    ? { x = 1 }\n    : { x = 2 }\n  }\n}\n\
                  variable \"b\" {\n  default = {}\n}\n";
    let manifest = manifest(&[("m/main.tf", source)]);
    assert_eq!(manifest.variables[0].line, 9, "no line is lost");
    let message = errors(&[("m/main.tf", &format!("{source}variable {{"))]);
    assert!(message.starts_with("m/main.tf:12:"), "nor in an error: {message}");
}

#[test]
fn a_manifest_survives_its_json() {
    for module in discover(&super::examples()) {
        let manifest = module.outcome.unwrap();
        let text = serde_json::to_string(&manifest).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest, "{}", module.name);
    }
    let manifest = manifest(&[("m/main.tf", "variable \"a\" {\n  default = null\n}\nvariable \"b\" {}\n")]);
    let text = serde_json::to_string(&manifest).unwrap();
    assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest, "null and absent defaults differ");
}

#[test]
fn a_module_that_calls_what_is_not_below_it_is_invalid_where_it_does_so() {
    let tree = tree(&[
        ("shared/main.tf", ""),
        ("caller/main.tf", "output \"x\" { value = 1 }\nmodule \"s\" {\n  source = \"../shared\"\n}\n"),
        ("deep/main.tf", "module \"a\" { source = \"./parts/a\" }"),
        ("deep/parts/a/main.tf", "module \"b\" { source = \"../b/\" }"),
        ("deep/parts/b/main.tf.json", r#"{"module": {"out": {"source": "../../../shared"}}}"#),
        ("whole/main.tf", "module \"a\" { source = \"./a\" }\nmodule \"r\" { source = \"hashicorp/x/y\" }"),
        ("whole/a/main.tf", "module \"self\" { source = \"../b\" }"),
        ("whole/b/main.tf", "module \"a\" { source = \"../a\" }"),
        ("gap/main.tf", "module \"a\" { source = \"./a\" }"),
        ("gap/a/README.md", ""),
        ("over/main.tf", "module \"a\" { source = \"../shared\" }"),
        ("over/override.tf", "module \"a\" { source = \"./a\" }"),
        ("over/a/main.tf", ""),
    ]);
    let found = discover(&tree);
    let told = |name: &str| {
        let module = found.iter().find(|module| module.name == name).unwrap();
        module
            .outcome
            .as_ref()
            .err()
            .map(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    };
    let caller = told("caller").unwrap();
    assert!(caller.starts_with("caller/main.tf:2:") && caller.contains("../shared"), "{caller}");
    let deep = told("deep").unwrap();
    assert!(deep.starts_with("deep/parts/b/main.tf.json:1:") && deep.contains("lies outside"), "{deep}");
    let gap = told("gap").unwrap();
    assert!(gap.starts_with("gap/main.tf:1:") && gap.contains("no Terraform file"), "{gap}");
    for whole in ["shared", "whole", "over"] {
        assert_eq!(told(whole), None);
    }
}
