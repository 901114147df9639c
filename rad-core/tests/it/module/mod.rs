//! Manifests, types and values.

use std::fs;
use std::path::{Path, PathBuf};

use rad_core::source::SourceTree;

mod discovery;
mod laws;
mod reader;
mod schema;
mod terraform;
mod values;

/// The sample modules of the repository.
fn examples() -> SourceTree {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/modules");
    let mut tree = SourceTree::default();
    let mut open: Vec<PathBuf> = vec![root.clone()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let relative = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                tree.insert_file(relative, fs::read(&path).unwrap()).unwrap();
            }
        }
    }
    tree
}
