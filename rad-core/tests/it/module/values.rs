//! Forms, layers and checks of values, on the sample modules and on small ones.

use rad_core::module::{CheckedValues, Manifest, ValueProblem, Values, discover};
use rad_core::source::SourceTree;
use serde_json::{Value as Json, json};

fn example(name: &str) -> Manifest {
    let found = discover(&super::examples());
    found.into_iter().find(|module| module.name == name).unwrap().outcome.unwrap()
}

fn module(source: &str) -> Manifest {
    let mut tree = SourceTree::default();
    tree.insert_file("main.tf", source.as_bytes().to_vec()).unwrap();
    Manifest::read("m", &tree).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn values(json: Json) -> Values {
    json.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn check(manifest: &Manifest, typed: Json) -> Result<CheckedValues, Vec<ValueProblem>> {
    manifest.check(&Values::new(), &Values::new(), &values(typed))
}

/// The problems, one a line.
fn problems(manifest: &Manifest, typed: Json) -> String {
    let problems = check(manifest, typed).expect_err("values with problems");
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sample_modules_are_listed_with_their_metadata() {
    let found = discover(&super::examples());
    let listed: Vec<(&str, String, bool)> = found
        .iter()
        .map(|module| {
            let manifest = module.outcome.as_ref().unwrap();
            assert!(manifest.warnings.is_empty(), "{:?}", manifest.warnings);
            assert!(manifest.metadata.public_access && manifest.metadata.enable_purge);
            assert!(manifest.readme.is_some() && !manifest.description.is_empty());
            let metadata = &manifest.metadata;
            (manifest.name.as_str(), metadata.credit_cost.to_string(), metadata.require_credit_purchases)
        })
        .collect();
    let expected = [
        ("dashboard", "10", false),
        ("faulty", "10", false),
        ("fleet", "15", false),
        ("hello", "5", false),
        ("vault", "25", true),
        ("web-stack", "20", false),
    ];
    assert_eq!(listed, expected.map(|(name, cost, purchased)| (name, cost.to_owned(), purchased)));
    assert_eq!(example("dashboard").metadata.dependencies, ["web-stack"]);
}

#[test]
fn pages_follow_groups_and_orders() {
    let manifest = example("web-stack");
    let pages: Vec<(Option<u32>, Vec<&str>)> = manifest
        .pages()
        .iter()
        .map(|page| (page.group, page.fields.iter().map(|field| field.name.as_str()).collect()))
        .collect();
    assert_eq!(
        pages,
        [
            (Some(1), vec!["service_name", "environment", "region", "domains"]),
            (Some(2), vec!["instances", "create_database", "database", "listeners", "labels"]),
            (Some(3), vec!["admin_password", "encrypt", "certificate_contact"]),
        ]
    );
    let manifest = module(
        "variable \"late\" {}\nvariable \"b\" {\n description = \"{{UIMeta group=2 }}\"\n}\n\
         variable \"c\" {\n description = \"{{UIMeta group=2 order=1 }}\"\n}\n\
         variable \"p\" {\n description = \"{{UIMeta group=0 }}\"\n}\nvariable \"deployment_id\" {}\n",
    );
    let names: Vec<Vec<&str>> =
        manifest.pages().iter().map(|page| page.fields.iter().map(|f| f.name.as_str()).collect()).collect();
    assert_eq!(names, [vec!["c", "b"], vec!["late"]], "no order and no group come last");
    assert_eq!(manifest.publish_fields().iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["p"]);
}

#[test]
fn good_values_are_converted_and_filled_in() {
    let checked = check(
        &example("web-stack"),
        json!({
            "service_name": "shop", "admin_password": "correct-horse-battery", "instances": "3",
            "database": {"storage_gb": "50"}, "listeners": [{"port": "8080"}]
        }),
    )
    .unwrap();
    assert_eq!(checked.deferred, []);
    assert_eq!(checked.values["instances"], json!(3));
    assert_eq!(
        checked.values["database"],
        json!({
            "engine": "postgres", "storage_gb": 50, "flags": {},
            "backup": {"enabled": true, "keep_days": 7, "window_hour": 3}
        })
    );
    assert_eq!(checked.values["listeners"], json!([{"port": 8080, "protocol": "https", "paths": ["/"]}]));
    assert_eq!(checked.values["certificate_contact"], Json::Null);
    assert_eq!(checked.sensitive.iter().collect::<Vec<_>>(), ["admin_password"]);
}

#[test]
fn bad_values_are_told_by_field_in_the_authors_words() {
    let manifest = example("web-stack");
    assert_eq!(
        problems(
            &manifest,
            json!({
                "service_name": "Shop", "admin_password": "short", "instances": "many", "region": "mars",
                "listeners": [{"port": 80}, {"protocol": "http"}], "colour": "red",
                "database": {"backup": {"window_hour": 99}}
            })
        ),
        "colour: the module has no such variable\n\
         region: choose one of europe-north, europe-west, asia-south, us-east\n\
         instances: a number is required\n\
         listeners[1]: attribute \"port\" is required\n\
         service_name: A service name has 3 to 30 lower-case letters, digits or hyphens, starts with a letter and \
         does not end with a hyphen.\n\
         database: The backup window starts at an hour between 0 and 23.\n\
         admin_password: The administrator's password needs at least 12 characters."
    );
    assert_eq!(
        problems(&manifest, json!({"service_name": ""})),
        "service_name: a value is required\nadmin_password: a value is required"
    );
}

#[test]
fn the_deployer_is_not_heard_on_metadata_and_publish_time_values() {
    let manifest = example("hello");
    assert_eq!(
        problems(&manifest, json!({"credit_cost": 0, "deployment_id": "x"})),
        "credit_cost: this is not asked here\ndeployment_id: this is not asked here"
    );
}

#[test]
fn layers_win_from_below_and_nothing_empty_overwrites() {
    let manifest = module(
        "variable \"id\" {\n default = \"\"\n}\nvariable \"region\" {\n default = \"eu\"\n}\n\
         variable \"net\" {\n default = \"one\"\n description = \"{{UIMeta group=0 }}\"\n}\n\
         variable \"zones\" {\n type = list(string)\n default = [\"a\"]\n}\n\
         variable \"labels\" {\n type = map(string)\n default = { a = \"b\" }\n}\n",
    );
    let platform = values(json!({"id": "abc", "region": "platform", "unknown": 1}));
    let published = values(json!({"net": "two"}));
    let typed = values(json!({"id": "", "region": "us", "zones": [], "labels": {}}));
    let checked = manifest.check(&platform, &published, &typed).unwrap();
    let expected = json!({"id": "abc", "region": "us", "net": "two", "zones": ["a"], "labels": {}});
    assert_eq!(checked.values, values(expected));
    let checked = manifest.check(&platform, &values(json!({"net": ""})), &Values::new()).unwrap();
    assert_eq!((&checked.values["region"], &checked.values["net"]), (&json!("eu"), &json!("one")));
}

#[test]
fn hidden_fields_are_neither_required_nor_taken() {
    let manifest = module(
        "variable \"db\" {\n type = bool\n default = false\n}\n\
         variable \"size\" {\n type = number\n description = \"{{UIMeta dependson=db==true }}\"\n}\n\
         variable \"disk\" {\n default = \"ssd\"\n description = \"{{UIMeta dependson=(size=='5') required }}\"\n}\n",
    );
    let hidden = |typed: Json| {
        let mut names: Vec<String> = manifest
            .hidden(&Values::new(), &Values::new(), &values(typed))
            .into_iter()
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    };
    assert_eq!(hidden(json!({})), ["disk", "size"]);
    assert_eq!(hidden(json!({"size": 5})), ["disk", "size"], "what is hidden hides what hangs on it");
    assert_eq!(hidden(json!({"db": "true"})), ["disk"], "a typed text counts as the bool it becomes");
    assert_eq!(hidden(json!({"db": true, "size": "5"})), Vec::<String>::new());
    let checked = check(&manifest, json!({"size": "9", "disk": "hdd"})).unwrap();
    assert_eq!(checked.values, values(json!({"db": false, "size": null, "disk": "ssd"})));
    assert_eq!(problems(&manifest, json!({"db": true})), "size: a value is required");
}

#[test]
fn an_unknown_name_in_dependson_warns_and_shows_the_field() {
    let manifest =
        module("variable \"a\" {\n default = 1\n description = \"{{UIMeta dependson=b==1 }}\"\n}\n");
    assert_eq!(manifest.warnings[0].message, "variable \"a\": dependson names \"b\", which is no variable");
    assert_eq!(check(&manifest, json!({"a": 2})).unwrap().values["a"], json!(2));
}

#[test]
fn validations_see_other_variables_and_messages_quote_values() {
    let manifest = module(
        "variable \"min\" {\n type = number\n}\n\
         variable \"max\" {\n type = number\n validation {\n condition = var.max >= var.min\n \
         error_message = \"The maximum ${var.max} is below ${var.min}.\"\n }\n}\n\
         variable \"pin\" {\n sensitive = true\n validation {\n condition = length(var.pin) == 4\n \
         error_message = \"Not ${var.pin}.\"\n }\n}\n",
    );
    assert_eq!(
        problems(&manifest, json!({"min": 5, "max": "3", "pin": "12345"})),
        "max: The maximum 3 is below 5.\n\
         pin: the value is not valid; the reason is not shown because it quotes a sensitive value"
    );
    assert_eq!(problems(&manifest, json!({"max": 3, "pin": "1234"})), "min: a value is required");
}

#[test]
fn what_only_a_plan_knows_is_deferred() {
    let manifest = module(
        "variable \"a\" {\n validation {\n condition = fileexists(var.a)\n error_message = \"No file.\"\n }\n}\n",
    );
    let checked = check(&manifest, json!({"a": "x"})).unwrap();
    assert_eq!(checked.deferred.len(), 1);
    assert!(checked.deferred[0].reason.contains("fileexists"), "{:?}", checked.deferred);
}

#[test]
fn a_variable_that_is_not_nullable_falls_back_to_its_default() {
    let manifest = module("variable \"a\" {\n type = number\n nullable = false\n default = 5\n}\n");
    assert_eq!(check(&manifest, json!({"a": null})).unwrap().values["a"], json!(5));
    let manifest = module("variable \"a\" {\n type = number\n nullable = false\n}\n");
    assert_eq!(problems(&manifest, json!({"a": null})), "a: a value is required");
}

#[test]
fn publishers_answer_group_0() {
    let manifest = example("hello");
    let publish = |json| manifest.check_publish_values(&values(json));
    let accepted = publish(json!({"credit_cost": "7.5", "public_access": "false"})).unwrap();
    assert_eq!(accepted, values(json!({"credit_cost": 7.5, "public_access": false})));
    let metadata = manifest.metadata_with(&accepted).unwrap();
    assert_eq!((metadata.credit_cost.to_string().as_str(), metadata.public_access), ("7.5", false));
    for (value, expected) in [
        (json!({"credit_cost": -1}), "must not be negative"),
        (json!({"credit_cost": "much"}), "a number is required"),
        (json!({"who": "me"}), "not asked here"),
        (json!({"deployment_id": "x"}), "not asked here"),
        (json!({"nothing": 1}), "no such variable"),
    ] {
        let problems = publish(value).unwrap_err();
        assert!(problems[0].message.contains(expected), "{problems:?}");
    }
}

#[test]
fn conditions_cost_a_bounded_amount_of_work() {
    let manifest = module(
        "variable \"a\" {\n validation {\n condition = length([for a in range(1000) : [for b in range(1000) : \
         [for c in range(1000) : \"${a}${b}${c}${var.a}\"]]]) > 0\n error_message = \"No.\"\n }\n}\n\
         variable \"b\" {\n validation {\n condition = length(format(\"%999999999d\", 1)) > length(var.b)\n \
         error_message = \"No.\"\n }\n}\n",
    );
    let start = std::time::Instant::now();
    let checked = check(&manifest, json!({"a": "x", "b": "y"})).unwrap();
    assert_eq!(checked.deferred.len(), 2);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn a_default_with_more_digits_than_are_kept_is_left_to_terraform_and_never_rounded() {
    let native = "variable \"x\" {\n  type    = number\n  default = 123456789012345678901234567890123\n}\n";
    let json = r#"{"variable": {"x": {"type": "number", "default": 98765432109876543210}, "y": {"default": [0.10, -1e2, "a \" 1"]}}}"#;
    for (file, source) in [("main.tf", native), ("main.tf.json", json)] {
        let mut tree = SourceTree::default();
        tree.insert_file(file, source).unwrap();
        let manifest = Manifest::read("m", &tree).unwrap_or_else(|e| panic!("{file}: {e:?}"));
        let x = manifest.variable("x").unwrap();
        assert_eq!((&x.default, x.default_in_source, x.required()), (&None, true, false), "{file}");
        let checked = manifest.check(&Values::new(), &Values::new(), &Values::new()).unwrap();
        assert!(!checked.values.contains_key("x"), "{file}: {checked:?}");
        for (typed, sent) in [(json!(""), None), (json!(5), Some(json!(5))), (json!("7"), Some(json!(7)))] {
            let typed = Values::from([("x".to_owned(), typed)]);
            let checked = manifest.check(&Values::new(), &Values::new(), &typed).unwrap();
            assert_eq!(checked.values.get("x"), sent.as_ref(), "{file}: {typed:?}");
        }
        if let Some(y) = manifest.variable("y") {
            assert_eq!(y.default, Some(json!([0.1, -100, "a \" 1"])), "numbers that are kept are");
        }
    }
    let mut tree = SourceTree::default();
    tree.insert_file("main.tf", "variable \"credit_cost\" { default = 0.12345678901234567890123 }").unwrap();
    let errors = Manifest::read("m", &tree).unwrap_err();
    assert!(errors[0].to_string().contains("more digits"), "what is charged is never left open: {errors:?}");
}
