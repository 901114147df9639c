//! Terraform files: read or refused, and what is read makes a form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rad_core::module::{Manifest, Values, discover};
use rad_core::source::SourceTree;

fuzz_target!(|data: (bool, &[u8])| {
    let (is_json, source) = data;
    let mut tree = SourceTree::default();
    let name = if is_json { "m/main.tf.json" } else { "m/main.tf" };
    tree.insert_file(name, source.to_vec()).expect("a plain path");
    for module in discover(&tree) {
        let Ok(manifest) = module.outcome else { continue };
        manifest.check(&Values::new(), &Values::new(), &Values::new()).ok();
        assert_eq!(manifest.deploy_schema()["type"], "object");
        let text = serde_json::to_string(&manifest).expect("a manifest is JSON");
        assert_eq!(serde_json::from_str::<Manifest>(&text).expect("and is read back"), manifest);
    }
});
