//! Manifests as JSON Schema: what the schema takes Terraform takes, and what Terraform makes of a value the schema takes.

use proptest::prelude::*;
use rad_core::module::{Manifest, Type, Values, convert, discover};
use rad_core::source::SourceTree;
use rad_core::strategies::cases;
use serde_json::{Value as Json, json};

use super::examples;
use super::laws::{json, ty};
use crate::json_schema::Judge;

fn module(source: &str) -> Manifest {
    let mut tree = SourceTree::default();
    tree.insert_file("main.tf", source.to_owned()).unwrap();
    Manifest::read("sample", &tree).unwrap()
}

/// Whether a schema can say all that there is to say of the type: `any` in a collection stands for one type of all elements.
fn is_closed(ty: &Type) -> bool {
    match ty {
        Type::Any => false,
        Type::Bool | Type::Number | Type::String => true,
        Type::List(element) | Type::Set(element) | Type::Map(element) => is_closed(element),
        Type::Object(attributes) => attributes.values().all(|attribute| is_closed(&attribute.ty)),
        Type::Tuple(elements) => elements.iter().all(is_closed),
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn what_terraform_makes_of_a_value_is_taken(ty in ty(), value in json()) {
        let schema = ty.json_schema();
        if let Ok(converted) = convert(&value, &ty) {
            prop_assert!(Judge::new(&schema).takes(&converted), "{schema} does not take {converted}");
        }
    }

    #[test]
    fn what_is_taken_suits_terraform(ty in ty().prop_filter("closed", is_closed), value in json()) {
        if Judge::new(&ty.json_schema()).takes(&value) {
            prop_assert!(convert(&value, &ty).is_ok(), "{ty} does not take {value}");
        }
    }

    #[test]
    fn a_value_of_the_type_in_another_shape_is_judged_as_terraform_does(
        ty in ty().prop_filter("closed", is_closed),
        value in json(),
        other in ty(),
    ) {
        // Converted to one type and offered to another, values are near enough to be taken now and then.
        if let Ok(near) = convert(&value, &other)
            && Judge::new(&ty.json_schema()).takes(&near)
        {
            prop_assert!(convert(&near, &ty).is_ok(), "{ty} does not take {near}");
        }
    }
}

const EVERYTHING: &str = r#"
variable "credit_cost" { default = 12.5 }
variable "require_credit_purchases" { default = true }
variable "region" {
  type        = string
  description = "Where. {{UIMeta group=0 options=eu,us }}"
}
variable "name" {
  type        = string
  description = "What it is called. {{UIMeta group=1 order=2 }}"
  validation {
    condition     = length(var.name) > 1
    error_message = "A name has two letters at least."
  }
}
variable "size" {
  type        = number
  default     = 3
  description = "{{UIMeta group=1 order=1 options=1,3,5 updatesafe }}"
}
variable "zones" {
  type        = set(string)
  default     = ["a"]
  description = "{{UIMeta group=1 options=a,b required }}"
}
variable "password" {
  type        = string
  default     = "hunter2"
  sensitive   = true
  description = "{{UIMeta dependson=(size==5) required }}"
}
variable "nodes" {
  type    = list(object({ name = string, size = optional(number, 3), pair = optional(tuple([string, bool])) }))
  default = []
}
variable "labels" { default = null }
"#;

#[test]
fn a_form_is_told_with_its_pages_and_hints() {
    let schema = module(EVERYTHING).deploy_schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(
        schema["x-rad"],
        json!({
            "module": "sample",
            "creditCost": "12.5",
            "requireCreditPurchases": true,
            "pages": [
                { "group": 1, "fields": ["size", "name", "zones"] },
                { "group": null, "fields": ["password", "nodes", "labels"] },
            ],
        })
    );
    // A field that may be hidden is not required of everybody.
    assert_eq!(schema["required"], json!(["name", "zones"]));
    let field = &schema["properties"];
    assert_eq!(
        field["name"],
        json!({
            "type": "string",
            "minLength": 1,
            "description": "What it is called.",
            "x-rad": {
                "type": "string",
                "group": 1,
                "order": 2,
                "validations": [{
                    "condition": "length(var.name) > 1",
                    "errorMessage": "A name has two letters at least.",
                    "computed": false,
                }],
            },
        })
    );
    assert_eq!(field["size"]["enum"], json!([1, 3, 5, null]));
    assert_eq!(field["size"]["default"], json!(3));
    assert_eq!(field["size"]["x-rad"]["updateSafe"], json!(true));
    assert_eq!(field["zones"]["items"], json!({ "enum": ["a", "b"] }));
    assert_eq!(field["password"]["writeOnly"], json!(true));
    assert_eq!(field["password"]["x-rad"]["dependsOn"], "(size==5)");
    assert!(!schema.to_string().contains("hunter2"), "a secret is told: {schema}");
    assert_eq!(field["region"], Json::Null, "asked of the publisher");
}

#[test]
fn the_publisher_is_asked_for_group_0() {
    let schema = module(EVERYTHING).publish_schema();
    assert_eq!(schema["required"], json!(["region"]));
    assert_eq!(schema["properties"]["region"]["enum"], json!(["eu", "us"]));
    let judge = Judge::new(&schema);
    assert!(judge.takes(&json!({ "region": "eu" })));
    assert!(!judge.takes(&json!({ "region": "mars" })));
    assert!(!judge.takes(&json!({ "region": "eu", "name": "x" })));
}

#[test]
fn answers_are_judged_before_anybody_is_asked() {
    let manifest = module(EVERYTHING);
    let judge = Judge::new(&manifest.deploy_schema());
    let platform = Values::from([("region".to_owned(), json!("eu"))]);
    for (answers, fits) in [
        (json!({ "name": "ada", "zones": ["a", "b"] }), true),
        (json!({ "name": "ada", "zones": ["a"], "size": 5, "password": "x" }), true),
        (json!({ "name": "ada", "zones": ["a"], "nodes": [{ "name": "n", "pair": ["x", true] }] }), true),
        (json!({ "name": "ada", "zones": ["a"], "nodes": [{ "name": "n", "pair": ["x"] }] }), false),
        (json!({ "name": "ada", "zones": ["a"], "nodes": [{ "size": 1 }] }), false),
        (json!({ "name": "ada", "zones": ["a"], "size": 2 }), false),
        (json!({ "name": "ada", "zones": ["c"] }), false),
        (json!({ "name": "ada", "zones": [] , "unheard_of": 1 }), false),
        (json!({ "name": "", "zones": ["a"] }), false),
        (json!({ "zones": ["a"] }), false),
    ] {
        let typed: Values = serde_json::from_value(answers.clone()).unwrap();
        assert_eq!(judge.takes(&answers), fits, "{answers}");
        assert_eq!(manifest.check(&platform, &Values::new(), &typed).is_ok(), fits, "{answers}");
    }
}

#[test]
fn every_sample_module_has_a_schema() {
    let found = discover(&examples());
    assert!(found.len() > 3);
    for module in found {
        let manifest = module.outcome.unwrap();
        let (deploy, publish) = (manifest.deploy_schema(), manifest.publish_schema());
        Judge::new(&publish);
        let fields: usize = manifest.pages().iter().map(|page| page.fields.len()).sum();
        assert_eq!(deploy["properties"].as_object().unwrap().len(), fields, "{}", module.name);
        // What every field says of itself by default is an answer to it.
        let answers = deploy["properties"].as_object().unwrap().iter();
        let defaults =
            answers.filter_map(|(name, field)| Some((name.clone(), field.get("default")?.clone())));
        let mut schema = deploy.clone();
        schema.as_object_mut().unwrap().remove("required");
        let defaults = Json::Object(defaults.collect());
        assert!(Judge::new(&schema).takes(&defaults), "{}: {defaults}", module.name);
    }
}
