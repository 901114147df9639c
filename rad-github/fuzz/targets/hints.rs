//! The description of a variable: whatever it says, the variable is there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rad_core::module::{Values, discover};
use rad_core::source::SourceTree;

fuzz_target!(|description: &str| {
    let source = serde_json::json!({ "variable": { "x": { "type": "string", "description": description } } });
    let mut tree = SourceTree::default();
    tree.insert_file("m/main.tf.json", source.to_string()).expect("a plain path");
    for module in discover(&tree) {
        // Templates in JSON strings are expressions, which a description must not be.
        let Ok(manifest) = module.outcome else { continue };
        assert_eq!(manifest.variables.len(), 1);
        manifest.hidden(&Values::new(), &Values::new(), &Values::new());
        manifest.pages();
    }
});
