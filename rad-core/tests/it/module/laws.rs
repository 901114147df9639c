//! Laws of types, conversion and parsing, on generated input.

use proptest::prelude::*;
use rad_core::module::{Attribute, DependsOn, Manifest, Type, Values, convert, discover};
use rad_core::source::SourceTree;
use rad_core::strategies::cases;
use serde_json::Value as Json;

pub(super) fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (-1_000_000i64..1_000_000).prop_map(|n| Json::from(n as f64 / 64.0)),
        prop_oneof![Just("true".to_owned()), Just("12.50".to_owned()), "[ -~]{0,8}", "\\PC{0,4}"]
            .prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

pub(super) fn ty() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![Just(Type::Any), Just(Type::Bool), Just(Type::Number), Just(Type::String)];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let attribute = (inner.clone(), any::<bool>(), json()).prop_map(|(ty, optional, default)| {
            // Only a default that suits its type can be declared.
            match convert(&default, &ty) {
                Ok(default) if optional => Attribute::optional(ty, Some(default)),
                _ if optional => Attribute::optional(ty, None),
                _ => Attribute::required(ty),
            }
        });
        prop_oneof![
            inner.clone().prop_map(|ty| Type::List(Box::new(ty))),
            inner.clone().prop_map(|ty| Type::Set(Box::new(ty))),
            inner.clone().prop_map(|ty| Type::Map(Box::new(ty))),
            prop::collection::vec(inner, 0..3).prop_map(Type::Tuple),
            prop::collection::btree_map("[a-d]|\\PC{1,3}", attribute, 0..3)
                .prop_map(|attributes| Type::Object(attributes.into_iter().collect())),
        ]
    })
}

/// Text that looks like Terraform more often than not.
fn source() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("variable \"a\" {\n"),
        Just("}\n"),
        Just("  type = "),
        Just("object({ a = optional(string, \"x\") })\n"),
        Just("list("),
        Just(")"),
        Just("  default = "),
        Just("[1, \"x\", { a = null }]\n"),
        Just("<<-EOT\n  a ${var.b} %{if true}x%{endif}\n  EOT\n"),
        Just("  description = \"x {{UIMeta group=1 dependson=(a==b }}\"\n"),
        Just(
            "  validation {\n    condition = can(var.a[*].b) ? -1 : !true\n    error_message = \"x\"\n  }\n"
        ),
        Just("output \"o\" {\n  value = 1\n}\n"),
        Just("\u{feff}"),
        Just("/* "),
        Just("\"\\u00"),
    ];
    let pieces = prop::collection::vec(prop_oneof![piece.prop_map(str::to_owned), "\\PC{0,6}"], 0..14);
    pieces.prop_map(|pieces| pieces.concat())
}

fn read(name: &str, bytes: Vec<u8>) {
    let mut tree = SourceTree::default();
    tree.insert_file(format!("m/{name}"), bytes).unwrap();
    for module in discover(&tree) {
        if let Ok(manifest) = module.outcome {
            manifest.pages();
            manifest.check(&Values::new(), &Values::new(), &Values::new()).ok();
            let text = serde_json::to_string(&manifest).unwrap();
            assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
        }
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn types_are_read_as_they_are_printed(ty in ty()) {
        prop_assert_eq!(ty.to_string().parse(), Ok(ty));
    }

    #[test]
    fn converting_again_changes_nothing(value in json(), ty in ty()) {
        if let Ok(once) = convert(&value, &ty) {
            prop_assert_eq!(convert(&once, &ty), Ok(once));
        }
    }

    #[test]
    fn whatever_becomes_a_string_was_simple(value in json()) {
        let simple = !value.is_array() && !value.is_object();
        prop_assert_eq!(convert(&value, &Type::String).is_ok(), simple);
    }

    #[test]
    fn any_terraform_text_is_read_or_refused(text in source()) {
        read("main.tf", text.into_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read("main.tf", bytes.clone());
        read("main.tf.json", bytes);
    }

    #[test]
    fn any_json_is_read_or_refused(value in json(), kind in "variable|output|resource|module|terraform") {
        let root = serde_json::json!({ kind: { "x": value } });
        read("main.tf.json", root.to_string().into_bytes());
    }

    #[test]
    fn any_condition_has_a_verdict(
        parts in prop::collection::vec(prop::sample::select(CONDITION.to_vec()), 1..10),
        value in json(),
    ) {
        let source = format!(
            "variable \"a\" {{\n  validation {{\n    condition = {} == var.a\n    error_message = \"x\"\n  }}\n}}\n",
            parts.join(" ")
        );
        let mut tree = SourceTree::default();
        tree.insert_file("main.tf", source.into_bytes()).unwrap();
        if let Ok(manifest) = Manifest::read("m", &tree) {
            manifest.check(&Values::new(), &Values::new(), &Values::from([("a".to_owned(), value)])).ok();
        }
    }

    #[test]
    fn any_dependson_is_read_or_refused(text in "[a-c=!&|()'\" ]{0,24}") {
        if let Ok(expression) = text.parse::<DependsOn>() {
            expression.holds(|name| (name == "a").then(|| "b".into()));
            prop_assert_eq!(expression.to_string(), text);
        }
    }
}

/// Pieces of conditions.
const CONDITION: [&str; 30] = [
    "var.a",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ",",
    "?",
    ":",
    "&&",
    "||",
    "==",
    "+",
    "-",
    "*",
    "/",
    "%",
    "!",
    "1",
    "\"x\"",
    "null",
    "length(",
    "regex(\"[a-z]+\", ",
    "for v in",
    "=>",
    "...",
    "[*].b",
    "cidrsubnet(\"10.0.0.0/8\", ",
    "substr(\"abc\", ",
];
