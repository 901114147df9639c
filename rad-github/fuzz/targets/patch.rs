//! The changes of an agent: shown or refused, applied whole or not at all.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rad_core::agent::ChangeSet;
use rad_core::source::SourceTree;

fuzz_target!(|patch: &str| {
    let mut tree = SourceTree::default();
    for (path, text) in [("mod/main.tf", "a\nb\nc\n"), ("mod/old.tf", "gone\n"), ("README.md", "# top\n")] {
        tree.insert_file(path, text).expect("a plain path");
    }
    let change = ChangeSet { base: None, patch: patch.to_owned(), message: String::new() };
    change.files().ok();
    if let Ok(changes) = change.changes(&tree, &tree) {
        for change in changes {
            let mut plain = SourceTree::default();
            assert!(plain.insert_file(change.path(), "").is_ok(), "{:?} is plain", change.path());
        }
    }
});
